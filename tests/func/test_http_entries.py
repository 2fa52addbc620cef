"""The entries of doc/spec/http-api.md, row by row, on the real daemon."""
import json
import os
import re
import time

import pytest

from client import b64

A = "/registry/applications"


def test_first_put_creates_and_answers_version_and_revision(c):
    before = c.status()["revision"]
    r = c.put(A + "/web/port", "8080")
    assert r.status == 201
    assert r.data == {"path": A + "/web/port", "version": 1, "revision": before + 1}
    assert r.headers["etag"] == '"1"'
    assert r.headers["content-type"] == "application/json"
    assert r.headers["secreg-revision"] == str(before + 1)


def test_second_put_is_200_and_next_version(c):
    c.put(A + "/a", "1")
    r = c.put(A + "/a", "2")
    assert r.status == 200
    assert r.version == 2 and r.data["version"] == 2
    assert c.get(A + "/a").body == b"2"


def test_get_answers_raw_value_and_headers(c):
    c.put(A + "/a", "h\u00e9llo")
    r = c.get(A + "/a")
    assert r.status == 200
    assert r.body == "h\u00e9llo".encode()
    assert r.headers["content-type"] == "text/plain; charset=utf-8"
    assert r.headers["etag"] == '"1"'
    assert r.headers["secreg-type"] == "string"
    assert "secreg-sealed" not in r.headers
    assert r.headers["cache-control"] == "no-store"
    assert r.headers["secreg-revision"] == str(c.status()["revision"])
    assert re.fullmatch("[0-9a-f]{16}", r.headers["secreg-request"])


def test_request_ids_are_unique_and_in_the_envelope(c):
    ids = set()
    for _ in range(20):
        r = c.get("/v1/status")
        assert r.json["request_id"] == r.headers["secreg-request"]
        ids.add(r.headers["secreg-request"])
    assert len(ids) == 20


