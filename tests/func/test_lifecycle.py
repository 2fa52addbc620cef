"""Starting, locking, reloading, stopping, and what service managers are told."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import Raw
from conftest import IS_ROOT, SECREGD, is_alive, needs_root, session_of, soon, wait_for
from trail_verify import Follower

A = "/registry/applications"
GOOD_PASS = b"correct horse battery staple"
# The same text may not be derived with fewer rounds: doc/spec/keys.md
ROUNDS = 600000


@pytest.fixture
def pass_store(new_store):
    return new_store("passphrase", ROUNDS, GOOD_PASS)


# ---- making a store -------------------------------------------------------------------------------------------------

def test_init_makes_private_files(new_store):
    d = new_store()
    assert os.stat(d.key).st_mode & 0o777 == 0o400
    assert os.stat(d.db).st_mode & 0o777 == 0o600
    assert os.stat(d.path("var/lib/secreg")).st_mode & 0o777 == 0o700
    with open(d.key, "rb") as f:
        assert len(set(f.read())) > 10


def test_init_does_not_touch_an_existing_store(new_store):
    d = new_store()
    before = open(d.db, "rb").read(), open(d.key, "rb").read()
    done = d.init()
    assert done.returncode == 6 and b"exists" in done.stderr
    assert (open(d.db, "rb").read(), open(d.key, "rb").read()) == before


def test_init_does_not_overwrite_a_key(new_store):
    d = new_store()
    for tail in ("", "-wal"):
        if os.path.exists(d.db + tail):
            os.unlink(d.db + tail)
    key = open(d.key, "rb").read()
    done = d.init()
    assert done.returncode != 0
    assert open(d.key, "rb").read() == key


@pytest.mark.parametrize("args", [[], ["key-file"], ["passphrase", "x"], ["passphrase", "1000000000"], ["key-file", "0", "x"],
                                  ["key-file", "-1"]])
def test_init_usage(new_store, args):
    d = new_store(init=False)
    done = subprocess.run([SECREGD, "--root", d.root, "--mode=init", *args], capture_output=True, timeout=30)
    assert done.returncode == 2 and not os.path.exists(d.db)


@pytest.mark.parametrize("slot", ["tpm", "Key-File", ""])
def test_init_knows_its_slots(new_store, slot):
    d = new_store(init=False)
    done = subprocess.run([SECREGD, "--root", d.root, "--mode=init", slot, "600000"], capture_output=True, timeout=30,
                          stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and not os.path.exists(d.db)


@pytest.mark.parametrize("passphrase,rounds", [(b"", ROUNDS), (b"x" * 1025, ROUNDS), (GOOD_PASS, 0), (GOOD_PASS, 599999)])
def test_init_refuses_what_is_no_passphrase_or_too_weak(new_store, passphrase, rounds):
    d = new_store(init=False)
    done = d.init("passphrase", rounds, passphrase)
    assert done.returncode != 0
    assert not os.path.exists(d.db) or subprocess.run(
        [SECREGD, "--root", d.root], timeout=30, capture_output=True, stdin=subprocess.DEVNULL).returncode != 0


def test_a_daemon_without_a_store_says_what_to_do(new_store):
    d = new_store(init=False)
    done = subprocess.run([SECREGD, "--root", d.root], capture_output=True, timeout=soon(20), text=True)
    assert done.returncode == 1 and "sreg init" in done.stderr


# ---- starting and stopping ------------------------------------------------------------------------------------------

def test_ready_is_said_when_it_is_true(new_store):
    d = new_store()
    p = subprocess.Popen([SECREGD, "--root", d.root], stderr=subprocess.PIPE, text=True, start_new_session=True)
    lines = []
    for line in p.stderr:
        lines.append(line)
        if line == "secregd: ready\n":
            break
    assert d.client().get("/v1/status").status == 200
    p.terminate()
    assert p.wait(timeout=soon(20)) == 0
    assert "secregd: ready\n" in lines


def test_ready_fd(new_store):
    d = new_store()
    r, w = os.pipe()
    d.start(wait=False, args=["--ready-fd", str(w)], pass_fds=[w])
    os.close(w)
    with os.fdopen(r, "rb") as f:
        assert f.read() == b"\n"  # and is closed then
    assert d.client().get("/v1/status").status == 200


def test_nobody_reads_the_ready_fd(new_store):
    d = new_store()
    r, w = os.pipe()
    os.close(r)
    d.start(wait=False, args=["--ready-fd", str(w)], pass_fds=[w])
    os.close(w)
    wait_for(lambda: "secregd: ready" in d.log(), 20, "it is ready")
    time.sleep(0.2)
    assert d.process.poll() is None
    assert d.client().get("/v1/status").status == 200


def test_second_daemon_is_refused_and_the_first_goes_on(daemon, c):
    c.put(A + "/a", "1")
    done = subprocess.run([SECREGD, "--root", daemon.root], capture_output=True, timeout=soon(30), text=True)
    assert done.returncode == 1 and "another daemon" in done.stderr
    assert c.get(A + "/a").body == b"1"
    assert daemon.client().get("/v1/status").status == 200


def test_stop_is_recorded_and_leaves_no_socket(daemon, c):
    c.put(A + "/a", "1")
    assert daemon.stop() == 0
    assert not os.path.exists(daemon.socket)
    daemon.start()
    kinds = [r["kind"] for r in daemon.client().get("/v1/audit").data["records"]]
    assert kinds[:11] == ["epoch", "checkpoint", "start", "epoch", "epoch", "checkpoint", "stop", "set", "epoch", "checkpoint", "start"]


def test_an_orderly_stop_is_not_called_unclean(daemon, c):
    daemon.restart()
    start = [r for r in daemon.client().get("/v1/audit?kind=start").data["records"]][0]
    assert start["detail"] == ""


def test_a_kill_is_noted_at_the_next_start(daemon, c):
    c.put(A + "/a", "1")
    daemon.kill("parent")
    daemon.start()
    c = daemon.client()
    start = c.get("/v1/audit?kind=start").data["records"][0]
    assert "did not end in order" in start["detail"]
    assert "did not end in order" in daemon.log()
    assert c.get(A + "/a").body == b"1"
    Follower().follow(c)


@pytest.mark.parametrize("role", ["engine", "front", "starter"])
def test_a_role_that_dies_takes_the_daemon_down(daemon, c, role):
    c.put(A + "/a", "1")
    assert daemon.kill(role) != 0
    assert re.search("role %s .*(SIGKILL|Killed|killed)" % role, daemon.log())
    assert not os.path.exists(daemon.socket)
    daemon.start()
    c = daemon.client()
    assert c.get(A + "/a").body == b"1"
    Follower().follow(c)


def test_roles_end_when_the_parent_is_killed(daemon, c):
    session = daemon.process.pid
    assert len(session_of(session)) == 4
    daemon.kill("parent")  # waits until the session is empty
    assert session_of(session) == [] or not any(is_alive(p) for p in session_of(session))


def test_a_stale_socket_is_no_obstacle(daemon, c):
    daemon.kill("parent")
    assert os.path.exists(daemon.socket)
    daemon.start()
    assert daemon.client().get("/v1/status").status == 200


def test_interrupt_from_a_terminal(daemon, c):
    """Ctrl-C reaches every process of the group, roles too: it is an orderly stop all the same."""
    c.put(A + "/a", "1")
    os.killpg(daemon.process.pid, signal.SIGINT)
    assert daemon.wait_end() == 0, daemon.log()
    daemon.start()
    assert daemon.client().get("/v1/audit?kind=start").data["records"][0]["detail"] == ""


def test_termination_of_the_whole_group(daemon, c):
    """As systemd does with KillMode=control-group."""
    c.put(A + "/a", "1")
    os.killpg(daemon.process.pid, signal.SIGTERM)
    assert daemon.wait_end() == 0, daemon.log()
    daemon.start()
    assert daemon.client().get("/v1/audit?kind=start").data["records"][0]["detail"] == ""


def test_two_stop_signals(daemon, c):
    daemon.process.send_signal(signal.SIGTERM)
    try:
        daemon.process.send_signal(signal.SIGTERM)
    except ProcessLookupError:
        pass
    assert daemon.wait_end() == 0


def test_drain_finishes_the_request_that_is_on_its_way(daemon, c):
    with daemon.raw() as idle, daemon.raw() as busy:
        idle.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.reply().status == 200
        busy.send("PUT %s/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345" % A)
        time.sleep(0.1)
        daemon.process.send_signal(signal.SIGTERM)
        assert idle.is_over()
        wait_for(lambda: connects(daemon) is False, 5, "nothing new is accepted")
        time.sleep(0.3)
        busy.send("67890")
        r = busy.reply()
        assert r.status == 201 and r.headers["connection"] == "close"
        assert busy.is_over()
    assert daemon.wait_end() == 0
    daemon.start()
    assert daemon.client().get(A + "/a").body == b"1234567890"


def connects(daemon):
    """True if a request of a new connection is served."""
    try:
        with Raw(daemon.socket, soon(0.3)) as raw:
            raw.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            r = raw.reply()
            return r is not None and r.status == 200
    except OSError:
        return False


def test_drain_does_not_wait_for_ever(daemon, c):
    with daemon.raw() as stalled:
        stalled.send("PUT %s/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345" % A)
        time.sleep(0.1)
        began = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.wait_end()
        assert time.monotonic() - began < soon(10)
    daemon.start()
    c = daemon.client()
    assert c.get(A + "/a").status == 404
    assert c.get("/v1/audit?kind=start").data["records"][0]["detail"] == ""


def test_load_while_stopping_loses_no_answered_write(daemon):
    answered, stop = {}, threading.Event()

    def write(n):
        c = daemon.client()
        i = 0
        while not stop.is_set():
            i += 1
            try:
                if c.put(A + "/n%d" % n, str(i)).status in (200, 201):
                    answered[n] = i
            except OSError:
                return
            except Exception:
                return

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    daemon.process.send_signal(signal.SIGTERM)
    for t in threads:
        t.join(soon(20))
    stop.set()
    assert daemon.wait_end() == 0, daemon.log()
    daemon.start()
    c = daemon.client()
    for n, i in answered.items():
        assert int(c.get(A + "/n%d" % n).body) in (i, i + 1)


# ---- locking --------------------------------------------------------------------------------------------------------

def test_lock_and_unlock_with_the_key_file(daemon, c):
    c.put(A + "/a", "1")
    c.put(A + "/s", "2", sealed="true")
    revision = c.status()["revision"]
    assert c.post("/v1/lock").status == 200
    assert c.status()["state"] == "locked"
    for r in (c.get(A + "/a"), c.put(A + "/a", "2"), c.delete(A + "/a"), c.get(A + "/"), c.get(A + "/a?history"),
              c.get(A + "/none"), c.get("/v1/acl?path=" + A), c.acl_add(A, "allow", "any", "read"),
              c.delete("/v1/acl?id=1"), c.get("/v1/acl/test?path=%s&principal=any&action=read" % A), c.post("/v1/lock")):
        assert (r.status, r.code) == (503, "locked"), r
    for target in ("/v1/status", "/v1/whoami", "/v1/audit", "/v1/checkpoint", "/v1/audit?raw"):
        assert c.get(target).status == 200, target
    assert c.post("/v1/unlock").status == 200
    assert (c.get(A + "/a").body, c.get(A + "/s").body) == (b"1", b"2")
    assert c.status()["revision"] == revision
    Follower().follow(c)


def test_refusals_while_locked_are_recorded(c):
    c.post("/v1/lock")
    c.get(A + "/a")
    r = c.get("/v1/audit?limit=1&kind=get").data["records"][0]
    assert (r["outcome"], r["path"]) == ("locked", A + "/a")


def test_a_locked_registry_holds_no_key(daemon, c):
    """Unlocking reads the key file anew: without it, or with another, the registry stays locked."""
    c.put(A + "/a", "1")
    with open(daemon.key, "rb") as f:
        key = f.read()
    c.post("/v1/lock")
    os.chmod(daemon.key, 0o600)
    with open(daemon.key, "wb") as f:
        f.write(bytes(32))
    r = c.post("/v1/unlock")
    assert (r.status, r.code) == (403, "wrong-key")
    with open(daemon.key, "wb") as f:
        f.write(key[:31])
    assert c.post("/v1/unlock").code == "wrong-key"
    assert c.status()["state"] == "locked"
    with open(daemon.key, "wb") as f:
        f.write(key)
    assert c.post("/v1/unlock").status == 200
    assert c.get(A + "/a").body == b"1"


def test_a_start_with_a_wrong_key_file_serves_locked(new_store):
    d = new_store()
    os.chmod(d.key, 0o600)
    with open(d.key, "wb") as f:
        f.write(bytes(range(32)))
    d.start()
    c = d.client()
    assert c.status()["state"] == "locked"
    assert "does not unlock" in d.log()
    assert c.get(A + "/a").code == "locked"
    assert c.get("/v1/audit").status == 200


def test_a_start_without_a_key_file_serves_locked(new_store):
    d = new_store()
    os.rename(d.key, d.key + ".away")
    d.start()
    c = d.client()
    assert c.status()["state"] == "locked"
    r = c.post("/v1/unlock")
    assert (r.status, r.code) == (404, "not-found")
    os.rename(d.key + ".away", d.key)
    assert c.post("/v1/reload").status == 200  # the parent opens the file again
    assert c.post("/v1/unlock").status == 200
    assert c.status()["state"] == "unlocked"


def test_lock_in_the_midst_of_pipelined_changes(daemon, c):
    """What came before the lock is done, what comes after is refused, in one burst."""
    with daemon.raw() as raw:
        put = "PUT %s/%%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1" % A
        raw.send(put % "a" + put % "b" + "POST /v1/lock HTTP/1.1\r\nHost: x\r\n\r\n" + put % "c")
        assert [raw.reply().status for _ in range(4)] == [201, 201, 200, 503]
    c.post("/v1/unlock")
    assert c.names(A) == ["a", "b"]


def test_locking_under_load(daemon, c):
    """Every answered write is there; every other was refused as locked."""
    stop, written, strange = threading.Event(), [0] * 4, []

    def write(n):
        w = daemon.client()
        while not stop.is_set():
            r = w.put(A + "/w%d" % n, str(written[n] + 1))
            if r.status in (200, 201):
                written[n] += 1
            elif r.code != "locked":
                strange.append(r)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for _ in range(15):
        time.sleep(0.03)
        assert c.post("/v1/lock").status == 200
        time.sleep(0.01)
        assert c.post("/v1/unlock").status == 200
    stop.set()
    for t in threads:
        t.join()
    assert strange == []
    for n in range(4):
        r = c.get(A + "/w%d" % n)
        assert r.body == b"%d" % written[n] and r.version == written[n]
    Follower().follow(c)


def test_passphrase_store(pass_store):
    d = pass_store.start()
    c = d.client()
    assert c.status()["state"] == "locked"
    assert (c.put(A + "/a", "1").status, c.put(A + "/a", "1").code) == (503, "locked")
    r = c.post("/v1/unlock", "wrong")
    assert (r.status, r.code) == (403, "wrong-key")
    r = c.post("/v1/unlock")
    assert (r.status, r.code) == (404, "not-found")
    for almost in (GOOD_PASS + b"\n", GOOD_PASS[:-1]):
        assert c.post("/v1/unlock", almost).code == "wrong-key"
    assert c.post("/v1/unlock", GOOD_PASS).status == 200
    assert c.put(A + "/a", "1", sealed="true").status == 201
    assert c.post("/v1/lock").status == 200
    assert c.get(A + "/a").code == "locked"
    assert c.post("/v1/unlock", GOOD_PASS).status == 200
    assert c.get(A + "/a").body == b"1"
    d.restart()
    c = d.client()
    assert c.status()["state"] == "locked"
    assert c.post("/v1/unlock", GOOD_PASS).status == 200
    assert c.get(A + "/a").body == b"1"
    told = [(r["kind"], r["outcome"], r["detail"]) for r in c.get("/v1/audit?kind=unlock&order=up").data["records"]]
    assert told[:3] == [("unlock", "wrong-key", "passphrase"), ("unlock", "not-found", "key file"),
                        ("unlock", "wrong-key", "passphrase")]
    assert told[-1] == ("unlock", "done", "passphrase")
    Follower().follow(c)


def test_five_wrong_keys_are_the_end_of_trying(pass_store):
    d = pass_store.start()
    c = d.client()
    for i in range(5):
        assert c.post("/v1/unlock", "guess %d" % i).code == "wrong-key"
    for material in ("guess 6", GOOD_PASS):
        r = c.post("/v1/unlock", material)
        assert (r.status, r.code) == (429, "limit")
    assert c.status()["state"] == "locked"
    assert c.get("/v1/audit?kind=unlock&limit=1").data["records"][0]["outcome"] == "limit"


def test_a_right_key_forgives_the_wrong_ones_before(pass_store):
    d = pass_store.start()
    c = d.client()
    for _ in range(2):
        for i in range(4):
            assert c.post("/v1/unlock", "guess %d" % i).code == "wrong-key"
        assert c.post("/v1/unlock", GOOD_PASS).status == 200
        c.post("/v1/lock")


@needs_root
def test_one_users_wrong_keys_do_not_lock_out_another(pass_store):
    d = pass_store.start()
    c = d.client()
    assert c.post("/v1/unlock", GOOD_PASS).status == 200
    c.allow("/registry", "uid:5001", "control")
    c.post("/v1/lock")
    guesser = d.actor(5001)
    for i in range(5):
        assert guesser.post("/v1/unlock", "guess %d" % i).code == "wrong-key"
    assert guesser.post("/v1/unlock", GOOD_PASS).code == "limit"
    assert c.post("/v1/unlock", GOOD_PASS).status == 200


def test_longest_passphrase(new_store):
    long = bytes(range(1, 256)) * 4 + b"abcd"
    assert len(long) == 1024
    d = new_store("passphrase", ROUNDS, long).start()
    c = d.client()
    assert c.post("/v1/unlock", long[:-1]).code == "wrong-key"
    assert c.post("/v1/unlock", long + b"x").code == "too-large"
    assert c.post("/v1/unlock", long).status == 200


# ---- configuration --------------------------------------------------------------------------------------------------

def run(d, *args):
    return subprocess.run([SECREGD, "--root", d.root, *args], capture_output=True, timeout=soon(20), text=True)


def test_check_and_dump_config(new_store):
    d = new_store(config="limits:\n  connections_per_uid: 77\nhttp:\n  head_timeout: 2min\n")
    done = run(d, "--check-config")
    assert (done.returncode, done.stderr) == (0, "")
    done = run(d, "--dump-config")
    assert done.returncode == 0
    assert "connections_per_uid: 77" in done.stdout and "head_timeout: 2min" in done.stdout and "connections: 1000" in done.stdout
    d.configure(done.stdout)
    assert run(d, "--dump-config").stdout == done.stdout


BAD_CONFIGS = ["limits:\n  connections: many\n", "limits:\n  connections: 7\n", "limits:\n  connections: 4001\n",
               "limit:\n  connections: 100\n", "limits:\n  conns: 100\n", "limits: 5\n", "- a\n", "limits:\n  connections: 100\n" * 2,
               "http:\n  head_timeout: 10 s\n", "http:\n  head_timeout: 10d\n", "log:\n  level: loud\n", "a: &x 1\n", "{", "\t",
               "limits:\n  connections: [100]\n", "limits:\n  connections: 0x64\n", "limits:\n  connections: -1\n",
               "--- \nlimits:\n  connections: 100\n---\nlimits:\n  connections: 100\n", "limits:\n  connections: !!int 100\n"]


@pytest.mark.parametrize("config", BAD_CONFIGS)
def test_bad_configurations_are_named_and_refused_as_a_whole(new_store, config):
    d = new_store(config=config)
    done = run(d, "--check-config")
    assert done.returncode == 1 and "secregd.yaml" in done.stderr and len(done.stderr) > 30
    done = run(d)
    assert done.returncode == 1 and "ready" not in done.stderr


def test_too_large_configuration(new_store):
    d = new_store(config="# " + "x" * 300000 + "\n")
    assert run(d, "--check-config").returncode == 1


def test_reload_by_request(daemon, c):
    assert "reload" not in c.status()  # which fetches the description of the interface, while it may still connect
    raws = [daemon.raw() for _ in range(10)]
    for raw in raws:
        raw.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status == 200
    daemon.configure("limits:\n  connections_per_uid: 5\n")
    assert c.post("/v1/reload").status == 200
    with daemon.raw() as over:
        over.try_send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert over.reply().status == 429
    for raw in raws:  # those that are there may stay
        raw.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status == 200
    daemon.configure("limits:\n  connections_per_uid: 50\n")
    assert c.post("/v1/reload").status == 200
    with daemon.raw() as again:
        again.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        assert again.reply().status == 200
    assert c.status()["reload"] == {"done": True, "text": "done"}


def test_reload_of_a_bad_configuration_changes_nothing(daemon, c):
    daemon.configure("history:\n  versions: 2\n")
    assert c.post("/v1/reload").status == 200
    daemon.configure("history:\n  versions: 5\n  nonsense: 1\n")
    r = c.post("/v1/reload")
    assert (r.status, r.code) == (422, "bad-config")
    assert "nonsense" in r.json["error"]["message"]
    assert c.status()["reload"]["done"] is False
    for i in range(6):
        c.put(A + "/a", str(i))
    assert len(c.get(A + "/a?history").data["versions"]) == 2
    told = c.get("/v1/audit?kind=reload&order=up").data["records"]
    assert [r["outcome"] for r in told] in (["done", "bad-config"], ["done", "done"])


def test_reload_by_signal(daemon, c):
    daemon.configure("history:\n  versions: 3\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload: done" in daemon.log(), 5, "the reload")
    for i in range(6):
        c.put(A + "/a", str(i))
    assert len(c.get(A + "/a?history").data["versions"]) == 3
    daemon.configure("history: nonsense\n")
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reload: refused" in daemon.log(), 5, "the refusal")
    c.put(A + "/a", "x")
    assert len(c.get(A + "/a?history").data["versions"]) == 3
    assert daemon.process.poll() is None


def test_reload_says_what_waits_for_a_restart(daemon, c):
    daemon.configure("front:\n  count: 2\n")
    assert c.post("/v1/reload").status == 200
    assert "restart" in c.status()["reload"]["text"]
    assert len([r for r in c.status()["roles"] if r["role"] == "front"]) == 1
    daemon.restart()
    assert len([r for r in daemon.client().status()["roles"] if r["role"] == "front"]) == 2


def test_many_reloads_under_load(daemon, c):
    stop, bad = threading.Event(), []

    def work():
        w = daemon.client()
        while not stop.is_set():
            r = w.put(A + "/a", "1")
            if r.status not in (200, 201):
                bad.append(r)

    t = threading.Thread(target=work)
    t.start()
    for i in range(30):
        daemon.configure("history:\n  versions: %d\n" % (i + 1))
        if i % 2:
            daemon.process.send_signal(signal.SIGHUP)
        r = c.post("/v1/reload")
        assert r.status == 200 or r.code == "limit"
    stop.set()
    t.join()
    assert bad == []
    assert len(os.listdir("/proc/%d/fd" % daemon.roles()["engine"])) < 40 if os.access(
        "/proc/%d/fd" % daemon.roles()["engine"], os.R_OK) else True


def test_usage_help_and_version(new_store):
    d = new_store()
    done = run(d, "--help")
    assert done.returncode == 0 and "--ready-fd" in done.stdout
    done = run(d, "--version")
    assert done.returncode == 0 and re.fullmatch(r"secregd \d+\.\d+\.\d+\n", done.stdout)
    for bad in ("--nonsense", "extra", "--ready-fd=x", "--root"):
        done = subprocess.run([SECREGD, *(["--root", d.root, bad] if bad != "--root" else [bad])], capture_output=True, timeout=20)
        assert done.returncode == 2 and b"usage" in done.stderr
    assert run(d, "--mode=nonsense").returncode == 2


def test_root_from_the_environment(new_store):
    d = new_store()
    done = subprocess.run([SECREGD, "--dump-config"], env={**os.environ, "SECREG_ROOT": d.root}, capture_output=True, timeout=20)
    assert done.returncode == 0
    d.configure("nonsense: 1\n")
    done = subprocess.run([SECREGD, "--check-config"], env={**os.environ, "SECREG_ROOT": d.root}, capture_output=True, timeout=20)
    assert done.returncode == 1


# ---- service managers -----------------------------------------------------------------------------------------------

class Manager:
    """Listens as a service manager does."""

    def __init__(self, d, abstract=False):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = "@secreg-test-%d-%d" % (os.getpid(), id(self)) if abstract else d.path("notify")
        self.sock.bind(self.path.replace("@", "\0") if abstract else self.path)
        self.sock.settimeout(soon(15))

    def next(self):
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().strip().split("\n"))

    def until(self, key):
        while True:
            m = self.next()
            if key in m:
                return m

    def close(self):
        self.sock.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request, new_store):
    d = new_store()
    m = Manager(d, request.param == "abstract")
    m.daemon = d
    yield m
    m.close()


def test_notify(manager):
    d = manager.daemon.start(env={"NOTIFY_SOCKET": manager.path})
    assert manager.until("READY")["READY"] == "1"
    d.process.send_signal(signal.SIGHUP)
    m = manager.until("RELOADING")
    assert m["RELOADING"] == "1" and int(m["MONOTONIC_USEC"]) > 0
    assert abs(int(m["MONOTONIC_USEC"]) / 1e6 - time.monotonic()) < 10
    m = manager.until("READY")
    assert "reload done" in m["STATUS"]
    d.configure("nonsense: 1\n")
    d.process.send_signal(signal.SIGHUP)
    manager.until("RELOADING")
    assert "refused" in manager.until("READY")["STATUS"]
    d.process.send_signal(signal.SIGTERM)
    assert manager.until("STOPPING")["STOPPING"] == "1"
    assert d.wait_end() == 0


def test_watchdog(new_store):
    d = new_store()
    m = Manager(d)
    d.start(env={"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "400000"})
    for _ in range(4):
        assert m.until("WATCHDOG")["WATCHDOG"] == "1"
    pid = d.roles()["front"]
    os.kill(pid, signal.SIGSTOP)
    m.sock.settimeout(soon(1.2))
    silent = False
    for _ in range(4):  # at most the pings that were under way
        try:
            m.until("WATCHDOG")
        except (TimeoutError, socket.timeout):
            silent = True
            break
    os.kill(pid, signal.SIGCONT)
    assert silent, "a role that hangs was not noticed"
    m.sock.settimeout(soon(10))
    m.until("WATCHDOG")
    m.close()


def test_watchdog_for_another_process_is_not_ours(new_store):
    d = new_store()
    m = Manager(d)
    d.start(env={"NOTIFY_SOCKET": m.path, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"})
    m.until("READY")
    m.sock.settimeout(1)
    with pytest.raises((TimeoutError, socket.timeout)):
        m.until("WATCHDOG")
    m.close()


def activated(d, names, env=None, other_pid=False):
    """Starts the daemon with a listening socket as descriptor 3, as systemd does."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = d.path("activated")
    s.bind(path)
    os.chmod(path, 0o666)
    s.listen(100)
    script = 'exec 3<&%d; LISTEN_PID=%s; export LISTEN_PID; exec "$@"' % (s.fileno(), "1" if other_pid else "$$")
    env = {"LISTEN_FDS": "1", **({"LISTEN_FDNAMES": names} if names else {}), **(env or {})}
    d.start(prefix=["/bin/bash", "-c", script, "bash"], env=env, pass_fds=[s.fileno()])
    return s, path


