"""What a kill and power loss may do to the records of reads: audit.read_durability (doc/spec/trail.md). Which sectors a disk may lose is
tried out in src/registry/test-power.c; here, what each setting syncs when, and what the next start says."""
import http.client
import threading
import time

import pytest

from conftest import soon, wait_for
from trail_log import Mark, cut, frames, start_host_anew
from trail_verify import Follower, parse

A = "/registry/applications"
SETTINGS = ["reserved", "group", "none-lost"]


def served(new_store, setting, more=""):
    d = new_store()
    d.configure("audit:\n  read_durability: %s\n%s" % (setting, more))
    d.start()
    d.client().put(A + "/x", "1")
    return d


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_kill_loses_no_answered_read(new_store, setting):
    d = served(new_store, setting)

    def read(n):
        c = d.client()
        try:
            while c.get(A + "/x").status == 200:
                done[n] += 1
        except (OSError, EOFError, http.client.HTTPException):
            return  # killed

    for _ in range(5):
        done = [0] * 4
        before = d.client().status()["records"]
        threads = [threading.Thread(target=read, args=(n,), daemon=True) for n in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.2)
        d.kill("engine")
        for t in threads:
            t.join(soon(10))
        d.start()
        c = d.client()
        records = Follower().follow(c)
        assert len([r for r in records if r["kind"] == "get" and r["seq"] >= before]) >= sum(done) > 0
        start = [r for r in records if r["kind"] == "start"][-1]
        assert start["detail"] == "the run before did not end in order"  # nothing is missing: the kernel ran on


def test_none_lost_waits_for_each_record(new_store):
    d = served(new_store, "none-lost")
    c = d.client()
    before = Mark(d.db).generation
    for i in range(20):
        c.get(A + "/x")
        assert Mark(d.db).generation >= before + i + 1, "an answer came before its record was durable"


def test_group_syncs_behind_each_turn(new_store):
    d = served(new_store, "group", "  read_sync_max: 1min\n")
    c = d.client()
    before = Mark(d.db).generation
    for i in range(20):
        c.get(A + "/x")
        wait_for(lambda: Mark(d.db).generation >= before + i + 1, 5, "the records of a turn are synced before the next one")


def test_reserved_syncs_after_a_while(new_store):
    d = served(new_store, "reserved", "  read_sync_max: 5s\n")
    c = d.client()
    before = Mark(d.db)
    for _ in range(200):
        c.get(A + "/x")
    assert Mark(d.db).generation == before.generation
    wait_for(lambda: Mark(d.db).generation > before.generation, 15, "what was read is made durable")


def test_numbers_are_reserved_before_they_are_used(new_store):
    """However many reads there are, the disk says before that so many may follow."""
    d = served(new_store, "reserved", "  read_sync_max: 1min\n")
    c = d.client()
    generation = Mark(d.db).generation
    for _ in range(10):
        for _ in range(1000):
            c.get(A + "/x")
        mark = Mark(d.db)
        assert mark.reserved >= c.status()["records"]
    epochs = [f for f in frames(d.db) if parse(f.raw)["kind"] == "epoch"]
    assert generation < mark.generation <= generation + 4 + 2 * len(epochs)  # and does so rarely


def test_power_loss_is_stated_with_its_bound(new_store):
    """Reads that were answered and are gone: the next start says behind which record, and how many at most."""
    d = served(new_store, "reserved", "  read_sync_max: 1min\n")
    c = d.client()
    for _ in range(300):
        c.get(A + "/x")
    answered = c.status()["records"]
    d.kill("engine")
    mark = Mark(d.db)
    lost = [f for f in frames(d.db) if f.seq >= answered - 250]
    cut(lost[0])
    start_host_anew(d.db)
    d.start()
    c = d.client()
    start = [r for r in Follower().follow(c) if r["kind"] == "start"][-1]
    assert start["seq"] == answered - 250 + 1  # behind the record of the epoch
    bound = mark.reserved - (answered - 250)
    assert bound >= 250
    assert start["detail"] == ("the host ended before records were durable: behind record %d at most %d answered reads have none"
                               % (start["seq"] - 2, bound))
    assert "at most %d answered reads" % bound in d.log()


def test_none_lost_has_nothing_to_state(new_store):
    """Power may go at any moment: every number that was used is durable, and the next start says so by saying nothing."""
    d = served(new_store, "none-lost")
    c = d.client()
    for _ in range(100):
        c.get(A + "/x")
    answered = c.status()["records"]
    d.kill("engine")
    assert Mark(d.db).reserved == answered
    start_host_anew(d.db)
    d.start()
    start = [r for r in Follower().follow(d.client()) if r["kind"] == "start"][-1]
    assert (start["seq"], start["detail"]) == (answered + 1, "the run before did not end in order")


def test_changes_wait_for_one_sync(new_store):
    """They are durable in the database: the log is not synced for each as well."""
    for setting in SETTINGS:
        d = served(new_store, setting, "  read_sync_max: 1min\n")
        c = d.client()
        before = Mark(d.db).generation
        for i in range(100):
            assert c.put(A + "/x", str(i)).status == 200
        assert Mark(d.db).generation <= before + 2, setting


def test_another_durability_holds_from_the_reload_on(new_store):
    d = served(new_store, "none-lost", "  read_sync_max: 1min\n")
    c = d.client()
    d.configure("audit:\n  read_durability: reserved\n  read_sync_max: 1min\n")
    assert c.post("/v1/reload").status == 200
    c.get(A + "/x")
    before = Mark(d.db)
    assert before.reserved > c.status()["records"] + 1000
    for _ in range(200):
        c.get(A + "/x")
    assert Mark(d.db).generation == before.generation
    d.configure("audit:\n  read_durability: none-lost\n")
    assert c.post("/v1/reload").status == 200
    for i in range(5):
        generation = Mark(d.db).generation
        c.get(A + "/x")
        assert Mark(d.db).generation > generation
