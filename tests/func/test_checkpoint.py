"""Signed checkpoints: what the daemon signs is checked here by another implementation, and what sreg accepts is made here."""
import base64
import hashlib
import json
import os
import re
import shutil
import sqlite3

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from client import Stream
from test_cli import Sreg
from trail_log import cut, frames, start_host_anew
from trail_verify import Verifier, split

A = "/registry/applications"
DASH = "— "


class Key:
    """C2SP signed-note: NAME+ID+BASE64(1, public key); the id is the beginning of a hash."""

    def __init__(self, vkey):
        self.name, self.id, rest = vkey.split("+", 2)
        raw = base64.b64decode(rest, validate=True)
        assert raw[0] == 1 and len(raw) == 33
        assert hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4].hex() == self.id
        self.public = Ed25519PublicKey.from_public_bytes(raw[1:])


def check(note, key):
    """Size and root of a checkpoint with a good signature of the key."""
    body, signatures = note.rsplit("\n\n", 1)
    body += "\n"
    [mine] = [s for s in signatures.splitlines() if s.startswith(DASH + key.name + " ")]
    raw = base64.b64decode(mine.split(" ")[2], validate=True)
    assert raw[:4].hex() == key.id
    key.public.verify(raw[4:], body.encode())
    origin, size, root = body.splitlines()
    assert origin == key.name
    return int(size), base64.b64decode(root, validate=True)


def forge(private, name, size, root, origin=None):
    body = "%s\n%d\n%s\n" % (origin or name, size, base64.b64encode(root).decode())
    public = b"\x01" + private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    note = "%s\n%s%s %s\n" % (body, DASH, name, base64.b64encode(id + private.sign(body.encode())).decode())
    return note, "%s+%s+%s" % (name, id.hex(), base64.b64encode(public).decode())


def raws(c, size):
    found = []
    while len(found) < size:
        found += list(split(c.get("/v1/audit?raw" + ("&after=%d" % (len(found) - 1) if found else "")).body))
    return found[:size]


@pytest.fixture
def sreg(daemon):
    return Sreg(daemon.root)


def vkey(d):
    with open(d.path("etc/secreg/trail.vkey")) as f:
        return f.read().strip()


def keep(d, name, text):
    path = d.path(name)
    with open(path, "w") as f:
        f.write(text)
    return path


def test_a_checkpoint_is_what_the_trail_amounts_to(daemon, sreg):
    c = daemon.client()
    for i in range(30):
        c.put(A + "/x", str(i))
    head = c.get("/v1/checkpoint").data
    assert head["key"] == vkey(daemon) and oct(os.stat(daemon.path("etc/secreg/trail.vkey")).st_mode & 0o777) == "0o644"
    key = Key(head["key"])
    assert re.fullmatch(r"secreg/[0-9a-f]{32}", key.name)
    size, root = check(head["note"], key)
    assert (size, root.hex()) == (head["size"], head["root"])
    v = Verifier()
    for r in raws(c, size):
        v.add(r)
    assert v.root() == root
    with pytest.raises(InvalidSignature):
        check(head["note"].replace("\n%d\n" % size, "\n%d\n" % (size + 1)), key)
    assert sreg.ok("audit", "checkpoint", "--key") == head["key"] + "\n"
    said = sreg.ok("audit", "checkpoint")
    assert check(said, key)[0] > size
    assert check(json.loads(sreg.ok("--json", "audit", "checkpoint"))["note"], key)[0] > size


def test_a_locked_registry_signs_nothing(daemon, sreg):
    c = daemon.client()
    c.post("/v1/lock")
    d = c.get("/v1/checkpoint").data
    assert d["note"] is None and d["key"] is None and d["size"] > 0
    done = sreg("audit", "checkpoint")
    assert done.returncode != 0 and "signs nothing" in done.err and done.out == ""


def test_the_key_stays_over_restart_rekey_and_restore(daemon, sreg):
    key = vkey(daemon)
    kept = sreg.ok("audit", "checkpoint")
    daemon.restart()
    assert daemon.client().get("/v1/checkpoint").data["key"] == key
    slots = daemon.client().get("/v1/slots").data["slots"]
    with open(daemon.key, "rb") as f:
        material = base64.b64encode(f.read()).decode()
    r = daemon.client().post("/v1/rekey", json.dumps({"slots": [{"id": slots[0]["id"], "material": material}]}))
    assert r.status == 200, r
    assert daemon.client().get("/v1/checkpoint").data["key"] == key
    daemon.restart()
    assert daemon.client().get("/v1/checkpoint").data["key"] == key
    path = keep(daemon, "kept", kept)
    assert "checkpoint: ok" in sreg.ok("audit", "verify", "--checkpoint", path)
    backup = daemon.path("b")
    sreg.ok("backup", backup)
    assert daemon.stop() == 0
    sreg.ok("restore", backup)
    daemon.start()
    assert daemon.client().get("/v1/checkpoint").data["key"] == key
    assert "checkpoint: ok" in sreg.ok("audit", "verify", "--checkpoint", path)


