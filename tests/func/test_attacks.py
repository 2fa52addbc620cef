"""Attacks on a trail by somebody who has its files and knows its format, and computes every hash anew; and the checkpoints that the
daemon signs by itself, which find them. Each attack is made on what a real store has written."""
import base64
import hashlib
import hmac
import json
import os
import struct
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from conftest import wait_for
from test_checkpoint import Key, check, forge, keep, raws, vkey
from test_cli import Sreg
from test_verify import AUTHENTICITY, INTEGRITY, ORDER, TAIL, verdicts, verify
from trail_log import folder_of, frames
from trail_verify import Follower, Verifier, parse

A = "/registry/applications"


# ---- what somebody with the files can make ---------------------------------------------------------------------------

def chained(records):
    """The same records as a trail that fits: numbers and hashes of the records before made anew."""
    made, last = [], bytes(32)
    for seq, raw in enumerate(records):
        raw = raw[:3] + struct.pack(">Q", seq) + raw[11:-32] + last
        last = hashlib.sha256(b"\0" + raw).digest()
        made.append(raw)
    return made


def with_text(raw, old, new):
    """The record with a text of the same length in the place of another."""
    assert len(old) == len(new) and raw.count(old) >= 1
    return raw.replace(old, new, 1)


def export(d, records):
    path = d.path("export")
    with open(path, "wb") as f:
        f.write(b"".join(struct.pack(">I", len(r)) + r for r in records))
    return path


def is_checkpoint(raw):
    return parse(raw)["kind"] == "checkpoint"


def is_statement(raw):
    """What the daemon says of the trail, not of what was asked of it."""
    return parse(raw)["kind"] in ("checkpoint", "epoch")


def next_checkpoint(records, seq):
    return [i for i, r in enumerate(records) if i >= seq and is_checkpoint(r)][0]


class Attacked:
    def __init__(self, d, records, kept):
        self.d, self.records, self.kept, self.key = d, records, kept, vkey(d)

    def judge(self, records, with_anchor=False):
        anchor = ["--checkpoint", self.kept] if with_anchor else []
        return verdicts("--key", self.key, *anchor, export(self.d, records))


@pytest.fixture
def store(new_store):
    d = new_store(config="audit:\n  checkpoint_records: 20\n").start()
    c = d.client()
    for i in range(60):
        c.put(A + "/x%d" % (i % 7), str(i))
        c.get(A + "/none%d" % i)
    kept = keep(d, "kept", Sreg(d.root).ok("audit", "checkpoint"))
    for i in range(30):
        c.get(A + "/x1")
    size = c.get("/v1/checkpoint").data["size"]
    return Attacked(d, raws(c, size), kept)


def test_nothing_done_is_nothing_found(store):
    assert chained(store.records) == store.records
    status, said = store.judge(store.records, with_anchor=True)
    assert status == 0 and said["authenticity"] == said["tail"] == "ok"
    newest = max(i for i, r in enumerate(store.records) if is_checkpoint(r))
    assert said["signed"]["records"] == newest and len(store.records) - newest <= 21


@pytest.mark.parametrize("field", ["path", "uid", "outcome", "wall_us", "revision"])
def test_a_record_altered(store, field):
    at = [i for i, r in enumerate(store.records) if parse(r)["kind"] == "get" and i > 30][0]
    raw = store.records[at]
    places = {"wall_us": 11, "outcome": 30, "uid": 40}
    if field == "path":
        raw = with_text(raw, b"/none", b"/None")
    elif field == "revision":
        old = struct.pack(">Q", parse(raw)["revision"])
        place = raw.rindex(old, 0, len(raw) - 33)
        raw = raw[:place + 7] + bytes([raw[place + 7] ^ 1]) + raw[place + 8:]
    else:
        raw = raw[:places[field]] + bytes([raw[places[field]] ^ 1]) + raw[places[field] + 1:]
    parse(raw)
    forged = chained(store.records[:at] + [raw] + store.records[at + 1:])
    status, said = store.judge(forged)
    assert (status, said["first_bad"]["seq"]) == (AUTHENTICITY, next_checkpoint(store.records, at))
    assert said["signed"]["records"] < at, "what was signed before is still that"
    # without the key nothing shows, and that is said
    done = verify(export(store.d, forged))
    assert done.returncode == 0 and "not checked, there is no key" in done.stdout


