"""Proofs about the trail: made by the daemon, checked here by another implementation and by secreg-verify; and the other way round."""
import base64
import hashlib
import json
import os
import struct
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from test_checkpoint import Key, check, forge, keep, raws, vkey
from test_cli import Sreg
from test_verify import AUTHENTICITY, INTEGRITY, TAIL, UNREADABLE
from test_verify import verify as run
from trail_verify import parse

A = "/registry/applications"
FIRST = "c2sp.org/tlog-proof@v1"


# ---- RFC 6962 section 2.1, to the letter -----------------------------------------------------------------------------

def leaf(record):
    return hashlib.sha256(b"\0" + record).digest()


def node(a, b):
    return hashlib.sha256(b"\1" + a + b).digest()


def k_of(n):
    return 1 << ((n - 1).bit_length() - 1)


def mth(d):
    if not d:
        return hashlib.sha256(b"").digest()
    return d[0] if len(d) == 1 else node(mth(d[:k_of(len(d))]), mth(d[k_of(len(d)):]))


def path(m, d):
    if len(d) == 1:
        return []
    k = k_of(len(d))
    return path(m, d[:k]) + [mth(d[k:])] if m < k else path(m - k, d[k:]) + [mth(d[:k])]


def subproof(m, d, is_whole):
    if m == len(d):
        return [] if is_whole else [mth(d)]
    k = k_of(len(d))
    return subproof(m, d[:k], is_whole) + [mth(d[k:])] if m <= k else subproof(m - k, d[k:], False) + [mth(d[:k])]


def read(proof):
    head, note = proof.split("\n\n", 1)
    first, *rest = head.split("\n")
    if first.startswith("old "):
        return int(first[4:]), None, [base64.b64decode(h, validate=True) for h in rest], note
    assert first == FIRST and rest[0].startswith("extra ") and rest[1].startswith("index ")
    return int(rest[1][6:]), base64.b64decode(rest[0][6:], validate=True), [
        base64.b64decode(h, validate=True) for h in rest[2:]], note


def write(at, record, hashes, note):
    first = ["old %d" % at] if record is None else [
        FIRST, "extra " + base64.b64encode(record).decode(), "index %d" % at]
    return "\n".join(first + [base64.b64encode(h).decode() for h in hashes]) + "\n\n" + note


def verify(d, proof, *args, key=None):
    r = run("--json", "--key", key or vkey(d), *args, "--proof", keep(d, "proof", proof))
    return r.returncode, json.loads(r.stdout) if r.stdout else r.stderr


@pytest.fixture
def store(daemon):
    c = daemon.client()
    for i in range(150):
        c.put(A + "/x%d" % (i % 7), str(i))
        c.get(A + "/none%d" % i)
    return daemon


def proof_of(d, **args):
    [(name, value)] = args.items()
    r = d.client().get("/v1/audit/proof?%s=%d" % (name, value))
    assert r.status == 200, r.body
    return r.json["data"]["proof"]


def test_records(store):
    key = Key(vkey(store))
    for seq in (0, 1, 100, 255, 256, 257, 300):
        at, record, hashes, note = read(proof_of(store, record=seq))
        size, root = check(note, key)
        leaves = [leaf(r) for r in raws(store.client(), size)]
        assert at == seq and leaf(record) == leaves[seq] and parse(record)["seq"] == seq
        assert root == mth(leaves) and hashes == path(seq, leaves)
        status, said = verify(store, write(at, record, hashes, note))
        assert status == 0 and said["integrity"] == said["authenticity"] == "ok" and said["signed"] == size
        assert said["record"]["seq"] == seq and said["record"]["kind"] == parse(record)["kind"]


def test_growth(store):
    key = Key(vkey(store))
    for size in (1, 2, 128, 255, 256, 299):
        then = raws(store.client(), size)
        old, _ = kept_of(store, then)
        at, _, hashes, note = read(proof_of(store, **{"from": size}))
        now, root = check(note, key)
        leaves = [leaf(r) for r in raws(store.client(), now)]
        assert at == size and root == mth(leaves) and hashes == subproof(size, leaves, True)
        assert mth([leaf(r) for r in then]) == mth(leaves[:size]) and old
    kept = Sreg(store.root).ok("audit", "checkpoint")
    size, _ = check(kept, key)
    store.client().put(A + "/more", "1")
    proof = Sreg(store.root).ok("audit", "prove", "--from", str(size))
    file = keep(store, "kept", kept)
    assert verify(store, proof, "--checkpoint", file) == (0, {
        "tail": "ok", "authenticity": "ok", "from": size, "signed": check(read(proof)[3], key)[0]})
    at, _, hashes, note = read(proof)
    other = write(at, None, [bytes(32)] + hashes[1:], note)
    status, said = verify(store, other, "--checkpoint", file)
    assert status == TAIL and said["tail"] == "bad" and said["authenticity"] == "ok"
    status, said = verify(store, write(at - 1, None, hashes, note), "--checkpoint", file)
    assert status == TAIL  # of another size than the checkpoint's
    assert verify(store, proof)[0] == UNREADABLE  # the checkpoint is missing