def test_verify_against_what_was_kept(daemon, sreg):
    c = daemon.client()
    path = keep(daemon, "kept", sreg.ok("audit", "checkpoint"))
    for i in range(50):
        c.put(A + "/x", str(i))
    d = sreg.json("audit", "verify", "--checkpoint", path, "--key", vkey(daemon))
    assert d["tail"] == "ok" and d["anchored"] < d["records"]
    with open(path) as f:
        assert "checkpoint: ok" in sreg.ok("audit", "verify", "--checkpoint", "-", "--key", daemon.path("etc/secreg/trail.vkey"), stdin=f.read().encode())
    assert "signatures: ok" in sreg.ok("audit", "verify", "--key", vkey(daemon))
    assert sreg("audit", "verify", "--key", "nobody").returncode == 2
    d = sreg.json("audit", "verify")
    assert d["signatures"] == "ok" and 0 < d["signed"] < d["records"]
    os.rename(daemon.path("etc/secreg/trail.vkey"), daemon.path("etc/secreg/away"))
    assert "signatures: not checked" in sreg.ok("audit", "verify")
    os.rename(daemon.path("etc/secreg/away"), daemon.path("etc/secreg/trail.vkey"))
    for text in ("nothing", "", "x" * 20000):
        assert sreg("audit", "verify", "--checkpoint", keep(daemon, "bad", text)).returncode == 2
    assert sreg("audit", "verify", "--checkpoint", daemon.path("absent")).returncode == 2
    assert sreg("audit", "verify", "--checkpoint", path, "--key", "nobody").returncode == 2


def test_of_others_and_forged_ones_are_refused(daemon, new_store, sreg):
    c = daemon.client()
    other = new_store().start()
    foreign = Sreg(other.root).ok("audit", "checkpoint")
    done = sreg("audit", "verify", "--checkpoint", keep(daemon, "foreign", foreign))
    assert done.returncode == 8 and "not signed by the key" in done.err
    head = c.get("/v1/checkpoint").data
    private, name = Ed25519PrivateKey.generate(), head["key"].split("+")[0]
    note, their_key = forge(private, name, head["size"], bytes.fromhex(head["root"]))
    assert sreg("audit", "verify", "--checkpoint", keep(daemon, "forged", note)).returncode == 8
    # who believes another key, made by another implementation, is told that the trail is not signed by it
    done = sreg("audit", "verify", "--checkpoint", daemon.path("forged"), "--key", their_key)
    assert done.returncode == 8 and "signatures: bad" in done.out and "first bad record: 3 is a checkpoint without" in done.out
    changed = head["note"].replace("\n%d\n" % head["size"], "\n%d\n" % (head["size"] - 1))
    done = sreg("audit", "verify", "--checkpoint", keep(daemon, "changed", changed))
    assert done.returncode == 8 and "the signature" in done.err


def test_a_cut_tail_is_seen(daemon, sreg):
    c = daemon.client()
    for i in range(30):
        c.get(A + "/read%d" % i)
    path = keep(daemon, "kept", sreg.ok("audit", "checkpoint"))
    daemon.kill("engine")
    cut(frames(daemon.db)[-15])
    start_host_anew(daemon.db)  # so that it can be taken for power loss
    daemon.start()
    done = sreg("audit", "verify", "--checkpoint", path)
    assert done.returncode == 8 and "checkpoint: not what the trail is, or was cut to" in done.out, done
    assert json.loads(sreg("--json", "audit", "verify", "--checkpoint", path).out)["tail"] == "bad"
    for i in range(60):
        daemon.client().get(A + "/other%d" % i)
    assert sreg("audit", "verify", "--checkpoint", path).returncode == 8


def test_an_older_store_put_back_is_seen(daemon, sreg):
    state = daemon.path("var/lib/secreg")
    daemon.client().put(A + "/x", "1")
    assert daemon.stop() == 0
    shutil.copytree(state, state + ".old")
    daemon.start()
    daemon.client().put(A + "/x", "2")
    path = keep(daemon, "kept", sreg.ok("audit", "checkpoint"))
    assert daemon.stop() == 0
    shutil.rmtree(state)
    os.rename(state + ".old", state)
    daemon.start()
    assert daemon.client().get(A + "/x").body == b"1"  # whole, consistent, and yesterday's
    assert sreg.ok("audit", "verify")
    assert sreg("audit", "verify", "--checkpoint", path).returncode == 8


def test_a_signer_that_was_taken_away_keeps_it_locked(daemon):
    assert daemon.stop() == 0
    db = sqlite3.connect(daemon.db)
    db.execute("UPDATE meta SET value = zeroblob(length(value)) WHERE name = 'trail-signer'")
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    daemon.expects_trouble = True
    daemon.start()
    c = daemon.client()
    assert c.status()["state"] == "locked"
    r = c.post("/v1/unlock")
    assert r.code == "corrupt" and "signs checkpoints" in r.json["error"]["message"]


def durable(d):
    """How many records power loss cannot take: what a follower is told."""
    s = Stream(d.socket, "/v1/audit/follow?from=0")
    end = s.line()["end"]
    s.close()
    return end


def test_what_is_signed_is_durable(new_store):
    """Power loss takes no record that a head covers which was given away: who kept it would find another trail."""
    d = new_store(config="audit:\n  read_sync_max: 60s\n").start()
    c = d.client()
    c.put(A + "/x", "1")
    for target in ("/v1/checkpoint", "/v1/audit/proof?record=1", "/v1/audit/proof?from=2", "/v1/audit/proof?path=%s/x" % A):
        for _ in range(20):
            c.get(A + "/x")
        assert durable(d) < c.status()["records"] - 15, "reads alone are not made durable at once"
        size = c.get(target).data["size"]
        assert durable(d) >= size > 20, target