def test_records_swapped_inserted_and_dropped(store):
    r = store.records
    at = next_checkpoint(r, 40) + 3
    for forged in (r[:at] + [r[at + 1], r[at]] + r[at + 2:], r[:at] + [r[5]] + r[at:], r[:at] + r[at + 1:]):
        status, said = store.judge(chained(forged))
        assert status == AUTHENTICITY and at < said["first_bad"]["seq"] <= next_checkpoint(r, at) + 1
        status, said = store.judge(forged)
        assert status == ORDER and said["first_bad"]["seq"] in (at, at + 1)


def test_signatures_stripped(store):
    status, said = store.judge(chained([r for r in store.records if not is_statement(r)]))
    assert (status, said["signed"], said["first_bad"]) == (AUTHENTICITY, None, None)
    done = verify("--key", store.key, store.d.path("export"))
    assert "authenticity: bad, nothing in it is signed" in done.stdout
    # only those behind some place: what is left is good, and how far it is signed is said
    first = next_checkpoint(store.records, 0)
    forged = chained(store.records[:first + 1] + [r for r in store.records[first + 1:] if not is_statement(r)])
    status, said = store.judge(forged)
    assert status == 0 and said["signed"]["records"] == first and said["records"] == len(forged)
    assert store.judge(forged, with_anchor=True)[0] == TAIL


def test_the_newest_checkpoint_corrupted(store):
    """The one before is not taken in its place."""
    at = max(i for i, r in enumerate(store.records) if is_checkpoint(r))
    note = parse(store.records[at])["detail"]
    for old in (note[-20:-12], note.split("\n")[1], note.split("\n")[2][5:9]):
        new = "".join(chr(ord(x) ^ 1) if x.isalnum() and chr(ord(x) ^ 1).isalnum() else x for x in old)
        raw = with_text(store.records[at], old.encode(), new.encode())
        if raw == store.records[at]:
            continue
        status, said = store.judge(chained(store.records[:at] + [raw] + store.records[at + 1:]))
        assert (status, said["first_bad"]["seq"], said["authenticity"]) == (AUTHENTICITY, at, "bad")


def test_signed_by_another_key(store):
    at = next_checkpoint(store.records, 50)
    v = Verifier()
    for r in store.records[:at]:
        v.add(r)
    for name in (store.key.split("+")[0], "secreg/other"):
        note, _ = forge(Ed25519PrivateKey.generate(), name, at, v.root())
        old = parse(store.records[at])["detail"].encode()
        raw = store.records[at].replace(struct.pack(">H", len(old)) + old, struct.pack(">H", len(note.encode())) + note.encode())
        status, said = store.judge(chained(store.records[:at] + [raw] + store.records[at + 1:]))
        assert (status, said["first_bad"]["seq"]) == (AUTHENTICITY, at)


def test_a_checkpoint_of_another_place(store):
    """A good signature on what is true of another place."""
    places = [i for i, r in enumerate(store.records) if is_checkpoint(r)]
    forged = list(store.records)
    forged[places[3]] = store.records[places[2]]
    status, said = store.judge(chained(forged))
    assert (status, said["first_bad"]["seq"]) == (AUTHENTICITY, places[3])


def test_all_records_behind_a_place_made_anew(store):
    """Two heads of one size: what was kept elsewhere tells them apart."""
    at = next_checkpoint(store.records, 0) + 1
    forged = chained(store.records[:at] + [r for r in store.records[:40] if not is_statement(r)] * 5)
    forged = forged[:len(store.records)]
    assert len(forged) == len(store.records)
    assert store.judge(forged)[0] == 0, "nobody signed it, and that is said"
    status, said = store.judge(forged, with_anchor=True)
    assert status == TAIL and said["signed"]["records"] < said["anchored"]


def test_cut_and_emptied(store):
    assert store.judge(store.records[:30])[0] == 0
    assert store.judge(store.records[:30], with_anchor=True)[0] == TAIL
    status, said = store.judge([], with_anchor=True)
    assert (status, said["records"]) == (TAIL | AUTHENTICITY, 0)


