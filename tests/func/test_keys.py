"""Key slots, rekey and rotate on the real programs: who may, what opens what, that no value changes, and what a kill, a full disk
or somebody with the file can do meanwhile.
"""
import json
import os
import random
import sqlite3
import threading
import time
from base64 import b64encode

import pytest

from client import Client
from conftest import SLOWER, needs_root, soon, wait_for
from test_cli import Sreg
from test_faults import edit, expect_locked, fill, on_a_small_disk
from trail_verify import Follower

A = "/registry/applications"
PASS = b"correct horse battery staple"
MARKER = "MARKERmarker" * 3
SCHEMA = {"max_bytes": 100000}


def material(secret):
    return b64encode(secret).decode()


def rekey(c, slots, **more):
    """slots: number -> material, or None for the daemon's key file."""
    body = {"slots": [{"id": n, **({"material": material(m)} if m else {})} for n, m in slots.items()], **more}
    return c.post("/v1/rekey", json.dumps(body))


def add_slot(c, kind, secret, label=""):
    r = c.post("/v1/slots?kind=%s&label=%s" % (kind, label), secret)
    assert r.status == 200, r
    return r.data["id"]


def wait_pass(c, seconds=60):
    wait_for(lambda: "pass" not in c.status(), seconds, "the pass ends")


def fill_tree(c, count=60):
    """Sealed and plain entries with history; returns what they hold: path -> (version, value)."""
    state = {}
    for i in range(count):
        path = "%s/f%d/e%d" % (A, i % 7, i)
        for v in range(1 + i % 3):
            value = "%s %d %d" % (MARKER, i, v) + ("x" * 3000 if i % 11 == 0 else "")
            assert c.put(path, value, sealed="true" if i % 2 else "false").status in (200, 201)
        state[path] = (1 + i % 3, value)
    assert c.put("/v1/schema?path=" + A, json.dumps(SCHEMA)).status == 200
    return state


def check_tree(c, state):
    for path, (version, value) in state.items():
        r = c.get(path)
        assert (r.status, r.body.decode(), r.version) == (200, value, version), path
        if version > 1:
            assert c.get("%s?version=%d" % (path, version - 1)).body.decode().startswith(MARKER)
    assert [s["schema"] for s in c.get("/v1/schema?path=" + A).data["schemas"]] == [SCHEMA]


def kinds(c, kind):
    return [r["detail"] for r in c.get("/v1/audit?order=up&limit=1000&kind=" + kind).data["records"]]


# ---- slots ----------------------------------------------------------------------------------------------------------

def test_slots(daemon):
    c = daemon.client()
    slots = c.get("/v1/slots").data["slots"]
    assert [(s["id"], s["kind"], s["label"], s["good"]) for s in slots] == [(1, "key-file", "first", True)]
    r = c.delete("/v1/slots?id=1")
    assert (r.status, r.code) == (409, "last-slot")
    assert add_slot(c, "passphrase", PASS, "office%20wall") == 2
    slots = c.get("/v1/slots").data["slots"]
    assert slots[1]["label"] == "office wall" and slots[1]["rounds"] == 600000 and slots[1]["good"] is True
    assert slots[1]["created_by"] == os.geteuid() and slots[1]["created"].startswith("20")
    c.post("/v1/lock")
    assert [s["good"] for s in c.get("/v1/slots").data["slots"]] == [None, None]
    assert c.post("/v1/slots?kind=passphrase", b"x").code == "locked"
    assert c.delete("/v1/slots?id=1").code == "locked"
    assert c.post("/v1/unlock", b"wrong").code == "wrong-key"
    assert c.post("/v1/unlock", PASS).status == 200
    assert c.delete("/v1/slots?id=1").status == 200
    assert c.delete("/v1/slots?id=1").code == "not-found"
    assert c.delete("/v1/slots?id=2").code == "last-slot"
    daemon.restart()
    c = daemon.client()
    assert c.status()["state"] == "locked"
    assert c.post("/v1/unlock").code == "not-found"
    assert c.post("/v1/unlock", PASS).status == 200
    assert kinds(c, "slot-add") == ["slot 2, passphrase: office wall", ""]  # the second one was refused
    assert kinds(c, "slot-remove")[-1] == "slot 2"
    Follower().follow(c)


