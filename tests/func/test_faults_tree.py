"""Transactions, moves, copies, deletions, reverts and destroyed versions, killed at any moment: each is there whole, or not at all.

KILLS (default 200) is the number of kills of test_kill_in_the_middle_of_tree_operations.
"""
import json
import os
import random
import threading
import time

import pytest

from client import Client
from conftest import SLOWER, soon
from trail_verify import Follower

A = "/registry/applications"
WORKERS = 3
SIZE = 6  # entries of a folder


class Worker(threading.Thread):
    """Makes and changes one subtree of its own, one transaction after the other, and knows what it looks like before and after
    each. A state is path -> value of all live entries."""

    def __init__(self, daemon, number, state, stop):
        super().__init__(daemon=True)
        self.client = Client(daemon.socket, soon(20))
        self.rng = random.Random()
        self.top = "%s/w%d" % (A, number)
        self.state = state      # as answered
        self.asked = None       # (state, destroyed version or None) that the transaction on its way would make
        self.destroyed = []     # (path, version) answered to be destroyed
        self.done = 0
        self.stop = stop
        self.wrong = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except Exception as e:
            if not isinstance(e, (OSError, EOFError)) and "HTTP" not in type(e).__name__ and "Remote" not in type(e).__name__:
                self.wrong = "%s: %s" % (type(e).__name__, e)
        self.client.close()

    def folder(self, name):
        return {p: v for p, v in self.state.items() if p.startswith("%s/%s/" % (self.top, name))}

    def step(self):
        act = self.rng.choice([self.fill, self.move, self.move, self.copy, self.drop, self.revert, self.destroy, self.expire_far, self.dry])
        made = act()
        if made is None:
            return
        leaves, after, more = made
        self.asked = (after, more.pop("destroyed", None))
        r = self.client.post("/v1/txn", json.dumps({"then": leaves, **more}))
        if r.status != 200:
            self.wrong = (leaves, r)
            raise OSError
        if self.asked[1] is not None:
            self.destroyed.append(self.asked[1])
        self.state = after
        self.asked = None
        self.done += 1

    def full_and_free(self):
        full = [n for n in "abc" if self.folder(n)]
        return full, [n for n in "abc" if n not in full]

    def fill(self):
        name = self.rng.choice("abc")
        values = {"%s/%s/%d" % (self.top, name, i): os.urandom(self.rng.choice([4, 40, 700, 3000])).hex() for i in range(SIZE)}
        leaves = [{"op": "set", "path": p, "value": v, "seal": i % 2 == 0} for i, (p, v) in enumerate(values.items())]
        return leaves, {**self.state, **values}, {}

    def transfer(self, op):
        full, free = self.full_and_free()
        if not full or not free:
            return None
        source, target = self.rng.choice(full), self.rng.choice(free)
        there = {p.replace("/%s/" % source, "/%s/" % target): v for p, v in self.folder(source).items()}
        here = {p: v for p, v in self.state.items() if op == "copy" or p not in self.folder(source)}
        return [{"op": op, "from": "%s/%s" % (self.top, source), "to": "%s/%s" % (self.top, target)}], {**here, **there}, {}

    def move(self):
        return self.transfer("move")

    def copy(self):
        return self.transfer("copy")

    def drop(self):
        full, _ = self.full_and_free()
        if len(full) < 2:
            return None
        name = self.rng.choice(full)
        gone = self.folder(name)
        return [{"op": "delete-tree", "path": "%s/%s" % (self.top, name)}], {p: v for p, v in self.state.items() if p not in gone}, {}

    def revert(self):
        """To what it was one change of its own ago, so that it is known what comes of it."""
        if not self.state:
            return None
        made = self.fill()
        revision = self.client.status()["revision"]
        before = dict(self.state)
        self.asked = (made[1], None)
        if self.client.post("/v1/txn", json.dumps({"then": made[0]})).status != 200:
            raise OSError
        self.state, self.asked = made[1], None
        # others have raised the revision meanwhile, but have changed nothing below this folder
        return [{"op": "revert", "path": self.top, "revision": revision}], before, {}

    def destroy(self):
        if not self.state:
            return None
        path = self.rng.choice(sorted(self.state))
        kept = self.client.get(path + "?history").data["versions"][1:]
        fit = [v["version"] for v in kept if not v["deleted"] and not v["destroyed"]]
        if not fit:
            return None
        value = os.urandom(20).hex()
        version = self.rng.choice(fit)
        return [{"op": "destroy", "path": path, "version": version},
                {"op": "set", "path": path, "value": value}], {**self.state, path: value}, {"destroyed": (path, version)}

    def expire_far(self):
        if not self.state:
            return None
        path = self.rng.choice(sorted(self.state))
        return ([{"op": "set", "path": path, "value": self.state[path], "expires": "2100-01-01T00:00:00Z", "tags": ["t"]}], dict(self.state), {})

    def dry(self):
        return [{"op": "set", "path": self.top + "/dry", "value": "never"}], dict(self.state), {"dry_run": True}