def test_envelope_of_success_and_refusal(c):
    good = c.get("/v1/status").json
    assert set(good) == {"success", "request_id", "timestamp", "data", "error"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", good["timestamp"])
    stated = time.mktime(time.strptime(good["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert abs(stated - time.time()) < 5
    bad = c.get(A + "/none")
    assert bad.status == 404 and bad.headers["content-type"] == "application/json"
    assert bad.json["success"] is False and bad.json["data"] is None
    assert bad.json["error"]["code"] == "not-found" and bad.json["error"]["message"]


# ---- types ----------------------------------------------------------------------------------------------------------

GOOD = [
    ("string", b"", "text/plain; charset=utf-8", ""),
    ("string", b"two\nlines\ttab", "text/plain; charset=utf-8", "two\nlines\ttab"),
    ("string", "\u00e9\U0001f600".encode(), "text/plain; charset=utf-8", "\u00e9\U0001f600"),
    ("string", b"\x01\x7f\"\\", "text/plain; charset=utf-8", "\x01\x7f\"\\"),
    ("integer", b"0", "text/plain; charset=utf-8", 0),
    ("integer", b"-1", "text/plain; charset=utf-8", -1),
    ("integer", b"9223372036854775807", "text/plain; charset=utf-8", 2**63 - 1),
    ("integer", b"-9223372036854775808", "text/plain; charset=utf-8", -2**63),
    ("boolean", b"true", "text/plain; charset=utf-8", True),
    ("boolean", b"false", "text/plain; charset=utf-8", False),
    ("float", b"0.5", "text/plain; charset=utf-8", 0.5),
    ("float", b"-1e-3", "text/plain; charset=utf-8", -0.001),
    ("float", b"7", "text/plain; charset=utf-8", 7.0),
    ("json", b'{"a":[1,{"b":null}]}', "application/json", {"a": [1, {"b": None}]}),
    ("json", b'"text"', "application/json", "text"),
    ("json", b" [ 1 , 2 ] ", "application/json", [1, 2]),
    ("binary", bytes(range(256)), "application/octet-stream", bytes(range(256))),
    ("binary", b"", "application/octet-stream", b""),
    ("list", b"[]", "application/json", []),
    ("list", '["a","\u00e9"]'.encode(), "application/json", ["a", "\u00e9"]),
]


@pytest.mark.parametrize("type,value,media,meaning", GOOD)
def test_type_valid(c, type, value, media, meaning):
    assert c.put(A + "/v", value, type=type).status == 201
    r = c.get(A + "/v")
    assert r.body == value
    assert r.headers["content-type"] == media and r.headers["secreg-type"] == type
    e = c.entry(A + "/v").data
    assert e["type"] == type and e["size"] == len(value)
    assert (b64(e["value"]) if type == "binary" else e["value"]) == meaning
    assert isinstance(e["value"], bool) == (type == "boolean")


BAD = [
    ("string", b"\xff\xfe"), ("string", b"a\0b"), ("string", b"\xed\xa0\x80"), ("string", b"\xc0\x80"),
    ("integer", b""), ("integer", b"+1"), ("integer", b"01"), ("integer", b"-0"), ("integer", b" 1"), ("integer", b"1 "),
    ("integer", b"0x10"), ("integer", b"1.0"), ("integer", b"9223372036854775808"), ("integer", b"-9223372036854775809"),
    ("boolean", b""), ("boolean", b"True"), ("boolean", b"1"), ("boolean", b"yes"), ("boolean", b"true\n"),
    ("float", b""), ("float", b"nan"), ("float", b"inf"), ("float", b"1e400"), ("float", b".5"), ("float", b"1."),
    ("float", b"0x1p3"), ("float", b"1,5"),
    ("json", b""), ("json", b"{"), ("json", b"{'a':1}"), ("json", b'{"a":1,"a":2}'), ("json", b"[1,]"), ("json", b"1 2"),
    ("json", b"nul"), ("json", b'"\xff"'), ("json", b"[" * 100 + b"]" * 100),
    ("list", b"{}"), ("list", b"[1]"), ("list", b'["a",null]'), ("list", b'"a"'), ("list", b"a,b"), ("list", b'[["a"]]'),
]


@pytest.mark.parametrize("type,value", BAD)
def test_type_invalid_changes_nothing(c, type, value):
    c.put(A + "/old", "x")
    revision = c.status()["revision"]
    for path in ("/new", "/old"):
        r = c.put(A + path, value, type=type)
        assert (r.status, r.code) == (422, "bad-value"), r
    assert c.get(A + "/new").status == 404
    assert c.get(A + "/old").body == b"x"
    assert c.status()["revision"] == revision


def test_unknown_type_is_refused(c):
    for word in ("String", "text", "int", "7", "encryptedstring"):
        r = c.put(A + "/v", "1", type=word)
        assert (r.status, r.code) == (400, "bad-request"), r
    assert c.get(A + "/v").status == 404


def test_type_stays_when_none_is_given_and_then_binds(c):
    c.put(A + "/n", "1", type="integer")
    assert c.put(A + "/n", "2").status == 200
    assert c.get(A + "/n").headers["secreg-type"] == "integer"
    r = c.put(A + "/n", "many")
    assert (r.status, r.code) == (422, "bad-value")
    assert c.get(A + "/n").body == b"2"


@pytest.mark.parametrize("type,good,bad", [("json", '{"a":1}', "{bad"), ("json", "1", '{"a":1,"a":2}'),
                                           ("list", '["a"]', "[1]"), ("list", "[]", "{}")])
def test_kept_json_type_binds_too(c, type, good, bad):
    """Leaving the type out must not be a way to store as json what is none."""
    c.put(A + "/j", good, type=type)
    r = c.put(A + "/j", bad)
    assert (r.status, r.code) == (422, "bad-value"), r
    assert c.get(A + "/j").body == good.encode()
    assert c.entry(A + "/j").data["value"] == json.loads(good)


def test_type_can_be_changed(c):
    c.put(A + "/n", "1", type="integer")
    assert c.put(A + "/n", "one", type="string").version == 2
    assert c.get(A + "/n").headers["secreg-type"] == "string"
    assert c.get(A + "/n?version=1").headers["secreg-type"] == "integer"


def test_new_entry_after_deletion_is_a_string_again(c):
    c.put(A + "/n", "1", type="integer")
    c.delete(A + "/n")
    assert c.put(A + "/n", "words").status == 201
    assert c.get(A + "/n").headers["secreg-type"] == "string"


# ---- sizes ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("sealed", ["false", "true"])
@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 65536, 1 << 20])
def test_sizes_up_to_a_mebibyte(c, size, sealed):
    value = os.urandom(size)
    assert c.put(A + "/big", value, type="binary", sealed=sealed).status == 201
    assert c.get(A + "/big").body == value
    e = c.entry(A + "/big").data
    assert e["size"] == size and b64(e["value"]) == value
    assert c.list(A, long=True)["entries"][0]["size"] == size
    assert c.get(A + "/big?history").data["versions"][0]["size"] == size


def test_one_byte_more_than_a_mebibyte_is_too_large(c):
    r = c.put(A + "/big", b"x" * ((1 << 20) + 1))
    assert (r.status, r.code) == (413, "too-large")
    assert c.get(A + "/big").status == 404


def test_large_values_survive_a_restart(daemon, c):
    values = {}
    for i, size in enumerate((10, 1024, 1025, 300000)):
        values["/v%d" % i] = os.urandom(size)
        c.put(A + "/v%d" % i, values["/v%d" % i], type="binary", sealed="true" if i % 2 else "false")
    daemon.restart()
    c = daemon.client()
    for path, value in values.items():
        assert c.get(A + path).body == value


# ---- preconditions --------------------------------------------------------------------------------------------------

def test_if_match(c):
    c.put(A + "/a", "1")
    assert c.put(A + "/a", "2", match=1).version == 2
    r = c.put(A + "/a", "3", match=1)
    assert (r.status, r.code) == (412, "conflict")
    assert c.get(A + "/a").body == b"2"


def test_if_match_of_an_absent_entry(c):
    r = c.put(A + "/a", "1", match=1)
    assert (r.status, r.code) == (412, "conflict")
    assert c.get(A + "/a").status == 404


def test_if_none_match(c):
    assert c.put(A + "/a", "1", absent=True).status == 201
    r = c.put(A + "/a", "2", absent=True)
    assert (r.status, r.code) == (412, "exists")
    assert c.get(A + "/a").body == b"1"
    c.delete(A + "/a")
    assert c.put(A + "/a", "3", absent=True).status == 201


@pytest.mark.parametrize("value", ["1", "*", 'W/"1"', '"1", "2"', '"01"', '""', '"-1"', '"x"', "'1'"])
def test_malformed_if_match(c, value):
    c.put(A + "/a", "1")
    r = c.put(A + "/a", "2", If_Match=value)
    assert (r.status, r.code) == (400, "bad-request")
    r = c.request("DELETE", A + "/a", If_Match=value)
    assert (r.status, r.code) == (400, "bad-request")
    assert c.get(A + "/a").body == b"1"


@pytest.mark.parametrize("value", ['"1"', "yes", "**"])
def test_malformed_if_none_match(c, value):
    r = c.put(A + "/a", "2", If_None_Match=value)
    assert (r.status, r.code) == (400, "bad-request")
    assert c.get(A + "/a").status == 404


def test_if_none_match_does_not_go_with_delete(c):
    c.put(A + "/a", "1")
    r = c.request("DELETE", A + "/a", If_None_Match="*")
    assert (r.status, r.code) == (400, "bad-request")
    assert c.get(A + "/a").status == 200


def test_delete_with_if_match(c):
    c.put(A + "/a", "1")
    c.put(A + "/a", "2")
    r = c.delete(A + "/a", match=1)
    assert (r.status, r.code) == (412, "conflict")
    assert c.get(A + "/a").status == 200
    r = c.delete(A + "/a", match=2)
    assert r.status == 200 and r.version == 3


# ---- deletion, versions, history ------------------------------------------------------------------------------------

def test_delete_answers_the_version_that_says_deleted(c):
    c.put(A + "/a", "1")
    revision = c.status()["revision"]
    r = c.delete(A + "/a")
    assert r.status == 200
    assert r.data == {"path": A + "/a", "version": 2, "revision": revision + 1}
    assert r.headers["etag"] == '"2"'
    r = c.get(A + "/a")
    assert (r.status, r.code) == (404, "not-found")
    r = c.delete(A + "/a")
    assert (r.status, r.code) == (404, "not-found")
    assert c.names(A) == []


def test_versions_never_go_back_over_deletion(c):
    assert c.put(A + "/a", "1").version == 1
    assert c.delete(A + "/a").version == 2
    r = c.put(A + "/a", "3")
    assert r.status == 201 and r.version == 3
    assert c.delete(A + "/a").version == 4


def test_versions_never_go_back_even_when_the_deleted_entry_is_forgotten(new_store):
    d = new_store(config="history:\n  deleted_entries: 0\n").start()
    c = d.client()
    c.put(A + "/a", "1")
    c.put(A + "/a", "2")
    assert c.delete(A + "/a").version == 3
    assert c.get(A + "/a?history").status == 404
    assert c.status()["deleted_entries"] == 0
    assert c.put(A + "/a", "4").version > 3
    d.restart()
    c = d.client()
    last = c.delete(A + "/a").version
    d.restart()
    assert d.client().put(A + "/a", "5").version > last


def test_the_entry_deleted_first_is_forgotten_first(new_store):
    d = new_store(config="history:\n  deleted_entries: 2\n").start()
    c = d.client()
    for name in "abc":
        c.put(A + "/" + name, name)
    for name in "ba":
        c.delete(A + "/" + name)
    assert c.status()["deleted_entries"] == 2
    c.delete(A + "/c")
    assert c.status()["deleted_entries"] == 2
    assert [c.get(A + "/%s?history" % n).status for n in "abc"] == [200, 404, 200]


def test_the_entry_deleted_first_is_forgotten_first_over_a_restart(new_store):
    d = new_store(config="history:\n  deleted_entries: 2\n").start()
    c = d.client()
    for name in "abc":
        c.put(A + "/" + name, name)
    for name in "ba":
        c.delete(A + "/" + name)
    d.restart()
    c = d.client()
    c.delete(A + "/c")
    assert [c.get(A + "/%s?history" % n).status for n in "abc"] == [200, 404, 200]


def test_kept_versions(c):
    for i in range(1, 4):
        c.put(A + "/a", "value %d" % i)
    for i in range(1, 4):
        r = c.get(A + "/a?version=%d" % i)
        assert r.body == b"value %d" % i and r.version == i
        e = c.entry(A + "/a", "?version=%d" % i).data
        assert e["value"] == "value %d" % i and e["version"] == i
    r = c.get(A + "/a?version=4")
    assert (r.status, r.code) == (404, "not-found")


def test_versions_of_a_deleted_entry_are_kept(c):
    c.put(A + "/a", "one", sealed="true")
    c.delete(A + "/a", reason="not wanted")
    assert c.get(A + "/a?version=1").body == b"one"
    assert c.get(A + "/a?version=2").status == 404
    versions = c.get(A + "/a?history").data["versions"]
    assert [(v["version"], v["deleted"], v["reason"]) for v in versions] == [(2, True, "not wanted"), (1, False, "")]


@pytest.mark.parametrize("value", ["", "x", "-1", "01", "1.0", "9223372036854775808", "+1", "%31x"])
def test_malformed_version(c, value):
    c.put(A + "/a", "1")
    r = c.get(A + "/a?version=" + value)
    assert (r.status, r.code) == (400, "bad-request"), r


def test_version_zero_is_no_version(c):
    c.put(A + "/a", "1")
    assert c.get(A + "/a?version=0").status in (400, 404)


def test_history(c):
    c.put(A + "/a", "1", type="integer", reason="first")
    c.put(A + "/a", "22", type="string", sealed="true", reason="second")
    d = c.get(A + "/a?history").data
    assert d["path"] == A + "/a"
    assert set(d["versions"][0]) == {"version", "type", "sealed", "deleted", "destroyed", "size", "changed", "changed_by", "revision",
                                     "reason"}
    assert [(v["version"], v["type"], v["sealed"], v["deleted"], v["size"], v["changed_by"], v["reason"])
            for v in d["versions"]] == [(2, "string", True, False, 2, os.geteuid(), "second"),
                                        (1, "integer", False, False, 1, os.geteuid(), "first")]
    assert d["versions"][0]["revision"] == d["versions"][1]["revision"] + 1 == c.status()["revision"]
    assert c.get(A + "/never?history").code == "not-found"


def test_history_keeps_the_configured_number_of_versions(new_store):
    d = new_store(config="history:\n  versions: 3\n").start()
    c = d.client()
    for i in range(1, 8):
        c.put(A + "/a", str(i))
    assert [v["version"] for v in c.get(A + "/a?history").data["versions"]] == [7, 6, 5]
    assert c.get(A + "/a?version=5").body == b"5"
    assert c.get(A + "/a?version=4").status == 404
    assert c.delete(A + "/a").version == 8
    assert [v["version"] for v in c.get(A + "/a?history").data["versions"]] == [8, 7, 6]


def test_history_default_is_ten(c):
    for i in range(1, 15):
        c.put(A + "/a", str(i))
    assert [v["version"] for v in c.get(A + "/a?history").data["versions"]] == list(range(14, 4, -1))


# ---- metadata -------------------------------------------------------------------------------------------------------

def test_entry_with_metadata(c):
    c.put(A + "/a", "1", comment="what it is for", reason="because")
    first = c.entry(A + "/a").data
    assert set(first) == {"path", "type", "sealed", "version", "size", "value", "created", "created_by", "changed",
                          "changed_by", "reason", "comment", "tags", "expires"}
    assert (first["path"], first["type"], first["sealed"], first["version"], first["size"], first["value"]) == (
        A + "/a", "string", False, 1, 1, "1")
    assert (first["created_by"], first["changed_by"]) == (os.geteuid(), os.geteuid())
    assert (first["reason"], first["comment"]) == ("because", "what it is for")
    assert first["created"] == first["changed"]
    time.sleep(0.01)
    c.put(A + "/a", "2")
    second = c.entry(A + "/a").data
    assert second["created"] == first["created"] and second["changed"] > first["changed"]
    assert second["reason"] == "" and second["comment"] == "what it is for"


def test_comment_can_be_replaced_and_emptied(c):
    c.put(A + "/a", "1", comment="one")
    c.put(A + "/a", "2", comment="two \u00e9")
    assert c.entry(A + "/a").data["comment"] == "two \u00e9"
    c.put(A + "/a", "3", comment="")
    assert c.entry(A + "/a").data["comment"] == ""


def test_created_and_comment_survive_a_restart(daemon, c):
    c.put(A + "/a", "1", comment="kept")
    c.put(A + "/a", "2", reason="why")
    before = c.entry(A + "/a").data
    daemon.restart()
    assert daemon.client().entry(A + "/a").data == before


def test_limits_of_reason_and_comment(c):
    assert c.put(A + "/a", "1", reason="r" * 256, comment="c" * 1024).status == 201
    assert len(c.entry(A + "/a").data["comment"]) == 1024
    assert len(c.get(A + "/a?history").data["versions"][0]["reason"]) == 256
    for fields in ({"reason": "r" * 257}, {"comment": "c" * 1025}):
        r = c.put(A + "/a", "2", **fields)
        assert (r.status, r.code) == (413, "too-large")
    r = c.delete(A + "/a", reason="r" * 257)
    assert (r.status, r.code) == (413, "too-large")
    assert c.get(A + "/a").body == b"1"


def test_reason_must_be_utf8(c):
    r = c.put(A + "/a", "1", reason=b"\xff")
    assert (r.status, r.code) == (400, "bad-request")
    r = c.put(A + "/a", "1", comment=b"\xff")
    assert (r.status, r.code) == (400, "bad-request")
    assert c.get(A + "/a").status == 404


def test_repeated_header_is_refused(daemon, c):
    with daemon.raw() as raw:
        raw.send("PUT %s/a HTTP/1.1\r\nHost: x\r\nSecreg-Type: integer\r\nSecreg-Type: string\r\nContent-Length: 1\r\n\r\n1" % A)
        r = raw.reply()
        assert (r.status, r.code) == (400, "bad-request")
    assert c.get(A + "/a").status == 404


# ---- sealing --------------------------------------------------------------------------------------------------------

def stored_bytes(daemon):
    data = b""
    for tail in ("", "-wal"):
        if os.path.exists(daemon.db + tail):
            with open(daemon.db + tail, "rb") as f:
                data += f.read()
    return data


def test_sealed_values_are_not_in_the_files(daemon, c):
    c.put(A + "/clear", "in-the-clear-4711")
    c.put(A + "/sealed", "sealed-secret-4712", sealed="true")
    c.put(A + "/sealed-big", "sealed-secret-4713" * 200, sealed="true")
    c.put(A + "/sealed", "sealed-secret-4714")
    r = c.get(A + "/sealed")
    assert r.body == b"sealed-secret-4714" and r.headers["secreg-sealed"] == "true"
    assert c.entry(A + "/sealed").data["sealed"] is True
    data = stored_bytes(daemon)
    daemon.stop()
    data += stored_bytes(daemon)
    assert b"in-the-clear-4711" in data
    for n in (4712, 4713, 4714):
        assert b"sealed-secret-%d" % n not in data
    daemon.start()
    c = daemon.client()
    assert c.get(A + "/sealed").body == b"sealed-secret-4714"
    assert c.get(A + "/sealed?version=1").body == b"sealed-secret-4712"
    assert c.get(A + "/sealed-big").body == b"sealed-secret-4713" * 200


def test_sealed_can_be_switched_off_only_by_saying_so(c):
    c.put(A + "/a", "1", sealed="true")
    c.put(A + "/a", "2")
    assert c.get(A + "/a").headers["secreg-sealed"] == "true"
    c.put(A + "/a", "3", sealed="false")
    assert "secreg-sealed" not in c.get(A + "/a").headers
    assert c.get(A + "/a?version=2").headers["secreg-sealed"] == "true"
    c.put(A + "/a", "4", sealed="true")
    c.delete(A + "/a")
    c.put(A + "/a", "5")
    assert "secreg-sealed" not in c.get(A + "/a").headers


@pytest.mark.parametrize("word", ["yes", "1", "TRUE", "maybe"])
def test_malformed_sealed(c, word):
    r = c.put(A + "/a", "1", sealed=word)
    assert (r.status, r.code) == (400, "bad-request")
    assert c.get(A + "/a").status == 404


# ---- folders --------------------------------------------------------------------------------------------------------

def test_list_of_children(c):
    c.put(A + "/web/port", "80", type="integer")
    c.put(A + "/web.conf", "x", sealed="true")
    c.put(A + "/db/name", "y")
    d = c.list(A)
    assert d["path"] == A and d["next"] is None
    assert [e["name"] for e in d["entries"]] == ["db", "web", "web.conf"]
    assert d["entries"][0] == {"name": "db", "folder": True}
    e = d["entries"][2]
    assert e == {"name": "web.conf", "type": "string", "version": 1, "sealed": True}
    e = c.list(A, long=True)["entries"][2]
    assert set(e) == {"name", "type", "version", "sealed", "size", "changed", "tags", "expires"}
    assert (e["type"], e["version"], e["sealed"], e["size"]) == ("string", 1, True, 1)


def test_list_is_not_recursive_and_not_a_prefix(c):
    for p in ("/app/a/b/c", "/app/d", "/apple/x", "/app_x/y", "/ap%25", "/apzz"):
        if "%25" not in p:
            assert c.put(A + p, "1").status == 201, p
    assert c.names(A + "/app") == ["a", "d"]
    assert c.names(A + "/app", recursive=True) == [A + "/app/a/b/c", A + "/app/d"]
    assert c.get(A + "/ap/").code == "not-found"
    assert c.get(A + "/ap_/").code == "not-found"


def test_order_is_of_bytes(c):
    names = ["b", "a", "B", "Z", "a.b", "a-b", "a_b", "a0", "\u00e9", "\u4e2d", "ab", "~".replace("~", "+"), ":", "@"]
    for n in names:
        c.request("PUT", A + "/" + "".join("%%%02X" % b for b in n.encode()), "1")
    assert c.names(A) == sorted(names, key=lambda n: n.encode())


def test_roots_always_exist(c):
    assert c.names("/registry") == ["applications", "security", "system", "user"]
    for root in ("system", "user", "security", "applications"):
        assert c.names("/registry/" + root) == []
    assert c.names("/registry", recursive=True) == []


def test_list_of_what_is_no_folder(c):
    c.put(A + "/a", "1")
    r = c.get(A + "/a/")
    assert (r.status, r.code) == (409, "not-folder")
    r = c.get(A + "/none/")
    assert (r.status, r.code) == (404, "not-found")


def test_folders_vanish_with_their_last_entry(c):
    c.put(A + "/x/y/z", "1")
    c.delete(A + "/x/y/z")
    assert c.names(A) == []
    assert c.get(A + "/x/").code == "not-found"
    assert c.put(A + "/x", "now an entry").status == 201


def test_folder_and_entry_exclude_each_other(c):
    c.put(A + "/x/y", "1")
    for r in (c.put(A + "/x", "1"), c.get(A + "/x"), c.delete(A + "/x"), c.put("/registry", "1"),
              c.put("/registry/system", "1")):
        assert (r.status, r.code) == (409, "is-folder"), r
    r = c.put(A + "/x/y/z", "1")
    assert (r.status, r.code) == (409, "not-folder")
    assert c.names(A, recursive=True) == [A + "/x/y"]


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_paging_gives_everything_once(c, limit, recursive):
    paths = ["/p/%s%02d%s" % (a, i, tail) for a in "ab" for i in range(6) for tail in ("", "x/one", "x/two/three")]
    for p in paths:
        c.put(A + p, "1")
    args = {"limit": limit}
    if recursive:
        args["recursive"] = True
    whole = c.names(A + "/p", **{k: v for k, v in args.items() if k != "limit"})
    found = []
    for _ in range(100):
        page = c.list(A + "/p", **args)
        names = [e.get("path", e.get("name")) for e in page["entries"]]
        assert len(names) <= limit
        found += names
        if page["next"] is None:
            break
        assert page["next"] == names[-1]
        args["after"] = page["next"]
    assert found == whole
    if recursive:
        assert sorted(found) == sorted(A + p for p in paths)


def test_paging_goes_on_behind_an_entry_that_was_deleted_meanwhile(c):
    """A page token names a place in an order, not an entry that must still be there."""
    for name in ("a", "b", "c", "d/e", "d/f", "g"):
        c.put(A + "/p/" + name, "1")
    for recursive, after, rest in ((False, "b", ["c", "d", "g"]),
                                   (True, A + "/p/b", [A + "/p/" + n for n in ("c", "d/e", "d/f", "g")]),
                                   (True, A + "/p/d/e", [A + "/p/d/f", A + "/p/g"]),
                                   (True, A + "/p/bb", [A + "/p/" + n for n in ("c", "d/e", "d/f", "g")]),
                                   (True, A + "/p/d/ee/x", [A + "/p/d/f", A + "/p/g"])):
        args = {"recursive": True} if recursive else {}
        before = c.names(A + "/p", after=after, **args)
        assert before == rest, after
    c.delete(A + "/p/b")
    c.delete(A + "/p/d/e")
    assert c.names(A + "/p", after="b") == ["c", "d", "g"]
    assert c.names(A + "/p", after=A + "/p/b", recursive=True) == [A + "/p/" + n for n in ("c", "d/f", "g")]
    assert c.names(A + "/p", after=A + "/p/d/e", recursive=True) == [A + "/p/d/f", A + "/p/g"]


def test_default_page_is_a_thousand(daemon, c):
    daemon.put_many([A + "/n%04d" % i for i in range(1001)])
    page = c.list(A)
    assert len(page["entries"]) == 1000 and page["next"] == "n0999"
    page = c.list(A, after="n0999")
    assert [e["name"] for e in page["entries"]] == ["n1000"] and page["next"] is None
    assert len(c.names(A, limit=1000)) == 1000


@pytest.mark.parametrize("limit", ["0", "10001", "-1", "x", "", "1e3"])
def test_malformed_limit(c, limit):
    r = c.get(A + "/?limit=" + limit)
    assert (r.status, r.code) == (400, "bad-request"), r


def test_after_of_a_recursive_list_must_be_below(c):
    c.put(A + "/p/a", "1")
    for after in ("/registry/system/x", "a", "", "/registry/applications/pp"):
        r = c.get(A + "/p/?recursive&after=" + after)
        assert (r.status, r.code) == (400, "bad-request") or after == "", (after, r)


def test_plain_list(c):
    c.put(A + "/web/port", "80")
    c.put(A + "/\u00e9".encode().decode("latin-1").replace("\u00c3\u00a9", "%C3%A9"), "x")
    c.put(A + "/abc", "x")
    r = c.get(A + "/", Accept="text/plain")
    assert r.status == 200 and r.headers["content-type"] == "text/plain; charset=utf-8"
    assert r.body.decode() == "abc\nweb/\n\u00e9\n"
    assert "secreg-next" not in r.headers
    r = c.get(A + "/?recursive", Accept="text/plain")
    assert r.body.decode() == A + "/abc\n" + A + "/web/port\n" + A + "/\u00e9\n"


def test_plain_list_pages_with_an_encoded_token(c):
    names = ["a", "b@x", "c+d", "\u00e9", "\u4e2d\u6587"]
    for n in names:
        c.request("PUT", A + "/" + "".join("%%%02x" % b for b in n.encode()), "1")
    for recursive in ("", "recursive&"):
        found, token = [], None
        for _ in range(10):
            r = c.get(A + "/?" + recursive + "limit=1" + ("&after=" + token if token else ""), Accept="text/plain")
            found += r.body.decode().split("\n")[:-1]
            token = r.headers.get("secreg-next")
            if token is None:
                break
            assert token.isascii()
        assert found == [(A + "/" if recursive else "") + n for n in names]


# ---- paths ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("encoded,plain", [
    ("/a%2Db", "/a-b"), ("/%61", "/a"), ("/%C3%A9t%C3%A9", "/\u00e9t\u00e9"), ("/a%40b", "/a@b"), ("/a+b", "/a+b"),
    ("/x:y@z", "/x:y@z"), ("/%e4%b8%ad", "/\u4e2d"),
])
def test_percent_encoding(c, encoded, plain):
    assert c.put(A + encoded, "1").data["path"] == A + plain
    assert c.get(A + encoded).body == b"1"
    assert c.names(A) == [plain[1:]]
    assert c.entry(A + encoded).data["path"] == A + plain


