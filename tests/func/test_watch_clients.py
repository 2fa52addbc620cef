"""Watches through sreg and through libsecreg: whole revisions, whatever happens to the daemon; and on a full disk."""
import ctypes
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import BUILD, SLOWER, SREG, needs_root, soon, wait_for
from test_faults import fill, on_a_small_disk
from test_watch import Watch
from trail_verify import Follower

A = "/registry/applications"


class Sreg:
    """A running sreg watch; its lines as they come."""

    def __init__(self, root, *args, user=None, env=None):
        self.process = subprocess.Popen([SREG, "--root", root, "watch", *args], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
                                        user=user, extra_groups=[] if user else None, env={**os.environ, **(env or {})})
        self.lines, self.err = [], []
        self.threads = [threading.Thread(target=self.read, args=x, daemon=True)
                        for x in ((self.process.stdout, self.lines), (self.process.stderr, self.err))]
        for t in self.threads:
            t.start()

    def read(self, stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    def wait(self, count):
        wait_for(lambda: len(self.lines) >= count or self.process.poll() is not None, 20,
                 "%d lines: there are %r, and %r" % (count, self.lines, self.err))
        return self.lines

    def end(self, by=signal.SIGTERM):
        if by is not None:
            self.process.send_signal(by)
        status = self.process.wait(timeout=soon(20))
        for t in self.threads:
            t.join(soon(5))
        return status


@pytest.fixture
def sreg():
    made = []

    def make(d, *args, **more):
        before = d.client().status()["watches"]
        s = Sreg(d.root, *args, **more)
        made.append(s)
        wait_for(lambda: s.process.poll() is not None or d.client().status()["watches"] > before, 20, "it watches")
        return s

    yield make
    for s in made:
        if s.process.poll() is None:
            s.process.kill()
        s.process.wait()


def test_lines_for_people(c, daemon, sreg):
    s = sreg(daemon, A)
    c.put(A + "/port", "80", type="integer")
    c.put(A + "/n%c3%a4me", "x")
    c.post("/v1/txn", json.dumps({"then": [{"op": "move", "from": A + "/port", "to": A + "/p"}]}))
    words = [line.split() for line in s.wait(4)]
    assert [w[3:6] for w in words] == [["set", "1", A + "/port"], ["set", "1", A + "/n\u00e4me"], ["delete", "2", A + "/port"],
                                       ["move", "1", A + "/p"]]
    assert words[2][6:] == ["->", A + "/p"] and words[3][6:] == ["<-", A + "/port"]
    assert words[0][1].endswith("Z") and int(words[0][0]) + 1 == int(words[1][0])
    assert s.end() == -signal.SIGTERM and s.err == []


def test_values_and_the_past(c, daemon, sreg):
    c.put(A + "/a", "one\ntwo\033[1m", sealed="true")
    c.put(A + "/a", "3", type="integer")
    plain, values = sreg(daemon, "--since", "0", A + "/"), sreg(daemon, "--since=0", "--values", A)
    assert all("one" not in line for line in plain.wait(2))
    assert values.wait(2)[0].endswith(" = one\\x0atwo\\x1b[1m") and values.lines[1].endswith(" = 3")


def test_json_lines(c, daemon, sreg):
    s = sreg(daemon, "--json", "--values")
    c.put(A + "/a", "x\u00e4", sealed="true")
    line = json.loads(s.wait(1)[0])
    assert (line["path"], line["value"], line["last"]) == (A + "/a", "x\u00e4", True)


def test_wrong_lines(daemon):
    for args, status in [(["--since", "x"], 2), (["--since", "-1"], 2), (["/x"], 2), ([A, A], 2), (["--exec"], 2),
                         (["--exec", "true", "--values"], 2), (["--exec", "true", "--json"], 2), (["--since", "99"], 3),
                         (["/registry/a/../b"], 2)]:
        done = subprocess.run([SREG, "--root", daemon.root, "watch", *args], capture_output=True, text=True, timeout=soon(20))
        assert done.returncode == status and done.stdout == "" and done.stderr != "", (args, done)


def test_no_daemon(new_store):
    d = new_store()
    done = subprocess.run([SREG, "--root", d.root, "watch", "--json"], capture_output=True, text=True, timeout=soon(20))
    assert done.returncode == 7 and json.loads(done.stderr)["code"] == "unavailable"


@needs_root
def test_revocation_ends_sreg(c, daemon, sreg):
    none = subprocess.run([SREG, "--root", daemon.root, "watch", A], capture_output=True, user=1234, extra_groups=[],
                          timeout=soon(20))
    assert none.returncode in (3, 4)
    rule = c.allow(A, "uid:1234", "list")
    s = sreg(daemon, A, user=1234)
    c.put(A + "/a", "1")
    s.wait(1)
    c.delete("/v1/acl?id=%d" % rule)
    assert s.end(by=None) == 4 and "not permitted" in s.err[-1]


def test_sreg_outlives_the_daemon(new_store, sreg):
    d = new_store().start()
    c = d.client()
    s = sreg(d, "--json", A)
    wanted = []
    for how in ("restart", "kill", "lock"):
        wanted.append(c.put(A + "/a", how).data["revision"])
        s.wait(len(wanted))
        if how == "lock":
            assert c.post("/v1/lock").status == 200
            time.sleep(0.2)
            assert c.post("/v1/unlock").status == 200
        else:
            if how == "restart":
                assert d.stop() == 0
            else:
                d.kill()
            wait_for(lambda: any("waited for" in line for line in s.err), 10, "it says that it waits")
            s.err.clear()
            d.start()
            c = d.client()
        r = c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": "%s/%d" % (A, i), "value": "1"} for i in range(3)]}))
        wanted += [r.data["revision"]] * 3
        told = [json.loads(line) for line in s.wait(len(wanted))]
        assert [x["revision"] for x in told] == wanted
    assert s.process.poll() is None


def test_exec(c, daemon, sreg, tmp_path):
    out = tmp_path / "out"
    s = sreg(daemon, A, "--exec", '(echo "$SECREG_REVISION:"; cat; echo "$SECREG_PATHS" | wc -l) >> %s' % out)
    r1 = c.put(A + "/a", "topsecret").data["revision"]
    r2 = c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": "%s/%d" % (A, i), "value": "topsecret"}
                                                for i in range(3)]})).data["revision"]
    wanted = "%d:\n%s/a\n1\n%d:\n%s/0\n%s/1\n%s/2\n3\n" % (r1, A, r2, A, A, A)
    wait_for(lambda: out.exists() and out.read_text() == wanted, 10, "the command ran")
    leaves = [{"op": "set", "path": "%s/many/%05d%s" % (A, i, "x" * 60), "value": "1"} for i in range(2000)]
    c.post("/v1/txn", json.dumps({"then": leaves}))
    wait_for(lambda: out.read_text().count("many") == 2000, 10, "many paths are on standard input")
    assert s.process.poll() is None and s.lines == []


