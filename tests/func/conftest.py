"""Fixtures: a fresh store in a folder of its own for every test, the daemon that serves it, and clients.

Environment: SECREG_BUILD (build folder, default build), SECREG_SANITIZED (set: the daemon was built with sanitizers, so
every waiting time is three times as long). Nothing outside the folders made here is touched.
"""
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from client import Actor, Client, Raw  # noqa: E402

TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("SECREG_BUILD", "build"))
SECREGD = os.path.join(BUILD, "bin", "secregd")
SREG = os.path.join(BUILD, "bin", "sreg")
SLOWER = 3 if os.environ.get("SECREG_SANITIZED") else 1
IS_ROOT = os.geteuid() == 0
if SLOWER > 1:
    # the search for leaks stops the process with ptrace(2), which confined roles do not allow; the unit tests do it
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")

# A shell starts what runs in its background with these ignored, and whom the tests start would inherit that.
for number, action in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, action)

needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root: acts as other users")


def soon(seconds):
    """A waiting time, longer where everything is slower."""
    return seconds * SLOWER


def wait_for(condition, seconds, what):
    """Waits until condition() is true, and gives its answer; fails with `what`."""
    end = time.monotonic() + soon(seconds)
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError("in vain: " + what)
        time.sleep(0.01)


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Daemon:
    """One store and, between start() and stop(), the daemon that serves it."""

    def __init__(self, root):
        self.root = root
        self.process = None
        self.clients = []
        self.expects_trouble = False  # the test kills or damages: do not judge how the daemon ends
        self.log_path = os.path.join(root, "log")
        open(self.log_path, "w").close()

    # ---- the store

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    @property
    def socket(self):
        return self.path("run/secreg/socket")

    @property
    def db(self):
        return self.path("var/lib/secreg/registry.db")

    @property
    def key(self):
        return self.path("etc/secreg/master.key")

    def init(self, slot="key-file", rounds=0, passphrase=None):
        args = [SECREGD, "--root", self.root, "--mode=init", slot, str(rounds)]
        if passphrase is not None:
            r, w = os.pipe()
            os.write(w, passphrase)
            os.close(w)
            # the daemon reads descriptor 3; a shell moves ours there
            args = ["/bin/bash", "-c", 'exec "$@" 3<&%d' % r, "bash"] + args
            done = subprocess.run(args, pass_fds=[r], capture_output=True, timeout=soon(60))
            os.close(r)
        else:
            done = subprocess.run(args, capture_output=True, timeout=soon(60))
        os.makedirs(self.path("etc/secreg"), exist_ok=True)
        self.seed = done.stdout.decode()  # of the epochs of its trail
        return done

    def configure(self, text):
        with open(self.path("etc/secreg/secregd.yaml"), "w") as f:
            f.write(text)

    # ---- the daemon

    def start(self, env=None, args=(), wait=True, pass_fds=(), prefix=()):
        assert self.process is None
        r, w = os.pipe()
        ready_fd = ["--ready-fd", str(w)] if wait else []
        command = [*prefix, SECREGD, "--root", self.root, *ready_fd, *args]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[w, *pass_fds], start_new_session=True,
                                            env={**os.environ, **(env or {})})
        os.close(w)
        try:
            if wait:
                ready, _, _ = select.select([r], [], [], soon(20))
                if not ready or os.read(r, 1) != b"\n":
                    raise AssertionError("not ready (exit %s): %s" % (self.process.poll(), self.log()))
        finally:
            os.close(r)
        return self

    def wait_end(self, seconds=20):
        """The exit status, once the daemon and all its roles are gone."""
        status = self.process.wait(timeout=soon(seconds))
        session = self.process.pid
        self.process = None
        wait_for(lambda: not [p for p in session_of(session) if is_alive(p)], 10, "a role outlives the daemon")
        return status

    def stop(self, seconds=20):
        for c in self.clients:
            c.close()
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end(seconds)

    def restart(self, **args):
        assert self.stop() == 0, self.log()
        return self.start(**args)

    def state_files(self):
        """Every file of the state folder and of those below it."""
        return [os.path.join(at, name) for at, _, names in os.walk(self.path("var/lib/secreg")) for name in names]

    def kill(self, role="parent"):
        """Kills one role without warning and waits until nothing is left of the daemon."""
        pid = self.process.pid if role == "parent" else self.roles()[role]
        os.kill(pid, signal.SIGKILL)
        self.expects_trouble = True
        return self.wait_end()

    def roles(self):
        c = Client(self.socket)
        try:
            return {r["role"]: r["pid"] for r in c.status()["roles"]}
        finally:
            c.close()

    def finish(self):
        for c in self.clients:
            c.close()
        status = None
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                status = self.wait_end()
            except (subprocess.TimeoutExpired, AssertionError):
                for pid in session_of(self.process.pid) if self.process else []:
                    os.kill(pid, signal.SIGKILL)
                raise
        log = self.log()
        for word in ("AddressSanitizer", "runtime error:", "Assertion", "LeakSanitizer"):
            assert word not in log, log
        if not self.expects_trouble:
            assert status in (None, 0), "exit status %s: %s" % (status, log)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    # ---- clients

    def client(self, timeout=20):
        c = Client(self.socket, soon(timeout))
        self.clients.append(c)
        return c

    def raw(self, timeout=20):
        r = Raw(self.socket, soon(timeout))
        self.clients.append(r)
        return r

    def put_many(self, paths, value="1"):
        """Makes many entries quickly: over several connections, so that they share turns."""
        raws = [Raw(self.socket, soon(20)) for _ in range(32)]
        for at in range(0, len(paths), len(raws)):
            batch = list(zip(raws, paths[at:at + len(raws)]))
            for raw, path in batch:
                raw.send("PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path, len(value), value))
            for raw, path in batch:
                assert raw.reply().status in (200, 201), path
        for raw in raws:
            raw.close()

    def actor(self, uid, gid=None, groups=()):
        a = Actor(self.socket, uid, gid if gid is not None else uid, groups)
        self.clients.append(a)
        return a


def session_of(session):
    """Processes of a session: a daemon and its roles, which no test shares with another."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if int(fields[3]) == session:
                    found.append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


@pytest.fixture(scope="session")
def _folder():
    """One folder a test run and worker; other users may go through it, and its name is short, as a socket's must be."""
    folder = tempfile.mkdtemp(prefix="srt-", dir="/tmp")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_store(_folder):
    """Makes stores: new_store() is an initialised one that is not served yet."""
    made = []

    def make(slot="key-file", rounds=0, passphrase=None, config=None, init=True):
        root = tempfile.mkdtemp(dir=_folder)
        os.chmod(root, 0o755)
        d = Daemon(root)
        made.append(d)
        if init:
            done = d.init(slot, rounds, passphrase)
            assert done.returncode == 0, done.stderr
        if config is not None:
            d.configure(config)
        return d

    yield make
    troubles = []
    for d in made:
        try:
            d.finish()
        except BaseException as e:
            troubles.append(e)
    for d in made:
        shutil.rmtree(d.root, ignore_errors=True)
    if troubles:
        raise troubles[0]


@pytest.fixture
def daemon(new_store):
    """A fresh store, served."""
    return new_store().start()


@pytest.fixture
def c(daemon):
    """The administrator's client."""
    return daemon.client()


# ---- what is costly to make, once for all processes of a run ----------------------------------------------------------

def shared_folder():
    """One for all processes of a test run; it is gone at its end."""
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    path = "/tmp/srt-shared-%d" % run
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


def pytest_sessionfinish(session):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree("/tmp/srt-shared-%d" % os.getpid(), ignore_errors=True)