@pytest.mark.parametrize("path", [
    "/registry/other/a", "/registry/Applications/a", A + "//a", A + "/a//b", A + "/./a", A + "/../system/a", A + "/..",
    A + "/.", A + "/a%2Fb", A + "/a%00b", A + "/a%0Ab", A + "/a%20b", A + "/a%", A + "/a%2", A + "/a%zz", A + "/%FF",
    A + "/%C3", A + "/a*", A + "/a;b", A + "/a$b", A + "/%2e%2e/x", A + "/%2E", A + "/e%CC%81", A + "/a%E2%80%8Bb",
    A + "/%E2%80%AEx", A + "/%EF%AC%81", A + "/" + "n" * 256, A + "/a~b", A + "/a!b", A + "/a'b", A + "/a(b)",
    A + "/a,b", A + "/a=b", A + "/%F0%9F%98%80",
    "/registry/applications" + "/d" * 31, A + ("/" + "n" * 100) * 5,
])
def test_bad_paths(c, path):
    revision = c.status()["revision"]
    for r in (c.get(path), c.put(path, "1"), c.delete(path), c.get(path + "/")):
        assert (r.status, r.code) == (400, "bad-path"), (path, r)
    assert c.status()["revision"] == revision


def test_longest_and_deepest_paths(c):
    deep = A + "/d" * 30  # 32 components with the first two
    longest = A + "/" + "/".join(["n" * 255, "m" * (512 - len(A) - 257)])
    assert len(longest) == 512
    for p in (deep, longest, A + "/" + "x" * 255):
        assert c.put(p, "1").status == 201, p
        assert c.get(p).body == b"1"
    assert sorted(c.names(A, recursive=True)) == sorted([deep, longest, A + "/" + "x" * 255])


