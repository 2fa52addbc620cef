"""secreg-verify --database: is the database what the newest change in the trail says it is? Without any key of the store."""
import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from conftest import BUILD, soon
from trail_log import folder_of
from trail_verify import Follower

A = "/registry/applications"
VERIFY = os.path.join(BUILD, "bin", "secreg-verify")
STATE = 32


def verify(d, database=None, trail=None):
    done = subprocess.run([VERIFY, "--json", "--database", database or d.db, trail or folder_of(d.db)], capture_output=True,
                          text=True, timeout=soon(60))
    assert done.returncode < 64, done.stderr
    return done.returncode, json.loads(done.stdout)["state"]


@pytest.fixture
def d(new_store):
    """A stopped store with something of everything that makes up its state."""
    d = new_store().start()
    c = d.client()
    for i in range(30):
        c.put(A + "/a%d" % (i % 10), str(i))
    c.delete(A + "/a3")
    c.deny(A + "/a4", "uid:4711", "read")
    c.put("/v1/schema?path=" + A + "/s", json.dumps({"type": "integer"}))
    c.get(A + "/a1")
    assert d.stop() == 0
    return d


def edit(d, sql, *args):
    db = sqlite3.connect(d.db)
    n = db.execute(sql, args).rowcount
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert n > 0
    d.expects_trouble = True


def test_it_matches(d):
    assert verify(d) == (0, "ok")
    d.start()
    d.client().put(A + "/b", "1")
    d.client().get(A + "/b")
    d.stop()
    assert verify(d) == (0, "ok")


@pytest.mark.parametrize("sql", [
    "DELETE FROM version WHERE path = '%s/a1' AND id = (SELECT max(id) FROM version WHERE path = '%s/a1')" % (A, A),
    "DELETE FROM version WHERE path = '%s/a2'" % A,
    "DELETE FROM rule",
    "DELETE FROM schema",
    "UPDATE version SET mac = zeroblob(32) WHERE id = (SELECT max(id) FROM version)",
    "UPDATE slot SET mac = zeroblob(32)",
    "DELETE FROM turn",
])
def test_rows_changed_behind_its_back(d, sql):
    edit(d, sql)
    assert verify(d) == (STATE, "bad")


def test_an_older_database(d):
    """Put back beside the trail of now; and the trail of then beside the database of now."""
    shutil.copytree(d.path("var/lib/secreg"), d.path("then"))
    d.start()
    d.client().put(A + "/c", "1")
    d.stop()
    assert verify(d) == (0, "ok")
    then = d.path("then/registry.db")
    assert verify(d, database=then) == (STATE, "bad")
    assert verify(d, trail=folder_of(then)) == (STATE, "bad")
    assert verify(d, database=then, trail=folder_of(then)) == (0, "ok")


def test_what_is_no_database(d):
    for content in (b"", b"SQLite format 3\0" + b"x" * 5000, b"x" * 100):
        with open(d.path("other"), "wb") as f:
            f.write(content)
        assert verify(d, database=d.path("other")) == (STATE, "bad"), content[:20]
    with open(d.db, "rb") as f:
        data = bytearray(f.read())
    for at in range(100, len(data), 4096 * 3 + 7):
        changed = bytes(data[:at]) + bytes([data[at] ^ 0x55] * 64) + bytes(data[at + 64:])
        with open(d.path("other"), "wb") as f:
            f.write(changed)
        code, state = verify(d, database=d.path("other"))
        assert code in (0, STATE)  # a byte that is part of no digest may be another one: the store itself finds it
    done = subprocess.run([VERIFY, "--database", d.path("none"), folder_of(d.db)], capture_output=True, text=True)
    assert done.returncode == 66


def test_forgotten_entries(new_store):
    """What is removed of deleted entries changes the state as well: a record of its own says so."""
    d = new_store(config="history:\n  versions: 1\n  deleted_entries: 10\n").start()
    c = d.client()
    for k in range(10):
        paths = [A + "/x%d_%d" % (k, i) for i in range(400)]
        d.put_many(paths)
        for path in paths:
            assert c.delete(path).status == 200
    f = Follower()
    f.follow(c)
    kinds = [r["kind"] for r in f.records]
    assert "forget" in kinds
    d.stop()
    assert verify(d) == (0, "ok")
    d.start()
    assert d.client().status()["state"] == "unlocked"