@pytest.mark.parametrize("target, body, code", [
    ("kind=passphrase", b"", "bad-request"), ("kind=tpm", b"x", "bad-request"), ("", b"x", "bad-request"),
    ("kind=passphrase&rounds=1000", b"x", "bad-request"), ("kind=passphrase&rounds=99999999", b"x", "bad-request"),
    ("kind=key-file&rounds=600000", b"x" * 32, "bad-request"), ("kind=key-file", b"x" * 31, "bad-request"),
    ("kind=passphrase&label=" + "l" * 65, b"x", "bad-request"), ("kind=passphrase&label=%ff", b"x", "bad-request"),
    ("kind=passphrase&more=1", b"x", "bad-request"), ("kind=passphrase", b"x" * 1025, "too-large")])
def test_slots_that_are_refused(daemon, target, body, code):
    c = daemon.client()
    r = c.post("/v1/slots?" + target, body)
    assert r.code == code, r
    assert len(daemon.client().get("/v1/slots").data["slots"]) == 1


def test_at_most_eight_slots(daemon):
    c = daemon.client()
    for i in range(7):
        add_slot(c, "key-file", os.urandom(32))
    r = c.post("/v1/slots?kind=key-file", os.urandom(32))
    assert (r.status, r.code) == (429, "limit")


@needs_root
def test_keys_need_control(daemon):
    c = daemon.client()
    c.allow("/registry", "uid:4711", "list,read,write,delete,grant,audit")
    a = daemon.actor(4711)
    for r in (a.get("/v1/slots"), a.post("/v1/slots?kind=passphrase", b"x"), a.delete("/v1/slots?id=1"), a.post("/v1/rotate"),
              rekey(a, {1: None}), a.post("/v1/backup"), a.get("/v1/backup?id=1&part=0"), a.delete("/v1/backup?id=1")):
        assert (r.status, r.code) == (403, "refused"), r
    refused = c.get("/v1/audit?uid=4711&refused").data["records"]
    assert {r["kind"] for r in refused} == {"slot-list", "slot-add", "slot-remove", "rotate", "rekey", "backup"}


@pytest.mark.parametrize("sql", ["DELETE FROM slot WHERE id = 2", "INSERT INTO slot SELECT 9, label, created_us, created_by, mac, body FROM slot WHERE id = 1",
                                 "UPDATE slot SET id = 5 WHERE id = 2; UPDATE slot SET mac = zeroblob(32)"])
def test_slots_missing_or_foreign(daemon, sql):
    c = daemon.client()
    c.put(A + "/one", "1")
    add_slot(c, "key-file", os.urandom(32))
    assert daemon.stop() == 0
    edit(daemon, *sql.split("; "))
    expect_locked(daemon, "missing")


def test_an_edited_slot_is_named_and_can_be_removed(daemon):
    c = daemon.client()
    add_slot(c, "key-file", os.urandom(32))
    assert daemon.stop() == 0
    edit(daemon, "UPDATE slot SET label = 'forged' WHERE id = 2")
    daemon.start()
    c = daemon.client()
    assert c.status()["state"] == "unlocked" and "slot 2" in daemon.log()
    assert [s["good"] for s in c.get("/v1/slots").data["slots"]] == [True, False]
    assert c.delete("/v1/slots?id=1").code == "last-slot"
    assert c.delete("/v1/slots?id=2").status == 200
    daemon.restart()
    assert daemon.client().status()["corrupt_entries"] == 0


def test_a_removed_slot_leaves_no_bytes(daemon):
    c = daemon.client()
    add_slot(c, "key-file", os.urandom(32))
    assert daemon.stop() == 0
    db = sqlite3.connect(daemon.db)
    body = db.execute("SELECT body FROM slot WHERE id = 2").fetchone()[0]
    db.close()
    daemon.start()
    assert daemon.client().delete("/v1/slots?id=2").status == 200
    assert not holds(daemon, body[44:])


