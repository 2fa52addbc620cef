"""The log of the trail as files (doc/spec/trail.md): frames where they lie, for tests that look into a store or change it."""
import hashlib
import os
import sqlite3
import struct

DATA = 53248
HEAD = 36  # length and leaf hash


class Frame:
    def __init__(self, path, offset, leaf, raw):
        self.path, self.offset, self.leaf, self.raw = path, offset, leaf, raw
        self.seq = struct.unpack(">Q", raw[3:11])[0]

    def end(self):
        return self.offset + HEAD + len(self.raw)

    def write(self, raw):
        """Another record of the same length in its place; the leaf hash stays."""
        assert len(raw) == len(self.raw)
        with open(self.path, "r+b") as f:
            f.seek(self.offset + HEAD)
            f.write(raw)


def folder_of(db):
    """The folder that the database names; while a daemon has it open, the only one there is."""
    state = os.path.dirname(db)
    folders = [n for n in os.listdir(state) if n.startswith("trail-")]
    if len(folders) > 1:
        connection = sqlite3.connect(db)
        folders = [connection.execute("SELECT value FROM meta WHERE name = 'trail'").fetchone()[0].decode()]
        connection.close()
    return os.path.join(state, folders[0])


def frames_of(data, start=0):
    """(offset, leaf hash, record) of each frame; ends where a length is 0."""
    at = start
    while at + HEAD <= len(data):
        n = struct.unpack(">I", data[at:at + 4])[0]
        if n == 0:
            return
        yield at, data[at + 4:at + HEAD], data[at + HEAD:at + HEAD + n]
        at += HEAD + n


def frames(db):
    """All frames of the log of a database that nobody has open."""
    folder, found = folder_of(db), []
    for name in sorted(n for n in os.listdir(folder) if n.endswith(".log")):
        path = os.path.join(folder, name)
        with open(path, "rb") as f:
            data = f.read()
        found += [Frame(path, at, leaf, raw) for at, leaf, raw in frames_of(data, DATA)]
    return found


def cut(frame):
    """Everything from this frame on is gone from its file."""
    with open(frame.path, "r+b") as f:
        size = f.seek(0, 2)
        f.seek(frame.offset)
        f.write(bytes(size - frame.offset))


def remove(frame):
    """The frame is gone, and those behind it have moved up."""
    with open(frame.path, "r+b") as f:
        f.seek(frame.end())
        rest = f.read()
        f.seek(frame.offset)
        f.write(rest + bytes(frame.end() - frame.offset))


class Mark:
    """Up to where the newest file was durable, and how far numbers are reserved; the newer one of the two."""

    def __init__(self, db):
        folder = folder_of(db)
        self.path = os.path.join(folder, sorted(n for n in os.listdir(folder) if n.endswith(".log"))[-1])
        with open(self.path, "rb") as f:
            head = f.read(DATA)
        best = None
        for at in (4096, 8192):
            n = struct.unpack(">I", head[at:at + 4])[0]
            body, digest = head[at:at + n], head[at + n:at + n + 32]
            if n and hashlib.sha256(body).digest() == digest:
                numbers = struct.unpack(">6Q", body[4:52])
                best = max(best or (0,), (*numbers, body[52:88]))
        self.generation, self.size, self.end, self.reserved, self.changed, self.clean, self.boot = best


def start_host_anew(db):
    """The marks say that another run of the kernel wrote them."""
    path = Mark(db).path
    with open(path, "r+b") as f:
        for at in (4096, 8192):
            f.seek(at)
            data = bytearray(f.read(4096))
            n = struct.unpack(">I", data[:4])[0]
            if n:
                data[52:88] = b"x" * 36
                data[n:n + 32] = hashlib.sha256(data[:n]).digest()
                f.seek(at)
                f.write(data)