def kept_of(d, records):
    private = Ed25519PrivateKey.generate()
    return forge(private, "other", len(records), mth([leaf(r) for r in records]))


def test_what_we_make_is_checked_the_same(store):
    """Trees of every shape, signed by a key of this test."""
    private = Ed25519PrivateKey.generate()
    records = raws(store.client(), 40)
    leaves = [leaf(r) for r in records]
    for size in (1, 2, 3, 7, 8, 33, 40):
        note, key = forge(private, "here", size, mth(leaves[:size]))
        for seq in {0, size // 2, size - 1}:
            status, said = verify(store, write(seq, records[seq], path(seq, leaves[:size]), note), key=key)
            assert status == 0, said
        for then in {1, max(1, size // 2), size}:
            old, _ = forge(private, "here", then, mth(leaves[:then]))
            status, said = verify(store, write(then, None, subproof(then, leaves[:size], True), note), "--checkpoint",
                                  keep(store, "old", old), key=key)
            assert status == 0, said


def test_forged(store):
    proof = proof_of(store, record=77)
    at, record, hashes, note = read(proof)
    text = parse(record)["path"]
    other = record.replace(text.encode(), text[:-1].encode() + b"Z")
    assert other != record
    status, said = verify(store, write(at, other, hashes, note))
    assert status == INTEGRITY and said["integrity"] == "bad" and said["record"]["path"].endswith("Z")
    for i in range(len(hashes)):
        changed = [h if j != i else bytes([h[0] ^ 1]) + h[1:] for j, h in enumerate(hashes)]
        assert verify(store, write(at, record, changed, note))[0] == INTEGRITY
    assert verify(store, write(at, record, hashes[:-1], note))[0] == INTEGRITY
    assert verify(store, write(at, record, hashes + [bytes(32)], note))[0] == INTEGRITY
    assert verify(store, write(at + 1, record, hashes, note))[0] == INTEGRITY
    private = Ed25519PrivateKey.generate()
    name = note.split("\n")[0]
    size, root = check(note, Key(vkey(store)))
    forged, _ = forge(private, name, size, root)
    status, said = verify(store, write(at, record, hashes, forged))
    assert status == INTEGRITY | AUTHENTICITY and said["integrity"] == "not checked"  # nothing to lead to
    unsigned = note.rsplit("\n\n", 1)[0] + "\n\n"
    assert verify(store, write(at, record, hashes, unsigned))[0] == INTEGRITY | AUTHENTICITY
    assert verify(store, proof.replace("\n", "\r\n"))[0] == UNREADABLE
    assert verify(store, "")[0] == UNREADABLE


def test_text_output_is_escaped(daemon):
    """A detail from a client cannot move the cursor of the terminal it is shown on."""
    d = daemon
    private = Ed25519PrivateKey.generate()
    d.client().put(A + "/x", "1")
    record = raws(d.client(), 1)[0]
    at = 3 + 8 + 8 + 8 + 2 + 2 + 8 + 4 + 4 + 4 + 8 + 2 + 2  # behind unit and label, which are empty
    detail = b"\x1b[2Jx\ny"
    assert record[at:at + 2] == b"\0\0"
    more = at + 2 + 2 + struct.unpack(">H", record[at + 2:at + 4])[0]
    made = record[:at + 2] + struct.pack(">H", len(detail)) + detail + record[more:]
    note, key = forge(private, "here", 1, leaf(made))
    file = keep(d, "proof", write(0, made, [], note))
    r = run("--key", key, "--proof", file)
    assert r.returncode == 0 and "\x1b" not in r.stdout and "detail: \\x1b[2Jx\\x0ay\n" in r.stdout
    assert r.stdout.startswith("record: 0\n") and "integrity: ok\nauthenticity: ok\nsigned: 1 records\n" in r.stdout


def test_after_a_kill(store):
    """Roots of runs that were completed after the last time the log was made durable are found again."""
    store.kill()
    store.start()
    size = store.client().get("/v1/checkpoint").json["data"]["size"]
    for seq in (0, 256, size - 1):
        assert verify(store, proof_of(store, record=seq))[0] == 0


def test_refusals(store):
    c = store.client()
    size = c.get("/v1/checkpoint").json["data"]["size"]
    assert c.get("/v1/audit/proof?record=%d" % (size + 1000)).status == 404
    assert c.get("/v1/audit/proof?from=%d" % (size + 1000)).status == 404
    assert c.get("/v1/audit/proof?from=0").status == 404
    for bad in ("", "?record=1&from=1", "?record=-1", "?record=x", "?record=1&record=2", "?other=1"):
        assert c.get("/v1/audit/proof" + bad).status == 400, bad
    sreg = Sreg(store.root)
    for wrong in ([], ["5", "--from", "6"], ["x"], ["--from", "x"], ["1", "2"]):
        assert sreg("audit", "prove", *wrong).returncode == 2, wrong
    assert "the trail has no such record" in sreg.fails(3, "not-found", "audit", "prove", str(size + 1000))
    asked = c.get("/v1/audit?kind=audit-read&limit=1000").json["data"]["records"]
    assert sum(r["detail"] in ("proof of a record", "proof of an earlier head") for r in asked) >= 3
    c.post("/v1/lock", "")
    assert c.get("/v1/audit/proof?record=1").status == 503


def test_command(store):
    sreg = Sreg(store.root)
    proof = sreg.ok("audit", "prove", "12")
    assert verify(store, proof)[1]["record"]["seq"] == 12
    data = json.loads(sreg.ok("audit", "prove", "12", "--json"))
    assert read(data["proof"])[0] == 12 and data["size"] > 12


def test_what_made_a_version(store):
    """A proof of an entry is of the record of the act that made the version, whichever act that was."""
    c = store.client()
    sreg = Sreg(store.root)
    file = store.path("the.tlog-proof")

    def record_of(path, *more):
        out = sreg.ok("get", path, "--proof", file, *more)
        with open(file) as f:
            text = f.read()
        status, said = verify(store, text)
        assert status == 0
        return out, said["record"]

    version = int(c.get(A + "/x3").headers["etag"].strip('"'))
    first = version - 5
    out, r = record_of(A + "/x3")
    assert (r["kind"], r["outcome"], r["path"], r["version_after"]) == ("set", "done", A + "/x3", version)
    old, r = record_of(A + "/x3", "--version", str(first))
    assert (r["path"], r["version_after"]) == (A + "/x3", first) and old != out
    assert old.strip() == c.get(A + "/x3?version=%d" % first).body.decode()
    assert c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": A + "/t/a", "value": "1"},
                                                  {"op": "set", "path": A + "/t/b", "value": "2"}]})).status == 200
    assert record_of(A + "/t/b")[1]["path"] == A + "/t/b"
    sreg.ok("cp", A + "/t", A + "/u")
    assert [record_of(A + "/u/" + x)[1]["kind"] for x in "ab"] == ["copy"] * 2
    before = c.get("/v1/status").json["data"]["revision"]
    sreg.ok("mv", A + "/u", A + "/v")
    for name in "ab":
        _, r = record_of(A + "/v/" + name)
        assert (r["kind"], r["path"]) == ("move", A + "/v/" + name)
    sreg.ok("revert", A + "/u", "--revision", str(before))
    _, r = record_of(A + "/u/a")
    assert (r["kind"], r["path"]) == ("revert", A + "/u/a")
    data = json.loads(sreg.ok("--json", "get", A + "/t/a", "--proof", file))
    assert data["version"] == 1 and data["value"] == "1"


