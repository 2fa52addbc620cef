"""Backup and restore on the real programs: consistent under load, found out when damaged, never half of anything, and a restored
older state is a recorded event whose numbers never mean other content than before.
"""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

from client import Client
from conftest import SLOWER, SREG, session_of, soon, wait_for
from test_cli import Sreg
from test_faults import fill, on_a_small_disk
from test_keys import MARKER, PASS, check_tree, fill_tree, rekey, wait_pass
from trail_log import frames
from trail_verify import Follower, Verifier

A = "/registry/applications"

pytestmark = pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")


def backup(d, name="b"):
    path = d.path(name)
    Sreg(d.root).ok("backup", path)
    return path


def aside(d):
    folder = d.path("var/lib/secreg")
    return sorted(n for n in os.listdir(folder) if ".replaced-" in n)


def restore(d, path, *args):
    out = Sreg(d.root).json("restore", path, *args)
    d.start()
    return out


def stored_head(db):
    """Size and root of the trail in a database that nobody has open."""
    v = Verifier()
    for frame in frames(db):
        v.add(frame.raw)
    return v.size, v.root().hex()


# ---- the file -------------------------------------------------------------------------------------------------------

def test_backup_verify_restore(daemon):
    c = daemon.client()
    state = fill_tree(c)
    path = backup(daemon)
    s = Sreg(daemon.root)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert [n for n in os.listdir(daemon.root) if n.startswith("b")] == ["b"], "a temporary file is left"
    said = s.json("backup", "--verify", path)
    assert said["whole"] is True and said["revision"] == c.status()["revision"]
    assert "is whole" in s.ok("backup", "--verify", path)
    content = open(path, "rb").read()
    for plain in (MARKER.encode(), b"/registry", b"SQLite format", b"applications"):
        assert plain not in content
    follower = Follower()
    records = follower.follow(c)
    begun = [r for r in records if r["kind"] == "backup"]
    assert [r["detail"].split(":")[0] for r in begun] == ["begin", "end"] and "handed over" in begun[1]["detail"]
    assert said["records"] == begun[0]["seq"] + 1, "the backup does not hold the record of its own making"
    s.fails(6, "exists", "backup", path)
    assert open(path, "rb").read() == content
    s.ok("backup", "--force", path)
    assert open(path, "rb").read() != content
    r = s("restore", path)
    assert r.returncode == 7 and "running" in r.err
    check_tree(c, state)


def test_restored_state_and_its_numbers(daemon):
    c = daemon.client()
    state = fill_tree(c)
    follower = Follower()
    path = backup(daemon)
    old_revision = c.status()["revision"]
    follower.follow(c)
    # the future that will be lost: these versions and revisions were handed out
    lost = {}
    for p in list(state)[:10]:
        lost[p] = [c.put(p, "lost %d" % i).version for i in range(3)]
    new = c.put(A + "/fresh", "lost").version
    rule = c.deny(A + "/x", "uid:4711", "read")
    lost_revision = c.status()["revision"]
    assert daemon.stop() == 0
    head = stored_head(daemon.db)
    said = restore(daemon, path)
    assert len(aside(daemon)) == 1 and said["replaced"].endswith(aside(daemon)[0]) and said["era"] == 1
    c = daemon.client()
    check_tree(c, state)
    assert c.get(A + "/fresh").status == 404
    assert c.status()["revision"] > lost_revision and c.status()["era"] == 1
    # who still holds an ETag of the lost future changes nothing with it
    for p, versions in lost.items():
        for v in versions:
            r = c.put(p, "x", match=v)
            assert (r.status, r.code) == (412, "conflict")
        first = c.put(p, "again")
        assert first.version not in versions and first.version > max(versions)
        second = c.put(p, "and again")
        assert second.version == first.version + 1
        history = [v["version"] for v in c.get(p + "?history").data["versions"]]
        assert history == sorted(history, reverse=True) and len(history) == state[p][0] + 2
        assert c.get("%s?version=%d" % (p, state[p][0])).body.decode() == state[p][1]
        assert c.get("%s?version=%d" % (p, versions[-1])).status == 404
    assert c.put(A + "/fresh", "x").version > new
    assert c.deny(A + "/x", "uid:4711", "read") > rule
    # the trail goes on from the backup's head with the record of the restore, which names both heads
    again = Follower()
    again.follow(c)
    event = [r for r in again.records if r["kind"] == "restore"]
    assert len(event) == 1 and event[0]["uid"] == os.geteuid() and event[0]["state"]
    assert "replaced %d records, root %s; era 1" % head in event[0]["detail"]
    at = event[0]["seq"] - 1
    assert again.records[at]["kind"] == "epoch" and again.records[at]["detail"].endswith(", new seed")
    assert again.records[:at] == follower.records[:at]
    # what was replaced is whole: it can be put back
    assert daemon.stop() == 0
    folder = daemon.path("var/lib/secreg")
    db = sqlite3.connect(os.path.join(folder, aside(daemon)[0]))
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert db.execute("SELECT count(*) FROM version WHERE path = ?", (A + "/fresh",)).fetchone()[0] == 1
    db.close()
    assert old_revision < lost_revision