def test_each_byte_of_a_record(store):
    """Flipped where it lies, with nothing made anew."""
    records = store.records
    at = next_checkpoint(records, 60) - 1
    for place in range(len(records[at])):
        raw = records[at]
        raw = raw[:place] + bytes([raw[place] ^ 0x40]) + raw[place + 1:]
        status, said = store.judge(records[:at] + [raw] + records[at + 1:])
        assert status in (INTEGRITY, ORDER, AUTHENTICITY) and said["first_bad"]["seq"] in (at, at + 1), place


# ---- when the daemon signs --------------------------------------------------------------------------------------------

def signed(d, c):
    """Every checkpoint in the trail: its number, and that it states what is before it, by the key."""
    f = Follower()
    found = f.follow(c)
    key = Key(vkey(d))
    places = [r["seq"] for r in found if r["kind"] == "checkpoint"]
    for seq in places:
        assert check(found[seq]["detail"], key)[0] == seq  # the root was compared by the follower
    return places, found


def kinds(found):
    """The own reading of the trail leaves records too."""
    return [r["kind"] for r in found if r["kind"] != "audit-read"]


def test_when_it_is_signed(daemon):
    c = daemon.client()
    places, found = signed(daemon, c)
    assert kinds(found) == ["init", "epoch", "start", "checkpoint", "epoch"]
    c.put(A + "/a", "1")
    c.get(A + "/a")
    assert signed(daemon, c)[0] == places
    rule = c.allow(A, "uid:5", "read")
    c.delete("/v1/acl?id=%d" % rule)
    places, found = signed(daemon, c)
    assert [found[p - 1]["kind"] for p in places[1:]] == ["acl-add", "acl-remove"]
    assert c.post("/v1/lock").status == 200
    c.get(A + "/a")
    assert c.post("/v1/unlock").status == 200
    places, found = signed(daemon, c)
    assert kinds(found[places[2] + 1:]) == ["epoch", "checkpoint", "epoch", "lock", "get", "unlock", "checkpoint", "epoch"]
    daemon.restart()
    c = daemon.client()
    places, found = signed(daemon, c)
    assert kinds(found)[-7:] == ["stop", "checkpoint", "epoch", "epoch", "start", "checkpoint", "epoch"]
    assert found[places[-1] - 1]["detail"] == ""
    daemon.kill()
    daemon.start()
    places, found = signed(daemon, daemon.client())
    assert found[places[-1] - 1]["detail"] == "the run before did not end in order"
    status, said = verdicts("--key", vkey(daemon), folder_of(daemon.db))
    assert status == 0 and said["signed"]["records"] == places[-1]


def test_how_it_is_shown(daemon):
    c = daemon.client()
    c.put(A + "/a", "1", reason="secreg/a 12")
    shown = Sreg(daemon.root).ok("audit", "query", "--kind", "checkpoint")
    assert "signed: 3 records" in shown and "secreg/" not in shown and shown.count("\n") == 2
    assert "secreg/a 12" in Sreg(daemon.root).ok("audit", "query", "--kind", "set")
    assert "signed: 3 records" in Sreg(daemon.root).ok("audit", "tail")


def test_after_so_many_records(new_store):
    d = new_store(config="audit:\n  checkpoint_records: 10\n").start()
    c = d.client()
    for i in range(95):
        c.get(A + "/none")
    places, found = signed(d, c)
    assert len(places) in range(9, 11) and max(b - a for a, b in zip(places, places[1:])) <= 12


def test_when_nothing_happens(new_store):
    d = new_store(config="audit:\n  checkpoint_interval: 200ms\n").start()
    c = d.client()
    first = len(signed(d, c)[0])
    wait_for(lambda: len(signed(d, c)[0]) >= first + 3, 10, "an idle registry is not signed")
    assert c.post("/v1/lock").status == 200
    before = c.status()["records"]
    time.sleep(0.7)
    assert c.status()["records"] == before, "there is no key while locked"
    assert c.post("/v1/unlock").status == 200
    first = len(signed(d, c)[0])
    wait_for(lambda: len(signed(d, c)[0]) >= first + 2, 10, "it is not signed again")