def test_while_it_changes(store):
    """A version that the turn of the request has made cannot be proven yet; that it is not there is never said."""
    stop = threading.Event()

    def change():
        c = store.client()
        while not stop.is_set():
            assert c.put(A + "/x4", "1").status == 200

    writers = [threading.Thread(target=change) for _ in range(4)]
    for t in writers:
        t.start()
    try:
        c = store.client()
        said = [c.get("/v1/audit/proof?path=" + A + "/x4") for _ in range(300)]
    finally:
        stop.set()
        for t in writers:
            t.join()
    assert {r.status for r in said} <= {200, 409} and any(r.status == 200 for r in said)
    assert {r.code for r in said if r.status == 409} <= {"busy"}


def test_who_may_prove_a_version(store):
    """Whoever may read the entry, and nobody else; and then it is the same as if there was none."""
    c = store.client()
    assert c.get("/v1/audit/proof?path=" + A + "/x1").status == 200
    assert c.get("/v1/audit/proof?path=" + A + "/nothing").status == 404
    assert c.get("/v1/audit/proof?path=" + A).status == 404
    assert c.get("/v1/audit/proof?path=").status == 400
    assert c.get("/v1/audit/proof?path=" + A + "/../x").status == 400
    assert c.get("/v1/audit/proof?path=" + A + "/x1&version=1000000").status == 404
    c.delete(A + "/x1")
    assert c.get("/v1/audit/proof?path=" + A + "/x1").status == 404
    Sreg(store.root).ok("acl", "deny", "uid:%d" % os.getuid(), "read", A + "/x2")
    assert c.get("/v1/audit/proof?path=" + A + "/x2").status == 403
    [r] = c.get("/v1/audit?limit=1").json["data"]["records"]
    assert (r["kind"], r["outcome"], r["path"], r["detail"]) == ("audit-read", "refused", A + "/x2", "proof of a version")