def holds(d, data):
    """The bytes stand in some file of the state folder."""
    for path in d.state_files():
        with open(path, "rb") as f:
            if data in f.read():
                return path
    return None


# ---- rekey and rotate -----------------------------------------------------------------------------------------------

def sealed_parts(d):
    """What the stopped store holds under its root key: sealed data keys, slots, MACs of rules (those of versions stand in the
    trail too, for ever)."""
    db = sqlite3.connect(d.db)
    parts = [r[0] for r in db.execute("SELECT mac FROM rule")]
    parts += [r[0][:72] for r in db.execute("SELECT body FROM version WHERE flags & 1")]
    parts += [r[0][44:] for r in db.execute("SELECT body FROM slot")]
    db.close()
    return parts


def test_rekey_and_rotate_change_no_value(daemon):
    c = daemon.client()
    state = fill_tree(c)
    other = os.urandom(32)
    add_slot(c, "key-file", other)
    revision = c.status()["revision"]
    assert daemon.stop() == 0
    old = sealed_parts(daemon)
    daemon.start()
    c = daemon.client()
    follower = Follower()
    follower.follow(c)
    dry = rekey(c, {1: None}, dry_run=True)
    assert [s["id"] for s in dry.data["kept"]] == [1] and [s["id"] for s in dry.data["dropped"]] == [2] and dry.data["dry_run"]
    assert len(c.get("/v1/slots").data["slots"]) == 2 and "pass" not in c.status()
    r = rekey(c, {1: None})
    assert r.status == 200 and r.data["rows"] >= len(state), r
    check_tree(c, state)
    wait_pass(c)
    check_tree(c, state)
    assert c.status()["revision"] == revision and c.status()["epoch"] == 1
    # nothing that followed from the old root key is left, in the file or its log
    for part in old:
        assert holds(daemon, part) is None
    assert [s["id"] for s in c.get("/v1/slots").data["slots"]] == [1]
    daemon.restart()
    c = daemon.client()
    assert c.status()["state"] == "unlocked"
    check_tree(c, state)
    assert c.post("/v1/rotate").data["epoch"] == 2
    wait_pass(c)
    check_tree(c, state)
    daemon.restart()
    c = daemon.client()
    check_tree(c, state)
    assert c.status()["corrupt_entries"] == 0 and c.status()["revision"] == revision
    said = kinds(c, "rekey")
    assert said[0] == "dry run: kept 1; dropped 2" and said[1] == "begin: kept 1; dropped 2"
    assert "rows written in all" in said[-1]
    said = kinds(c, "rotate")
    assert said[0] == "begin" and said[-1].endswith("end: %d rows written in all" % sum(
        v for p, (v, _) in state.items() if int(p.rsplit("e", 1)[1]) % 2))
    follower.follow(c)
    # the slot that was dropped opens nothing
    assert daemon.stop() == 0
    os.chmod(daemon.key, 0o600)
    with open(daemon.key, "wb") as f:
        f.write(other)
    daemon.start()
    assert daemon.client().status()["state"] == "locked"
    assert daemon.client().post("/v1/unlock").code == "wrong-key"


def test_rekey_refusals(daemon):
    c = daemon.client()
    add_slot(c, "passphrase", PASS)
    for body in ("", "[]", "{}", '{"slots":[]}', '{"slots":[{}]}', '{"slots":[{"id":0}]}', '{"slots":[{"id":1},{"id":1}]}',
                 '{"slots":[{"id":1,"passphrase":"a","material":"YQ=="}]}', '{"slots":[{"id":1,"material":"?"}]}',
                 '{"slots":[{"id":1,"more":1}]}', '{"slots":[{"id":1}],"more":1}', '{"slots":{"id":1}}',
                 '{"slots":[' + ",".join('{"id":%d}' % i for i in range(1, 10)) + "]}"):
        r = c.post("/v1/rekey", body)
        assert (r.status, r.code) == (400, "bad-request"), (body, r)
    r = rekey(c, {9: None})
    assert (r.status, r.code) == (404, "not-found") and "slot 9" in r.json["error"]["message"]
    r = rekey(c, {1: None, 2: b"wrong"})
    assert (r.status, r.code) == (403, "wrong-key") and "slot 2" in r.json["error"]["message"]
    assert "pass" not in c.status() and c.status()["epoch"] == 0
    for _ in range(4):
        assert rekey(c, {1: os.urandom(32)}).code == "wrong-key"
    assert rekey(c, {1: None}).code == "limit", "a key can be guessed without end"


