"""secreg-follow (doc/spec/follow.md): the trail to the journal and to files; through restarts of each end."""
import datetime
import glob
import gzip
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, soon, wait_for
from trail_verify import Follower

A = "/registry/applications"
FOLLOW = os.path.join(BUILD, "bin", "secreg-follow")


class Run:
    """One follower of a store."""

    def __init__(self, d, sink, *args):
        self.d, self.sink = d, sink
        self.log_path = d.path("follow-%s.log" % sink)
        self.log = open(self.log_path, "a+")
        self.process = subprocess.Popen([FOLLOW, "--root", d.root, *args, sink], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=soon(20))

    def wait(self):
        return self.process.wait(timeout=soon(30))

    def text(self):
        with open(self.log_path) as f:
            return f.read()

    def finish(self):
        """Whatever became of it: it is gone, and no sanitizer has said anything."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        text = self.text()
        for word in ("AddressSanitizer", "runtime error:", "Assertion", "LeakSanitizer"):
            assert word not in text, text


@pytest.fixture
def follow():
    made = []

    def make(*args):
        made.append(Run(*args))
        return made[-1]

    yield make
    for r in made:
        r.finish()


def once(d, sink):
    done = subprocess.run([FOLLOW, "--root", d.root, "--once", sink], capture_output=True, text=True, timeout=soon(60))
    assert done.returncode == 0, done.stderr
    return done.stderr


def status(d, sink):
    done = subprocess.run([FOLLOW, "--root", d.root, "--json", "status"], capture_output=True, text=True, timeout=soon(20))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout).get(sink)


def configure(d, text):
    os.makedirs(d.path("etc/secreg"), exist_ok=True)
    with open(d.path("etc/secreg/follow.yaml"), "w") as f:
        f.write(text)


def trail(c):
    f = Follower()
    f.follow(c)
    return f


# ---- files ----------------------------------------------------------------------------------------------------------

def lines(d):
    """Every line of every file, the oldest first."""
    folder = d.path("var/log/secreg")
    text = b""
    for path in sorted(glob.glob(folder + "/audit-*")) + [folder + "/audit.log"]:
        if os.path.exists(path):
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
                text += f.read()
    assert text == b"" or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def leaves(raws):
    return [r["leaf"] for r in raws]


def check(said, c):
    """What was written is the trail, whole and in order; what comes twice says so, and is the same."""
    t = trail(c)
    seen = {}
    for r in said:
        if r["seq"] in seen:
            assert r.get("repeat") == 1, r
            assert seen[r["seq"]] == r["leaf"]
        else:
            assert r["seq"] == len(seen), r
            seen[r["seq"]] = r["leaf"]
    for i, record in enumerate(t.records[:len(seen)]):
        r = said[[x["seq"] for x in said].index(i)] if i < 3 else None
        if r is not None:
            assert (r["kind"], r["path"], r["uid"]) == (record["kind"], record["path"], record["uid"])
    return len(seen)


def test_files_once(daemon, c):
    for i in range(500):
        c.put(A + "/a", str(i))
    once(daemon, "files")
    said = lines(daemon)
    n = check(said, c)
    assert n > 500 and not [r for r in said if "repeat" in r]
    assert os.stat(daemon.path("var/log/secreg/audit.log")).st_mode & 0o777 == 0o640
    # again: what came since, and nothing twice
    c.put(A + "/a", "x")
    once(daemon, "files")
    said = lines(daemon)
    assert check(said, c) > n and not [r for r in said if "repeat" in r]
    s = status(daemon, "files")
    assert s["next"] == len(said) and s["gaps"] == 0 and s["other_trails"] == 0 and s["trouble"] == "", s


def test_files_follow_what_comes(daemon, c, follow):
    r = follow(daemon, "files")
    for i in range(20):
        c.put(A + "/a", str(i))
        wait_for(lambda: any(x["path"] == A + "/a" and x["version_after"] == i + 1 for x in lines(daemon)), 10, "it is written")
    assert r.end() == 0
    assert status(daemon, "files")["trouble"] == ""


def test_files_through_kills(daemon, c, follow):
    """Killed at any moment, again and again, while others write: nothing is missing, what comes twice says so."""
    stop = threading.Event()

    def work():
        k = daemon.client()
        i = 0
        while not stop.is_set():
            i += 1
            k.put(A + "/w", str(i))

    t = threading.Thread(target=work)
    t.start()
    for i in range(15):
        r = follow(daemon, "files")
        time.sleep(0.05 + 0.02 * i)
        r.end(signal.SIGKILL)
    stop.set()
    t.join()
    once(daemon, "files")
    assert check(lines(daemon), c) > 100


def test_files_through_restarts_of_the_daemon(daemon, follow):
    r = follow(daemon, "files")
    for i in range(3):
        c = daemon.client()
        c.put(A + "/a", str(i))
        daemon.restart()
    daemon.kill()
    daemon.start()
    c = daemon.client()
    c.put(A + "/b", "1")
    wait_for(lambda: any(x["path"] == A + "/b" for x in lines(daemon)), 40, "it goes on")
    assert r.end() == 0
    said = lines(daemon)
    check(said, c)
    assert [x["kind"] for x in said].count("start") == 5
    assert "there again" in r.text()


def test_files_two_of_them(daemon, c, follow):
    a = follow(daemon, "files")
    c.put(A + "/a", "1")
    wait_for(lambda: len(lines(daemon)) > 0, 10, "it is written")
    b = follow(daemon, "files")
    assert b.wait() == 1
    assert a.end() == 0


def test_a_new_day(daemon, c):
    """The file of a past day gets its name, is compressed, and goes when it is old."""
    once(daemon, "files")
    n = len(lines(daemon))
    folder = daemon.path("var/log/secreg")
    day = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    os.utime(folder + "/audit.log", (day.timestamp(), day.timestamp()))
    for old in (29, 31, 40, 50):
        past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=old)
        with gzip.open(folder + "/audit-%s.log.gz" % past.strftime("%Y-%m-%d"), "wb"):
            pass
    c.put(A + "/a", "1")
    r = Run(daemon, "files")
    name = folder + "/audit-%s.log.gz" % day.strftime("%Y-%m-%d")
    wait_for(lambda: os.path.exists(name), 10, "it is compressed")
    assert r.end() == 0
    r.log.close()
    kept = [os.path.basename(p) for p in glob.glob(folder + "/audit-*.gz")]
    assert len(kept) == 3, kept  # two of the three that are too old; the third the next time
    with gzip.open(name) as f:
        assert len(f.read().splitlines()) == n
    assert check(lines(daemon), c) > n


def test_files_that_somebody_removes(daemon, c, follow):
    r = follow(daemon, "files")
    live = daemon.path("var/log/secreg/audit.log")
    wait_for(lambda: os.path.exists(live) and os.path.getsize(live) > 0, 10, "it is written")
    os.rename(live, live + ".mine")
    c.put(A + "/a", "1")
    wait_for(lambda: os.path.exists(live) and os.path.getsize(live) > 0, 20, "a new one is written")
    wait_for(lambda: status(daemon, "files")["trouble"] == "", 20, "all is well again")
    assert r.end() == 0
    with open(live + ".mine") as f:
        before = [json.loads(line) for line in f]
    check(before + lines(daemon), c)


# ---- the journal ----------------------------------------------------------------------------------------------------

class Journal:
    """journald's socket; parses datagrams as the native protocol has them."""

    def __init__(self, d):
        folder = d.path("run/systemd/journal")
        os.makedirs(folder, exist_ok=True)
        self.path = folder + "/socket"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.settimeout(soon(10))

    def next(self):
        fields = {}
        for line in self.sock.recv(1 << 20).decode("utf-8").split("\n")[:-1]:
            name, value = line.split("=", 1)
            assert name not in fields
            fields[name] = value
        return fields

    def until(self, seq):
        got = []
        while not got or int(got[-1]["SECREG_SEQ"]) < seq:
            got.append(self.next())
        return got

    def close(self):
        self.sock.close()
        os.unlink(self.path)


