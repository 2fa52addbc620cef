"""Removing the oldest records of the trail: who may, what goes, what stays provable, and what somebody who removes more is told."""
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from client import Stream
from conftest import SREG, Daemon, needs_root, shared_folder, wait_for
from test_checkpoint import keep, vkey
from test_cli import Sreg
from test_faults import fill, on_a_small_disk
from test_epochs import put_seeds
from test_follow import Run, once, status
from test_verify import AUTHENTICITY, INTEGRITY, ORDER, TAIL, verdicts, verify
from test_witness import anchored, newest
from trail_log import DATA, folder_of, frames, frames_of
from trail_verify import Broken, Follower, Verifier, cut_base, parse, split

A = "/registry/applications"
LONG = "/".join("l%d" % i + "o" * 40 for i in range(9))  # such records are some 650 bytes


def grow(c, files, name="x", folder=None):
    """Transactions of many puts, until the log has so many files."""
    n = 0
    while len(logs(folder)) < files:
        leaves = [{"op": "set", "path": "%s/%s/%s%d" % (A, LONG, name, i), "value": str(n)} for i in range(900)]
        r = c.post("/v1/txn", json.dumps({"then": leaves}))
        assert r.status == 200, r
        n += 1


def logs(folder):
    return sorted(n for n in os.listdir(folder) if n.endswith(".log"))


def first_of(name):
    return int(name.split(".")[0])


def make_long_store(root):
    os.mkdir(root, 0o755)
    d = Daemon(root)
    assert d.init().returncode == 0
    d.start()
    c = d.client()
    keep(d, "early", Sreg(root).ok("audit", "checkpoint"))
    keep(d, "early-proof", Sreg(root).ok("audit", "prove", "0"))
    keep(d, "seed", d.seed)
    grow(c, 3, folder=folder_of(d.db))
    keep(d, "late", Sreg(root).ok("audit", "checkpoint"))
    assert d.stop() == 0
    d.finish()


def read(d, name):
    with open(d.path(name)) as f:
        return f.read()