def test_one_pass_at_a_time(daemon):
    c = daemon.client()
    fill_tree(c, 40)
    daemon.put_many(["%s/n%d" % (A, i) for i in range(3000)])
    assert c.post("/v1/rotate").status == 200
    answers = [c.post("/v1/rotate").code, rekey(c, {1: None}).code]
    if "pass" in c.status():
        assert answers == ["busy", "busy"]
    wait_pass(c)


def test_locked_and_unlocked_during_a_pass(daemon):
    c = daemon.client()
    state = fill_tree(c)
    daemon.put_many(["%s/n%d" % (A, i) for i in range(2000)])
    assert rekey(c, {1: None}).status == 200
    seen = 0
    while "pass" in c.status():
        seen += 1
        assert c.post("/v1/lock").status == 200
        assert c.post("/v1/unlock").status == 200
        check_tree(c, dict(list(state.items())[:3]))
    assert seen > 0
    check_tree(c, state)
    Follower().follow(c)


class Writer(threading.Thread):
    """Writes sealed entries of its own until it is killed; knows what was answered."""

    def __init__(self, d, stop):
        super().__init__(daemon=True)
        self.client, self.stop, self.state, self.asked = Client(d.socket, soon(20)), stop, {}, None

    def run(self):
        n = 0
        try:
            while not self.stop.is_set():
                path, value = "%s/w/k%d" % (A, n % 5), "%s w%d" % (MARKER, n)
                self.asked = (path, value)
                r = self.client.put(path, value, sealed="true")
                if r.status in (200, 201):
                    self.state[path] = (r.version, value)
                self.asked = None
                n += 1
        except Exception:
            pass
        self.client.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("what", ["rekey", "rotate"])
def test_killed_during_a_pass(new_store, what):
    """Wherever it is killed: it starts, all is there, and the pass goes on to its end."""
    d = new_store().start()
    c = d.client()
    state = fill_tree(c)
    d.put_many(["%s/n%d" % (A, i) for i in range(3000)])
    follower = Follower()
    rng = random.Random()
    kills = 0
    for _ in range(12 if SLOWER == 1 else 4):
        if "pass" not in c.status():
            assert (rekey(c, {1: None}) if what == "rekey" else c.post("/v1/rotate")).status == 200
        stop = threading.Event()
        w = Writer(d, stop)
        w.start()
        time.sleep(rng.uniform(0, 0.2))
        d.kill(rng.choice(["engine", "parent"]))
        kills += 1
        stop.set()
        w.join(soon(20))
        d.clients.clear()
        d.start()
        c = d.client()
        assert c.status()["state"] == "unlocked" and c.status()["corrupt_entries"] == 0, d.log()
        check_tree(c, state)
        for path, (version, value) in w.state.items():
            r = c.get(path)
            assert r.body.decode() == value or (w.asked and w.asked == (path, r.body.decode())), path
        follower.follow(c)
    wait_pass(c)
    check_tree(c, state)
    d.restart()
    c = d.client()
    check_tree(c, state)
    follower.follow(c)
    assert c.status()["corrupt_entries"] == 0


def test_killed_while_a_rekey_begins(new_store):
    """The old keys open it, or the new ones do, and one key file is in the slots before and after."""
    d = new_store().start()
    c = d.client()
    state = fill_tree(c, 20)
    rng = random.Random()
    for _ in range(8 if SLOWER == 1 else 3):
        wait_pass(c)
        done = threading.Thread(target=lambda: try_rekey(d), daemon=True)
        done.start()
        time.sleep(rng.uniform(0, 0.02))
        d.kill("engine")
        done.join(soon(20))
        d.clients.clear()
        d.start()
        c = d.client()
        assert c.status()["state"] == "unlocked", d.log()
        check_tree(c, state)