def test_put_and_delete_of_a_path_with_a_slash_at_the_end(c):
    c.put(A + "/a", "1")
    for r in (c.put(A + "/a/", "2"), c.delete(A + "/a/"), c.put(A + "/new/", "1")):
        assert (r.status, r.code) == (400, "bad-path")
    assert c.get(A + "/a").body == b"1"
    assert c.names(A) == ["a"]


def test_case_matters(c):
    c.put(A + "/a", "small")
    c.put(A + "/A", "large")
    assert (c.get(A + "/a").body, c.get(A + "/A").body) == (b"small", b"large")


def test_a_slash_in_an_argument_may_be_encoded(c):
    """In a query it is data (RFC 3986 section 3.4), and most libraries encode it there."""
    c.put(A + "/a", "1")
    c.put(A + "/b", "1")
    assert c.get("/v1/acl?path=%2Fregistry").status == 200
    assert c.get("/v1/audit?path=%2Fregistry%2Fapplications").status == 200
    r = c.get(A + "/?recursive&after=%2Fregistry%2Fapplications%2Fa")
    assert r.status == 200 and [e["path"] for e in r.data["entries"]] == [A + "/b"]


# ---- arguments, methods, routes -------------------------------------------------------------------------------------

@pytest.mark.parametrize("target", [
    A + "/a?what", A + "/a?version=1&what=2", A + "/a?Version=1", A + "/?Recursive", "/v1/status?x", "/v1/whoami?x=1",
    "/v1/acl?path=/registry&x=1", "/v1/audit?user=1", "/v1/checkpoint?a", "/v1/acl/test?path=/registry&principle=any",
])
def test_unknown_arguments_are_refused(c, target):
    c.put(A + "/a", "1")
    r = c.get(target)
    assert (r.status, r.code) == (400, "bad-request"), r


