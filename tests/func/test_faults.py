"""What must hold when things break: processes killed at any moment, a full disk, damaged or forged data.

KILLS (default 200) is the number of kills of test_kill_at_any_moment.
"""
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from client import Client
from conftest import IS_ROOT, SLOWER, Daemon, soon, wait_for
from trail_log import cut, folder_of, frames, remove
from trail_verify import Broken, Follower, split

A = "/registry/applications"


# ---- (a) killed at any moment ---------------------------------------------------------------------------------------

class Writer(threading.Thread):
    """Writes its own entries one after the other and remembers what was answered, and what was asked and not answered."""

    def __init__(self, daemon, number, state, stop):
        super().__init__(daemon=True)
        self.client = Client(daemon.socket, soon(20))
        self.rng = random.Random()
        self.paths = ["%s/w%d/k%d" % (A, number, i) for i in range(3)]
        self.state = state  # path -> (version, value or None): as answered
        self.asked = None   # (path, value or None): on its way
        self.stop = stop
        self.wrong = []

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except Exception:
            pass  # killed under it
        self.client.close()

    def step(self):
        path = self.rng.choice(self.paths)
        version, value = self.state.get(path, (0, None))
        if value is not None and self.rng.random() < 0.1:
            self.asked = (path, None)
            r = self.client.delete(path, match=version)
            good = (200,)
            new = None
        else:
            new = os.urandom(self.rng.choice([1, 30, 900, 1025, 20000])).hex()
            self.asked = (path, new)
            match = {"match": version} if value is not None else {"absent": True}
            r = self.client.put(path, new, sealed=self.rng.choice(["true", "false"]), **match)
            good = (201,) if value is None else (200,)
        if r.status not in good or r.version <= version:
            self.wrong.append((path, self.state.get(path), r))
            raise RuntimeError
        self.state[path] = (r.version, new)
        self.asked = None


class Counter(threading.Thread):
    """Several of these raise one counter by compare-and-set: its value is the number of those that were right."""

    def __init__(self, daemon, stop):
        super().__init__(daemon=True)
        self.client = Client(daemon.socket, soon(20))
        self.stop = stop
        self.done = 0
        self.highest = 0

    def run(self):
        try:
            while not self.stop.is_set():
                r = self.client.get(A + "/counter")
                now = int(r.body) if r.status == 200 else 0
                match = {"match": r.version} if now else {"absent": True}
                r = self.client.put(A + "/counter", str(now + 1), type="integer", **match)
                if r.status in (200, 201):
                    self.done += 1
                    self.highest = max(self.highest, now + 1)
        except Exception:
            pass
        self.client.close()


class Reader(threading.Thread):
    def __init__(self, daemon, stop):
        super().__init__(daemon=True)
        self.client = Client(daemon.socket, soon(20))
        self.stop = stop
        self.wrong = []

    def run(self):
        rng = random.Random()
        try:
            while not self.stop.is_set():
                r = rng.choice([lambda: self.client.get("%s/w%d/k%d" % (A, rng.randrange(3), rng.randrange(3))),
                                lambda: self.client.get(A + "/?recursive"),
                                lambda: self.client.get(A + "/w1/k1?history")])()
                if r.status not in (200, 404):
                    self.wrong.append(r)
        except Exception:
            pass
        self.client.close()