@pytest.fixture
def long_store(new_store):
    """A store whose trail has three files, served; a checkpoint from the first, one from the newest. It is made once."""
    made = os.path.join(shared_folder(), "long-store")
    with open(made + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(made):
            shutil.rmtree(made + ".new", ignore_errors=True)
            make_long_store(made + ".new")
            os.rename(made + ".new", made)
    d = new_store(init=False)
    shutil.copytree(made, d.root, dirs_exist_ok=True)
    d.early, d.late, d.seed, d.early_proof = d.path("early"), d.path("late"), read(d, "seed"), read(d, "early-proof")
    d.late_size = int(read(d, "late").split("\n")[1])
    d.folder = folder_of(d.db)
    return d.start()


def prune(c, what="before=999999999"):
    r = c.post("/v1/audit/prune?" + what)
    assert r.status == 200, r
    return r.data


def test_what_goes_and_what_stays(long_store):
    d = long_store
    c, sreg = d.client(), Sreg(d.root)
    names = logs(d.folder)
    second, third = first_of(names[1]), first_of(names[2])
    size = c.status()["records"]
    assert prune(c, "before=%d" % (second - 1)) == {"removed": 0, "first": 0}
    dry = prune(c, "before=%d&dry_run" % third)
    assert dry["removed"] == third and dry["first"] == 0 and logs(d.folder) == names
    done = prune(c, "before=%d" % (second + 5))
    assert done["removed"] == done["first"] == done["before"] == second and logs(d.folder) == names[1:]
    assert not os.path.exists(os.path.join(d.folder, names[0].replace(".log", ".idx")))
    assert c.status()["first_record"] == second and c.status()["records"] > size
    # the record says it, a checkpoint follows it, and all that is left is verified, by two programs
    records = Follower().follow(c)
    said = [r for r in records if r["kind"] == "prune" and r["detail"].startswith("records")]
    assert len(said) == 1 and said[0]["detail"] == "records 0 to %d removed, %d in all; head of the first %d: %s" % (
        second - 1, second, second, done["root"])
    after = [r for r in records if r["seq"] == said[0]["seq"] + 1]
    assert after[0]["kind"] == "checkpoint"
    status, v = verdicts("--key", vkey(d), "--checkpoint", d.late, d.folder)
    assert status == 0 and v["first"] == second and v["removed"] is True and v["tail"] == "ok", v
    out = sreg.ok("audit", "verify", "--key", vkey(d), "--checkpoint", d.late)
    assert "removed: records before %d, as record %d states" % (second, said[0]["seq"]) in out
    # proofs: of what is there, of what came since; old ones are as good as before
    p = sreg.ok("audit", "prove", str(second))
    assert verify("--proof", keep(d, "p", p), "--key", vkey(d)).returncode == 0
    assert verify("--proof", keep(d, "p0", d.early_proof), "--key", vkey(d)).returncode == 0
    grown = sreg.ok("audit", "prove", "--from", str(d.late_size))
    assert verify("--proof", keep(d, "g", grown), "--key", vkey(d), "--checkpoint", d.late).returncode == 0
    for gone in ("record=%d" % (second - 1), "from=%d" % (second - 1)):
        r = c.get("/v1/audit/proof?" + gone)
        assert (r.status, r.code) == (410, "gone"), r
    # queries end where the trail begins, in both directions
    up = c.get("/v1/audit?order=up&limit=3").data["records"]
    assert [r["seq"] for r in up] == [second, second + 1, second + 2]
    assert c.get("/v1/audit?kind=init").data["records"] == []
    # the rest as well, after a restart; the newest file stays
    d.stop()
    d.start()
    c = d.client()
    assert c.status()["first_record"] == second
    assert prune(c)["first"] == third and logs(d.folder) == names[2:]
    Follower().follow(c)
    status, v = verdicts("--key", vkey(d), d.folder)
    assert status == 0 and v["first"] == third and v["removed"] is True
    # a checkpoint from before says nothing about what is left, and that is said
    done = verify("--key", vkey(d), "--checkpoint", d.early, d.folder)
    assert done.returncode == TAIL and "which were removed" in done.stdout
    assert sreg("audit", "verify", "--key", vkey(d), "--checkpoint", d.early).returncode == 8


def test_until_a_time(long_store):
    d = long_store
    c = d.client()
    names = logs(d.folder)
    with open(os.path.join(d.folder, names[1]), "rb") as f:
        f.seek(DATA + 36 + 3 + 8)
        second_us = struct.unpack(">q", f.read(8))[0]

    def text(ms):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + ".%03dZ" % (ms % 1000)

    assert prune(c, "until=" + text(second_us // 1000 - 1))["removed"] == 0
    assert prune(c, "until=" + text(second_us // 1000 + 1))["first"] == first_of(names[1])
    r = c.post("/v1/audit/prune?until=yesterday")
    assert r.status == 400, r
    for bad in ("", "?before=0", "?before=5&until=" + text(second_us // 1000), "?before=x", "?before=1&other=2"):
        assert c.post("/v1/audit/prune" + bad).status == 400, bad
    out = Sreg(d.root).ok("audit", "prune", "1h", "--yes")
    assert out == ""
    assert Sreg(d.root)("audit", "prune", "0").returncode == 2


def test_removed_by_hand(long_store):
    """Whoever takes away files, with or without making the rest fit, is found; and so is who says that it was in order."""
    d = long_store
    names = logs(d.folder)
    key = vkey(d)
    copy = d.path("copy")
    shutil.copytree(d.folder, copy)
    os.unlink(os.path.join(copy, names[0]))
    status, v = verdicts("--key", key, copy)
    assert status & ORDER and v["first_bad"]["seq"] == 0 and v["records"] == 0, v
    assert "no record states" in verify(copy).stdout
    status, v = verdicts("--key", key, "--checkpoint", d.late, copy)  # a good tail does not stand for the beginning
    assert status & ORDER and v["first_bad"]["seq"] == 0, v
    # pruned in order, then somebody removes one more
    c = d.client()
    second = prune(c, "before=%d" % first_of(names[1]))["first"]
    shutil.rmtree(copy)
    shutil.copytree(d.folder, copy)
    assert verdicts("--key", key, copy)[0] == 0
    os.unlink(os.path.join(copy, names[1]))
    status, v = verdicts("--key", key, copy)
    assert status & ORDER and v["first_bad"]["seq"] == 0, v
    # another base in the head of the first file: the tree and the chain do not hang on it
    shutil.rmtree(copy)
    shutil.copytree(d.folder, copy)
    n = bin(second).count("1")
    for at in (24, 24 + 32 * (n - 1), 24 + 32 * n):
        path = os.path.join(copy, names[1])
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 1]))
        status, v = verdicts("--key", key, copy)
        assert status & (ORDER | INTEGRITY | AUTHENTICITY), (at, v)
        assert d.client().status()["records"] > second
        with open(path, "r+b") as f:
            f.seek(at)
            f.write(byte)
    assert verdicts("--key", key, copy)[0] == 0
    # the registry itself does not open without them
    d.stop()
    os.rename(os.path.join(d.folder, names[1]), d.path("kept"))
    d.start(wait=False)
    assert d.wait_end() != 0
    os.rename(d.path("kept"), os.path.join(d.folder, names[1]))
    d.start()


def test_exports(long_store):
    """The raw form and an export begin with what stands for the removed records."""
    d = long_store
    c = d.client()
    first = prune(c)["first"]
    size = c.get("/v1/checkpoint").data["size"]
    raw = c.get("/v1/audit?raw").body
    assert cut_base(raw)[0] == first
    assert cut_base(c.get("/v1/audit?raw&after=5").body)[0] == first
    assert cut_base(c.get("/v1/audit?raw&after=%d" % first).body) is None
    data, seq = raw, first + len(list(split(raw)))
    while seq < size:
        page = c.get("/v1/audit?raw&after=%d" % (seq - 1)).body
        data += page
        seq += len(list(split(page)))
    path = d.path("export")
    with open(path, "wb") as f:
        f.write(data)
    status, v = verdicts("--key", vkey(d), "--checkpoint", d.late, path)
    assert status == 0 and v["first"] == first and v["removed"] is True, v
    check = Verifier()
    check.begin(cut_base(data))
    for r in split(data):
        check.add(r)
    assert (check.size, check.root().hex()) == (v["records"], v["root"]) and check.prune_seq is not None
    for at in range(0, cut_base(data)[3], 29):
        changed = bytearray(data)
        changed[at] ^= 1
        with open(path, "wb") as f:
            f.write(changed)
        status, v = verdicts("--key", vkey(d), path)
        assert status != 0, at
        with pytest.raises((Broken, ValueError)):
            check = Verifier()
            base = cut_base(changed)
            if base:
                check.begin(base)
            for r in split(bytes(changed)):
                check.add(r)
            if check.first and check.prune_seq is None:
                raise Broken(0, "nothing says so")


def test_kill_in_the_middle(long_store):
    """The database has it, the files are still there: the next start removes them."""
    d = long_store
    names = logs(d.folder)
    kept = d.path("kept")
    os.mkdir(kept)
    for n in names[:2]:
        os.link(os.path.join(d.folder, n), os.path.join(kept, n))
    prune(d.client())
    d.kill()
    os.link(os.path.join(kept, names[1]), os.path.join(d.folder, names[1]))
    d.start()
    assert logs(d.folder) == names[2:]
    Follower().follow(d.client())
    d.stop()
    # an older database does not know of it: the log is not the one that it has
    shutil.copy(d.db, d.path("db"))
    assert verdicts("--key", vkey(d), "--database", d.db, d.folder)[0] == 0


def test_backup_and_restore(long_store):
    d = long_store
    c, sreg = d.client(), Sreg(d.root)
    first = prune(c)["first"]
    c.put(A + "/later", "1")
    path = d.path("backup")
    sreg.ok("backup", path)
    sreg.ok("backup", "--verify", path)
    c.put(A + "/later", "2")
    d.stop()
    sreg.ok("restore", path)
    d.start()
    c = d.client()
    assert c.get(A + "/later").body == b"1" and c.status()["first_record"] == first
    records = Follower().follow(c)
    assert records[0]["seq"] == first and any(r["kind"] == "restore" for r in records)
    d.stop()
    assert verdicts("--key", vkey(d), "--checkpoint", d.late, folder_of(d.db))[0] == 0


def test_seals_of_what_is_left(long_store):
    """The seed still says that what is left was written in the time of its keys; of the epoch that is cut it says nothing."""
    d = long_store
    c = d.client()
    seeds = put_seeds(d, d.seed)
    status, before = verdicts("--key", vkey(d), "--seed", seeds, d.folder)
    assert status == 0 and before["forward"] == "ok" and before["without_seed"] == 0
    first = prune(c)["first"]
    for i in range(30):
        c.put(A + "/more", str(i))
    d.stop()
    status, after = verdicts("--key", vkey(d), "--seed", seeds, "--checkpoint", d.late, d.folder)
    assert status == 0 and after["forward"] == "ok" and after["first"] == first, after
    assert after["without_seed"] < 20000 and 30 <= after["sealed"] < before["sealed"]
    # records of an ended epoch made anew, with every hash: the tags do not fit
    found = [f.raw for f in frames(d.db)]
    epochs = [n for n, raw in enumerate(found) if parse(raw)["kind"] == "epoch"]
    with open(d.path("export"), "wb") as f:
        f.write(base_of(d, first))
        last, n = None, epochs[-2] + 1
        for k, raw in enumerate(found):
            if k == n:
                raw = raw[:18] + bytes([raw[18] ^ 1]) + raw[19:]  # its clock
            if last is not None:
                raw = raw[:-32] + last
            last = hashlib.sha256(b"\0" + raw).digest()
            f.write(len(raw).to_bytes(4, "big") + raw)
    status, made = verdicts("--seed", seeds, d.path("export"))
    assert status & 16 and made["forward"] == "bad", made


def base_of(d, first):
    """What stands before the first record, from the head of its file."""
    with open(os.path.join(folder_of(d.db), "%020d.log" % first), "rb") as f:
        f.seek(16)
        return bytes(4) + f.read(8 + 32 * (bin(first).count("1") + 1))


def test_not_while_a_backup_is_taken(long_store):
    c = long_store.client()
    r = c.post("/v1/backup")
    assert r.status == 200, r
    busy = c.post("/v1/audit/prune?before=99999999")
    assert (busy.status, busy.code) == (409, "busy"), busy
    assert c.delete("/v1/backup?id=%d" % r.data["id"]).status == 200
    assert prune(c)["removed"] > 0


def test_follower_behind(long_store):
    """A stream from before the beginning says how many records are not there."""
    d = long_store
    first = prune(d.client())["first"]
    s = Stream(d.socket, "/v1/audit/follow?from=10")
    line = s.line()
    while "records" not in line:
        line = s.line()
    assert line["first"] == first
    s.close()


def test_watch_since(long_store):
    d = long_store
    c = d.client()
    first = prune(c)["first"]
    assert first > 0
    r = c.get("/v1/watch?path=%s&since=1" % A)
    assert (r.status, r.code) == (410, "gone"), r
    assert "removed" in r.json["error"]["message"]


def test_a_watch_left_behind(daemon):
    """Who takes nothing while changes that he was to be told are removed hears that they are gone."""
    c = daemon.client()
    folder = folder_of(daemon.db)
    s = Stream(daemon.socket, "/v1/watch?path=" + A, timeout=60)
    s.line()
    grow(c, 2, folder=folder)
    assert prune(c)["first"] > 0
    line = s.line()
    while line is not None and "ended" not in line:
        line = s.line()
    assert line["ended"] == "gone", line
    s.close()


def test_a_new_witness(long_store):
    """It begins behind what was removed, and signs once a record has said so; one that has not seen what is gone signs no more."""
    d = long_store
    c = d.client()
    first = prune(c)["first"]
    once(d, "witness")
    size, _, _ = newest(d)
    assert size > first
    code, text = anchored(d)
    assert code == 0 and "removed: records before %d" % first in text, text
    grow(c, 3, name="y", folder=d.folder)
    assert prune(c)["first"] > size
    r = Run(d, "witness")
    try:
        wait_for(lambda: "does not continue" in status(d, "witness")["trouble"], 20, "it says so")
    finally:
        r.finish()
    assert newest(d)[0] == size


@needs_root
def test_who_may(long_store):
    d = long_store
    c = d.client()
    ann = d.actor(5001)
    bob = d.actor(5002)
    for role in (None, "auditor", "operator", "list,read,write,delete,grant,audit"):
        if role:
            c.allow("/registry", "uid:5001", role)
        r = ann.post("/v1/audit/prune?before=99999999")
        assert (r.status, r.code) == (403, "refused"), (role, r)
    assert c.status()["first_record"] == 0
    c.allow("/registry", "uid:5001", "admin")
    c.allow("/registry", "uid:5002", "admin")
    # where it is configured, a second person has to approve
    d.configure("audit:\n  prune_approval: yes\n")
    assert c.post("/v1/reload").status == 200
    r = ann.post("/v1/audit/prune?before=99999999")
    assert (r.status, r.code) == (202, "pending"), r
    assert ann.post("/v1/audit/prune?before=99999999&dry_run").status == 200
    number = int(r.headers["secreg-approval"])
    assert c.status()["first_record"] == 0
    shown = bob.get("/v1/approvals?id=%d" % number).data
    assert shown["requests"] == [{"op": "prune", "before": 99999999}]
    assert ann.post("/v1/approvals?id=%d" % number).status == 403
    assert bob.post("/v1/approvals?id=%d" % number).status == 200
    assert c.status()["first_record"] > 0
    records = Follower().follow(c)
    said = [r for r in records if r["kind"] == "prune" and r["outcome"] == 0]
    assert said[-1]["uid"] == 5001 and re.match("approval %d by uid:5002: records 0 to " % number, said[-1]["detail"])
    assert verdicts("--key", vkey(d), d.folder)[0] == 0


@needs_root
def test_rule_wants_a_second_person(long_store):
    d = long_store
    c = d.client()
    ann = d.actor(5001)
    c.allow("/registry", "uid:5001", "admin")
    r = c.post("/v1/acl", json.dumps({"path": "/registry", "effect": "approve", "principal": "any", "actions": "delete"}))
    assert r.status == 200, r
    r = ann.post("/v1/audit/prune?before=99999999")
    assert (r.status, r.code) == (202, "pending"), r
    assert c.status()["first_record"] == 0


def test_a_missing_beginning_in_numbers(long_store):
    d = long_store
    copy = d.path("copy")
    shutil.copytree(d.folder, copy)
    os.unlink(os.path.join(copy, logs(copy)[0]))
    status, v = verdicts("--key", vkey(d), copy)
    assert status & ORDER and (v["records"], v["running"], v["sealed"], v["signed"]) == (0, 0, 0, None), v
    assert "authenticity: not checked\n" in verify("--key", vkey(d), copy).stdout


def engine_of(d):
    return d.roles()["engine"]


def test_two_in_one_turn(long_store):
    """What the first has stated stays true: the second is told to come again."""
    d = long_store
    third = first_of(logs(d.folder)[2])
    raws = [d.raw() for _ in range(2)]
    for raw in raws:
        raw.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.reply()
    engine = engine_of(d)
    os.kill(engine, signal.SIGSTOP)
    for raw, before in zip(raws, (third, first_of(logs(d.folder)[1]))):
        raw.send("POST /v1/audit/prune?before=%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % before)
        time.sleep(0.2)
    os.kill(engine, signal.SIGCONT)
    first, second = [raw.reply() for raw in raws]
    assert first.status == 200 and first.data["first"] == third, first
    assert (second.status, second.code) == (409, "busy") or second.data["removed"] == 0, second
    d.restart()
    c = d.client()
    assert c.status()["first_record"] == third
    said = [r for r in Follower().follow(c) if r["kind"] == "prune" and r["detail"].startswith("records")]
    assert len(said) == 1


def test_a_proof_of_a_version(daemon):
    """The record that made the version is gone: that is said, and not that there is no entry."""
    c = daemon.client()
    c.put(A + "/early", "1")
    sreg = Sreg(daemon.root)
    sreg.ok("get", A + "/early", "--proof", daemon.path("p"))
    grow(c, 2, folder=folder_of(daemon.db))
    prune(c)
    r = c.get("/v1/audit/proof?path=" + A + "/early")
    assert (r.status, r.code) == (410, "gone") and "removed" in r.json["error"]["message"], r
    c.put(A + "/early", "2")
    assert c.get("/v1/audit/proof?path=" + A + "/early").status == 200


def used(path):
    with open(path, "rb") as f:
        return DATA + sum(36 + len(raw) for _, _, raw in frames_of(f.read(), DATA))


def test_watch_since_when_what_is_left_begins_locked(daemon):
    """Records that were made while locked have no revision: the changes before them are gone all the same."""
    c = daemon.client()
    folder = folder_of(daemon.db)
    c.put(A + "/w", "1")
    since = c.status()["revision"]
    c.put(A + "/w", "2")
    newest = os.path.join(folder, logs(folder)[-1])
    while used(newest) < (15 << 20) + 300000:
        leaves = [{"op": "set", "path": "%s/%s/x%d" % (A, LONG, i), "value": "1"} for i in range(900)]
        assert c.post("/v1/txn", json.dumps({"then": leaves})).status == 200
    assert len(logs(folder)) == 1 and c.post("/v1/lock").status == 200
    for k in range(60):
        if len(logs(folder)) == 2:
            break
        for i in range(100):
            c.get(A + "/" + LONG + "/y%d" % i)
    assert c.post("/v1/unlock").status == 200
    assert prune(c)["first"] > 0
    assert c.get("/v1/audit?order=up&limit=1").data["records"][0]["revision"] == 0
    r = c.get("/v1/watch?path=%s&since=%d" % (A, since))
    assert (r.status, r.code) == (410, "gone"), r
    now = c.status()["revision"]
    s = Stream(daemon.socket, "/v1/watch?path=%s&since=%d" % (A, now))
    assert s.line()["revision"] == now
    s.close()


class Between:
    """What a client and the daemon say to each other, through here; `on_ask` sees each piece of a request."""

    def __init__(self, d, root, on_ask):
        os.makedirs(root + "/run/secreg")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(root + "/run/secreg/socket")
        self.listener.listen(8)
        self.d, self.on_ask = d, on_ask
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            b = socket.socket(socket.AF_UNIX)
            b.connect(self.d.socket)
            threading.Thread(target=self.pump, args=(a, b, self.on_ask), daemon=True).start()
            threading.Thread(target=self.pump, args=(b, a, None), daemon=True).start()

    @staticmethod
    def pump(a, b, see):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                if see:
                    see(data)
                b.sendall(data)
        except OSError:
            pass


def test_removed_while_it_is_verified(long_store):
    """An honest trail is not called damaged because somebody removes records meanwhile."""
    d, asked = long_store, []

    def on_ask(data):
        if b"audit?raw" in data:
            asked.append(data)
            if len(asked) == 3:
                prune(d.client())
    between = Between(d, d.path("between"), on_ask)
    done = Sreg(d.path("between"))("audit", "verify", "--key", vkey(d))
    between.listener.close()
    assert done.returncode == 7 and b"verify it again" in done.stderr, done


def test_a_base_that_is_longer_than_the_trail(tmp_path):
    """A hostile daemon, seen at a terminal: no number of it reaches beyond the bar."""
    root = str(tmp_path)
    os.makedirs(root + "/run/secreg")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(root + "/run/secreg/socket")
    listener.listen(8)

    def answer(c):
        have = b""
        while True:
            data = c.recv(65536)
            if not data:
                return
            have += data
            while b"\r\n\r\n" in have:
                head, have = have.split(b"\r\n\r\n", 1)
                kind, body = b"application/octet-stream", bytes(4) + struct.pack(">Q", 1 << 40) + b"\1" * 64
                if b"raw" not in head.split(b"\r\n")[0]:
                    kind, body = b"application/json", json.dumps({
                        "success": True, "request_id": "5d004beb00000040", "timestamp": "2026-11-27T14:39:34.938Z", "error": None,
                        "data": {"size": 30000, "root": "00" * 32, "last": "00" * 32, "note": None, "key": None}}).encode()
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: %s\r\n\r\n" % (len(body), kind) + body)

    def serve():
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(c,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    master, terminal = pty.openpty()
    done = subprocess.run([SREG, "--root", root, "audit", "verify"], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, timeout=60)
    listener.close()
    for fd in (master, terminal):
        os.close(fd)
    assert done.returncode > 0, done


@on_a_small_disk("96m")
def test_prune_on_a_full_disk(d):
    """When the disk is full, the oldest records can be removed, which is recorded and signed; and everything goes on."""
    d.start()
    c = d.client()
    folder = folder_of(d.db)
    grow(c, 3, folder=folder)
    c.get("/v1/audit?kind=login")  # makes all summaries
    ballast = fill(d)
    full = None
    for i in range(3000):
        full = c.put(A + "/m%d" % i, "x" * 5000)
        if full.status != 201:
            break
    assert (full.status, full.code) == (507, "storage-full"), full
    assert c.status()["storage"] == "full" and c.put(A + "/n", "1").status == 507
    done = prune(c)
    assert done["removed"] > 0 and len(logs(folder)) == 1
    assert c.put(A + "/after", "1").status == 201 and c.status()["storage"] == "ok"
    records = Follower().follow(c)
    kinds = [r["kind"] for r in records]
    assert records[0]["seq"] == done["first"] and kinds.count("store-full") >= 2 and "prune" in kinds
    assert os.path.getsize(ballast) > 0
    d.restart()
    assert verdicts("--key", vkey(d), folder)[0] == 0
