"""Clients that do not keep to HTTP, that stall, flood, or die. Each refusal has its exact code, changes nothing, and leaves the
daemon serving everybody else. Source of the malformed heads: RFC 9112 and the request-smuggling cases of other parsers."""
import os
import random
import socket
import threading
import time

import pytest

from conftest import needs_root, soon, wait_for

A = "/registry/applications"
PUT = "PUT %s/a HTTP/1.1\r\nHost: x\r\n" % A

# Each would store "12345" at /a for a reader that is less strict. (what, bytes, status, code)
MALFORMED = [
    ("bare LF line ends", "PUT %s/a HTTP/1.1\nHost: x\nContent-Length: 5\n\n12345" % A, 400, "bad-http"),
    ("one bare LF", PUT + "X: y\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("bare CR in a field", PUT + "X: a\rb\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("bare CR hides chunked", PUT + "X:\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("space before the colon", PUT + "Content-Length : 5\r\n\r\n12345", 400, "bad-http"),
    ("tab before the colon", PUT + "Content-Length\t: 5\r\n\r\n12345", 400, "bad-http"),
    ("length and chunked", PUT + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunked and length", PUT + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("two equal lengths", PUT + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("two lengths", PUT + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456", 400, "bad-http"),
    ("list of lengths", PUT + "Content-Length: 5, 5\r\n\r\n12345", 400, "bad-http"),
    ("signed length", PUT + "Content-Length: +5\r\n\r\n12345", 400, "bad-http"),
    ("negative length", PUT + "Content-Length: -5\r\n\r\n12345", 400, "bad-http"),
    ("padded length", PUT + "Content-Length: 05\r\n\r\n12345", 400, "bad-http"),
    ("hex length", PUT + "Content-Length: 0x5\r\n\r\n12345", 400, "bad-http"),
    ("empty length", PUT + "Content-Length:\r\n\r\n12345", 400, "bad-http"),
    ("length beyond 64 bits", PUT + "Content-Length: 18446744073709551621\r\n\r\n12345", 400, "bad-http"),
    ("folded field", PUT + "X: a\r\n b\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("field begins with a space", "PUT %s/a HTTP/1.1\r\n Host: x\r\nContent-Length: 5\r\n\r\n12345" % A, 400, "bad-http"),
    ("no Host", "PUT %s/a HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345" % A, 400, "bad-http"),
    ("two Host", PUT + "Host: x\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("Host with a path", "PUT %s/a HTTP/1.1\r\nHost: x/y\r\nContent-Length: 5\r\n\r\n12345" % A, 400, "bad-http"),
    ("no version", "PUT %s/a\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" % A, 400, "bad-http"),
    ("HTTP/1.0", "PUT %s/a HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" % A, 505, "bad-http"),
    ("HTTP/1.2", "PUT %s/a HTTP/1.2\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" % A, 505, "bad-http"),
    ("HTTP/2.0", "PUT %s/a HTTP/2.0\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" % A, 505, "bad-http"),
    ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad-http"),
    ("lower case version", "PUT %s/a http/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" % A, 400, "bad-http"),
    ("another protocol", "SOURCE / ICE/1.0\r\n\r\n", 400, "bad-http"),
    ("leading empty line", "\r\n" + PUT + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("leading space", " " + PUT + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("two spaces", PUT.replace("PUT ", "PUT  ", 1) + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("space at the end of the line", PUT.replace("HTTP/1.1\r", "HTTP/1.1 \r", 1) + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("0xFF in the target", PUT.replace("/a", "/\xff", 1) + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("NUL in the target", PUT.replace("/a HTTP", "/a\0b HTTP") + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("NUL in a field", PUT + "X: a\0b\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("control in a field", PUT + "X: a\x01b\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("absolute target", PUT.replace(A, "http://x" + A, 1) + "Content-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("asterisk target", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad-http"),
    ("CONNECT", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "bad-http"),
    ("method no token", "P\xc3T %s/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345" % A, 400, "bad-http"),
    ("field name empty", PUT + ": x\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("field without colon", PUT + "nonsense\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("field name no token", PUT + "X(y): z\r\nContent-Length: 5\r\n\r\n12345", 400, "bad-http"),
    ("unknown coding", PUT + "Transfer-Encoding: gzip\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 501, "bad-http"),
    ("stacked coding", PUT + "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 501, "bad-http"),
    ("chunked twice", PUT + "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 501, "bad-http"),
    ("two codings", PUT + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("identity coding", PUT + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n12345", 501, "bad-http"),
    ("unknown expectation", PUT + "Expect: 200-ok\r\nContent-Length: 5\r\n\r\n12345", 417, "bad-http"),
    ("chunk extension", PUT + "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunk extension with bare LF", PUT + "Transfer-Encoding: chunked\r\n\r\n5;\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunk size with a sign", PUT + "Transfer-Encoding: chunked\r\n\r\n+5\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunk size 0x", PUT + "Transfer-Encoding: chunked\r\n\r\n0x5\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunk size empty", PUT + "Transfer-Encoding: chunked\r\n\r\n\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunk size overflows", PUT + "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\n12345\r\n0\r\n\r\n", None, None),
    ("chunk longer than said", PUT + "Transfer-Encoding: chunked\r\n\r\n4\r\n12345\r\n0\r\n\r\n", 400, "bad-http"),
    ("chunk with bare LF", PUT + "Transfer-Encoding: chunked\r\n\r\n5\n12345\n0\n\n", 400, "bad-http"),
    ("chunked with a trailer", PUT + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\nX: y\r\n\r\n", 400, "bad-http"),
    ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad-http"),
]


@pytest.mark.parametrize("what,data,status,code", MALFORMED, ids=[m[0] for m in MALFORMED])
def test_malformed(daemon, c, what, data, status, code):
    revision = c.status()["revision"]
    with daemon.raw(5) as raw:
        raw.try_send(data)
        # a second request behind it must never be read: the daemon cannot know where it would begin
        raw.try_send("PUT %s/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1" % A)
        r = raw.reply()
        if status is None:
            assert r.status in (400, 413) and r.code in ("bad-http", "too-large"), r
        else:
            assert (r.status, r.code) == (status, code), (what, r)
        assert r.headers["connection"] == "close"
        assert raw.is_over()
    assert c.names("/registry", recursive=True) == []
    assert c.status()["revision"] == revision


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_malformed_heads_are_refused_however_they_are_cut(daemon, c, cut):
    data = (PUT + "Content-Length : 5\r\n\r\n12345").encode()
    with daemon.raw(5) as raw:
        raw.send(data[:cut])
        time.sleep(0.02)
        raw.try_send(data[cut:])
        r = raw.reply()
        assert (r.status, r.code) == (400, "bad-http")
    assert c.names(A) == []


# ---- sizes ----------------------------------------------------------------------------------------------------------

def refusal(daemon, data):
    with daemon.raw(10) as raw:
        raw.try_send(data)
        r = raw.reply()
        assert r is not None, "no reply"
        assert r.headers["connection"] == "close" and raw.is_over()
        return r.status, r.code


def test_target_too_long(daemon, c):
    assert refusal(daemon, "GET %s/%s HTTP/1.1\r\nHost: x\r\n\r\n" % (A, "n" * 5000)) == (414, "bad-http")


def test_endless_target(daemon, c):
    assert refusal(daemon, "GET /" + "n" * 200000)[0] in (414, 431)


def test_longest_target_is_read(c):
    r = c.get(A + "/" + "%41" * 255 + "?version=" + "1" * 18)
    assert r.status == 404 and r.code == "not-found"


def test_head_too_long(daemon, c):
    assert refusal(daemon, PUT + "X: " + "y" * 20000 + "\r\n\r\n") == (431, "bad-http")
    assert refusal(daemon, PUT + "".join("X%d: %s\r\n" % (i, "y" * 1000) for i in range(20)) + "\r\n") == (431, "bad-http")


def test_endless_field(daemon, c):
    assert refusal(daemon, PUT + "X: " + "y" * 500000) == (431, "bad-http")


def test_too_many_fields(daemon, c):
    assert refusal(daemon, PUT + "".join("X%d: y\r\n" % i for i in range(64)) + "\r\n") == (431, "bad-http")


def test_as_many_fields_as_allowed(daemon, c):
    with daemon.raw() as raw:
        raw.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n" + "".join("X%d: y\r\n" % i for i in range(63)) + "\r\n")
        assert raw.reply().status == 200


def test_too_many_arguments(c):
    r = c.get("/v1/audit?" + "&".join("a%d=1" % i for i in range(100)))
    assert (r.status, r.code) == (400, "bad-request")


@pytest.mark.parametrize("length", [(1 << 20) + 1, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1])
def test_announced_body_too_large(daemon, c, length):
    """Refused from its head: nothing is read, and nothing is set aside for it."""
    assert refusal(daemon, PUT + "Content-Length: %d\r\n\r\n" % length) == (413, "too-large")
    assert c.names(A) == []


def test_chunked_body_too_large(daemon, c):
    with daemon.raw(10) as raw:
        raw.send(PUT + "Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(40):
            if not raw.try_send(chunk):
                break
        r = raw.reply()
        assert (r.status, r.code) == (413, "too-large")
    assert c.names(A) == []


def test_body_where_none_belongs(daemon, c):
    c.put(A + "/a", "1")
    for line in ("GET %s/a" % A, "DELETE %s/a" % A, "POST /v1/lock", "GET /v1/status"):
        assert refusal(daemon, line + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345") == (413, "too-large"), line
        assert refusal(daemon, line + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n") == (
            413, "too-large"), line
    assert c.get(A + "/a").body == b"1" and c.status()["state"] == "unlocked"


def test_rule_body_too_large(daemon, c):
    r = c.post("/v1/acl", b'{"path":"%s"}' % (b"x" * 5000))
    assert (r.status, r.code) == (413, "too-large")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"x"', b"{}", b'{"path":"/registry"}', b"\xff", b'{"path":1}',
                                  b'{"path":"/registry","effect":"allow","principal":"any","actions":"read","x":"y"}',
                                  b'{"path":"/registry","effect":"allow","effect":"deny","principal":"any","actions":"read"}',
                                  b'{"path":"/registry","effect":"allow","principal":["any"],"actions":"read"}',
                                  b'{"path":"/registry","effect":"allow","principal":"any","actions":"read"} x',
                                  b'{"path":"/registry","effect":"allow","principal":"any\\u0000","actions":"read"}',
                                  b'{"path":"/registry","effect":"allow","principal":"' + b"a" * 3000 + b'","actions":"read"}',
                                  b"{" * 2000])
def test_malformed_rule_bodies(c, body):
    r = c.post("/v1/acl", body)
    assert (r.status, r.code) == (400, "bad-request"), r
    assert c.status()["rules"] == 1


# ---- well-formed, but seldom ----------------------------------------------------------------------------------------

def test_chunked_body(daemon, c):
    with daemon.raw() as raw:
        raw.send(PUT + "Transfer-Encoding: chunked\r\n\r\n")
        for part in ("1\r\na\r\n", "5\r\n", "bcdef", "\r\nA\r\n0123456789\r\n", "a\r\nABCDEFGHIJ\r\n", "0\r", "\n\r\n"):
            raw.send(part)
            time.sleep(0.01)
        assert raw.reply().status == 201
        raw.send("GET %s/a HTTP/1.1\r\nHost: x\r\n\r\n" % A)
        assert raw.reply().body == b"abcdef0123456789ABCDEFGHIJ"


def test_chunked_mebibyte_in_odd_pieces(daemon, c):
    value = random.Random(1).randbytes(1 << 20)
    body, at = b"", 0
    sizes = random.Random(2)
    while at < len(value):
        n = min(sizes.choice([1, 7, 100, 4096, 16384, 50000]), len(value) - at)
        body += b"%x\r\n" % n + value[at:at + n] + b"\r\n"
        at += n
    with daemon.raw() as raw:
        raw.send(PUT + "Secreg-Type: binary\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.send(body + b"0\r\n\r\nGET %s/a HTTP/1.1\r\nHost: x\r\n\r\n" % A.encode())
        assert raw.reply().status == 201
        assert raw.reply().body == value


def test_expect_continue(daemon, c):
    with daemon.raw(5) as raw:
        raw.send(PUT + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert raw.reply().status == 100
        raw.send("12345")
        assert raw.reply().status == 201
    assert c.get(A + "/a").body == b"12345"


def test_expect_continue_of_what_will_be_refused(daemon, c):
    with daemon.raw(5) as raw:
        raw.send(PUT + "Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n")
        r = raw.reply()
        assert (r.status, r.code) == (413, "too-large")
        assert raw.is_over()


def test_one_byte_at_a_time(daemon, c):
    data = PUT + "Content-Length: 5\r\n\r\n12345"
    with daemon.raw() as raw:
        for byte in data:
            raw.send(byte)
        assert raw.reply().status == 201
    assert c.get(A + "/a").body == b"12345"


def test_pipelined_requests_are_answered_in_order(daemon, c):
    n = 500
    with daemon.raw() as raw:
        data = b""
        for i in range(n):
            value = b"v%d" % i
            data += b"PUT %s/k%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (A.encode(), i % 7, len(value), value)
            data += b"GET %s/k%d HTTP/1.1\r\nHost: x\r\n\r\n" % (A.encode(), i % 7)
        sender = threading.Thread(target=raw.send, args=(data,))
        sender.start()
        for i in range(n):
            assert raw.reply().status == (201 if i < 7 else 200)
            assert raw.reply().body == b"v%d" % i
        sender.join()
        assert raw.have == b""


def test_nothing_behind_connection_close_is_read(daemon, c):
    with daemon.raw() as raw:
        raw.send("GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + PUT + "Content-Length: 1\r\n\r\n1")
        r = raw.reply()
        assert r.status == 200 and r.headers["connection"] == "close"
        assert raw.is_over()
    assert c.names(A) == []


def test_half_close_after_the_request_still_gets_the_reply(daemon, c):
    for _ in range(20):
        with daemon.raw(5) as raw:
            raw.send(PUT + "Content-Length: 5\r\n\r\n12345")
            raw.sock.shutdown(socket.SHUT_WR)
            r = raw.reply()
            assert r is not None and r.status in (200, 201)
            assert raw.is_over()


@pytest.mark.parametrize("cut", [10, len(PUT), len(PUT) + 25])
def test_half_close_inside_a_request_changes_nothing(daemon, c, cut):
    data = PUT + "Content-Length: 5\r\n\r\n12345"
    with daemon.raw(5) as raw:
        raw.send(data[:cut])
        raw.sock.shutdown(socket.SHUT_WR)
        r = raw.reply()
        assert r is None or r.status == 400
        assert raw.is_over()
    assert c.names(A) == []


# ---- slow clients ---------------------------------------------------------------------------------------------------

FAST = "http:\n  head_timeout: 700ms\n  body_timeout: 900ms\n  idle_timeout: 60s\n  write_timeout: 1s\n"


def timed_reply(raw):
    began = time.monotonic()
    r = raw.reply()
    return r, time.monotonic() - began


def test_stall_in_the_head(new_store):
    d = new_store(config=FAST).start()
    with d.raw(15) as raw:
        raw.send("GET /v1/st")
        r, took = timed_reply(raw)
        assert (r.status, r.code) == (408, "timeout") and raw.is_over()
        assert 0.5 < took < soon(5)


def test_stall_in_the_body(new_store):
    d = new_store(config=FAST).start()
    with d.raw(15) as raw:
        raw.send(PUT + "Content-Length: 5\r\n\r\n123")
        r, took = timed_reply(raw)
        assert (r.status, r.code) == (408, "timeout") and raw.is_over()
        assert 0.7 < took < soon(5)
    assert d.client().names(A) == []


@pytest.mark.parametrize("data", ["GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + "y" * 200,
                                  PUT + "Content-Length: 200\r\n\r\n" + "z" * 200,
                                  PUT + "Transfer-Encoding: chunked\r\n\r\n" + "1\r\nz\r\n" * 40],
                         ids=["head", "body", "chunks"])
def test_a_byte_now_and_then_does_not_stretch_the_deadline(new_store, data):
    d = new_store(config=FAST).start()
    head = data.find("\r\n\r\n") + 4 if "\r\n\r\n" in data else 20
    with d.raw(15) as raw:
        raw.send(data[:head])
        began = time.monotonic()
        for byte in data[head:head + 150]:
            if not raw.try_send(byte):
                break
            time.sleep(0.05)
        took = time.monotonic() - began
        r = raw.reply()
        assert (r.status, r.code) == (408, "timeout")
        assert took < soon(5)
    assert d.client().names(A) == []


def test_a_cut_request_behind_a_whole_one_has_the_same_deadline(new_store):
    d = new_store(config=FAST).start()
    with d.raw(15) as raw:
        raw.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/st")
        assert raw.reply().status == 200
        r, took = timed_reply(raw)
        assert r is None or (r.status, r.code) == (408, "timeout")
        assert took < soon(6)


def test_idle_connections_may_stay_as_long_as_configured(new_store):
    """The deadline for taking a reply is over once the reply is taken."""
    d = new_store(config=FAST).start()
    with d.raw(15) as raw:
        for _ in range(2):
            raw.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            r = raw.reply()
            assert r is not None and r.status == 200
            time.sleep(2.5)


def test_idle_connections_end(new_store):
    d = new_store(config="http:\n  idle_timeout: 500ms\n").start()
    with d.raw(15) as unused, d.raw(15) as used:
        used.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert used.reply().status == 200
        began = time.monotonic()
        assert used.is_over() and unused.is_over()
        assert time.monotonic() - began < soon(5)


def test_a_client_that_takes_no_reply_is_dropped(new_store):
    d = new_store(config=FAST).start()
    c = d.client()
    c.put(A + "/big", b"x" * (1 << 20))
    before = c.status()["connections"]
    with d.raw(15) as raw:
        raw.send("GET %s/big HTTP/1.1\r\nHost: x\r\n\r\n" % A * 5)
        wait_for(lambda: c.status()["connections"] == before + 1, 5, "it is served")
        wait_for(lambda: c.status()["connections"] == before, 10, "it is dropped")


def test_a_slow_client_that_takes_its_reply_is_served(new_store):
    d = new_store(config=FAST).start()
    c = d.client()
    c.put(A + "/big", b"x" * (1 << 20))
    with d.raw(15) as raw:
        raw.send("GET %s/big HTTP/1.1\r\nHost: x\r\n\r\n" % A)
        got = 0
        while got < 1 << 20:
            data = raw.sock.recv(150000)
            assert data, "dropped after %d bytes" % got
            got += len(data)
            time.sleep(0.25)


# ---- floods ---------------------------------------------------------------------------------------------------------

def test_connections_over_the_share_are_told_so(new_store):
    d = new_store(config="limits:\n  connections_per_uid: 20\n").start()
    raws = [d.raw() for _ in range(20)]
    for raw in raws:
        raw.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status == 200
    for _ in range(50):
        with d.raw() as over:
            over.try_send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
            r = over.reply()
            assert r.status == 429 and r.json["error"]["code"] == "limit"
            assert over.is_over()
    raws.pop().close()
    wait_for(lambda: ask_once(d) == 200, 5, "a place is free again")
    for raw in raws:
        raw.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status == 200


def ask_once(d):
    with d.raw() as raw:
        raw.try_send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return raw.reply().status


@needs_root
def test_a_flood_of_one_user_leaves_the_others_served(daemon, c):
    """1,200 connections of one user; another user and the administrator go on working."""
    c.allow(A, "uid:5002", "operator")
    flooder, other = daemon.actor(5001), daemon.actor(5002)
    assert other.put(A + "/before", "1").status == 201
    assert flooder.ask("flood", daemon.socket, 1200) == 1200
    began = time.monotonic()
    for i in range(50):
        assert other.put(A + "/n", str(i)).status in (200, 201)
        assert other.get(A + "/n").body == b"%d" % i
    other.ask("reset")
    assert other.get(A + "/n").status == 200  # also over a new connection
    assert time.monotonic() - began < soon(10)
    assert c.status()["connections"] <= 250 + 3
    said = flooder.ask("flood-ask")
    assert said.get(b"HTTP/1.1 200", 0) == 250 and said.get(b"HTTP/1.1 429", 0) == 950, said
    flooder.ask("flood-end")
    wait_for(lambda: c.status()["connections"] <= 3, 10, "all of the flood is gone")
    assert flooder.get("/v1/whoami").status == 200


@needs_root
def test_connections_of_all_users_together_are_bounded(new_store):
    d = new_store(config="limits:\n  connections: 60\n  connections_per_uid: 50\n").start()
    first, second = d.actor(5001), d.actor(5002)
    first.ask("flood", d.socket, 50)
    second.ask("flood", d.socket, 50)
    said = [a.ask("flood-ask") for a in (first, second)]
    assert sum(s.get(b"HTTP/1.1 200", 0) for s in said) == 60, said
    assert sum(s.get(b"HTTP/1.1 429", 0) for s in said) == 40, said


def test_bytes_in_flight_are_bounded(new_store):
    """Bodies that are begun and not ended: beyond the share of their user they are refused, and memory is free again after."""
    d = new_store(config="limits:\n  bytes_in_flight_per_uid: 4M\n").start()
    c = d.client()
    raws = []
    for i in range(12):
        raw = d.raw()
        raw.send("PUT %s/n%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" % (A, i))
        raw.try_send(b"x" * 1000000)
        raws.append(raw)
    refused = 0
    for raw in raws:
        raw.sock.settimeout(0.3)
        try:
            r = raw.reply()
            assert (r.status, r.code) == (429, "limit"), r
            refused += 1
            raw.close()
        except (TimeoutError, socket.timeout):
            pass
    assert 6 <= refused <= 11
    for raw in raws:
        raw.close()
    wait_for(lambda: c.put(A + "/after", b"y" * (1 << 20)).status in (200, 201), 5, "the share is free again")


def test_clients_that_die_anywhere(daemon, c):
    """A client that goes away at any byte leaves either nothing or the whole request behind."""
    rng = random.Random(4711)
    data = PUT.replace("/a", "/died") + "Content-Length: 300\r\n\r\n" + "z" * 300
    for _ in range(300):
        raw = daemon.raw()
        cut = rng.choice([rng.randrange(len(data)), len(data) - 1, len(data)])
        raw.send(data[:cut])
        if rng.random() < 0.3:
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
    # for a moment they may all count as this user's connections
    wait_for(lambda: c.get("/v1/status").status == 200, 10, "the share is free again")
    wait_for(lambda: c.status()["connections"] == 1, 10, "their connections are gone")
    r = c.get(A + "/died")
    assert r.status in (200, 404)
    if r.status == 200:
        assert r.body == b"z" * 300


def test_clients_that_die_before_their_reply(daemon, c):
    c.put(A + "/big", b"x" * (1 << 20))
    for i in range(50):
        raw = daemon.raw()
        raw.send("GET %s/big HTTP/1.1\r\nHost: x\r\n\r\n" % A * (1 + i % 4))
        raw.close()
    assert c.get("/v1/status").status == 200
    wait_for(lambda: c.status()["connections"] == 1, 10, "their connections are gone")


def test_noise(daemon, c):
    """Random bytes, and good requests with some bytes changed: never anything but a reply or an end."""
    rng = random.Random(9112)
    good = (PUT.replace("/a", "/noise") + "Secreg-Type: integer\r\nContent-Length: 2\r\n\r\n42").encode()
    c.put(A + "/noise", "42", type="integer")
    for i in range(400):
        if i % 4 == 0:
            data = rng.randbytes(rng.randrange(1, 3000))
        else:
            data = bytearray(good)
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.choice(b"\0\r\n :/\x80\xff0A") if rng.random() < 0.7 else rng.randrange(256)
        with daemon.raw(5) as raw:
            raw.try_send(bytes(data))
            try:
                raw.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            r = raw.reply()
            assert r is None or 200 <= r.status < 600
            if r is not None and r.status >= 500:
                assert r.status in (501, 505), r
    assert c.get("/v1/status").status == 200
    assert daemon.process.poll() is None


def test_descriptors_sent_to_the_daemon_do_not_pile_up(daemon, c):
    """A client may attach open files to its bytes (SCM_RIGHTS): they must not fill the descriptor table of a role."""
    fronts = [p for r, p in daemon.roles().items() if r == "front"]
    before = len(os.listdir("/proc/%d/fd" % fronts[0])) if os.access("/proc/%d/fd" % fronts[0], os.R_OK) else None
    raw = daemon.raw(5)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(50)]
    for _ in range(20):
        socket.send_fds(raw.sock, [b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"], files)
        assert raw.reply().status == 200
    for f in files:
        os.close(f)
    if before is not None:
        assert len(os.listdir("/proc/%d/fd" % fronts[0])) <= before + 2
    assert c.get("/v1/status").status == 200