def check_entry(c, path, answered, asked):
    """The entry is as it was answered, or as it was asked last; returns what it is."""
    version, value = answered
    r = c.get(path)
    found = r.body.decode() if r.status == 200 else None
    assert r.status in (200, 404), r
    h = c.get(path + "?history")
    versions = h.data["versions"] if h.status == 200 else []
    newest = versions[0]["version"] if versions else 0
    numbers = [v["version"] for v in versions]
    assert numbers == list(range(newest, newest - len(numbers), -1)), "versions with gaps: %s" % numbers
    assert len(numbers) == min(newest, 10)
    if found is not None:
        assert r.version == newest
    if (newest, found) == (version, value):
        return version, value
    assert asked is not None and asked[0] == path, "%s: answered %s, found %s" % (
        path, (version, value and value[:20]), (newest, found and found[:20]))
    assert newest == version + 1 and found == asked[1], (path, version, newest)
    return newest, found


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kill_at_any_moment(new_store):
    kills = int(os.environ.get("KILLS", "200"))
    seed = int(os.environ.get("KILLS_SEED", random.randrange(1 << 30)))
    print("KILLS_SEED=%d" % seed)
    rng = random.Random(seed)
    d = new_store().start()
    states = [{} for _ in range(3)]
    follower = Follower()
    counted = 0
    writes = 0
    for turn in range(kills):
        stop = threading.Event()
        writers = [Writer(d, n, states[n], stop) for n in range(3)]
        counters = [Counter(d, stop) for _ in range(2)]
        readers = [Reader(d, stop) for _ in range(2)]
        roles = d.roles()
        for t in writers + counters + readers:
            t.start()
        time.sleep(rng.uniform(0.0, 0.12))
        os.kill(roles[rng.choice(["parent", "engine", "engine", "front"])], 9)
        d.expects_trouble = True
        stop.set()
        d.wait_end()
        for t in writers + counters + readers:
            t.join(soon(20))
            assert not t.is_alive()
        d.start()
        c = d.client()
        for w in writers:
            assert w.wrong == [], w.wrong
            for path in w.paths:
                before = w.state.get(path, (0, None))
                w.state[path] = check_entry(c, path, before, w.asked)
                writes += w.state[path][0] != before[0]
        assert all(r.wrong == [] for r in readers)
        r = c.get(A + "/counter")
        now = int(r.body) if r.status == 200 else 0
        right = sum(t.done for t in counters)
        assert counted + right <= now <= counted + right + len(counters)
        assert now >= max(t.highest for t in counters)
        assert now == 0 or r.version == now, "an increment was counted twice or got lost"
        counted = now
        follower.follow(c)
        c.close()
        d.clients.clear()
    # every change that is there has exactly one record, and the record says its version
    last = {}
    for r in follower.records:
        if r["kind"] in ("set", "delete") and r["outcome"] == 0:
            assert r["version_after"] == last.get(r["path"], 0) + 1, r
            last[r["path"]] = r["version_after"]
    for state in states:
        for path, (version, _) in state.items():
            assert last.get(path, 0) == version
    assert last.get(A + "/counter", 0) == counted
    starts = [r for r in follower.records if r["kind"] == "start"]
    assert len(starts) == kills + 1 and all("did not end in order" in r["detail"] for r in starts[1:])
    assert sum(version for state in states for version, _ in state.values()) > kills and counted > kills
    print("%d kills, %d records, counter %d" % (kills, len(follower.records), counted))


def test_kill_while_starting(new_store):
    """Killed at any moment of its own start, the daemon starts all the same the next time."""
    d = new_store().start()
    c = d.client()
    for i in range(20):
        c.put(A + "/n%d" % i, "v%d" % i)
    d.kill("engine")
    rng = random.Random(1)
    for _ in range(15 if SLOWER == 1 else 5):
        d.start(wait=False)
        time.sleep(rng.uniform(0, 0.03))
        d.kill("parent")
    d.start()
    c = d.client()
    for i in range(20):
        assert c.get(A + "/n%d" % i).body == b"v%d" % i
    Follower().follow(c)


# ---- (b) a full disk ------------------------------------------------------------------------------------------------

def on_a_small_disk(size):
    """A test of a store on a file system of that size. It has to be mounted: as root here, else by running the test again as
    root of a user name space of its own."""
    def decorate(test):
        def on_disk(_folder):
            if not IS_ROOT:
                run_in_own_mounts(test.__code__.co_filename, test.__name__)
                return
            root = tempfile.mkdtemp(dir=_folder)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=0755" % size, "secreg-test", root], check=True)
            d = Daemon(root)
            d.log_path = root + ".log"
            open(d.log_path, "w").close()
            try:
                assert d.init().returncode == 0
                test(d)
                d.finish()
            finally:
                if d.process is not None:
                    d.process.kill()
                    d.process.wait()
                subprocess.run(["umount", "-l", root], check=True)
        on_disk.__name__ = test.__name__
        on_disk.__doc__ = test.__doc__
        return on_disk
    return decorate