def test_journal(daemon, c, follow):
    j = Journal(daemon)
    r = follow(daemon, "journal")
    c.put(A + "/a", "1")
    c.get("/registry/security/x%0a%1b[31m")
    n = trail(c).verifier.size
    got = j.until(n - 1)
    assert [int(x["SECREG_SEQ"]) for x in got] == list(range(len(got)))
    first = got[0]
    assert first["SECREG_KIND"] == "init" and first["SYSLOG_IDENTIFIER"] == "secreg" and first["PRIORITY"] == "5"
    assert all(x["MESSAGE"] for x in got)
    said = [x for x in got if x.get("SECREG_PATH") == A + "/a"]
    assert said and said[0]["SECREG_KIND"] == "set" and said[0]["MESSAGE"].startswith("set %s/a: done" % A)
    assert r.end() == 0
    j.close()


def test_a_journal_that_takes_nothing(daemon, c, follow):
    """Nobody is hindered; when it takes records again, all of them come."""
    j = Journal(daemon)
    r = follow(daemon, "journal")
    for i in range(3000):
        c.put(A + "/a", str(i)) if i % 10 == 0 else c.get(A + "/a")
    c.put(A + "/a", "last")
    n = trail(c).verifier.size
    got = j.until(n - 2)
    assert [int(x["SECREG_SEQ"]) for x in got] == list(range(len(got)))
    assert r.end() == 0
    j.close()