def test_unknown_arguments_of_changes_are_refused(c):
    c.put(A + "/a", "1")
    for r in (c.put(A + "/a?version=1", "2"), c.delete(A + "/a?recursive"), c.delete(A + "/a?version=1"),
              c.post("/v1/lock?now"), c.post("/v1/reload?x=1"), c.post("/v1/unlock?x")):
        assert (r.status, r.code) == (400, "bad-request"), r
    assert c.get(A + "/a").body == b"1"
    assert c.status()["state"] == "unlocked"


@pytest.mark.parametrize("target", [
    A + "/a?history&version=1", A + "/a?history=1", A + "/a?recursive", A + "/a?limit=1", A + "/a?after=x",
    A + "/?history", A + "/?version=1", A + "/?recursive=1", A + "/a?version=1&version=1", A + "/a?", A + "/a?&version=1",
])
def test_arguments_that_do_not_go_together(c, target):
    c.put(A + "/a", "1")
    r = c.get(target)
    assert (r.status, r.code) == (400, "bad-request"), r


ALLOW = {A + "/a": {"GET", "PUT", "DELETE"}, A + "/": {"GET", "PUT", "DELETE"}, "/registry": {"GET", "PUT", "DELETE"},
         "/v1/acl": {"GET", "POST", "DELETE"}, "/v1/acl/test": {"GET"}, "/v1/audit": {"GET"}, "/v1/checkpoint": {"GET"},
         "/v1/roles": {"GET", "POST", "DELETE"}, "/v1/explain": {"GET"}, "/v1/approvals": {"GET", "POST", "DELETE"},
         "/v1/break-glass": {"POST"}, "/v1/policy/test": {"POST"}, "/v1/status": {"GET"}, "/v1/whoami": {"GET"},
         "/v1/unlock": {"POST"}, "/v1/lock": {"POST"}, "/v1/reload": {"POST"}}