def test_another_interval_holds_at_once(daemon):
    c = daemon.client()
    first = len(signed(daemon, c)[0])
    daemon.configure("audit:\n  checkpoint_interval: 200ms\n")
    assert c.post("/v1/reload").status == 200
    wait_for(lambda: len(signed(daemon, c)[0]) >= first + 2, 10, "the old interval goes on")


def test_a_turn_that_fails_is_not_signed_for(new_store):
    """What is due stays due: the next turn is signed."""
    d = new_store(config="audit:\n  checkpoint_records: 1\n").start()
    c = d.client()
    c.put(A + "/a", "1")
    assert c.put(A + "/a/b", "x").code == "not-folder"
    places, found = signed(d, c)
    assert [k for k in kinds(found) if k not in ("checkpoint", "epoch")][-2:] == ["set", "set"] and len(places) >= 3
    assert all(b - a == 3 for a, b in zip(places, places[1:]))
    assert [f.seq for f in frames_after_stop(d)][-1] == len(frames_after_stop(d)) - 1


def frames_after_stop(d):
    if d.process is not None:
        assert d.stop() == 0
    return frames(d.db)


def summary_sum(summary):
    """The sum of a summary in an .idx file: doc/spec/trail.md; for damage, not against people."""
    mask = (1 << 64) - 1

    def mix(h):
        h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9 & mask
        h = (h ^ h >> 27) * 0x94d049bb133111eb & mask
        return h ^ h >> 31
    words = (0,) + struct.unpack("<127Q", summary[8:])
    total = 1
    for lane in range(8):
        low = high = 0
        for word in words[lane::8]:
            low = low + word & mask
            high = high + low & mask
        total = mix(mix(total ^ low) ^ high)
    return total


def test_a_record_hidden_from_queries(daemon):
    """Only the index is changed, and well: a query does not find the record, everybody who reads records does."""
    c = daemon.client()
    c.put(A + "/a", "1")
    c.delete(A + "/a")
    for _ in range(600):
        c.get(A + "/none")
    asked = "/v1/audit?kind=delete"
    assert len(c.get(asked).data["records"]) == 1
    assert daemon.stop() == 0
    folder = folder_of(daemon.db)
    path = [os.path.join(folder, n) for n in os.listdir(folder) if n.endswith(".idx")][0]
    with open(path, "r+b") as f:
        summary = bytearray(f.read(1024))
        assert struct.unpack(">Q", summary[:8])[0] == summary_sum(summary)
        kinds = struct.unpack(">Q", summary[24:32])[0]
        assert kinds & 1 << 11
        summary[24:32] = struct.pack(">Q", kinds & ~(1 << 11))
        f.seek(0)
        f.write(summary)
    daemon.start()
    c = daemon.client()
    assert len(c.get(asked).data["records"]) == 1, "damage is found, and the summary made anew"
    assert daemon.stop() == 0
    with open(path, "r+b") as f:
        f.write(struct.pack(">Q", summary_sum(summary)) + summary[8:])
    daemon.start()
    c = daemon.client()
    assert c.get(asked).data == {"records": [], "next": None}
    assert "delete" in [r["kind"] for r in Follower().follow(c)]
    assert verdicts("--key", vkey(daemon), folder)[0] == 0
    assert daemon.stop() == 0
    os.unlink(path)
    daemon.start()
    assert len(daemon.client().get(asked).data["records"]) == 1


def test_damaged_files(store):
    """The same through the files of the log, where a hash stands beside each record."""
    d = store.d
    found = frames_after_stop(d)
    at = [f for f in found if f.seq > 70 and not is_checkpoint(f.raw)][0]
    with open(at.path, "r+b") as f:
        f.seek(at.offset + 4)
        leaf = f.read(32)
        f.seek(at.offset + 4)
        f.write(bytes([leaf[0] ^ 1]) + leaf[1:])
    status, said = verdicts("--key", store.key, os.path.dirname(at.path))
    assert (status, said["first_bad"]["seq"]) == (INTEGRITY, at.seq) and said["signed"]["records"] < at.seq