def test_a_command_that_fails(c, daemon, sreg, tmp_path):
    out = tmp_path / "out"
    s = sreg(daemon, A, "--exec", "echo ran >> %s; exit 3" % out)
    for i in range(2):
        c.put(A + "/a", str(i))
        wait_for(lambda: out.exists() and out.read_text() == "ran\n" * (i + 1), 10, "the command ran")
    wait_for(lambda: len(s.err) == 2, 5, "it warns")
    assert all("exited with 3" in line for line in s.err) and s.process.poll() is None


# ---- libsecreg ------------------------------------------------------------------------------------------------------

class Options(ctypes.Structure):
    _fields_ = [("has_since", ctypes.c_bool), ("since", ctypes.c_uint64), ("values", ctypes.c_bool)]


class Change(ctypes.Structure):
    _fields_ = [("path", ctypes.c_char_p), ("kind", ctypes.c_char_p), ("from_", ctypes.c_char_p), ("to", ctypes.c_char_p),
                ("time", ctypes.c_char_p), ("revision", ctypes.c_uint64), ("version", ctypes.c_uint64),
                ("is_deleted", ctypes.c_bool), ("is_gone", ctypes.c_bool), ("is_last", ctypes.c_bool),
                ("is_sealed", ctypes.c_bool), ("type", ctypes.c_int), ("changed_by", ctypes.c_uint32),
                ("value", ctypes.POINTER(ctypes.c_ubyte)), ("value_size", ctypes.c_size_t)]