@pytest.mark.parametrize("target", sorted(ALLOW))
def test_wrong_methods_are_405_and_say_what_is_right(c, target):
    for method in ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"):
        if method in ALLOW[target]:
            continue
        for body in (None, "with a body"):
            r = c.request(method, target, body)
            assert (r.status, r.code) == (405, "bad-method"), (method, body, r)
            assert set(r.headers["allow"].split(", ")) == ALLOW[target]


def test_head_is_refused_without_a_body(daemon, c):
    """A reply to HEAD has no body (RFC 9110 section 9.3.2): a client would take it for the next reply."""
    c.put(A + "/a", "1")
    with daemon.raw() as raw:
        raw.send("HEAD %s/a HTTP/1.1\r\nHost: x\r\n\r\n" % A)
        assert raw.reply(has_body=False).status == 405
        raw.try_send("GET %s/a HTTP/1.1\r\nHost: x\r\n\r\n" % A)
        r = raw.reply()
        assert r is None or (r.status, r.body) == (200, b"1")
        assert raw.have == b""


@pytest.mark.parametrize("target", ["/", "/v1", "/v1/", "/v1/none", "/v2/status", "/registr", "/registryx", "/v1/status/",
                                    "/V1/status", "/v1/acl/", "/favicon.ico", "//registry", "/v1//status", "/%76%31/status"])