# ---- what the trail says of values -----------------------------------------------------------------------------------

def commitments(d, path):
    return [parse(f.raw)["commitment"] for f in frames_after_stop(d) if parse(f.raw)["path"] == path and parse(f.raw)["commitment"]]


def guesses(d, path, value):
    """What somebody without a key can compute from all that he knows: the value, its path, and what lies in the open."""
    with open(d.path("etc/secreg/trail.vkey"), "rb") as f:
        vkey_text = f.read().strip()
    folder = os.path.basename(folder_of(d.db)).encode()
    known = [b"", path, value, vkey_text, vkey_text.split(b"+")[0], folder, bytes.fromhex(folder.decode()[6:]), b"1", b"\x01",
             struct.pack(">Q", 1), struct.pack("<Q", 1), bytes(32), b"secreg", b"secreg/v1/index"]
    texts = set(known) | {a + b for a in known for b in known} | {path + value + x for x in known} | {x + path + value for x in known}
    for text in texts:
        for algorithm in ("sha256", "sha512_256", "sha3_256", "blake2s"):
            yield hashlib.new(algorithm, text).digest()
        yield hashlib.blake2b(text, digest_size=32).digest()
        for key in known:
            yield hmac.new(key, text, "sha256").digest()


def test_a_guessed_value(new_store):
    """The value of a record is committed to under a key, with path and version: neither what was guessed, nor what is the same."""
    first, second = (new_store().start() for _ in range(2))
    for d in (first, second):
        c = d.client()
        for value in ("hunter2", "hunter2", "other", "hunter2"):
            c.put(A + "/a", value)
        c.put(A + "/b", "hunter2")
        c.put(A + "/c", "hunter2", sealed="true")
    of = {(n, name): commitments(d, A + "/" + name) for n, d in enumerate((first, second)) for name in "abc"}
    every = [x for some in of.values() for x in some]
    assert [len(of[0, name]) for name in "abc"] == [4, 1, 1] and len(every) == 12
    assert len(set(every)) == len(every)  # the same value: of another version, path or store nothing is the same
    for name in (A + "/a", A + "/b"):
        assert not set(guesses(first, name.encode(), b"hunter2")) & set(every)


def test_planted_values_of_all_types(new_store):
    """None of them is in any file of the trail, in any form, whatever their type, and whatever was refused."""
    d = new_store().start()
    c = d.client()
    number = 0x5ec0de4711c0ffee
    planted = [b"canary-plain-4711", b"canary-sealed-4711", b"canary-json-4711", b"canary-refused-4711", b"canary-old-4711", b"canary-new-4711",
               bytes(range(128, 160)), number.to_bytes(8, "big"), number.to_bytes(8, "little"), str(number).encode()]
    c.put(A + "/plain", planted[0])
    c.put(A + "/sealed", planted[1], sealed="true")
    c.put(A + "/json", '{"a":["%s"]}' % planted[2].decode(), type="json")
    assert c.put(A + "/plain/below", planted[3]).status == 409
    assert c.put(A + "/integer", "x" + planted[3].decode(), type="integer").status == 422
    c.put(A + "/old", planted[4])
    c.put(A + "/old", planted[5])
    c.put(A + "/binary", planted[6], type="binary")
    c.put(A + "/integer", str(number), type="integer")
    assert c.post("/v1/txn", json.dumps({"compare": [{"path": A + "/plain", "value": planted[3].decode()}],
                                         "then": [{"op": "set", "path": A + "/plain", "value": planted[4].decode()}]})).status in (200, 409, 412)
    for name in ("plain", "sealed", "json", "old", "binary", "integer"):
        assert c.get(A + "/" + name).status == 200
    c.post("/v1/lock")
    c.post("/v1/unlock", planted[3])
    assert d.stop() == 0
    folder = folder_of(d.db)
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            data = f.read()
        for canary in planted:
            for form in (canary, canary.hex().encode(), canary.hex().upper().encode(), base64.b64encode(canary).rstrip(b"=")[:-1], canary[::-1]):
                assert form not in data, (name, canary)
