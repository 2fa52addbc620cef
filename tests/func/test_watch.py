"""Watches (doc/spec/watch.md): order, resuming, rights at delivery, flow, limits, ends."""
import json
import os
import random
import resource
import select
import socket
import threading
import time

import pytest

from client import Client, Raw, Stream
from conftest import IS_ROOT, SLOWER, needs_root, soon, wait_for
from trail_verify import Follower

A = "/registry/applications"
ALICE = 1234


class Watch(Stream):
    def __init__(self, path_of_socket, query="", timeout=20):
        super().__init__(path_of_socket, "/v1/watch" + query, soon(timeout))

    def change(self):
        """The next change; lines about the watch itself are skipped."""
        while True:
            x = self.line()
            assert x is not None and "ended" not in x, x
            if "path" in x:
                return x

    def changes(self, count):
        return [self.change() for _ in range(count)]

    def hello(self):
        """The first line: how far the client is."""
        x = self.line()
        assert x["idle"] is True and x["every_ms"] > 0, x
        return x["revision"]

    def end(self):
        """Why it ended; nothing but the state of the watch stands before."""
        while True:
            x = self.line()
            assert x is not None and "path" not in x, x
            if "ended" in x:
                assert self.line() is None and self.raw.is_over()
                return x["ended"]

    def is_quiet(self, seconds=0.3):
        """Nothing but idle lines comes for a while."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self.text:
                x = self.line()
                if "idle" not in x:
                    return False
            left = end - time.monotonic()
            if left <= 0:
                return True
            if select.select([self.raw.sock], [], [], left)[0] or self.raw.have:
                self.read_head()
                self.chunk()


@pytest.fixture
def watch(request):
    made = []

    def make(d, query="", **args):
        w = Watch(d.socket, query, **args)
        made.append(w)
        return w

    yield make
    for w in made:
        w.close()


def key(x):
    return (x["revision"], x["path"], x["kind"], x["version"])


# ---- what is told ---------------------------------------------------------------------------------------------------

def test_live(c, daemon, watch):
    w = watch(daemon, "?path=" + A)
    before = w.hello()
    assert "secreg-revision: %d" % before in w.head.lower()
    r = c.put(A + "/a", "1", type="integer")
    x = w.change()
    assert {k: x[k] for k in x if k != "time"} == {
        "revision": r.data["revision"], "path": A + "/a", "kind": "set", "version": 1, "deleted": False,
        "type": "integer", "sealed": False, "changed_by": os.geteuid(), "last": True}
    assert x["revision"] == before + 1 and x["time"].endswith("Z")
    c.put("/registry/system/elsewhere", "x")
    c.put(A + "/a", "s", type="string", sealed="true")
    x = w.change()
    assert (x["version"], x["sealed"], x["type"]) == (2, True, "string") and "value" not in x
    c.delete(A + "/a")
    x = w.change()
    assert (x["kind"], x["version"], x["deleted"]) == ("delete", 3, True) and "type" not in x
    assert w.is_quiet()


def test_an_entry_can_be_watched_before_it_is_there(c, daemon, watch):
    w = watch(daemon, "?path=" + A + "/x/y")
    w.hello()
    for path in ("/x/yy", "/x/y", "/xx", "/x/z"):
        c.put(A + path, "1")
    assert w.change()["path"] == A + "/x/y"
    assert w.is_quiet()


@pytest.mark.parametrize("type,value,told", [
    ("string", "h\u00e4\n\"x\"", "h\u00e4\n\"x\""), ("integer", "-7", -7), ("boolean", "true", True),
    ("json", "{\"a\":[1,2]}", {"a": [1, 2]}), ("list", "[\"a\",\"b\"]", ["a", "b"]), ("binary", "ab", "YWI="),
    ("float", "1.5", 1.5), ("string", "LONG", "LONG")])
def test_values(c, daemon, watch, type, value, told):
    if value == "LONG":
        value = told = "x" * 200000
    w = watch(daemon, "?path=%s&values" % A)
    w.hello()
    for sealed in ("false", "true"):
        c.put(A + "/v", value, type=type, sealed=sealed)
        x = w.change()
        assert (x["value"], x["type"], x["sealed"]) == (told, type, sealed == "true")


def test_values_that_are_told_are_reads(c, daemon, watch):
    since = c.status()["revision"]
    for i in range(5):
        c.put(A + "/v", str(i))
    w = watch(daemon, "?path=%s&since=%d&values" % (A, since))
    w.hello()
    assert [x["value"] for x in w.changes(5)] == list("01234")
    plain = watch(daemon, "?path=%s&since=%d" % (A, since))
    plain.hello()
    plain.changes(5)
    records = c.get("/v1/audit?kind=get&path=" + A).data["records"]
    assert [r["version_after"] for r in records] == [5, 4, 3, 2, 1]
    records = c.get("/v1/audit?kind=watch").data["records"]
    assert [(r["path"], r["detail"]) for r in records] == [(A, "since %d" % since), (A, "since %d, values" % since)]
    Follower().follow(c)


def test_values_no_longer_kept(new_store, watch):
    d = new_store(config="history:\n  versions: 2\n").start()
    c = d.client()
    for i in range(5):
        c.put(A + "/v", str(i))
    c.put(A + "/other", "1")
    c.put(A + "/other", "2")
    assert c.post("/v1/txn", json.dumps({"then": [{"op": "destroy", "path": A + "/other", "version": 1}]})).status == 200
    w = watch(d, "?path=%s&since=0&values" % A)
    w.hello()
    told = [(x["path"][len(A) + 1:], x["version"], x.get("value"), x.get("gone", False)) for x in w.changes(8)]
    assert told == [("v", 1, None, True), ("v", 2, None, True), ("v", 3, None, True), ("v", 4, "3", False),
                    ("v", 5, "4", False), ("other", 1, None, True), ("other", 2, "2", False), ("other", 1, None, True)]


def test_kinds(c, daemon, watch):
    live = watch(daemon, "?path=" + A)
    since = live.hello()

    def txn(*leaves):
        r = c.post("/v1/txn", json.dumps({"then": list(leaves)}))
        assert r.status == 200, r
        return r.data["revision"]

    a, b = A + "/a", A + "/b"
    c.put(a, "1")
    c.put(a, "2")
    txn({"op": "revert", "path": a, "version": 1})
    base = c.status()["revision"]
    c.put(b, "1")
    txn({"op": "revert", "path": A, "revision": base})
    txn({"op": "copy", "from": a, "to": b})
    txn({"op": "move", "from": b, "to": A + "/c"})
    txn({"op": "destroy", "path": a, "version": 2})
    txn({"op": "set", "path": a, "value": "3"}, {"op": "destroy", "path": a, "version": 1}, {"op": "delete", "path": a})
    soon_gone = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    c.put(A + "/e", "x", Secreg_Expires=soon_gone)
    wanted = [("set", "a", 1), ("set", "a", 2), ("revert", "a", 3), ("set", "b", 1), ("revert", "b", 2), ("copy", "b", 3),
              ("delete", "b", 4), ("move", "c", 1), ("destroy", "a", 2), ("set", "a", 4), ("destroy", "a", 1),
              ("delete", "a", 5), ("set", "e", 1), ("expire", "e", 2)]
    told = live.changes(len(wanted))
    assert [(x["kind"], x["path"][len(A) + 1:], x["version"]) for x in told] == wanted
    assert [x["last"] for x in told] == [True] * 6 + [False, True, True, False, False, True, True, True]
    assert [x["deleted"] for x in told] == [False] * 4 + [True, False, True, False, False, False, False, True, False, True]
    assert (told[5]["from"], told[6]["to"], told[7]["from"]) == (a, A + "/c", b)
    revisions = [x["revision"] for x in told]
    assert revisions == sorted(revisions) and len(set(revisions)) == sum(x["last"] for x in told)
    again = watch(daemon, "?path=%s&since=%d" % (A, since))
    again.hello()
    later = again.changes(len(wanted))
    assert [key(x) for x in later] == [key(x) for x in told]
    assert [x["last"] for x in later] == [x["last"] for x in told]
    # what is still known of a version does not depend on when it is asked for, but for what was destroyed since
    assert [x for x in later if "gone" not in x] == [x for x, y in zip(told, later) if "gone" not in y]


def test_refused_and_dry_acts_are_no_changes(c, daemon, watch):
    w = watch(daemon, "?path=" + A)
    w.hello()
    assert c.put(A + "/a", "1", match=7).status == 412
    r = c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": A + "/a", "value": "1"}], "dry_run": True}))
    assert r.status == 200
    r = c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": A + "/a", "value": "1"},
                                               {"op": "delete", "path": A + "/none"}]}))
    assert r.status == 404
    c.get(A + "/a")
    c.put(A + "/b", "1")
    assert w.change()["path"] == A + "/b"


def test_a_revision_stands_together(c, daemon, watch):
    """Its last line that the watcher may see is marked, wherever what it does not see stands."""
    folder, whole = watch(daemon, "?path=%s/f" % A), watch(daemon)
    since = folder.hello()
    whole.hello()
    for n in (1, 2, 5):
        leaves = [{"op": "set", "path": "%s/%s/%d" % (A, "fg"[i % 2], i), "value": str(n)} for i in range(n)]
        c.post("/v1/txn", json.dumps({"then": leaves}))
    told = folder.changes(1 + 1 + 3)
    assert [x["last"] for x in told] == [True, True, False, False, True]
    assert [x["last"] for x in whole.changes(8)] == [True, False, True, False, False, False, False, True]
    again = watch(daemon, "?path=%s/f&since=%d" % (A, since))
    again.hello()
    assert again.changes(5) == told


def test_idle(new_store, watch):
    d = new_store(config="watch:\n  idle_interval: 100ms\n").start()
    c = d.client()
    w = watch(d, "?path=" + A)
    first = w.line()
    assert first == {"revision": c.status()["revision"], "idle": True, "every_ms": 100}
    begin = time.monotonic()
    for _ in range(5):
        assert w.line() == first
    assert 0.4 <= time.monotonic() - begin < soon(3)
    c.put("/registry/system/elsewhere", "1")  # not seen; but the watch is further now
    wait_for(lambda: w.line()["revision"] == first["revision"] + 1, 5, "idle lines say how far it is")


def test_reload(new_store, watch):
    d = new_store().start()
    c = d.client()
    w = watch(d, "?path=" + A)
    w.hello()
    d.configure("watch:\n  idle_interval: 100ms\nlimits:\n  watches: 1\n")
    assert c.post("/v1/reload").status == 200
    assert [w.line()["every_ms"] for _ in range(3)] == [100] * 3
    assert watch(d).read_head().refusal.code == "limit"


def test_no_idle_line_inside_a_revision(new_store, watch):
    d = new_store(config="watch:\n  idle_interval: 50ms\n").start()
    c = d.client()
    w = watch(d, "?values&path=" + A, timeout=40)
    w.hello()
    for folder in ("one", "two"):
        leaves = [{"op": "set", "path": "%s/%s/%02d" % (A, folder, i), "value": "x" * 19000} for i in range(100)]
        assert c.post("/v1/txn", json.dumps({"then": leaves})).status == 200
    inside = 0
    for _ in range(10 ** 6):
        x = w.line()
        if "idle" in x:
            assert inside in (0, 100, 200)
            if inside == 200:
                break
            continue
        inside += 1
        assert x["last"] == (inside % 100 == 0)
        if inside in (20, 150):
            time.sleep(0.3)


def test_arguments(c, daemon, watch):
    for query, code in [("?since=x", "bad-request"), ("?since=-1", "bad-request"), ("?since", "bad-request"),
                        ("?values=1", "bad-request"), ("?path", "bad-request"), ("?other=1", "bad-request"),
                        ("?since=9223372036854775808", "bad-request"), ("?path=/x", "bad-path"),
                        ("?path=/registry/a/../b", "bad-path"), ("?path=" + "/registry/" + "a" * 600, "bad-path"),
                        ("?path=/registry/%ff", "bad-path"), ("?path=%zz", "bad-path")]:
        r = c.get("/v1/watch" + query)
        assert (r.code, r.status) == (code, 400), query
    assert c.put("/v1/watch", "").status == 405
    w = watch(daemon, "?path=%2Fregistry%2Fapplications%2F")
    w.hello()
    c.put(A + "/a", "1")
    assert w.change()["path"] == A + "/a"


def test_gone(c, daemon):
    now = c.status()["revision"]
    r = c.get("/v1/watch?since=%d" % (now + 1))
    assert (r.status, r.code) == (410, "gone")


# ---- resuming -------------------------------------------------------------------------------------------------------

class Load(threading.Thread):
    """Changes one folder without pause: single writes and transactions; remembers what each answered revision holds."""

    def __init__(self, daemon, folder, seed):
        super().__init__(daemon=True)
        self.socket = daemon.socket
        self.folder = folder
        self.rng = random.Random(seed)
        self.stop = threading.Event()
        self.done = {}  # revision -> paths

    def run(self):
        c = None
        while not self.stop.is_set():
            try:
                c = c or Client(self.socket, soon(20))
                self.step(c)
            except Exception:
                c = None  # the daemon is away: what was not answered may have been done or not
                time.sleep(0.01)

    def step(self, c):
        paths = ["%s/k%d" % (self.folder, self.rng.randrange(20)) for _ in range(self.rng.choice([1, 1, 1, 4]))]
        paths = list(dict.fromkeys(paths))
        if len(paths) == 1:
            r = c.put(paths[0], str(self.rng.random()))
            if r.status in (200, 201):
                self.done[r.data["revision"]] = paths
        else:
            leaves = [{"op": "set", "path": p, "value": str(self.rng.random())} for p in paths]
            r = c.post("/v1/txn", json.dumps({"then": leaves}))
            if r.status == 200:
                self.done[r.data["revision"]] = paths

    def finish(self):
        self.stop.set()
        self.join()


class Resumer:
    """Takes whole revisions, whatever happens to the connection, and goes on behind the last whole one."""

    def __init__(self, daemon, since, query=""):
        self.daemon = daemon
        self.since = since
        self.query = query
        self.seen = []  # whole revisions, in order: (revision, paths)
        self.reconnects = 0

    def take(self, w, lines, until):
        """So many lines of one connection, or up to a revision."""
        part = []
        while lines > 0 and self.since < until:
            lines -= 1
            x = w.line()
            if x is None or "ended" in x:
                return
            if "idle" in x:
                assert x["revision"] >= self.since and not part, x
                self.since = x["revision"]
                continue
            assert x["revision"] > self.since and (not part or part[0]["revision"] == x["revision"]), x
            part.append(x)
            if x["last"]:
                self.seen.append((x["revision"], [p["path"] for p in part]))
                self.since = x["revision"]
                part = []

    def connect_and_take(self, lines, until=2 ** 63):
        self.reconnects += 1
        try:
            w = Watch(self.daemon.socket, "?path=%s&since=%d%s" % (A, self.since, self.query), timeout=5)
            try:
                self.take(w, lines, until)
            finally:
                w.close()
        except (OSError, ConnectionError):
            time.sleep(0.01)

    def check(self, loads, until):
        """Everything that was answered was seen once, whole and in order."""
        assert [r for r, _ in self.seen] == sorted({r for r, _ in self.seen})
        seen = dict(self.seen)
        for load in loads:
            for revision, paths in load.done.items():
                if revision <= until:
                    assert seen.get(revision) == paths, (revision, paths, seen.get(revision))


def test_resume_under_load(daemon, c):
    since = c.status()["revision"]
    loads = [Load(daemon, "%s/l%d" % (A, i), i) for i in range(3)]
    for load in loads:
        load.start()
    rng = random.Random(1)
    r = Resumer(daemon, since)
    while r.reconnects < 100:
        r.connect_and_take(rng.choice([1, 2, 3, 10, 60]))
    for load in loads:
        load.finish()
    end = c.status()["revision"]
    while r.since < end:
        r.connect_and_take(10 ** 9, end)
    r.check(loads, end)
    assert len(r.seen) > 100 and sum(len(l.done) for l in loads) > 100


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_resume_over_the_end_of_the_daemon(new_store, how):
    d = new_store().start()
    since = d.client().status()["revision"]
    loads = [Load(d, "%s/l%d" % (A, i), i) for i in range(2)]
    for load in loads:
        load.start()
    r = Resumer(d, since)
    stop = threading.Event()

    def follow():
        while not stop.is_set():
            r.connect_and_take(10 ** 9)

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    for i in range(5):
        time.sleep(0.3 * SLOWER)
        if how == "restart":
            d.restart()
        else:
            d.kill(role=("parent", "engine", "front")[i % 3])
            d.start()
    time.sleep(0.3)
    for load in loads:
        load.finish()
    end = d.client().status()["revision"]
    wait_for(lambda: r.since >= end, 20, "the watch catches up to %d: it is at %d" % (end, r.since))
    stop.set()
    d.client().put(A + "/last", "1")
    follower.join(soon(10))
    assert not follower.is_alive()
    r.check(loads, end)
    assert r.reconnects > 3 and len(r.seen) > 20


def test_resume_behind_a_long_trail(new_store, watch):
    """Records of reads, refusals and of a locked registry lie between."""
    d = new_store().start()
    c = d.client()
    revisions = []
    for i in range(30):
        revisions.append(c.put("%s/k%d" % (A, i), "1").data["revision"])
        for _ in range(40):
            c.get(A + "/none")
        if i % 10 == 5:
            assert c.post("/v1/lock").status == 200
            for _ in range(60):
                assert c.get(A + "/none").code == "locked"
            assert c.post("/v1/unlock").status == 200
    d.restart()
    for since in (0, revisions[0], revisions[4], revisions[5], revisions[6], revisions[28], revisions[29]):
        w = watch(d, "?path=%s&since=%d" % (A, since))
        assert w.hello() == since
        wanted = [r for r in revisions if r > since]
        assert [x["revision"] for x in w.changes(len(wanted))] == wanted
        assert w.is_quiet(0.1)


def test_a_watch_from_the_past_goes_on_live(c, daemon, watch):
    for i in range(300):
        c.put(A + "/a", str(i))
    w = watch(daemon, "?path=%s&since=0" % A)
    w.hello()
    load = Load(daemon, A + "/b", 5)
    load.start()
    told = w.changes(600)
    load.finish()
    assert [x["version"] for x in told if x["path"] == A + "/a"] == list(range(1, 301))
    assert [x["revision"] for x in told] == sorted(x["revision"] for x in told)


# ---- rights ---------------------------------------------------------------------------------------------------------

class ActorWatch:
    """A watch of another user, through a child that runs as it."""

    def __init__(self, daemon, uid, query):
        here, there = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            try:
                here.close()
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
                s = socket.socket(socket.AF_UNIX)
                s.connect(daemon.socket)
                socket.send_fds(there, [b"x"], [s.fileno()])
            finally:
                os._exit(0)
        there.close()
        _, fds, _, _ = socket.recv_fds(here, 1, 1)
        os.waitpid(pid, 0)
        here.close()
        self.watch = Watch.__new__(Watch)
        raw = Raw.__new__(Raw)
        raw.sock = socket.socket(fileno=fds[0])
        raw.sock.settimeout(soon(20))
        raw.have = b""
        self.watch.raw = raw
        self.watch.text, self.watch.is_over, self.watch.head, self.watch.refusal = b"", False, None, None
        raw.send("GET /v1/watch%s HTTP/1.1\r\nHost: x\r\n\r\n" % query)


@pytest.fixture
def alice(request):
    made = []

    def make(daemon, query=""):
        w = ActorWatch(daemon, ALICE, query).watch
        made.append(w)
        return w

    yield make
    for w in made:
        w.close()


@needs_root
def test_deny_below(c, daemon, alice):
    c.allow(A, "uid:%d" % ALICE, "list")
    c.deny(A + "/secret", "uid:%d" % ALICE, "list")
    w = alice(daemon, "?path=" + A)
    w.hello()
    c.put(A + "/secret/a", "1")
    c.put(A + "/open", "1")
    c.post("/v1/txn", json.dumps({"then": [{"op": "move", "from": A + "/open", "to": A + "/secret/b"},
                                           {"op": "copy", "from": A + "/secret/a", "to": A + "/shown"},
                                           {"op": "set", "path": A + "/secret/c", "value": "1"}]}))
    assert (w.change()["path"]) == A + "/open"
    x, y = w.changes(2)
    assert (x["kind"], x["path"], x["last"]) == ("delete", A + "/open", False) and "to" not in x
    assert (y["kind"], y["path"], y["last"]) == ("copy", A + "/shown", True) and "from" not in y
    assert w.is_quiet()


@needs_root
def test_values_need_the_right_to_read(c, daemon, alice):
    c.allow(A, "uid:%d" % ALICE, "list,read")
    c.deny(A + "/secret", "uid:%d" % ALICE, "read")
    w, plain = alice(daemon, "?values&path=" + A), alice(daemon, "?path=" + A)
    w.hello()
    plain.hello()
    c.put(A + "/secret/a", "1")
    c.put(A + "/open", "2")
    assert w.change()["value"] == "2" and w.is_quiet()
    assert [x["path"] for x in plain.changes(2)] == [A + "/secret/a", A + "/open"]


@needs_root
def test_rights_are_asked_for_at_delivery(c, daemon, alice):
    c.allow(A, "uid:%d" % ALICE, "list")
    w = alice(daemon, "?path=" + A)
    since = w.hello()
    c.put(A + "/a/1", "1")
    assert w.change()["path"] == A + "/a/1"
    rule = c.deny(A + "/a", "uid:%d" % ALICE, "list")
    c.put(A + "/a/2", "1")
    c.put(A + "/b", "1")
    assert w.change()["path"] == A + "/b"
    c.delete("/v1/acl?id=%d" % rule)
    c.put(A + "/a/3", "1")
    assert w.change()["path"] == A + "/a/3"
    # what was kept from it at the time is in the past, and the past is decided by the rules of now
    again = alice(daemon, "?path=%s&since=%d" % (A, since))
    again.hello()
    assert [x["path"] for x in again.changes(4)] == [A + "/a/1", A + "/a/2", A + "/b", A + "/a/3"]


@needs_root
def test_revocation_ends_a_watch(c, daemon, alice, watch):
    rule = c.allow(A, "uid:%d" % ALICE, "list")
    w, quiet = alice(daemon, "?path=" + A), alice(daemon, "?path=%s/x" % A)
    own = watch(daemon, "?path=" + A)
    for x in (w, quiet, own):
        x.hello()
    c.put(A + "/a", "1")
    assert w.change()["path"] == A + "/a"
    c.delete("/v1/acl?id=%d" % rule)
    assert w.end() == "refused" and quiet.end() == "refused"
    c.put(A + "/b", "1")
    assert [x["path"] for x in own.changes(2)] == [A + "/a", A + "/b"]
    records = c.get("/v1/audit?kind=watch&refused").data["records"]
    assert {(r["uid"], r["path"], r["detail"]) for r in records} == {(ALICE, A, "ended"), (ALICE, A + "/x", "ended")}
    assert alice(daemon, "?path=" + A).read_head().refusal.status in (403, 404)


@needs_root
def test_a_change_and_the_loss_of_the_right_in_one_turn(c, daemon, alice):
    """What was changed before the right was lost, and told after it, is not told."""
    rule = c.allow(A, "uid:%d" % ALICE, "list")
    w = alice(daemon, "?path=" + A)
    w.hello()
    raws = [daemon.raw() for _ in range(8)]
    for i, raw in enumerate(raws[:-1]):
        raw.send("PUT %s/k%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" % (A, i))
    raws[-1].send("DELETE /v1/acl?id=%d HTTP/1.1\r\nHost: x\r\n\r\n" % rule)
    revisions = [json.loads(r.reply().body)["data"].get("revision") for r in raws[:-1]]
    assert raws[-1].reply().status == 200
    last = c.status()["revision"]
    while True:
        x = w.line()
        if "ended" in x:
            assert x["ended"] == "refused"
            break
        if "path" in x:
            assert x["revision"] in revisions and x["revision"] < last


@needs_root
def test_who_may_not_list_may_not_watch(c, daemon, alice):
    c.put(A + "/a", "1")
    r = alice(daemon, "?path=" + A).read_head().refusal
    assert r.status in (403, 404)
    c.allow(A, "uid:%d" % ALICE, "read")
    assert alice(daemon, "?path=" + A).read_head().refusal.status in (403, 404)
    records = c.get("/v1/audit?kind=watch&refused").data["records"]
    assert [(r["uid"], r["path"]) for r in records] == [(ALICE, A)] * 2


# ---- flow -----------------------------------------------------------------------------------------------------------

def memory_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return {line.split(":")[0]: int(line.split()[1]) for line in f if line.startswith(("VmRSS", "RssAnon"))}["RssAnon"]


def test_a_slow_reader_costs_others_nothing(new_store, watch):
    d = new_store(config="http:\n  write_timeout: 60s\n").start()
    c = d.client()
    slow = [watch(d, "?values&path=" + A, timeout=60) for _ in range(20)]
    fast = watch(d, "?values&path=" + A)
    for w in slow + [fast]:
        w.hello()
    roles = d.roles()
    c.put(A + "/a", "x" * 100000)
    fast.change()
    before = {role: memory_kib(roles[role]) for role in ("engine", "front")}
    took = []
    for i in range(300):
        begin = time.monotonic()
        c.put(A + "/a", "%06d" % i + "x" * 100000)
        x = fast.change()
        took.append(time.monotonic() - begin)
        assert x["value"][:6] == "%06d" % i
    assert sorted(took)[len(took) // 2] < soon(0.5)
    for role, kib in before.items() if SLOWER == 1 else ():  # 30 MB went by, twenty times
        assert memory_kib(roles[role]) < kib + 20 * 1024, (role, kib, memory_kib(roles[role]))
    told = slow[7].changes(301)  # only what is kept has its value; nothing is lost
    assert [x["version"] for x in told] == list(range(1, 302))
    assert told[-1]["value"][:6] == "000299"


def test_who_takes_nothing_is_closed(new_store, watch):
    d = new_store(config="http:\n  write_timeout: 500ms\n").start()
    c = d.client()
    stuck, well = watch(d, "?values&path=" + A), watch(d, "?path=" + A)
    stuck.hello()
    well.hello()
    for i in range(30):
        c.put(A + "/a", "x" * 100000)
    well.changes(30)
    wait_for(lambda: c.status()["watches"] == 1, 10, "who takes nothing is closed")
    c.put(A + "/a", "y")
    assert well.change()["version"] == 31
    with pytest.raises((ConnectionError, AssertionError)):
        stuck.changes(31)


def test_many_changes_at_once(c, daemon, watch):
    """More than is kept in memory, and far more than the window of a watch, in one revision."""
    w = watch(daemon, "?path=" + A)
    w.hello()
    for i in range(4):
        leaves = [{"op": "set", "path": "%s/many/%d/%04d" % (A, i, k), "value": "1"} for k in range(5000)]
        assert c.post("/v1/txn", json.dumps({"then": leaves})).status == 200
    told = w.changes(20000)
    assert [x["path"] for x in told] == ["%s/many/%d/%04d" % (A, i, k) for i in range(4) for k in range(5000)]
    assert [x["last"] for x in told] == ([False] * 4999 + [True]) * 4
    r = c.post("/v1/txn", json.dumps({"then": [{"op": "delete-tree", "path": A + "/many"}]}))
    assert r.status == 200
    told = w.changes(20000)
    assert all(x["deleted"] for x in told) and [x["last"] for x in told] == [False] * 19999 + [True]


@pytest.mark.skipif(SLOWER > 1, reason="a thousand sockets, and time that is measured")
def test_a_thousand_watchers(new_store):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files[0] < 1100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, files[1]), files[1]))
    d = new_store(config="limits:\n  connections: 1100\n  connections_per_uid: 1100\n  watches: 1000\n"
                         "  watches_per_uid: 1000\n").start()
    c = d.client()
    watches = [Watch(d.socket, "?path=%s/%d" % (A, i % 10)) for i in range(1000)]
    try:
        for w in watches:
            w.hello()
        assert c.status()["watches"] == 1000
        for k in range(5):
            for i in range(10):
                c.put("%s/%d/k" % (A, i), str(k))
        for i, w in enumerate(watches):
            told = w.changes(5)
            assert [x["version"] for x in told] == [1, 2, 3, 4, 5] and told[0]["path"] == "%s/%d/k" % (A, i % 10)
        over = Watch(d.socket)
        assert over.read_head().refusal.code == "limit"
        over.close()
    finally:
        for w in watches:
            w.close()
    wait_for(lambda: c.status()["watches"] == 0, 20, "watches end with their connections")


# ---- limits and ends ------------------------------------------------------------------------------------------------

def test_limits(new_store, watch):
    d = new_store(config="limits:\n  watches: 3\n  watches_per_uid: 2\n").start()
    c = d.client()
    one, two = watch(d), watch(d)
    one.hello()
    two.hello()
    r = watch(d).read_head().refusal
    assert (r.status, r.code) == (429, "limit")
    one.close()
    wait_for(lambda: c.status()["watches"] == 1, 10, "the watch is gone")
    three = watch(d)
    three.hello()
    if IS_ROOT:
        c.allow("/registry", "uid:%d" % ALICE, "list")
        for uid_limit in (True, False):
            w = ActorWatch(d, ALICE, "").watch
            w.read_head()
            assert (w.refusal is None) == uid_limit, w.refusal
            if uid_limit:
                w.hello()
                keep = w
            else:
                assert w.refusal.code == "limit"
                w.close()
        keep.close()


def test_a_locked_registry_has_no_watches(c, daemon, watch):
    w = watch(daemon, "?path=" + A)
    since = w.hello()
    c.put(A + "/a", "1")
    assert w.change()["path"] == A + "/a"
    assert c.post("/v1/lock").status == 200
    assert w.end() == "locked"
    r = watch(daemon).read_head().refusal
    assert (r.status, r.code) == (503, "locked")
    assert c.post("/v1/unlock").status == 200
    c.put(A + "/b", "1")
    w = watch(daemon, "?path=%s&since=%d" % (A, since))
    w.hello()
    assert [x["path"] for x in w.changes(2)] == [A + "/a", A + "/b"]


def test_a_stop_ends_watches_in_order(new_store, watch):
    d = new_store().start()
    c = d.client()
    watches = [watch(d, "?path=" + A) for _ in range(20)]
    for w in watches:
        w.hello()
    c.put(A + "/a", "1")
    begin = time.monotonic()
    assert d.stop() == 0
    assert time.monotonic() - begin < soon(4)  # nobody had to be waited for
    for w in watches:
        assert w.change()["path"] == A + "/a"
        assert w.end() == "stopping"


def test_a_watch_serves_nothing_else(c, daemon, watch):
    w = watch(daemon, "?path=" + A)
    w.hello()
    w.raw.send("PUT %s/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" % A)
    c.put(A + "/a", "1")
    assert w.change()["path"] == A + "/a" and w.is_quiet()
    assert c.get(A + "/smuggled").status == 404


def test_a_client_that_only_stops_sending_goes_on(c, daemon, watch):
    w = watch(daemon, "?path=" + A)
    w.hello()
    w.raw.sock.shutdown(socket.SHUT_WR)
    c.put(A + "/a", "1")
    assert w.change()["path"] == A + "/a"


def test_changes_of_rules_are_not_told(c, daemon, watch):
    w = watch(daemon)
    since = w.hello()
    rule = c.allow(A, "uid:77", "list")
    c.delete("/v1/acl?id=%d" % rule)
    r = c.put(A + "/a", "1")
    x = w.change()
    assert x["path"] == A + "/a" and x["revision"] == r.data["revision"] == since + 3