def test_older_and_newer_one_after_the_other(daemon):
    c = daemon.client()
    c.put(A + "/one", "first")
    early = backup(daemon, "early")
    c.put(A + "/one", "second")
    late = backup(daemon, "late")
    versions = {c.get(A + "/one").version}
    for i, (path, value) in enumerate([(early, b"first"), (late, b"second"), (early, b"first"), (late, b"second")]):
        assert daemon.stop() == 0
        said = restore(daemon, path)
        assert said["era"] == i + 1
        c = daemon.client()
        assert c.get(A + "/one").body == value
        version = c.put(A + "/one", "on %d" % i).version
        assert version not in versions
        versions.add(version)
    assert len(aside(daemon)) == 4
    Follower().follow(c)


def test_on_a_fresh_host(daemon, new_store):
    """Nothing is there to ask: numbers begin in an era that follows from the time."""
    c = daemon.client()
    state = fill_tree(c, 20)
    path = backup(daemon)
    fresh = new_store(init=False)
    key = daemon.key
    r = Sreg(fresh.root)("restore", path, "--key-file", key)
    assert r.returncode == 0, r.err
    assert aside(fresh) == []
    os.makedirs(os.path.dirname(fresh.key), exist_ok=True)
    shutil.copy(key, fresh.key)
    fresh.start()
    c = fresh.client()
    check_tree(c, state)
    assert c.put(A + "/f0/e0", "x").version > 1000 << 32
    detail = c.get("/v1/audit?kind=restore").data["records"][0]["detail"]
    assert "replaced no store" in detail


def test_over_a_damaged_store(daemon):
    c = daemon.client()
    state = fill_tree(c, 20)
    path = backup(daemon)
    assert daemon.stop() == 0
    with open(daemon.db, "r+b") as f:
        f.write(b"\0" * 4096)
    os.unlink(daemon.db + "-wal")  # which may hold that page as well
    damaged = open(daemon.db, "rb").read()
    restore(daemon, path)
    c = daemon.client()
    check_tree(c, state)
    assert "does not open" in c.get("/v1/audit?kind=restore").data["records"][0]["detail"]
    folder = daemon.path("var/lib/secreg")
    kept = [n for n in aside(daemon) if not n.endswith("-wal")]
    assert open(os.path.join(folder, kept[0]), "rb").read() == damaged, "the evidence was changed"


def test_of_another_store(daemon, new_store):
    c = daemon.client()
    c.put(A + "/mine", "1")
    other = new_store().start()
    other.client().put(A + "/other", "2")
    path = backup(other)
    assert daemon.stop() == 0
    s = Sreg(daemon.root)
    before = open(daemon.db, "rb").read()
    assert s("restore", path).returncode == 5  # this store's key file does not open it
    r = s("restore", path, "--key-file", other.key)
    assert r.returncode == 6 and "another store" in r.err
    assert open(daemon.db, "rb").read() == before and aside(daemon) == []
    s.ok("restore", path, "--key-file", other.key, "--force")
    os.chmod(daemon.key, 0o600)
    shutil.copy(other.key, daemon.key)
    daemon.start()
    c = daemon.client()
    assert c.get(A + "/other").body == b"2" and c.get(A + "/mine").status == 404
    assert "another store" in c.get("/v1/audit?kind=restore").data["records"][0]["detail"]