@pytest.mark.parametrize("names", ["socket", None])
def test_socket_activation(new_store, names):
    d = new_store()
    s, path = activated(d, names)
    with Raw(path, soon(10)) as raw:
        raw.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.reply().status == 200
    assert not os.path.exists(d.socket)
    assert d.stop() == 0
    assert os.path.exists(path), "a socket that is not ours was removed"
    s.close()


def test_socket_activation_for_another_process_is_not_ours(new_store):
    d = new_store()
    s, path = activated(d, "socket", other_pid=True)
    assert d.client().get("/v1/status").status == 200
    s.close()


def test_a_request_before_the_start_waits_in_the_socket(new_store):
    """Socket activation's point: nobody who connected early is lost."""
    d = new_store()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = d.path("activated")
    s.bind(path)
    s.listen(100)
    early = Raw(path, soon(20))
    early.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    script = 'exec 3<&%d; LISTEN_PID=$$; export LISTEN_PID; exec "$@"' % s.fileno()
    d.start(prefix=["/bin/bash", "-c", script, "bash"], env={"LISTEN_FDS": "1"}, pass_fds=[s.fileno()])
    assert early.reply().status == 200
    early.close()
    s.close()


# ---- the processes --------------------------------------------------------------------------------------------------

def test_roles_are_confined(daemon, c):
    for role, pid in daemon.roles().items():
        with open("/proc/%d/status" % pid) as f:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        is_open = role == "starter" and not IS_ROOT  # PAM's helpers need their set-user-ID bit
        assert is_open or (fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"), role
        if role == "starter":
            # what PAM needs: files of others, becoming the user, the audit log, locked memory; and to end what has
            may = 0x200040ff if IS_ROOT else 0
            assert all(int(fields[name], 16) & ~may == 0 for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
            continue
        kill = 1 << 5  # the parent may have to end roles of other users
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") + (("CapBnd",) if IS_ROOT else ()):
            assert int(fields[name], 16) & ~(kill if role == "parent" else 0) == 0, (role, name)


def test_environment_is_not_handed_to_the_roles(new_store):
    d = new_store()
    m = Manager(d)
    d.start(env={"NOTIFY_SOCKET": m.path})
    for role, pid in d.roles().items():
        try:
            with open("/proc/%d/environ" % pid, "rb") as f:
                assert role == "parent" or b"NOTIFY_SOCKET" not in f.read(), role
        except PermissionError:
            pass  # not dumpable: even better
    m.close()


def test_a_manager_that_is_not_there_does_not_stop_the_service(new_store):
    """sd_notify(3): telling is best effort."""
    d = new_store().start(env={"NOTIFY_SOCKET": "/nonexistent/socket"})
    assert d.client().get("/v1/status").status == 200


def test_socket_is_for_everybody_and_its_folder_is_not_writable(daemon):
    assert os.stat(daemon.socket).st_mode & 0o777 == 0o666
    assert os.stat(os.path.dirname(daemon.socket)).st_mode & 0o022 == 0