def run_in_own_mounts(file, test):
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs root or user name spaces: mounts a small file system")
    done = subprocess.run(["unshare", "-rm", sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", file + "::" + test],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def fill(d):
    """Takes every free byte of the small disk. Returns the file that holds them."""
    path = d.path("ballast")
    with open(path, "ab", buffering=0) as f:
        for size in (65536, 4096, 1):
            while True:
                try:
                    if f.write(b"\0" * size) == 0:
                        break
                except OSError:
                    break
    return path


@on_a_small_disk("2m")
def test_full_disk(d):
    """Changes and reads of entries are refused, status and trail go on, and everything works again once there is room."""
    d.start()
    c = d.client()
    for i in range(10):
        assert c.put(A + "/n%d" % i, "v%d" % i).status == 201
    ballast = fill(d)
    answered = {}
    full = None
    for i in range(2000):
        r = c.put(A + "/m%d" % i, "x" * 5000)
        if r.status != 201:
            full = r
            break
        answered["/m%d" % i] = True
    assert (full.status, full.code) == (507, "storage-full"), full
    # data verbs say so; status, whoami and the trail go on
    for r in (c.get(A + "/n1"), c.put(A + "/n1", "new"), c.delete(A + "/n1"), c.get(A + "/"), c.get(A + "/n1?history"),
              c.acl_add(A, "allow", "uid:1", "read")):
        assert (r.status, r.code) == (507, "storage-full"), r
    assert c.status()["storage"] == "full" and c.status()["state"] == "unlocked"
    assert c.get("/v1/whoami").status == 200
    for _ in range(3):
        r = c.get("/v1/audit?kind=set&limit=1")
        assert r.status == 200 and r.data["records"][0]["path"].startswith(A)
    said = c.get("/v1/audit?kind=store-full").data["records"]
    assert [r["detail"].split(":")[0] for r in said] == ["full"], "what fills the storage is said while it is full"
    assert c.get("/v1/checkpoint").status == 200
    assert c.status()["unrecorded"] >= 8
    # a while later it tries again: what folding the log made room for is used, and then it is full again
    time.sleep(1.2)
    for k in range(5000):
        r = c.put(A + "/late%d" % k, "x" * 5000)
        if r.status != 201:
            break
        answered["/late%d" % k] = True
    assert (r.status, r.code) == (507, "storage-full")
    # room again: everything works without a restart
    os.unlink(ballast)
    wait_for(lambda: c.put(A + "/after", "1").status in (200, 201), 10, "the storage is used again")
    assert c.status()["storage"] == "ok" and c.status()["unrecorded"] == 0
    for i in range(10):
        assert c.get(A + "/n%d" % i).body == b"v%d" % i, "a refused change was made"
    for path in answered:
        assert c.get(A + path).status == 200
    for path in ("/late%d" % k, "/m%d" % i):
        assert c.get(A + path).status == 404
    assert c.status()["rules"] == 1
    said = [r["detail"] for r in reversed(c.get("/v1/audit?kind=store-full").data["records"])]
    assert len(said) % 2 == 0 and all(s.startswith("full: ") for s in said[::2]), said
    assert sum(int(s.split()[0]) for s in said[1::2]) >= 12, said
    follower = Follower()
    follower.follow(c)
    d.restart()
    c = d.client()
    follower.follow(c)
    assert c.get(A + "/after").body == b"1"


@on_a_small_disk("2m")
def test_start_on_a_full_disk(d):
    """The trail cannot take the record of the start: the daemon is served all the same, and says so later."""
    d.start()
    c = d.client()
    c.put(A + "/a", "1")
    d.restart()
    c = d.client()
    ballast = fill(d)
    for i in range(1000):
        if c.put(A + "/m%d" % i, "x" * 5000).status == 507:
            break
    d.stop()
    fill(d)
    d.expects_trouble = True
    d.start()
    c = d.client()
    assert c.status()["storage"] in ("full", "ok")
    assert c.get("/v1/audit").status == 200
    os.unlink(ballast)
    wait_for(lambda: c.put(A + "/after", "1").status in (200, 201), 10, "the storage is used again")
    assert c.get(A + "/a").body == b"1"
    Follower().follow(c)


@on_a_small_disk("64m")
def test_full_disk_under_load(d):
    """Writers go on while the disk fills and empties: every answered write is there in the end."""
    d.start()
    stop = threading.Event()
    answered, strange = [{} for _ in range(4)], []

    def work(n):
        c = Client(d.socket, soon(20))
        i = 0
        while not stop.is_set():
            i += 1
            time.sleep(0.005)
            r = c.put(A + "/w%d" % n, "%d %s" % (i, "x" * 2000))
            if r.status in (200, 201):
                answered[n] = {"version": r.version, "i": i}
            elif r.code != "storage-full":
                strange.append(r)
        c.close()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    c = d.client()
    for _ in range(3):
        ballast = fill(d)
        wait_for(lambda: c.status()["storage"] == "full", 10, "it is full")
        time.sleep(0.1)
        os.unlink(ballast)
        wait_for(lambda: c.status()["storage"] == "ok", 10, "there is room")
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join()
    assert strange == [], strange[:3]
    wait_for(lambda: c.get(A + "/w0").status == 200, 10, "it works again")
    for n in range(4):
        r = c.get(A + "/w%d" % n)
        assert r.version == answered[n]["version"] and int(r.body.split()[0]) == answered[n]["i"]
    Follower().follow(c)


# ---- (c) damaged and forged data ------------------------------------------------------------------------------------

@pytest.fixture
def victim(new_store):
    """A stopped store with known content, and a hand on its database."""
    d = new_store().start()
    c = d.client()
    c.put(A + "/one", "value one", comment="first")
    c.put(A + "/one", "value two")
    c.put(A + "/two", "another")
    c.put(A + "/sealed", "hidden", sealed="true")
    c.put(A + "/number", "42", type="integer")
    c.put(A + "/large", "L" * 5000)
    c.put(A + "/gone", "1")
    c.delete(A + "/gone")
    d.rule = c.deny(A + "/two", "uid:4711", "read,write")
    d.others = {"/two": b"another", "/sealed": b"hidden", "/number": b"42", "/large": b"L" * 5000}
    assert d.stop() == 0
    d.expects_trouble = True
    return d


def edit(d, *statements):
    db = sqlite3.connect(d.db)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    changed = 0
    for s in statements:
        sql, args = (s, ()) if isinstance(s, str) else (s[0], s[1:])
        changed += db.execute(sql, args).rowcount
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert changed > 0, "nothing was edited"


def newest(d):
    """Path -> (row, version) of the row that holds."""
    db = sqlite3.connect(d.db)
    rows = {path: (id, version) for id, path, version in db.execute("SELECT id, path, version FROM version ORDER BY id")}
    db.close()
    return rows


def test_editing_nothing_is_no_damage(victim):
    """The judge of the tests below: the detour through another SQLite changes nothing by itself."""
    edit(victim, "UPDATE version SET body = body")
    victim.start()
    c = victim.client()
    assert c.status()["state"] == "unlocked" and c.status()["corrupt_entries"] == 0
    assert c.get(A + "/one").body == b"value two"


def expect_corrupt_entry(d, path, others):
    """The entry is refused by name; the rest is served."""
    d.start()
    c = d.client()
    if c.status()["state"] == "unlocked":
        assert c.status()["corrupt_entries"] == 1
        for r in (c.get(A + path), c.entry(A + path), c.put(A + path, "new"), c.delete(A + path)):
            assert (r.status, r.code) == (500, "corrupt"), r
        row = [e for e in c.list(A)["entries"] if e["name"] == path[1:]]
        assert len(row) == 1 and "value" not in row[0]
        for other, value in others.items():
            if other != path:
                assert c.get(A + other).body == value
        told = c.get("/v1/audit?kind=corrupt").data["records"]
        assert [r["path"] for r in told] == [A + path]
        Follower().follow(c)
    else:
        r = c.post("/v1/unlock")
        assert (r.status, r.code) == (500, "corrupt") and len(r.json["error"]["message"]) > 40, r
    assert A + path in d.log() and "failed their check" in d.log()


VERSION_EDITS = {
    "value": "body = CAST('forged' AS BLOB)", "value by one byte": "body = CAST('V' || substr(body, 2) AS BLOB)",
    "type": "type = 6", "flags": "flags = 1",
    "changed": "changed_us = changed_us + 1", "changed_by": "changed_by = 4711", "revision": "revision = revision - 1",
    "created": "created_us = created_us + 1", "created_by": "created_by = 4711", "comment": "comment = 'forged'",
    "tags": "tags = 'forged'", "expires": "expires_us = 1",
    "version": "version = 1", "entry": "entry = 77", "previous": "previous = 0",
    "reason": "reason = 'forged'", "mac": "mac = zeroblob(32)", "short mac": "mac = x'00'",
}


@pytest.mark.parametrize("what", sorted(VERSION_EDITS))
def test_edited_version_row(victim, what):
    edit(victim, ("UPDATE version SET %s WHERE id = ?" % VERSION_EDITS[what], newest(victim)[A + "/one"][0]))
    expect_corrupt_entry(victim, "/one", victim.others)


def test_edited_sealed_value(victim):
    with_other_tag = "CAST(substr(body, 1, length(body) - 16) || zeroblob(16) AS BLOB)"
    edit(victim, ("UPDATE version SET body = %s WHERE path = ?" % with_other_tag, A + "/sealed"))
    victim.others.pop("/sealed")
    expect_corrupt_entry(victim, "/sealed", {**victim.others, "/one": b"value two"})


def test_edited_large_value(victim):
    """Large values are not kept in memory: the check must not depend on that."""
    edit(victim, ("UPDATE version SET body = CAST('M' || substr(body, 2) AS BLOB) WHERE path = ?", A + "/large"))
    expect_corrupt_entry(victim, "/large", victim.others)


def test_edited_old_version(victim):
    """An old version is checked when it is asked for; the current one is not its victim."""
    edit(victim, ("UPDATE version SET body = CAST('forged' AS BLOB) WHERE path = ? AND version = 1", A + "/one"))
    victim.start()
    c = victim.client()
    assert c.get(A + "/one").body == b"value two"
    r = c.get(A + "/one?version=1")
    assert (r.status, r.code) == (500, "corrupt")
    r = c.get(A + "/one?history")
    assert (r.status, r.code) == (500, "corrupt")


def expect_locked(d, *words):
    """The store as a whole is not what it was: it stays locked and says why."""
    d.start()
    c = d.client()
    assert c.status()["state"] == "locked"
    r = c.post("/v1/unlock")
    assert (r.status, r.code) == (500, "corrupt"), r
    message = r.json["error"]["message"]
    assert any(w in message for w in words), message
    assert any(w in d.log() for w in words)
    assert c.get(A + "/one").code == "locked"
    assert c.get("/v1/audit?kind=unlock&limit=1").data["records"][0]["outcome"] == "corrupt"
    Follower().follow(c)


def test_values_swapped_between_entries(victim):
    """Each row stays where it is and gets the value of the other."""
    db = sqlite3.connect(victim.db)
    (one, a), (two, b) = [(newest(victim)[A + n][0], db.execute("SELECT body FROM version WHERE path = ? ORDER BY id DESC",
                                                                (A + n,)).fetchone()[0]) for n in ("/one", "/two")]
    db.close()
    edit(victim, ("UPDATE version SET body = ? WHERE id = ?", b, one), ("UPDATE version SET body = ? WHERE id = ?", a, two))
    victim.start()
    c = victim.client()
    if c.status()["state"] == "unlocked":
        assert c.get(A + "/one").code == c.get(A + "/two").code == "corrupt"
        assert c.status()["corrupt_entries"] == 2
    else:
        assert c.post("/v1/unlock").code == "corrupt"
    assert A + "/one" in victim.log() and A + "/two" in victim.log()


def test_paths_swapped_between_entries(victim):
    edit(victim, ("UPDATE version SET path = 'x' WHERE path = ?", A + "/one"),
         ("UPDATE version SET path = ? WHERE path = ?", A + "/one", A + "/two"),
         ("UPDATE version SET path = ? WHERE path = 'x'", A + "/two"))
    victim.start()
    c = victim.client()
    if c.status()["state"] == "unlocked":
        assert c.get(A + "/one").code == c.get(A + "/two").code == "corrupt"
    else:
        assert c.post("/v1/unlock").code == "corrupt"


def test_deleted_entry(victim):
    edit(victim, ("DELETE FROM version WHERE path = ?", A + "/one"))
    expect_locked(victim, "missing")


def test_deleted_deletion(victim):
    """A deleted entry that is forgotten by force: its numbers could begin anew."""
    edit(victim, ("DELETE FROM version WHERE path = ?", A + "/gone"))
    expect_locked(victim, "missing")


def test_undone_deletion(victim):
    """Without the row that says "deleted" the version before would be served again."""
    edit(victim, ("DELETE FROM version WHERE id = ?", newest(victim)[A + "/gone"][0]))
    expect_locked(victim, "missing", "replaced")


def test_deleted_version_row(victim):
    """Without its newest row an entry would be what it was before."""
    edit(victim, ("DELETE FROM version WHERE id = ?", newest(victim)[A + "/one"][0]))
    expect_locked(victim, "missing", "replaced")


COPY = ("INSERT INTO version SELECT 9999, %s, previous, entry, version, type, flags, created_us, created_by, changed_us, changed_by, "
        "revision, expires_us, reason, comment, tags, mac, body FROM version WHERE id = ?")


def test_inserted_entry(victim):
    """A copy of an authentic row under another path is not served."""
    edit(victim, (COPY % ("'" + A + "/planted'"), newest(victim)[A + "/one"][0]))
    expect_locked(victim, "missing", "foreign", "replaced")


def test_duplicated_row(victim):
    edit(victim, (COPY % "path", newest(victim)[A + "/one"][0]))
    expect_corrupt_entry(victim, "/one", victim.others)


def test_older_row_made_newest(victim):
    """A replay: an authentic row of the same entry put on top of the others."""
    edit(victim, ("UPDATE version SET id = 9999 WHERE path = ? AND version = 1", A + "/one"))
    expect_locked(victim, "missing", "foreign", "replaced")


def test_old_rows_put_back(victim):
    """A replay: all rows of an entry as they were once, authentic every one."""
    victim.start()
    c = victim.client()
    assert c.put(A + "/one", "value three").version == 3
    c.put(A + "/other", "x")
    assert victim.stop() == 0
    edit(victim, ("DELETE FROM version WHERE path = ? AND version = 3", A + "/one"))
    expect_locked(victim, "replaced", "missing")


def test_old_state_put_back(victim):
    """The newest state is taken away, so that the one before it would hold: the log knows of the change."""
    edit(victim, ("DELETE FROM turn WHERE first = (SELECT max(first) FROM turn)",))
    assert refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "trail", "failed") == "refused"


def test_edited_state(victim):
    edit(victim, "UPDATE turn SET state = zeroblob(length(state))")
    expect_locked(victim, "state")


RULE_EDITS = ["effect = 1", "principal = 'uid:4712'", "actions = 127", "path = '/registry'", "created_by = 1", "mac = zeroblob(32)",
              "id = 77"]


@pytest.mark.parametrize("what", RULE_EDITS)
def test_edited_rule(victim, what):
    edit(victim, ("UPDATE rule SET %s WHERE id = ?" % what, victim.rule))
    expect_locked(victim, "rule")


def test_deleted_rule(victim):
    edit(victim, ("DELETE FROM rule WHERE id = ?", victim.rule))
    expect_locked(victim, "missing")


def test_planted_rule(victim):
    edit(victim, ("INSERT INTO rule SELECT 77, '/registry', 1, 'uid:4711', 127, condition, created_us, created_by, mac FROM rule WHERE id = ?",
                  victim.rule))
    expect_locked(victim, "rule")


def test_malformed_rules_grant_nothing_while_locked(victim):
    edit(victim, ("UPDATE rule SET principal = 'nonsense' WHERE id = ?", victim.rule))
    expect_locked(victim, "rule")


@pytest.mark.parametrize("what", ["body = zeroblob(length(body))", "body = CAST(substr(body, 1, 40) || x'ff' || substr(body, 42) AS BLOB)",
                                  "body = x'00'"])
def test_edited_slot(victim, what):
    edit(victim, "UPDATE slot SET %s" % what)
    victim.start()
    c = victim.client()
    assert c.status()["state"] == "locked"
    assert c.post("/v1/unlock").code in ("wrong-key", "corrupt", "not-found")
    assert c.get("/v1/audit").status == 200


def test_master_key_of_another_store(victim, new_store):
    other = new_store()
    os.chmod(victim.key, 0o600)
    shutil.copy(other.key, victim.key)
    victim.start()
    c = victim.client()
    assert c.status()["state"] == "locked"
    assert c.post("/v1/unlock").code == "wrong-key"
    assert "does not unlock" in victim.log()
    Follower().follow(c)


def test_database_of_another_store(victim, new_store):
    """A foreign database with its own key slot does not open with this store's key."""
    other = new_store().start()
    other.stop()
    edit(other, "UPDATE meta SET value = value")
    edit(victim, "UPDATE meta SET value = value")  # nothing is left in the log beside it
    shutil.copy(other.db, victim.db)
    assert refuses_to_start_or_serves_locked(victim, "stored data failed") == "refused"  # its trail is not here
    shutil.copytree(folder_of(other.db), os.path.join(os.path.dirname(victim.db), os.path.basename(folder_of(other.db))))
    victim.start()
    assert victim.client().status()["state"] == "locked"


# ---- the file itself

def refuses_to_start_or_serves_locked(d, *words):
    """No damaged file is served as if it were whole: either no start, with words, or locked, or each damage named."""
    seen = len(d.log())
    d.start(wait=False)
    end = time.monotonic() + soon(15)
    while time.monotonic() < end:
        if d.process.poll() is not None:
            status = d.wait_end()
            assert status != 0
            said = d.log()[seen:]
            assert any(w in said for w in words), said
            return "refused"
        if "secregd: ready" in d.log()[seen:]:
            return d.client().status()["state"]
        time.sleep(0.02)
    raise AssertionError("neither served nor refused: " + d.log())


@pytest.mark.parametrize("part", [0, 1, 50, 100, 4096, 0.5, 0.9, -1, -4096])
def test_truncated_database(victim, part):
    edit(victim, "UPDATE version SET body = body")
    size = os.path.getsize(victim.db)
    keep = int(size * part) if isinstance(part, float) else part if part >= 0 else size + part
    os.truncate(victim.db, keep)
    before = hashlib.sha256(open(victim.db, "rb").read()).digest()
    how = refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "not a", "malformed", "does not exist", "failed", "layout",
                                            "schema")
    if how == "refused":
        assert hashlib.sha256(open(victim.db, "rb").read()).digest() == before, "the evidence was changed"
    elif how == "unlocked":  # what is missing was not needed for it
        expect_truth_or_refusal(victim)