def test_with_a_passphrase(new_store):
    d = new_store(slot="passphrase", rounds=600000, passphrase=PASS).start()
    c = d.client()
    assert c.post("/v1/unlock", PASS).status == 200
    state = fill_tree(c, 10)
    path = backup(d)
    s = Sreg(d.root)
    s.ok("backup", "--verify", path, "--passphrase-stdin", stdin=PASS)
    s.fails(5, "wrong-key", "backup", "--verify", path, "--passphrase-stdin", stdin=b"wrong")
    assert d.stop() == 0
    before = open(d.db, "rb").read()
    assert s("restore", path, "--passphrase-stdin", stdin=b"wrong").returncode == 5
    assert open(d.db, "rb").read() == before
    s.ok("restore", path, "--passphrase-stdin", stdin=PASS)
    d.start()
    c = d.client()
    assert c.status()["state"] == "locked"
    assert c.post("/v1/unlock", PASS).status == 200
    check_tree(c, state)


def test_any_flipped_byte_is_found(daemon):
    c = daemon.client()
    fill_tree(c, 30)
    path = backup(daemon)
    assert daemon.stop() == 0
    s = Sreg(daemon.root)
    content = open(path, "rb").read()
    before = open(daemon.db, "rb").read()
    rng = random.Random(7)
    places = list(range(0, 14)) + [rng.randrange(len(content)) for _ in range(40)] + [len(content) - 1]
    bad = daemon.path("bad")
    for n, at in enumerate(places):
        flipped = bytearray(content)
        flipped[at] ^= 1 << rng.randrange(8)
        open(bad, "wb").write(flipped)
        r = s("backup", "--verify", bad)
        assert r.returncode in (5, 8) and (r.returncode == 8 or at < 400), (at, r.err)
        if n % 8 == 0:
            r = s("restore", bad)
            assert r.returncode in (5, 8), (at, r.err)
    for cut in (0, 10, 100, len(content) // 2, len(content) - 1):
        open(bad, "wb").write(content[:cut])
        s.fails(8, "corrupt", "backup", "--verify", bad)
        assert s("restore", bad).returncode == 8
    open(bad, "wb").write(content + b"x")
    s.fails(8, "corrupt", "backup", "--verify", bad)
    assert open(daemon.db, "rb").read() == before and aside(daemon) == []
    assert not os.path.exists(daemon.db + ".restore")
    s.ok("backup", "--verify", path)


# ---- under load -----------------------------------------------------------------------------------------------------

class Pairs(threading.Thread):
    """Writes two entries in one transaction, again and again: no consistent copy holds two different ones."""

    def __init__(self, d, stop):
        super().__init__(daemon=True)
        self.client, self.stop, self.count = Client(d.socket, soon(20)), stop, 0

    def run(self):
        while not self.stop.is_set():
            leaves = [{"op": "set", "path": A + "/pair/" + n, "value": "%s %d" % (MARKER, self.count), "seal": n == "b"} for n in "ab"]
            r = self.client.post("/v1/txn", json.dumps({"then": leaves}))
            assert r.status == 200, r
            self.count += 1
        self.client.close()


def test_consistent_under_load(daemon):
    c = daemon.client()
    state = fill_tree(c, 20)
    daemon.put_many(["%s/n%d" % (A, i) for i in range(4000)], value="v" * 800)
    stop = threading.Event()
    writers = [Pairs(daemon, stop) for _ in range(2)]
    for w in writers:
        w.start()
    wait_for(lambda: all(w.count > 3 for w in writers), 20, "both write")
    before = sum(w.count for w in writers)
    path = backup(daemon)
    during = sum(w.count for w in writers) - before
    stop.set()
    for w in writers:
        w.join(soon(20))
    assert during > 0, "nobody could write while the backup was taken"
    Follower().follow(c)
    assert daemon.stop() == 0
    restore(daemon, path)
    c = daemon.client()
    assert c.status()["corrupt_entries"] == 0
    assert c.get(A + "/pair/a").body == c.get(A + "/pair/b").body != b""
    check_tree(c, state)
    assert c.status()["entries"] == 4022
    Follower().follow(c)


def test_backup_during_a_pass(daemon):
    c = daemon.client()
    state = fill_tree(c)
    daemon.put_many(["%s/n%d" % (A, i) for i in range(6000)])
    assert rekey(c, {1: None}).status == 200
    path = backup(daemon)
    wait_pass(c)
    assert daemon.stop() == 0
    restore(daemon, path)
    c = daemon.client()
    check_tree(c, state)
    wait_pass(c)
    check_tree(c, state)
    daemon.restart()
    c = daemon.client()
    assert c.status()["corrupt_entries"] == 0
    check_tree(c, state)


def test_parts_over_http(daemon):
    c = daemon.client()
    c.put(A + "/v", "one")
    c.put(A + "/v", "two")
    b = c.post("/v1/backup").data
    whole = b"".join(c.get("/v1/backup?id=%d&part=%d" % (b["id"], i)).body for i in range(b["parts"]))
    assert len(whole) == b["bytes"] and whole.startswith(b"SRBACKUP")
    assert c.get("/v1/backup?id=%d&part=0" % b["id"]).body == whole[:len(c.get("/v1/backup?id=%d&part=0" % b["id"]).body)]
    assert c.get("/v1/backup?id=%d&part=%d" % (b["id"], b["parts"])).code == "bad-request"
    assert c.get("/v1/backup?id=%d&part=0" % (b["id"] + 2)).code == "gone"
    assert c.get("/v1/backup?part=0").code == "bad-request"
    assert c.delete("/v1/backup?id=%d" % b["id"]).status == 200
    assert c.get("/v1/backup?id=%d&part=0" % b["id"]).code == "gone"
    # what is destroyed must go at once, from the file too: a backup in the way is given up
    b = c.post("/v1/backup").data
    assert c.post("/v1/txn", json.dumps({"then": [{"op": "destroy", "path": A + "/v", "version": 1}]})).status == 200
    assert c.get("/v1/backup?id=%d&part=0" % b["id"]).code == "gone"
    b = c.post("/v1/backup").data
    c.post("/v1/lock")
    assert c.post("/v1/backup").code == "locked"
    assert c.get("/v1/backup?id=%d&part=0" % b["id"]).code == "locked"
    c.post("/v1/unlock")
    assert c.get("/v1/backup?id=%d&part=0" % b["id"]).code == "gone"


def test_sreg_begins_again_when_a_backup_is_given_up(daemon):
    c = daemon.client()
    daemon.put_many(["%s/n%d" % (A, i) for i in range(6000)], value="v" * 900)
    stop = threading.Event()

    def destroy():
        own = Client(daemon.socket, soon(20))
        for i in range(3):
            own.put(A + "/d", "x%d" % i)
        for v in (1, 2):
            own.post("/v1/txn", json.dumps({"then": [{"op": "destroy", "path": A + "/d", "version": v}]}))
            time.sleep(0.01)
        own.close()
        stop.set()

    t = threading.Thread(target=destroy, daemon=True)
    t.start()
    path = backup(daemon)
    t.join(soon(20))
    assert stop.is_set()
    Sreg(daemon.root).ok("backup", "--verify", path)
    assert c.status()["entries"] == 6001


# ---- killed ---------------------------------------------------------------------------------------------------------

def test_killed_while_taking_a_backup(daemon):
    c = daemon.client()
    state = fill_tree(c, 20)
    daemon.put_many(["%s/n%d" % (A, i) for i in range(4000)], value="v" * 900)
    rng = random.Random()
    for i in range(10):
        path = daemon.path("kb%d" % i)
        p = subprocess.Popen([SREG, "--root", daemon.root, "backup", path], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 0.06))
        if i % 2:
            p.kill()
        else:
            daemon.kill("engine")
            daemon.clients.clear()
            daemon.start()
        p.wait(timeout=soon(20))
        if os.path.exists(path):  # then it is all of it
            Sreg(daemon.root).ok("backup", "--verify", path)
    c = daemon.client()
    check_tree(c, state)
    Sreg(daemon.root).ok("backup", daemon.path("last"))
    Follower().follow(c)


