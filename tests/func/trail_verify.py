"""An independent verifier of the trail: reads the canonical records (layout: src/wire/record.h, doc/spec/trail.md) and recomputes
numbers, the hash chain and the RFC 6962 tree head with nothing but hashlib.

As a program: trail_verify.py FILE, where FILE is the answer of GET /v1/audit?raw (several answers one after the other).
"""
import base64
import hashlib
import re
import struct
import sys

KINDS = {1: "init", 2: "start", 3: "stop", 4: "unlock", 5: "lock", 6: "reload", 7: "get", 8: "list", 9: "history", 10: "set",
         11: "delete", 12: "acl-show", 13: "acl-add", 14: "acl-remove", 15: "acl-test", 16: "audit-read", 17: "corrupt",
         18: "store-full", 19: "fingerprint", 20: "compare", 21: "move", 22: "copy", 23: "revert", 24: "destroy", 25: "txn",
         26: "expire", 27: "login", 28: "logout", 29: "schema-show",
         30: "schema-set", 31: "schema-remove", 32: "schema-check", 33: "watch",
         34: "slot-list", 35: "slot-add", 36: "slot-remove", 37: "rekey", 38: "rotate", 39: "backup", 40: "restore", 41: "role-show",
         42: "role-add", 43: "role-remove", 44: "explain", 45: "acl-expire", 46: "approvals", 47: "approve", 48: "reject", 49: "lapse",
         50: "break-glass", 51: "policy-test", 52: "checkpoint", 53: "epoch", 54: "forget", 55: "prune"}
FIELDS = [("u64", "seq"), ("i64", "wall_us"), ("i64", "mono_us"), ("u16", "kind"), ("u16", "outcome"), ("u64", "request"),
          ("u32", "uid"), ("u32", "gid"), ("u32", "pid"), ("u64", "session"), ("text", "unit"), ("text", "label"), ("text", "path"),
          ("text", "detail"), ("u64", "version_before"), ("u64", "version_after"), ("u64", "rule"), ("u64", "revision"),
          ("hash0", "commitment"), ("hash0", "state"), ("hash32", "prev")]
NUMBERS = {"u16": ">H", "u32": ">I", "u64": ">Q", "i64": ">q"}


class Broken(Exception):
    """The trail is not what the daemon wrote. `seq` is the first record that shows it."""

    def __init__(self, seq, why):
        super().__init__("record %d: %s" % (seq, why))
        self.seq = seq
        self.why = why


def parse(raw):
    """The fields of one canonical record; ValueError for anything else."""
    if raw[:3] != b"SR\x01":
        raise ValueError("not a record of version 1")
    at = 3

    def take(n):
        nonlocal at
        if at + n > len(raw):
            raise ValueError("cut")
        at += n
        return raw[at - n:at]

    r = {}
    for kind, name in FIELDS:
        if kind in NUMBERS:
            r[name] = struct.unpack(NUMBERS[kind], take(struct.calcsize(NUMBERS[kind])))[0]
        elif kind == "text":
            r[name] = take(struct.unpack(">H", take(2))[0]).decode("utf-8")
        elif kind == "hash0":
            n = take(1)[0]
            if n not in (0, 32):
                raise ValueError("hash of %d bytes" % n)
            r[name] = take(n)
        else:
            r[name] = take(32)
    if at != len(raw):
        raise ValueError("bytes behind the last field")
    if r["kind"] not in KINDS:
        raise ValueError("unknown kind %d" % r["kind"])
    r["kind"] = KINDS[r["kind"]]
    return r


def cut_base(data):
    """(size, hashes of the full subtrees, hash of the last record, bytes used) of what stands for removed records; None: nothing."""
    if data[:4] != bytes(4):
        return None
    size = struct.unpack(">Q", data[4:12])[0]
    n = bin(size).count("1")
    if size == 0 or len(data) < 12 + 32 * (n + 1):
        raise ValueError("cut base")
    hashes = [data[12 + 32 * i:44 + 32 * i] for i in range(n + 1)]
    return size, hashes[:-1], hashes[-1], 12 + 32 * (n + 1)


def split(data):
    """The records of an answer to ?raw."""
    base = cut_base(data)
    at = base[3] if base else 0
    while at < len(data):
        if at + 4 > len(data):
            raise ValueError("cut length")
        n = struct.unpack(">I", data[at:at + 4])[0]
        if n == 0 or n > 8192 or at + 4 + n > len(data):
            raise ValueError("cut record")
        yield data[at + 4:at + 4 + n]
        at += 4 + n


