"""GET /v1/audit/follow (doc/spec/follow.md): the whole trail as it becomes durable, to who may read it."""
import base64
import threading
import time

import pytest

from client import Client, Stream
from conftest import needs_root, soon, wait_for
from trail_verify import Follower, Verifier, split

A = "/registry/applications"


class Follow(Stream):
    """Every record it is told goes through a verifier."""

    def __init__(self, d, first=0, verifier=None):
        super().__init__(d.socket, "/v1/audit/follow?from=%d" % first, soon(20))
        self.next = first
        self.verifier = verifier or Verifier()
        self.records = []

    def step(self):
        """One line. Returns why it ended, if it did."""
        x = self.line()
        assert x is not None, "cut"
        if "records" not in x:
            assert x["next"] == self.next
            return x.get("ended")
        assert x["first"] == self.next
        for raw in split(base64.b64decode(x["records"])):
            self.records.append(self.verifier.add(raw))
            self.next += 1
        assert x["next"] == self.next == self.verifier.size
        return None

    def until(self, size):
        while self.next < size:
            assert self.step() is None
        return self.records

    def end(self):
        why = None
        while why is None:
            why = self.step()
        assert self.line() is None and self.raw.is_over()
        return why


@pytest.fixture
def follow():
    made = []

    def make(*args, **named):
        made.append(Follow(*args, **named))
        return made[-1]

    yield make
    for f in made:
        f.close()


def size(c):
    return c.get("/v1/checkpoint").data["size"]


def test_all_of_it(daemon, c, follow):
    for i in range(3000):
        c.get(A + "/nothing%d" % i)
    f = follow(daemon)
    f.until(size(c))
    whole = Follower()
    whole.follow(c)
    assert f.records == whole.records[:len(f.records)]
    assert {r["kind"] for r in f.records} >= {"init", "start", "epoch", "checkpoint", "get"}


def test_what_comes(daemon, c, follow):
    f = follow(daemon)
    f.until(size(c))
    for i in range(20):
        assert c.put(A + "/a", str(i)).status in (200, 201)
        f.until(size(c) - 1)  # asking for the size is a record as well
    said = [r for r in f.records if r["path"] == A + "/a"]
    assert len(said) == 20
    # telling leaves no record: nothing more comes by itself
    n = f.next
    f.until(size(c))
    assert f.next <= n + 2


def test_going_on(daemon, c, follow):
    f = follow(daemon)
    f.until(size(c))
    f.close()
    c.put(A + "/a", "1")
    g = follow(daemon, first=f.next, verifier=f.verifier)
    g.until(size(c))
    assert [r["kind"] for r in g.records if r["path"] == A + "/a"] == ["set"]


def test_its_beginning_is_recorded(daemon, c, follow):
    f = follow(daemon, first=2, verifier=None)
    f.read_head()
    r = c.get("/v1/audit?kind=audit-read&limit=5").data["records"]
    assert [x["outcome"] for x in r if x["detail"] == "follow from 2"] == ["done"]


def test_behind_the_end(daemon, c):
    r = c.get("/v1/audit/follow?from=%d" % (size(c) + 100))
    assert (r.status, r.code) == (410, "gone")
    for bad in ("from=-1", "from=x", "after=1", "from=1&raw"):
        assert c.get("/v1/audit/follow?" + bad).status == 400


def test_while_locked(daemon, c, follow):
    f = follow(daemon)
    f.until(size(c))
    assert c.post("/v1/lock").status == 200
    end = c.get("/v1/status").status and size(c)
    f.until(end)
    assert "lock" in [r["kind"] for r in f.records]
    g = follow(daemon)
    g.until(end)


def test_a_stop_is_said(daemon, c, follow):
    f = follow(daemon)
    f.until(size(c))
    t = threading.Thread(target=daemon.stop)
    t.start()
    assert f.end() == "stopping"
    t.join()


@needs_root
def test_only_who_may_read_the_trail(daemon, c, follow):
    alice = daemon.actor(1234)
    r = alice.request("GET", "/v1/audit/follow")
    assert (r.status, r.code) == (403, "refused")
    kinds = [x["outcome"] for x in c.get("/v1/audit?kind=audit-read&uid=1234").data["records"]]
    assert kinds == ["refused"]


def test_only_what_power_loss_cannot_take(new_store, follow):
    d = new_store(config="audit:\n  read_sync_max: 60s\n  checkpoint_interval: 1h\n").start()
    c = d.client()
    f = follow(d)
    c.put(A + "/a", "1")
    f.until(size(c) - 1)
    told = f.next
    for _ in range(5):
        c.get(A + "/a")  # their records are not durable yet
    time.sleep(0.3)
    f.raw.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        f.raw.sock.recv(1)
    f.raw.sock.settimeout(soon(20))
    c.put(A + "/a", "2")  # with a change they are
    f.until(told + 7)
    assert [r["kind"] for r in f.records[told:]].count("get") == 5


def test_who_takes_nothing_hinders_nobody(daemon, c, follow):
    f = follow(daemon)
    f.read_head()
    for i in range(6000):
        c.get(A + "/" + "x" * 200)
    assert c.status()["followers"] == 1
    f.until(size(c))  # and gets all of it in the end


def test_limits(new_store, follow):
    d = new_store(config="limits:\n  watches_per_uid: 3\n").start()
    c = d.client()
    made = [follow(d) for _ in range(3)]
    for f in made:
        f.read_head()
        assert f.refusal is None
    r = c.get("/v1/audit/follow")
    assert r.status == 429, r
    made[0].close()
    wait_for(lambda: c.status()["followers"] == 2, 10, "a closed one is gone")
    f = follow(d)
    f.until(1)


def test_many_at_once(daemon, follow):
    fs = [follow(daemon) for _ in range(8)]
    stop = threading.Event()

    def work():
        c = Client(daemon.socket, soon(20))
        i = 0
        while not stop.is_set():
            i += 1
            c.put(A + "/w", str(i))
            c.get(A + "/w")
        c.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for f in fs:
        f.until(2000)
    stop.set()
    for t in threads:
        t.join()