def test_killed_while_restoring(daemon):
    """At any moment: the store is the one before or the restored one, whole; and what was replaced is never lost."""
    c = daemon.client()
    state = fill_tree(c, 20)
    daemon.put_many(["%s/n%d" % (A, i) for i in range(1500)], value="v" * 300)
    c.put(A + "/which", "restored")
    path = backup(daemon)
    rng = random.Random()
    outcomes = set()
    daemon.expects_trouble = True
    for _ in range(14 if SLOWER == 1 else 5):
        c.put(A + "/which", "before")
        assert daemon.stop() == 0
        count = len(aside(daemon))
        p = subprocess.Popen([SREG, "--root", daemon.root, "restore", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
        time.sleep(rng.uniform(0, 0.25) * SLOWER)
        for pid in session_of(p.pid):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        p.wait(timeout=soon(20))
        daemon.start()
        c = daemon.client()
        assert c.status()["state"] == "unlocked" and c.status()["corrupt_entries"] == 0, daemon.log()
        check_tree(c, state)
        which = c.get(A + "/which").body
        assert which in (b"before", b"restored")
        if which == b"restored":
            assert len(aside(daemon)) > count
            newest = os.path.join(daemon.path("var/lib/secreg"), aside(daemon)[-1])
            db = sqlite3.connect(newest)
            assert db.execute("SELECT body FROM version WHERE path = ? ORDER BY id DESC", (A + "/which",)).fetchone()[0] == b"before"
            db.close()
        outcomes.add(which)
        Follower().follow(c)
    assert outcomes


# ---- no room --------------------------------------------------------------------------------------------------------

@on_a_small_disk("26m")
def test_no_room_for_a_backup_or_a_restore(d):
    d.start()
    c = d.client()
    state = fill_tree(c, 20)
    for i in range(40):
        assert c.put("%s/big%d" % (A, i), "x" * 60000).status == 201
    s = Sreg(d.root)
    good = os.path.join(tempfile.mkdtemp(dir="/tmp", prefix="srt-"), "b")
    try:
        s.ok("backup", good)
        ballast = fill(d)
        r = s("backup", d.path("b"))
        # it cannot be recorded, or, while there is room in the log, not be written
        assert (r.returncode == 7 and "storage is full" in r.err) or (r.returncode == 1 and "No space left" in r.err), r.err
        assert [n for n in os.listdir(d.root) if n.startswith("b")] == ["ballast"]
        assert d.stop() == 0
        r = s("restore", good)
        assert r.returncode == 7 and "nothing was changed" in r.err and ("space" in r.err or "full" in r.err), r.err
        assert aside(d) == [] and not os.path.exists(d.db + ".restore")
        os.unlink(ballast)
        d.start()
        check_tree(d.client(), state)
    finally:
        shutil.rmtree(os.path.dirname(good))


def test_no_room_where_the_backup_goes(daemon):
    c = daemon.client()
    daemon.put_many(["%s/n%d" % (A, i) for i in range(1000)], value="v" * 900)
    path = daemon.path("b")
    r = subprocess.run(["bash", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "bash", SREG, "--root", daemon.root, "backup", path],
                       capture_output=True, text=True)
    assert r.returncode == 1 and "large" in r.stderr, r
    assert [n for n in os.listdir(daemon.root) if n.startswith("b")] == []
    assert "not wanted any more" in c.get("/v1/audit?kind=backup&limit=1").data["records"][0]["detail"]
    Sreg(daemon.root).ok("backup", path)
