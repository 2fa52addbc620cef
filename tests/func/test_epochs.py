"""Epochs of the trail: what a seed proves that was told once, on stores that run, are killed, broken into, and restored."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import SREG, soon, wait_for
from test_attacks import chained, export
from test_checkpoint import vkey
from test_cli import Sreg
from test_verify import AUTHENTICITY, INTEGRITY, ORDER, USAGE, UNREADABLE, verdicts, verify
from trail_log import folder_of, frames
from trail_verify import Broken, Epochs, Verifier, parse

A = "/registry/applications"
FORWARD = 16
CONFIG = "audit:\n  checkpoint_records: 20\n"


def put_seeds(d, *seeds):
    with open(d.path("seeds"), "w") as f:
        f.write("".join(seeds))
    return d.path("seeds")


def again(records, *seeds):
    """What the other implementation says."""
    v, e = Verifier(), Epochs(*seeds)
    for raw in records:
        r = v.add(raw)
        e.add(r, v.last)
    return e


def compare(d, *seeds):
    """Both verifiers, on the files; they must say the same."""
    status, said = verdicts("--seed", put_seeds(d, *seeds), folder_of(d.db))
    records = [f.raw for f in frames(d.db)]
    try:
        e = again(records, *seeds)
    except Broken as broken:
        assert status == FORWARD and said["first_bad"]["seq"] == broken.seq
        return status, said
    assert (said["sealed"], said["lost"], said["without_seed"], said["epochs"], said["running"]) == (
        e.sealed, e.lost, e.uncovered, e.count, len(records) - e.first)
    assert said["sealed"] + said["lost"] + said["without_seed"] + said["running"] == said["records"]
    return status, said


def work(d, n=50):
    c = d.client()
    for i in range(n):
        if i % 3 == 0:
            c.put(A + "/x%d" % (i % 5), str(i))
        else:
            c.get(A + "/x%d" % (i % 5))


@pytest.fixture
def store(new_store):
    d = new_store(config=CONFIG)
    d.start()
    work(d)
    return d


def epochs_of(records):
    return [i for i, raw in enumerate(records) if parse(raw)["kind"] == "epoch"]


def files_below(root):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                yield path


def test_the_seed_is_told_once_and_is_nowhere(store):
    assert re.fullmatch("secreg-seed:0:[0-9a-f]{64}\n", store.seed)
    seed = store.seed.strip().rpartition(":")[2]
    wait_for(lambda: all(bytes.fromhex(seed) not in open(p, "rb").read() for p in files_below(store.root)), 10,
             "the seed is still in a file")
    assert all(seed.encode() not in open(p, "rb").read() for p in files_below(store.root))


def test_a_store_whose_seed_cannot_be_told_is_not_made(new_store):
    d = new_store(init=False)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SREG, "--root", d.root, "init", "--slot", "key-file"], stdout=full, stderr=subprocess.PIPE, timeout=soon(30))
    assert done.returncode == 1 and b"cannot make the registry" in done.stderr
    assert not os.path.exists(d.db)


def test_a_restore_whose_seed_cannot_be_told_says_so(store):
    s = Sreg(store.root)
    s.ok("backup", store.path("b"))
    store.stop()
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SREG, "--root", store.root, "restore", store.path("b")], stdout=full, stderr=subprocess.PIPE, timeout=soon(30))
    assert done.returncode == 1 and b"audit seed could not be told" in done.stderr
    new = s.json("restore", store.path("b"))["seed"]
    store.start()
    store.stop()
    assert compare(store, store.seed, new + "\n")[0] == 0


def test_live_and_closed(store):
    status, said = compare(store, store.seed)
    assert status == 0 and said["forward"] == "ok" and said["epochs"] >= 3 and said["lost"] == 0
    store.stop()
    status, said = compare(store, store.seed)
    assert status == 0 and said["running"] == 1  # the record that ended the last one
    for _ in range(3):
        store.start()
        work(store, 5)
        store.stop()
    status, said = compare(store, store.seed)
    assert status == 0 and said["running"] == 1 and said["lost"] == 0
    with open(folder_of(store.db) + "/epoch.key", "rb") as f:
        held = f.read()
    assert held.count(b"SRTRKEY") == 1
    text = verify("--seed", put_seeds(store, store.seed), folder_of(store.db)).stdout
    assert "forward: ok, %d records sealed in %d epochs" % (said["sealed"], said["epochs"]) in text


def test_while_locked_epochs_end_as_well(store):
    Sreg(store.root).ok("lock")
    before = len(epochs_of([f.raw for f in frames(store.db)]))
    c = store.client()
    for _ in range(50):
        assert c.get(A + "/x1").status == 503
    store.stop()
    status, said = compare(store, store.seed)
    records = [f.raw for f in frames(store.db)]
    assert status == 0 and said["lost"] == 0
    assert len(epochs_of(records)) >= before + 2


def test_what_a_kill_costs_is_counted(store):
    c = store.client()
    for i in range(5):
        c.put(A + "/last", str(i))
    for _ in range(3):
        c.get(A + "/last")
    store.kill("engine")
    store.start()
    store.stop()
    status, said = compare(store, store.seed)
    assert status == 0 and said["forward"] == "ok"
    assert said["lost"] <= 3 + 1  # changes are sealed beside themselves
    records = [parse(f.raw) for f in frames(store.db)]
    assert [r["detail"] for r in records if r["kind"] == "start"][-1] == "the run before did not end in order"


def test_broken_into(store):
    """Somebody takes everything that is on the host, and makes another past with it: whatever was before."""
    store.stop()
    records = [f.raw for f in frames(store.db)]
    places = epochs_of(records)
    seeds = put_seeds(store, store.seed)
    for seq in list(range(0, places[-1], 7)) + [places[-1] - 1, places[1]]:
        raw = bytearray(records[seq])
        raw[18] ^= 1  # its clock
        for changed in (records[:seq] + [bytes(raw)] + records[seq + 1:], records[:seq] + records[seq + 1:]):
            made = chained(changed)
            status, said = verdicts("--seed", seeds, export(store, made))
            assert status & FORWARD and said["forward"] == "bad", seq
            with pytest.raises(Broken):
                again(made, store.seed)
            assert verdicts(export(store, made))[0] & (INTEGRITY | ORDER) == 0  # nothing else shows it


def test_an_epoch_left_out(store):
    store.stop()
    records = [f.raw for f in frames(store.db)]
    places = epochs_of(records)
    for a, b in zip(places, places[1:]):
        made = chained(records[:a] + records[b:])
        status, said = verdicts(export(store, made))
        assert status == FORWARD and said["first_bad"]["seq"] == a
        with pytest.raises(Broken):
            again(made)


def test_sealed_under_keys_of_another_epoch(store):
    """Old records with tags that later keys make: each record is bound to its place in its epoch."""
    store.stop()
    records = [f.raw for f in frames(store.db)]
    places = epochs_of(records)
    e = Epochs(store.seed)
    e.begin(0, 0)
    for _ in range(len(places)):  # the newest start key, which lies in the file, for records of the first epochs
        e.begin(e.number + 1, 0)
    v = Verifier()
    for raw in records[:places[1]]:
        v.add(raw)
        e.add({"kind": "get"}, v.last)
    said = parse(records[places[1]])["detail"]
    forged = said[:said.index(": ") + 2] + e.tags[-1].hex()
    raw = records[places[1]].replace(said.encode(), forged.encode())
    made = chained(records[:places[1]] + [raw] + records[places[1] + 1:])
    status, verdict = verdicts("--seed", put_seeds(store, store.seed), export(store, made))
    assert status == FORWARD and verdict["first_bad"]["seq"] == places[1]


def test_wrong_seeds(store):
    good = store.seed.strip()
    other = good[:-1] + ("0" if good[-1] != "0" else "1")
    assert verdicts("--seed", put_seeds(store, other), folder_of(store.db))[0] == FORWARD
    for bad in ("", "hello\n", good[:-1], good + "0", good.upper(), good.replace(":0:", ":00:"), (good + "\n") * 40):
        done = verify("--seed", put_seeds(store, bad), folder_of(store.db))
        assert done.returncode == UNREADABLE and good.rpartition(":")[2] not in done.stderr, bad
    assert verify("--seed", store.path("none"), folder_of(store.db)).returncode == UNREADABLE
    assert verify("--seed", put_seeds(store, good), "--proof", "x", "--key", vkey(store)).returncode == USAGE


def test_a_restored_trail_has_a_new_seed(store):
    s = Sreg(store.root)
    backup = store.path("b")
    s.ok("backup", backup)
    work(store, 30)
    store.stop()
    new = s.json("restore", backup)["seed"] + "\n"
    assert new.split(":")[1] != "0" and new != store.seed
    store.start()
    work(store, 30)
    store.stop()
    status, both = compare(store, store.seed, new)
    assert status == 0 and both["without_seed"] == 0 and both["lost"] <= 25
    status, first = compare(store, store.seed)
    assert status == 0 and first["without_seed"] > 20 and first["sealed"] < both["sealed"]
    status, second = compare(store, new)
    assert status == 0 and second["sealed"] + first["sealed"] == both["sealed"]
    assert len([1 for f in frames(store.db) if parse(f.raw)["detail"].endswith(", new seed")]) == 1


def test_without_its_key_the_registry_does_not_open(store):
    store.stop()
    key = folder_of(store.db) + "/epoch.key"
    shutil.copy(key, store.path("kept.key"))
    os.unlink(key)
    store.expects_trouble = True
    store.start(wait=False)
    assert store.wait_end() != 0
    assert "epoch.key" in store.log()
    shutil.copy(store.path("kept.key"), key)
    store.start()
    store.stop()
    assert compare(store, store.seed)[0] == 0


def test_an_older_log_put_back_beside_its_key(store):
    store.stop()
    shutil.copytree(store.path("var"), store.path("older"))
    store.start()
    work(store, 30)
    store.stop()
    shutil.copy(folder_of(store.db) + "/epoch.key", store.path("newer.key"))
    shutil.rmtree(store.path("var"))
    shutil.copytree(store.path("older"), store.path("var"))
    shutil.copy(store.path("newer.key"), folder_of(store.db) + "/epoch.key")
    store.expects_trouble = True
    store.start(wait=False)
    assert store.wait_end() != 0