def tree_of(c, folder):
    """All live entries, of all pages; nothing at all is an empty tree."""
    found, after = {}, ""
    while after is not None:
        r = c.get(folder + "/?recursive&values" + ("&after=" + after if after else ""))
        if r.status == 404:
            return {}
        found.update({e["path"]: e["value"] for e in r.data["entries"]})
        after = r.data["next"]
    return found


def check(c, w):
    """As it was answered last, or as it was asked and not answered; never anything between. Returns which of them it is."""
    assert w.wrong is None, w.wrong
    found = tree_of(c, w.top)
    if found == w.state and w.asked is None:
        return w.state
    wanted = [w.state] + ([w.asked[0]] if w.asked else [])
    assert found in wanted, "neither before nor after:\n%s\n%s" % (
        sorted(found), [[p for p in set(found) | set(x) if found.get(p) != x.get(p)] for x in wanted])
    for path, version in w.destroyed:
        r = c.get("%s?version=%d" % (path, version))
        assert r.code in ("gone", "not-found"), (path, version, r)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_in_the_middle_of_tree_operations(new_store):
    kills = int(os.environ.get("KILLS", "200"))
    seed = int(os.environ.get("KILLS_SEED", random.randrange(1 << 30)))
    print("KILLS_SEED=%d" % seed)
    rng = random.Random(seed)
    d = new_store().start()
    states = [{} for _ in range(WORKERS)]
    follower = Follower()
    done = unanswered = 0
    for _ in range(kills):
        stop = threading.Event()
        workers = [Worker(d, n, states[n], stop) for n in range(WORKERS)]
        roles = d.roles()
        for w in workers:
            w.start()
        time.sleep(rng.uniform(0.0, 0.15))
        os.kill(roles[rng.choice(["parent", "engine", "engine", "engine", "front"])], 9)
        d.expects_trouble = True
        stop.set()
        d.wait_end()
        for w in workers:
            w.join(soon(20))
            assert not w.is_alive()
        d.start()
        c = d.client()
        assert c.status()["corrupt_entries"] == 0
        for n, w in enumerate(workers):
            unanswered += w.asked is not None
            states[n] = check(c, w)
            done += w.done
        follower.follow(c)
        c.close()
        d.clients.clear()
    assert done > kills and unanswered > kills // 10, "the kills met nothing"
    check_records(follower.records)
    print("%d kills, %d transactions answered, %d not, %d records" % (kills, done, unanswered, len(follower.records)))


def check_records(records):
    """Each transaction that is there has its record, behind those of its leaves, and no leaf has a record without it."""
    leaves = []
    kinds = {"set", "delete", "move", "copy", "revert", "destroy"}
    versions = {}
    for r in records:
        if r["kind"] == "txn":
            assert all(x["request"] == r["request"] for x in leaves), leaves
            assert len({x["revision"] for x in leaves if x["kind"] != "destroy"}) <= 1
            leaves = []
        elif r["kind"] in kinds:
            leaves.append(r)
            if r["kind"] in ("set", "copy", "revert", "delete") and r["version_after"]:
                assert r["version_after"] > versions.get(r["path"], 0), r
                versions[r["path"]] = r["version_after"]
    assert leaves == [], "records of leaves without that of their transaction"


def test_kill_while_many_entries_expire(new_store):
    """An entry that has expired stays away, with one record; one that has not stays."""
    d = new_store().start()
    c = d.client()
    rng = random.Random(2)
    for turn in range(4 if SLOWER == 1 else 2):
        end = time.time() + 0.8 * SLOWER
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end)) + ".%03dZ" % int(end % 1 * 1000)
        leaves = [{"op": "set", "path": "%s/e%d/%d" % (A, turn, i), "value": "x", "expires": stamp} for i in range(400)]
        leaves.append({"op": "set", "path": "%s/stays%d" % (A, turn), "value": "x", "expires": "2100-01-01T00:00:00Z"})
        assert c.post("/v1/txn", json.dumps({"then": leaves})).status == 200
        time.sleep(max(0, end - time.time()) + rng.uniform(0, 0.02))
        d.kill("engine")
        d.start()
        c = d.client()
        assert c.get("%s/e%d/" % (A, turn)).status == 404
        assert c.get("%s/stays%d" % (A, turn)).status == 200
    records = Follower().follow(c)
    ends = [r["path"] for r in records if r["kind"] == "expire"]
    assert len(ends) == len(set(ends)) == 400 * (4 if SLOWER == 1 else 2)


def test_a_destroyed_version_stays_destroyed_over_a_kill(new_store):
    """What was answered as destroyed is gone from every file of the store after a kill at once."""
    d = new_store().start()
    for turn in range(10 if SLOWER == 1 else 3):
        c = d.client()
        marker = "SHRED-" + os.urandom(8).hex()
        path = "%s/s%d" % (A, turn)
        c.put(path, marker * 100)
        c.put(path, "second")
        r = c.post("/v1/txn", json.dumps({"then": [{"op": "destroy", "path": path, "version": 1}]}))
        assert r.status == 200, r
        d.kill("engine")
        for name in d.state_files():
            with open(name, "rb") as f:
                assert marker.encode() not in f.read(), name
        d.start()
        c = d.client()
        assert c.get(path + "?version=1").code == "gone" and c.get(path).body == b"second"
    Follower().follow(c)