def expect_truth_or_refusal(d):
    c = d.client()
    for path, value in {**d.others, "/one": b"value two"}.items():
        r = c.get(A + path)
        assert (r.status == 200 and r.body == value) or r.code == "corrupt", (path, r)
    r = c.get(A + "/one?version=1")
    assert (r.status == 200 and r.body == b"value one") or r.code == "corrupt", r
    rules = c.get("/v1/acl?path=/registry").data["rules"]
    assert [(r["principal"], r["effect"], r["path"]) for r in rules] == [
        ("uid:%d" % os.geteuid(), "allow", "/registry"), ("uid:4711", "deny", A + "/two")]
    try:
        Follower().follow(c)
    except Broken:
        pass  # found out


@pytest.mark.parametrize("seed", range(12))
def test_bytes_flipped_anywhere_in_the_file(victim, seed):
    """Whatever byte is flipped: what is answered is the truth, or a refusal."""
    edit(victim, "UPDATE version SET body = body")
    rng = random.Random(seed)
    size = os.path.getsize(victim.db)
    with open(victim.db, "r+b") as f:
        for _ in range(3):
            at = rng.randrange(100, size)
            f.seek(at)
            old = f.read(1)[0]
            f.seek(at)
            f.write(bytes([old ^ rng.randrange(1, 256)]))
    how = refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "malformed", "failed", "layout", "schema", "trail")
    if how == "unlocked":
        expect_truth_or_refusal(victim)