def test_no_such_route(c, target):
    for method in ("GET", "PUT", "POST"):
        for body in (None, "x"):
            r = c.request(method, target, body)
            assert (r.status, r.code) == (404, "no-route"), r


def test_whoami(daemon, c):
    d = c.get("/v1/whoami").data
    assert set(d) == {"uid", "gid", "groups", "pid", "unit", "label", "owns", "roles", "rights", "auth", "auth_age"}
    assert (d["uid"], d["gid"], d["pid"]) == (os.geteuid(), os.getegid(), os.getpid())
    assert sorted(d["groups"]) == sorted(os.getgroups())
    assert d["rights"] == ["list", "read", "write", "delete", "grant", "audit", "control"]
    import pwd
    assert d["owns"] == "/registry/user/" + pwd.getpwuid(os.geteuid()).pw_name


def test_status(daemon, c):
    d = c.status()
    assert d["state"] == "unlocked" and d["storage"] == "ok" and d["revision"] == 1
    assert {r["role"] for r in d["roles"]} == {"parent", "engine", "front", "starter"}
    assert {r["pid"] for r in d["roles"] if r["role"] == "parent"} == {daemon.process.pid}
    c.put(A + "/a", "1")
    c.put(A + "/b", "1")
    c.delete(A + "/b")
    d = c.status()
    assert (d["entries"], d["deleted_entries"], d["rules"], d["revision"]) == (1, 1, 1, 4)