@pytest.fixture
def lib():
    if SLOWER > 1:
        pytest.skip("the sanitized library cannot be loaded into this process")
    lib = ctypes.CDLL(os.path.join(BUILD, "lib", "libsecreg.so"))
    lib.secreg_watch_open.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Options), ctypes.POINTER(ctypes.c_void_p)]
    lib.secreg_watch_next.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(Change)]
    lib.secreg_watch_revision.argtypes = lib.secreg_watch_close.argtypes = lib.secreg_watch_wake.argtypes = [ctypes.c_void_p]
    lib.secreg_watch_revision.restype = ctypes.c_uint64
    lib.secreg_watch_error_text.argtypes = [ctypes.c_void_p]
    lib.secreg_watch_error_text.restype = ctypes.c_char_p
    return lib


def test_library_over_restarts(new_store, lib):
    d = new_store().start()
    since = d.client().status()["revision"]
    w, change = ctypes.c_void_p(), Change()
    options = Options(True, since, True)
    assert lib.secreg_watch_open(d.socket.encode(), A.encode(), ctypes.byref(options), ctypes.byref(w)) == 0
    told, stop = [], threading.Event()

    def follow():
        while not stop.is_set():
            assert lib.secreg_watch_next(w, 500, ctypes.byref(change)) == 0, lib.secreg_watch_error_text(w)
            if change.path is not None:
                told.append((change.revision, change.path.decode(), ctypes.string_at(change.value, change.value_size)))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    wanted = []
    for i in range(12):
        r = d.client().put("%s/k%d" % (A, i), b"v\xff%d" % i, type="binary", sealed="true")
        wanted.append((r.data["revision"], "%s/k%d" % (A, i), b"v\xff%d" % i))
        if i % 4 == 1:
            d.restart()
        elif i % 4 == 3:
            d.kill(role="engine")
            d.start()
    wait_for(lambda: len(told) >= len(wanted), 30, "everything is told: %r" % told)
    assert told == wanted and lib.secreg_watch_revision(w) == wanted[-1][0]
    stop.set()
    lib.secreg_watch_wake(w)
    thread.join(soon(5))
    assert not thread.is_alive()
    lib.secreg_watch_close(w)


# ---- a full disk ----------------------------------------------------------------------------------------------------

@on_a_small_disk("2m")
def test_watches_on_a_full_disk(d):
    """What needs no record goes on; values wait until their reads can be recorded. Nothing is lost or told twice."""
    d.start()
    c = d.client()
    since = c.status()["revision"]
    for i in range(8):
        assert c.put(A + "/v", "%d" % i + "x" * 60000).status in (200, 201)
    plain = Watch(d.socket, "?path=%s&since=%d" % (A, since))
    values = Watch(d.socket, "?path=%s&since=%d&values" % (A, since), timeout=30)
    assert plain.hello() == since and len(plain.changes(8)) == 8
    wait_for(lambda: c.get("/v1/audit?kind=get").data["records"], 10, "a value is told")
    ballast = fill(d)
    n = 8
    while True:
        r = c.put(A + "/v", "%d" % n + "y" * 3000)
        if r.status != 200:
            break
        n += 1
    assert (r.status, r.code) == (507, "storage-full")
    assert len(plain.changes(n - 8)) == n - 8
    refused = Watch(d.socket, "?path=" + A)
    assert refused.read_head().refusal.code == "storage-full"  # its start could not be recorded
    told = [values.hello()]
    done = threading.Event()

    def read():
        told.extend(values.changes(n))
        done.set()

    for _ in range(3):  # until the log has no room either
        while c.get(A + "/v").status == 200:
            pass
        time.sleep(1.1)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    done.wait(1.5)
    os.unlink(ballast)
    assert done.wait(soon(20)), "the watch goes on by itself once there is room"
    assert [x["version"] for x in told[1:]] == list(range(1, n + 1))
    kept = [x for x in told[1:] if "value" in x]
    assert len(kept) == min(n, 10) and all(x["value"].rstrip("xy") == str(x["version"] - 1) for x in kept)
    reads = [r["version_after"] for r in Follower().follow(c) if r["kind"] == "get"]
    assert [v for v in reads if v != n] == [x["version"] for x in told[1:] if "value" in x and x["version"] != n]
    for w in (plain, values, refused):
        w.close()