class Verifier:
    """Takes records in order; root() is the RFC 6962 tree head of those taken."""

    def __init__(self):
        self.size = 0
        self.last = bytes(32)
        self.peaks = []  # (height, hash) of complete subtrees, from the left
        self.first = 0
        self.base_root = None
        self.prune_seq = None  # of the record that states what was removed

    def begin(self, base):
        """The trail begins behind records that were removed."""
        size, hashes, self.last, _ = base
        self.first = self.size = size
        heights = [h for h in range(63, -1, -1) if size >> h & 1]
        self.peaks = list(zip(heights, hashes))
        self.base_root = self.root().hex()

    PRUNED = re.compile(r"(?:approval [0-9]+ by uid:[0-9]+: )?records (0|[1-9][0-9]*) to ([0-9]+) removed, ([0-9]+) in all; "
                        r"head of the first ([0-9]+): ([0-9a-f]{64})")

    def see_prune(self, r):
        said = self.PRUNED.fullmatch(r["detail"])
        if r["outcome"] != 0 or said is None:
            return
        first, last, count, before = (int(x) for x in said.groups()[:4])
        if last + 1 != before or count != before - first:
            raise Broken(self.size, "states numbers that do not fit")
        if before == self.first:
            if said[5] != self.base_root:
                raise Broken(self.size, "states another beginning")
            self.prune_seq = r["seq"]

    def add(self, raw):
        try:
            r = parse(raw)
        except (ValueError, UnicodeDecodeError) as e:
            raise Broken(self.size, "malformed: %s" % e) from e
        if r["seq"] != self.size:
            raise Broken(self.size, "has number %d" % r["seq"])
        if r["prev"] != self.last:
            raise Broken(self.size, "does not hold the hash of the record before it")
        if r["kind"] == "checkpoint":
            try:
                size, root = r["detail"].split("\n")[1:3]
                is_good = (int(size), base64.b64decode(root)) == (self.size, self.root())
            except ValueError:
                is_good = False
            if not is_good:
                raise Broken(self.size, "states something else than the records before it")
        if r["kind"] == "prune":
            self.see_prune(r)
        self.last = hashlib.sha256(b"\0" + raw).digest()
        node, height = self.last, 0
        while self.peaks and self.peaks[-1][0] == height:
            node = hashlib.sha256(b"\1" + self.peaks.pop()[1] + node).digest()
            height += 1
        self.peaks.append((height, node))
        self.size += 1
        return r

    def root(self):
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1][1]
        for _, left in reversed(self.peaks[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node


class Epochs:
    """What a seed says of the records, in order: each epoch has left what the next one states. Nothing but hashlib."""

    STATEMENT = re.compile(r"epoch (0|[1-9][0-9]*), sealed to (0|[1-9][0-9]*): ([0-9a-f]{64})(, new seed)?")

    def __init__(self, *seeds):
        self.seeds = {}
        for seed in seeds:
            word, number, start = seed.strip().split(":")
            assert word == "secreg-seed" and len(start) == 64
            self.seeds[int(number)] = bytes.fromhex(start)
        self.number = None
        self.start = None  # of the next epoch
        self.sealed = self.lost = self.uncovered = self.count = 0

    def begin(self, number, first):
        start = self.seeds.get(number, self.start)
        self.number, self.first, self.key, self.tags = number, first, None, [bytes(32)]
        if start is not None:
            both = hashlib.blake2b(start + b"secreg trail epoch", digest_size=64).digest()
            self.key, self.start = both[:32], both[32:]

    def change(self, r):
        said = self.STATEMENT.fullmatch(r["detail"])
        if said is None or int(said[1]) != self.number + 1:
            raise Broken(r["seq"], "begins another epoch than the next one")
        sealed = int(said[2])
        if not self.first <= sealed <= r["seq"]:
            raise Broken(r["seq"], "states a seal of other records")
        if self.key is None:
            self.uncovered += r["seq"] - self.first
        elif self.tags[sealed - self.first].hex() != said[3]:
            raise Broken(r["seq"], "states a seal that the epoch before did not leave")
        else:
            self.count += 1
            self.sealed += sealed - self.first
            self.lost += r["seq"] - sealed
        if said[4]:
            self.start = None
        self.begin(int(said[1]), r["seq"])

    def add(self, r, leaf):
        """One more record, as parsed, and its leaf hash."""
        if self.number is None:
            self.begin(0, 0)
        if r["kind"] == "epoch":
            self.change(r)
        if self.key is not None:
            both = hashlib.blake2b(self.key + self.tags[-1] + leaf, digest_size=64).digest()
            self.key = both[32:]
            self.tags.append(both[:32])


class Follower:
    """Follows the trail of a served store and checks it against the daemon's own head."""

    def __init__(self):
        self.verifier = Verifier()
        self.records = []

    def follow(self, client):
        head = client.get("/v1/checkpoint").data
        root = None
        while self.verifier.size < head["size"]:
            after = "" if self.verifier.size == 0 else "&after=%d" % (self.verifier.size - 1)
            r = client.get("/v1/audit?raw" + after)
            if r.status != 200:
                raise Broken(self.verifier.size, "cannot be read: %s" % r.code)
            base = cut_base(r.body)
            if base and self.verifier.size:
                raise Broken(self.verifier.size, "was removed meanwhile")
            if base:
                self.verifier.begin(base)
            raws = list(split(r.body))
            if not raws:
                raise Broken(self.verifier.size, "is missing: the head speaks of %d" % head["size"])
            for raw in raws:
                self.records.append(self.verifier.add(raw))
                if self.verifier.size == head["size"]:
                    root = (self.verifier.root().hex(), self.verifier.last.hex())
        if root is None:
            if self.verifier.size > head["size"]:
                raise Broken(head["size"], "the trail has become shorter")
            root = (self.verifier.root().hex(), self.verifier.last.hex())
        if self.verifier.first > 0 and self.verifier.prune_seq is None:
            raise Broken(0, "is missing, and nothing says that it was removed")
        if root != (head["root"], head["last"]):
            raise Broken(head["size"] - 1, "the head is not that of the records")
        return self.records


def main():
    v = Verifier()
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    base = cut_base(data)
    if base:
        v.begin(base)
    for raw in split(data):
        v.add(raw)
    if v.first > 0 and v.prune_seq is None:
        raise Broken(0, "is missing, and nothing says that it was removed")
    print("%d records, root %s, last %s" % (v.size, v.root().hex(), v.last.hex()))


if __name__ == "__main__":
    main()