def test_several_fronts_serve_one_tree(new_store):
    d = new_store(config="front:\n  count: 4\n").start()
    assert len([r for r in d.client().status()["roles"] if r["role"] == "front"]) == 4
    clients = [d.client() for _ in range(12)]
    for i, c in enumerate(clients):
        assert c.put(A + "/n%d" % i, str(i)).status == 201
    for c in clients:
        assert len(c.names(A)) == 12


def test_everything_survives_a_restart(daemon, c):
    c.put(A + "/a/b", "1", type="integer", comment="c")
    c.put(A + "/a/c", "secret", sealed="true")
    c.put(A + "/gone", "x")
    c.delete(A + "/gone")
    rule = c.allow(A, "uid:4711", "read")
    before = [c.entry(A + "/a/b").data, c.entry(A + "/a/c").data, c.list("/registry", recursive=True),
              c.get("/v1/acl?path=/registry").data, c.status()["revision"], c.get(A + "/gone?history").data]
    daemon.restart()
    c = daemon.client()
    assert [c.entry(A + "/a/b").data, c.entry(A + "/a/c").data, c.list("/registry", recursive=True),
            c.get("/v1/acl?path=/registry").data, c.status()["revision"], c.get(A + "/gone?history").data] == before
    assert rule in [r["id"] for r in c.get("/v1/acl?path=/registry").data["rules"]]