def test_planted_trigger_never_runs(victim):
    db = sqlite3.connect(victim.db)
    db.execute("CREATE TRIGGER t AFTER INSERT ON version BEGIN DELETE FROM rule; END")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert refuses_to_start_or_serves_locked(victim, "corrupt", "layout", "schema", "damaged", "failed") == "refused"


@pytest.mark.parametrize("sql", ["CREATE TABLE more(x)", "CREATE VIEW v AS SELECT 1", "ALTER TABLE rule ADD COLUMN x INTEGER",
                                 "CREATE INDEX i ON version(path)", "PRAGMA user_version = 99", "PRAGMA user_version = 0",
                                 "PRAGMA application_id = 1"])
def test_another_layout_is_refused(victim, sql):
    db = sqlite3.connect(victim.db)
    db.execute(sql)
    db.commit()
    db.close()
    assert refuses_to_start_or_serves_locked(victim, "corrupt", "layout", "schema", "damaged", "failed", "version", "newer",
                                             "not a") == "refused"


def test_a_link_in_the_place_of_the_database_is_refused(victim):
    os.rename(victim.db, victim.db + ".real")
    os.symlink(victim.db + ".real", victim.db)
    assert refuses_to_start_or_serves_locked(victim, "link", "Too many", "corrupt", "not a", "failed", "ymbolic", "cannot") == "refused"


