"""secreg-follow remote and kernel (doc/spec/follow.md): checkpoints signed by a witness elsewhere, and told to the kernel."""
import ipaddress
import os
import shutil
import subprocess
import time

import pytest
from cryptography import x509

from conftest import BUILD, soon, wait_for
from test_follow import FOLLOW, Run, configure, once, status
from test_follow_syslog import Authority
from test_prune import grow, prune
from test_witness import check
from tlog_witness import Witness
from trail_log import folder_of

A = "/registry/applications"
VERIFY = os.path.join(BUILD, "bin", "secreg-verify")


def vkey(d):
    with open(d.path("etc/secreg/trail.vkey")) as f:
        return f.read().strip()


@pytest.fixture
def d(new_store):
    return new_store(config="audit:\n  checkpoint_records: 32\n").start()


@pytest.fixture
def w(d):
    """A witness that knows the trail, and a follower that knows the witness."""
    authority = Authority()
    os.makedirs(d.path("etc/secreg/follow"))
    authority.write(d.path("etc/secreg/follow/remote-ca.pem"))
    names = [x509.DNSName("witness.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    w = Witness(*authority.issue(d.root, "witness", names), [vkey(d)])
    w.authority = authority
    settings(d, w)
    yield w
    w.stop()


def settings(d, w, more="", **changes):
    v = dict(server="127.0.0.1", port=w.port, path="/log", key=w.vkey(), pause="0")
    v.update(changes)
    configure(d, "remote:\n" + "".join("  %s: %s\n" % item for item in v.items()) + more)


def work(d, count, name="a"):
    c = d.client()
    for i in range(count):
        c.put(A + "/" + name, str(i))


def kept(d):
    with open(d.path("var/lib/secreg-follow/remote.checkpoint"), encoding="utf-8") as f:
        return f.read()


def verify(d, w):
    done = subprocess.run([VERIFY, "--key", vkey(d), "--checkpoint", d.path("var/lib/secreg-follow/remote.checkpoint"),
                           "--witness", w.vkey(), folder_of(d.db)], capture_output=True, text=True, timeout=soon(60))
    return done.returncode, done.stdout + done.stderr


def test_each_head_extends_the_one_before(d, w):
    work(d, 100)
    once(d, "remote")
    size, _, when = check(kept(d), vkey(d), w.vkey())
    assert abs(when - time.time()) < 60 and w.asked == [(200, 0, size)]
    code, text = verify(d, w)
    assert code == 0 and "witnessed: by witness.example/w1" in text, text
    for _ in range(3):
        work(d, 50)
        once(d, "remote")
        before, size = size, check(kept(d), vkey(d), w.vkey())[0]
        assert size > before and w.asked[-1] == (200, before, size)
    s = status(d, "remote")
    assert s["size"] == size and s["trouble"] == "" and s["anchored"].startswith("20")
    done = subprocess.run([FOLLOW, "--root", d.root, "status"], capture_output=True, text=True, timeout=soon(20))
    assert "newest head of %d records, " % size in done.stdout
    once(d, "remote")  # nothing is new: nobody is asked
    assert len(w.asked) == 4


def test_it_goes_on_by_itself(d, w):
    r = Run(d, "remote")
    try:
        for _ in range(3):
            known = w.heads.get(vkey(d).split("+")[0], (0,))[0]
            work(d, 40)
            wait_for(lambda: w.heads.get(vkey(d).split("+")[0], (0,))[0] > known, 20, "it is signed")
        assert r.end() == 0
    finally:
        r.finish()
    assert {a[0] for a in w.asked} == {200}


def test_pause(d, w):
    settings(d, w, pause="10min")
    r = Run(d, "remote")
    try:
        work(d, 200)
        wait_for(lambda: len(w.asked) == 1, 20, "the first is sent")
        work(d, 200)
        time.sleep(1.5)
        assert len(w.asked) == 1
    finally:
        r.finish()


def test_through_kills_and_a_lost_answer(d, w):
    """The witness has signed, and the follower does not know: it is told with the next request, and goes on from there."""
    work(d, 60)
    once(d, "remote")
    first = kept(d)
    work(d, 60)
    once(d, "remote")
    known = w.heads[vkey(d).split("+")[0]][0]
    with open(d.path("var/lib/secreg-follow/remote.checkpoint"), "w", encoding="utf-8") as f:
        f.write(first)
    work(d, 60)
    once(d, "remote")
    assert [a[0] for a in w.asked] == [200, 200, 409, 200] and w.asked[-1][1] == known
    os.unlink(d.path("var/lib/secreg-follow/remote.checkpoint"))
    work(d, 60)
    once(d, "remote")
    assert [a[0] for a in w.asked][-2:] == [409, 200] and verify(d, w)[0] == 0
    for _ in range(5):
        r = Run(d, "remote")
        work(d, 40)
        time.sleep(0.05)
        r.end(9)
        r.finish()
    work(d, 40)
    once(d, "remote")
    assert verify(d, w)[0] == 0
    with open(d.path("var/lib/secreg-follow/remote.checkpoint"), "w") as f:
        f.write("nonsense")
    work(d, 40)
    once(d, "remote")
    assert verify(d, w)[0] == 0


def test_an_older_store_put_back(d, w):
    work(d, 60)
    d.stop()
    shutil.copytree(d.path("var/lib/secreg"), d.path("older"), symlinks=True)
    d.start()
    work(d, 200)
    once(d, "remote")
    signed = kept(d)
    d.stop()
    shutil.rmtree(d.path("var/lib/secreg"))
    shutil.copytree(d.path("older"), d.path("var/lib/secreg"), symlinks=True)
    d.start()
    work(d, 40, "other")
    for forgets in (False, True):
        if forgets:  # who puts back the follower's files as well does not get around the witness
            shutil.rmtree(d.path("var/lib/secreg-follow"))
        r = Run(d, "remote")
        try:
            wait_for(lambda: (status(d, "remote") or {"trouble": ""})["trouble"] != "", 20, "it says what is wrong")
            trouble = status(d, "remote")["trouble"]
            assert "older copy" in trouble or "trail" in trouble, trouble
        finally:
            r.finish()
        assert forgets or kept(d) == signed
    work(d, 400, "other")  # it is longer by now, and still another one
    r = Run(d, "remote")
    try:
        wait_for(lambda: "did not grow" in status(d, "remote")["trouble"], 20, "it says what is wrong")
    finally:
        r.finish()
    assert 422 in [a[0] for a in w.asked]


@pytest.mark.parametrize("answer, words", [
    ((404, "text/plain", b""), "does not know this trail"),
    ((403, "text/plain", b""), "does not know the key"),
    ((503, "text/plain", b"busy"), "answers 503"),
    ((200, "text/plain", b""), "did not sign"),
    ((200, "text/plain", "\u2014 witness.example/w1 AAAA\n".encode()), "did not sign"),
    ((409, "text/x.tlog.size", b"99999999\n"), "older copy"),
    ((409, "text/x.tlog.size", b"7\n"), "again and again"),
    ((409, "text/plain", b"7\n"), "does not answer as one does"),
])
def test_answers(d, w, answer, words):
    work(d, 60)
    w.answer = answer
    r = Run(d, "remote")
    try:
        wait_for(lambda: words in (status(d, "remote") or {"trouble": ""})["trouble"], 20, words)
        assert not os.path.exists(d.path("var/lib/secreg-follow/remote.checkpoint"))
        w.answer = None  # whatever it was: it goes on when that is over
        wait_for(lambda: os.path.exists(d.path("var/lib/secreg-follow/remote.checkpoint")), 60, "it goes on")
    finally:
        r.finish()
    assert verify(d, w)[0] == 0


def test_wrong_server(d, w):
    """A server that is not the witness gets no checkpoint."""
    work(d, 60)
    for change, words in (({"name": "elsewhere.example"}, "TLS"), ({"ca": True}, "TLS"), ({"port": 1}, "cannot connect")):
        if change.pop("ca", False):
            Authority("another").write(d.path("etc/secreg/follow/remote-ca.pem"))
        settings(d, w, **change)
        r = Run(d, "remote")
        try:
            wait_for(lambda: words in (status(d, "remote") or {"trouble": ""})["trouble"], 20, words)
        finally:
            r.finish()
        w.authority.write(d.path("etc/secreg/follow/remote-ca.pem"))
    assert w.asked == []


@pytest.mark.parametrize("change, words", [
    ({"server": '""'}, "remote.server"), ({"key": "x+y+z"}, "remote.key"), ({"path": "log"}, "remote.path"),
    ({"path": "/log/"}, "remote.path"), ({"server": "no-such-host.invalid"}, "no-such-host")])
def test_settings(d, w, change, words):
    settings(d, w, **change)
    done = subprocess.run([FOLLOW, "--root", d.root, "--once", "remote"], capture_output=True, text=True, timeout=soon(60))
    assert done.returncode == 1 and words in done.stderr, done


def test_a_hung_witness_hinders_nobody(d, w):
    w.delay = 3
    work(d, 40)
    r = Run(d, "remote")
    try:
        time.sleep(0.5)
        begin = time.monotonic()
        work(d, 100)
        assert time.monotonic() - begin < soon(3)
        w.delay = 0
        wait_for(lambda: w.asked, 20, "it is asked")
    finally:
        r.finish()


def test_locked(d, w):
    work(d, 40)
    assert d.client().post("/v1/lock").status == 200
    r = Run(d, "remote")
    try:
        wait_for(lambda: "registry" in (status(d, "remote") or {"trouble": ""})["trouble"], 20, "it says so")
    finally:
        r.finish()


def test_a_reply_without_a_length(d, w):
    """It cannot be told from one that was cut: it is not taken, and that is said."""
    work(d, 60)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
    before, w.server.RequestHandlerClass.do_POST = w.server.RequestHandlerClass.do_POST, do_POST
    r = Run(d, "remote")
    try:
        wait_for(lambda: "does not answer as one does" in (status(d, "remote") or {"trouble": ""})["trouble"], 20, "it says so")
    finally:
        r.finish()
    w.server.RequestHandlerClass.do_POST = before
    once(d, "remote")
    assert verify(d, w)[0] == 0


def test_what_it_signed_was_removed(d, w):
    """Growth from there cannot be proven any more, and that is said."""
    work(d, 60)
    once(d, "remote")
    c = d.client()
    grow(c, 2, folder=folder_of(d.db))
    assert prune(c)["first"] > 0
    r = Run(d, "remote")
    try:
        wait_for(lambda: "begin with it anew" in status(d, "remote")["trouble"], 20, "it says so")
    finally:
        r.finish()


def test_kernel(d):
    """Where the kernel takes audit messages it is told; where it does not, that is said, and nothing is claimed."""
    work(d, 60)
    r = Run(d, "kernel")
    try:
        wait_for(lambda: r.process.poll() is not None or (status(d, "kernel") or {}).get("size", 0) > 0 or
                 "audit message" in (status(d, "kernel") or {"trouble": ""})["trouble"], 20, "one or the other")
        s = status(d, "kernel")
        if r.process.poll() is None and not s["trouble"]:
            assert s["size"] > 32 and s["anchored"].startswith("20")
        elif r.process.poll() is None:
            assert "size" not in s and "takes no audit message" in s["trouble"]
        else:
            assert r.process.returncode == 1
    finally:
        r.finish()
