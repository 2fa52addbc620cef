"""secreg-follow witness (doc/spec/follow.md): signs checkpoints of the one trail it has seen grow, and of no other."""
import base64
import hashlib
import os
import shutil
import struct
import subprocess
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from conftest import BUILD, soon, wait_for
from test_follow import Run, once, status
from trail_log import folder_of

A = "/registry/applications"
VERIFY = os.path.join(BUILD, "bin", "secreg-verify")


# ---- a second implementation of C2SP tlog-cosignature -----------------------------------------------------------------

def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def read_key(text, kind):
    name, hexid, raw = text.strip().split("+", 2)
    raw = base64.b64decode(raw)
    assert raw[0] == kind and bytes.fromhex(hexid) == key_id(name, kind, raw[1:])
    return name, raw[1:]


def split(note):
    body, lines = note.rsplit("\n\n", 1)
    return body + "\n", [line.split(" ", 2)[1:] for line in lines.splitlines()]


def check(note, log_key, witness_key):
    """(size, root, time) of a note that both have signed; InvalidSignature for another one."""
    body, lines = split(note)
    name, public = read_key(log_key, 1)
    raw = [base64.b64decode(s) for n, s in lines if n == name]
    assert len(raw) == 1 and raw[0][:4] == key_id(name, 1, public)
    Ed25519PublicKey.from_public_bytes(public).verify(raw[0][4:], body.encode())
    assert body.splitlines()[0] == name
    name, public = read_key(witness_key, 4)
    raw = [base64.b64decode(s) for n, s in lines if n == name]
    assert len(raw) == 1 and len(raw[0]) == 4 + 8 + 64 and raw[0][:4] == key_id(name, 4, public)
    when = struct.unpack(">Q", raw[0][4:12])[0]
    Ed25519PublicKey.from_public_bytes(public).verify(raw[0][12:], ("cosignature/v1\ntime %d\n" % when + body).encode())
    size, root = body.splitlines()[1:3]
    return int(size), base64.b64decode(root), when


def cosign(note, name, private, when):
    body, _ = split(note)
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    signature = private.sign(("cosignature/v1\ntime %d\n" % when + body).encode())
    raw = key_id(name, 4, public) + struct.pack(">Q", when) + signature
    text = "%s+%s+%s" % (name, key_id(name, 4, public).hex(), base64.b64encode(b"\4" + public).decode())
    return note + "\u2014 %s %s\n" % (name, base64.b64encode(raw).decode()), text


# ---- the witness of a store -----------------------------------------------------------------------------------------

def read(d, *parts):
    with open(d.path(*parts), encoding="utf-8") as f:
        return f.read()


def keys(d):
    return read(d, "etc/secreg/trail.vkey"), read(d, "var/lib/secreg-witness/witness.vkey")


def newest(d):
    return check(read(d, "var/lib/secreg-witness/checkpoint"), *keys(d))


def verify(d, *args):
    done = subprocess.run([VERIFY, "--key", d.path("etc/secreg/trail.vkey"), *args, folder_of(d.db)],
                          capture_output=True, text=True, timeout=soon(60))
    return done.returncode, done.stdout + done.stderr


def anchored(d, witness=True):
    more = ["--witness", d.path("var/lib/secreg-witness/witness.vkey")] if witness else []
    return verify(d, "--checkpoint", d.path("var/lib/secreg-witness/checkpoint"), *more)


@pytest.fixture
def d(new_store):
    return new_store(config="audit:\n  checkpoint_records: 32\n").start()


@pytest.fixture
def witness(d):
    made = []

    def make():
        made.append(Run(d, "witness"))
        return made[-1]

    yield make
    for r in made:
        r.finish()


def work(d, count, name="a"):
    c = d.client()
    for i in range(count):
        c.put(A + "/" + name, str(i))