# ---- the trail

def expect_trail_found_out(d):
    """A forged trail is noticed: by the daemon at its start or when it reads, or else by whoever verifies the records."""
    how = refuses_to_start_or_serves_locked(d, "corrupt", "damaged", "trail", "failed")
    if how == "refused":
        return
    with pytest.raises(Broken):
        Follower().follow(d.client())


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("long", [False, True])
def test_edited_record(victim, where, long):
    """One letter in a path, in a trail short or longer than the daemon re-hashes at its start."""
    if long:
        victim.start()
        c = victim.client()
        for i in range(2500):
            c.get(A + "/read%04d" % i)
        assert victim.stop() == 0
    found = [f for f in frames(victim.db) if b"/applications/" in f.raw]
    frame = found[int(len(found) * where)]
    frame.write(frame.raw.replace(b"/applications/", b"/Applications/", 1))
    expect_trail_found_out(victim)


def test_removed_record(victim):
    found = frames(victim.db)
    remove(found[len(found) // 2])
    expect_trail_found_out(victim)


def test_cut_tail_is_found_by_who_kept_a_head(victim):
    """What was cut off at the end of the log is in the database as well; if that is cut too, its state does not fit what is left."""
    victim.start()
    c = victim.client()
    f = Follower()
    f.follow(c)
    assert victim.stop() == 0
    found = frames(victim.db)
    cut(found[len(found) // 2])
    how = refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "trail", "failed")
    if how != "refused":
        with pytest.raises(Broken):
            for _ in range(200):
                victim.client().get(A + "/none")
                f.follow(victim.client())


def test_cut_reads_are_found_by_who_kept_a_head(victim):
    """Records of reads at the end are in the log alone: who noted a head before knows."""
    victim.start()
    c = victim.client()
    for i in range(50):
        c.get(A + "/read%d" % i)
    f = Follower()
    f.follow(c)
    victim.kill("engine")
    cut(frames(victim.db)[-20])
    victim.start()
    with pytest.raises(Broken):
        for _ in range(200):
            victim.client().get(A + "/none")
            f.follow(victim.client())


def test_swapped_records(victim):
    by_length = {}
    for f in frames(victim.db):
        by_length.setdefault(len(f.raw), []).append(f)
    a, b = max(by_length.values(), key=len)[:2]
    a.write(b.raw)
    b.write(a.raw)
    expect_trail_found_out(victim)


def test_a_log_of_another_time(victim):
    """The log of a copy that was taken earlier: the database has records that it does not have, and does not reach back to it."""
    folder = folder_of(victim.db)
    shutil.copytree(folder, folder + ".old")
    victim.start()
    c = victim.client()
    for i in range(200):
        assert c.put(A + "/more", str(i)).status in (200, 201)
    assert victim.stop() == 0
    shutil.rmtree(folder)
    os.rename(folder + ".old", folder)
    assert refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "trail", "failed") == "refused"


def test_a_database_of_another_time(victim):
    """The log has the record of a change that the database does not have."""
    old = victim.db + ".old"
    shutil.copy(victim.db, old)
    victim.start()
    assert victim.client().put(A + "/more", "1").status == 201
    assert victim.stop() == 0
    os.rename(old, victim.db)
    if os.path.exists(victim.db + "-wal"):
        os.unlink(victim.db + "-wal")
    assert refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "trail", "failed") == "refused"


def test_a_missing_log(victim):
    shutil.rmtree(folder_of(victim.db))
    assert refuses_to_start_or_serves_locked(victim, "corrupt", "damaged", "trail", "failed") == "refused"


def test_records_in_the_file_are_those_that_are_answered(victim):
    victim.start()
    raw = list(split(victim.client().get("/v1/audit?raw").body))
    assert victim.stop() == 0
    stored = [f.raw for f in frames(victim.db)]
    assert all(hashlib.sha256(b"\0" + f.raw).digest() == f.leaf for f in frames(victim.db))
    assert stored[:len(raw)] == raw