def test_a_journal_that_goes_away(daemon, c, follow):
    j = Journal(daemon)
    r = follow(daemon, "journal")
    j.until(2)
    j.close()
    for _ in range(5):
        c.put(A + "/a", "1")
    wait_for(lambda: (status(daemon, "journal") or {}).get("trouble", "") != "", 20, "it says what it waits for")
    j = Journal(daemon)
    got = j.until(trail(c).verifier.size - 2)
    seqs = [int(x["SECREG_SEQ"]) for x in got]
    assert seqs == list(range(seqs[0], seqs[-1] + 1)) and "there again" in r.text()
    assert r.end() == 0
    j.close()


def test_a_trail_that_was_replaced(new_store, follow):
    """The follower of one store finds another one in its place: it says so and sends all of it."""
    d = new_store().start()
    d.client().put(A + "/a", "1")
    once(d, "files")
    n = len(lines(d))
    d.stop()
    os.rename(d.path("var/lib/secreg"), d.path("var/lib/before"))
    os.rename(d.path("etc/secreg"), d.path("etc/before"))
    assert d.init().returncode == 0
    d.start()
    c = d.client()
    once(d, "files")
    said = lines(d)
    assert status(d, "files")["other_trails"] == 1
    again = said[n:]
    assert [r["seq"] for r in again] == list(range(len(again)))
    assert again[0]["leaf"] != said[0]["leaf"]
    check(again, c)


# ---- what can be wrong ----------------------------------------------------------------------------------------------

def test_usage(daemon):
    for args in ([], ["nowhere"], ["files", "journal"], ["--what", "files"]):
        done = subprocess.run([FOLLOW, "--root", daemon.root, *args], capture_output=True, text=True)
        assert done.returncode == 2 and done.stderr, (args, done)
    done = subprocess.run([FOLLOW, "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "usage" in done.stdout
    done = subprocess.run([FOLLOW, "--root", daemon.root, "--dump-config"], capture_output=True, text=True)
    assert done.returncode == 0 and "days" in done.stdout
    configure(daemon, "files:\n  days: 0\n")
    for args in (["--check-config"], ["files"]):
        done = subprocess.run([FOLLOW, "--root", daemon.root, *args], capture_output=True, text=True)
        assert done.returncode == 1 and "days" in done.stderr


def test_a_damaged_cursor_is_said(daemon):
    once(daemon, "files")
    with open(daemon.path("var/lib/secreg-follow/files.cursor"), "r+b") as f:
        f.write(b"\xff" * 8192)
    done = subprocess.run([FOLLOW, "--root", daemon.root, "files"], capture_output=True, text=True, timeout=soon(20))
    assert done.returncode == 1 and "check" in done.stderr