def try_rekey(d):
    client = Client(d.socket, soon(20))
    try:
        rekey(client, {1: None})
    except Exception:
        pass
    client.close()


@on_a_small_disk("4m")
def test_full_disk_during_rotate(d):
    d.start()
    c = d.client()
    state = fill_tree(c, 30)
    ballast = fill(d)
    full = None
    for i in range(3000):
        r = c.put("%s/m%d" % (A, i), "x" * 5000)
        if r.status != 201:
            full = r
            break
    assert full.code == "storage-full"
    r = c.post("/v1/rotate")
    assert r.code in ("storage-full", None)
    time.sleep(1.5)
    assert c.status()["state"] == "unlocked"
    os.unlink(ballast)
    wait_for(lambda: c.put(A + "/after", "1").status in (200, 201), 10, "the storage is used again")
    if r.code is not None:
        assert c.post("/v1/rotate").status == 200
    wait_pass(c, 120)
    check_tree(c, state)
    d.restart()
    c = d.client()
    check_tree(c, state)
    Follower().follow(c)


def test_no_plain_marker_of_sealed_values(daemon):
    c = daemon.client()
    for i in range(200):
        assert c.put("%s/s%d" % (A, i), "%s %d" % (MARKER, i), sealed="true").status == 201
    for act in (lambda: c.post("/v1/rotate"), lambda: rekey(c, {1: None})):
        assert act().status == 200
        while "pass" in c.status():
            assert holds(daemon, MARKER.encode()) is None
        assert holds(daemon, MARKER.encode()) is None


# ---- sreg -----------------------------------------------------------------------------------------------------------

def test_sreg_slots_and_rekey(daemon, tmp_path):
    s = Sreg(daemon.root)
    s.ok("set", A + "/one", "--seal", stdin=b"topsecret")
    assert s.json("slot", "list")["slots"][0]["kind"] == "key-file"
    assert "first" in s.ok("slot", "list")
    key = str(tmp_path / "key")
    s.ok("slot", "add", "key-file", key, "--new", "--label", "usb")
    assert os.stat(key).st_mode & 0o777 == 0o400 and os.path.getsize(key) == 32
    assert s("slot", "add", "key-file", key, "--new").returncode != 0
    assert s.json("slot", "add", "passphrase", "--passphrase-stdin", "--label", "desk", stdin=PASS + b"\n")["id"] == 3
    s.fails(2, "bad-request", "slot", "add", "tpm")
    s.fails(2, "bad-request", "slot", "remove", "x")
    s.fails(3, "not-found", "slot", "remove", "77")
    # what would be dropped is named, and nothing happens without consent
    r = s("rekey", "1=key-file", "3=-", stdin=PASS + b"\n")
    assert r.returncode == 2 and "slot 2" in r.err and "usb" in r.err
    assert len(s.json("slot", "list")["slots"]) == 3
    out = s.ok("rekey", "1=key-file", "3=-", "--dry-run", stdin=PASS + b"\n")
    assert "stays    slot 1" in out and "dropped  slot 2" in out
    s.fails(5, "wrong-key", "rekey", "1=key-file", "2=" + key, "3=-", stdin=b"nonsense\n")
    s.fails(3, "not-found", "rekey", "1=key-file", "9=ask")
    s.fails(2, "bad-request", "rekey", "1")
    s.ok("rekey", "1=key-file", "2=" + key, "3=-", "--wait", stdin=PASS + b"\n")
    s.ok("rotate", "--wait")
    assert s.ok("get", A + "/one") == "topsecret\n"
    c = daemon.client()
    c.post("/v1/lock")
    assert c.post("/v1/unlock", PASS).status == 200
    assert s("slot", "remove", "2").returncode == 0
    assert [x["id"] for x in s.json("slot", "list")["slots"]] == [1, 3]
    assert "key epoch" in s.ok("status")