def test_it_signs_what_it_sees(d, witness):
    r = witness()
    work(d, 100)
    wait_for(lambda: os.path.exists(d.path("var/lib/secreg-witness/checkpoint")) and newest(d)[0] > 90, 20, "it has signed")
    size, root, when = newest(d)
    assert abs(when - time.time()) < 60
    code, text = anchored(d)
    assert code == 0 and "witnessed: by" in text and "anchored up to record %d" % size in text, text
    assert r.end() == 0
    assert os.stat(d.path("var/lib/secreg-witness/witness.key")).st_mode & 0o777 == 0o600
    assert os.stat(d.path("var/lib/secreg-witness/checkpoint")).st_mode & 0o777 == 0o644
    key = read(d, "var/lib/secreg-witness/witness.vkey")
    work(d, 100)
    once(d, "witness")  # the same key goes on
    assert newest(d)[0] > size and read(d, "var/lib/secreg-witness/witness.vkey") == key
    s = status(d, "witness")
    assert s["trouble"] == "" and s["next"] >= newest(d)[0]


def test_through_kills(d, witness):
    for _ in range(8):
        r = witness()
        work(d, 40)
        r.end(9)
    once(d, "witness")
    code, text = anchored(d)
    assert code == 0, text


def test_an_older_store_put_back_is_refused(d, witness):
    """Yesterday's copy of the whole store: the witness has seen more, signs nothing of it, and says so."""
    work(d, 50)
    d.stop()
    shutil.copytree(d.path("var/lib/secreg"), d.path("yesterday"))
    d.start()
    work(d, 100)
    once(d, "witness")
    size, root, _ = newest(d)
    d.stop()
    shutil.rmtree(d.path("var/lib/secreg"))
    shutil.copytree(d.path("yesterday"), d.path("var/lib/secreg"))
    d.start()
    r = witness()
    wait_for(lambda: (status(d, "witness") or {}).get("trouble"), 20, "it says so: " + r.text())
    code, text = anchored(d)
    assert code == 4 and "tail: bad" in text, text
    # it grows again, beyond what was witnessed: it is another trail all the same
    work(d, 300, "b")
    time.sleep(1)
    assert newest(d)[:2] == (size, root)
    assert r.end() == 0 and "not the trail that was followed" in r.text()
    code, text = anchored(d)
    assert code == 4, text


def test_a_false_checkpoint_is_refused(d, witness):
    """The trail's key is another one than the one that signs: nothing is signed."""
    other = Ed25519PrivateKey.generate().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    name = read(d, "etc/secreg/trail.vkey").split("+")[0]
    with open(d.path("etc/secreg/trail.vkey"), "w") as f:
        f.write("%s+%s+%s\n" % (name, key_id(name, 1, other).hex(), base64.b64encode(b"\1" + other).decode()))
    r = witness()
    work(d, 50)
    wait_for(lambda: "without a good signature" in (status(d, "witness") or {}).get("trouble", ""), 20, "it says so")
    assert not os.path.exists(d.path("var/lib/secreg-witness/checkpoint"))
    assert r.end() == 0


def test_the_other_way_round(d):
    """What the second implementation signs is accepted; changed in any way it is not."""
    work(d, 40)
    once(d, "witness")
    note = read(d, "var/lib/secreg-witness/checkpoint")
    private = Ed25519PrivateKey.generate()
    signed, key = cosign(note, "example.org/w", private, 1700000000)
    path = d.path("note")

    def judge(text, *keys):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return verify(d, "--checkpoint", path, "--witness", *keys)

    code, text = judge(signed, key)
    assert code == 0 and "witnessed: by example.org/w at 2023-11-14T22:13:20" in text, text
    code, text = judge(note, key)  # not signed by it
    assert code & 8, text
    at = signed.index("example.org/w ") + len("example.org/w ")
    for i in (8, 12, 20, 60):  # time, then signature
        changed = signed[:at + i] + ("A" if signed[at + i] != "A" else "B") + signed[at + i + 1:]
        code, text = judge(changed, key)
        assert code & 8, (i, text)
    code, text = judge(signed, key.replace("example.org", "example.com"))
    assert code == 66, text
    code, text = verify(d, "--witness", key)
    assert code == 64, text


def test_no_key_of_a_trail(d):
    os.unlink(d.path("etc/secreg/trail.vkey"))
    r = Run(d, "witness")
    assert r.wait() == 1 and "trail.vkey" in r.text()
    r.log.close()


def test_bad_signatures_are_seen_by_the_second_implementation(d):
    work(d, 40)
    once(d, "witness")
    note = read(d, "var/lib/secreg-witness/checkpoint")
    lines = note.splitlines()
    lines[1] = str(int(lines[1]) + 1)
    with pytest.raises(InvalidSignature):
        check("\n".join(lines) + "\n", *keys(d))
