"""Every verb of sreg on the real programs: what it prints, with and without --json, and its exit status (src/model/outcome.h).
The claims of README.md's tour are among them."""
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

import pytest

from client import b64
from conftest import SREG, needs_root, soon, wait_for
from trail_log import frames

A = "/registry/applications"
PASS = b"correct horse battery staple"

pytestmark = pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")


class Sreg:
    """Runs sreg against one store."""

    def __init__(self, root, **process):
        self.root = root
        self.process = process

    def __call__(self, *args, stdin=b"", env=None):
        done = subprocess.run([SREG, "--root", self.root, *args], input=stdin, capture_output=True, timeout=soon(60),
                              env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, cwd="/", **self.process)
        done.out, done.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert "Sanitizer" not in done.err and "runtime error" not in done.err, done.err
        assert done.returncode >= 0, "killed: %s" % done.err
        return done

    def ok(self, *args, **more):
        done = self(*args, **more)
        assert done.returncode == 0, (args, done)
        return done.out

    def json(self, *args, **more):
        out = self.ok("--json", *args, **more)
        assert out.count("\n") == 1 and out.endswith("\n")
        return json.loads(out)

    def fails(self, status, code, *args, **more):
        """It ends with this status, says why on standard error, as JSON if asked, and nothing on standard output."""
        done = self(*args, **more)
        assert (done.returncode, done.out) == (status, ""), (args, done)
        assert done.err.startswith("sreg: "), done.err
        done = self("--json", *args, **more)
        assert (done.returncode, done.out) == (status, ""), (args, done)
        said = json.loads(done.err.strip().split("\n")[-1])
        assert set(said) == {"code", "message"} and said["code"] == code and said["message"], (args, said)
        return said["message"]


@pytest.fixture
def sreg(daemon):
    return Sreg(daemon.root)


# ---- init -----------------------------------------------------------------------------------------------------------

def test_init_with_a_key_file(new_store):
    d = new_store(init=False)
    s = Sreg(d.root)
    done = s("init", "--slot", "key-file")
    assert done.returncode == 0 and re.fullmatch("secreg-seed:0:[0-9a-f]{64}\n", done.out) and "warning" in done.err
    assert os.stat(d.key).st_mode & 0o777 == 0o400
    d.start()
    assert s.json("status")["state"] == "unlocked"


def test_init_quietly(new_store):
    d = new_store(init=False)
    done = Sreg(d.root)("init", "--slot", "key-file", "-q")
    assert (done.returncode, done.err) == (0, "") and done.out.startswith("secreg-seed:0:")  # it is not told again


def test_init_with_a_passphrase(new_store):
    d = new_store(init=False)
    s = Sreg(d.root)
    assert s("init", "--passphrase-stdin", stdin=PASS + b"\n").returncode == 0
    assert not os.path.exists(d.key)
    d.start()
    assert s.json("status")["state"] == "locked"
    s.fails(5, "wrong-key", "unlock", "--passphrase-stdin", stdin=b"wrong")
    s.ok("unlock", "--passphrase-stdin", stdin=PASS + b"\n")
    assert s.json("status")["state"] == "unlocked"
    s.ok("set", A + "/a", "1")
    s.ok("lock")
    s.fails(7, "locked", "get", A + "/a")
    s.ok("unlock", "--passphrase-stdin", stdin=PASS)
    assert s.ok("get", A + "/a") == "1\n"


def test_init_of_what_exists(new_store):
    d = new_store()
    before = open(d.db, "rb").read()
    done = Sreg(d.root)("init", "--slot", "key-file")
    assert done.returncode == 6 and "exists" in done.err
    assert open(d.db, "rb").read() == before


@pytest.mark.parametrize("args", [["--slot", "tpm"], ["--rounds", "599999"], ["--rounds", "x"],
                                  ["--slot", "key-file", "--rounds", "600000"],
                                  ["--slot"], ["extra"], ["--nonsense"], ["--rounds", "10000001"]])
def test_init_usage(new_store, args):
    d = new_store(init=False)
    done = Sreg(d.root)("init", *args, stdin=PASS)
    assert done.returncode == 2 and not os.path.exists(d.db), done


def test_an_empty_passphrase_is_none(new_store):
    d = new_store(init=False)
    done = Sreg(d.root)("init", "--passphrase-stdin", stdin=b"\n")
    assert done.returncode != 0 and not os.path.exists(d.db)


# ---- without a daemon -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("args", [["get", A + "/a"], ["set", A + "/a", "1"], ["ls", A], ["status"], ["whoami"], ["audit", "verify"],
                                  ["acl", "show"], ["lock"], ["reload"]])
def test_no_daemon(new_store, args):
    d = new_store()
    s = Sreg(d.root)
    done = s(*args)
    assert done.returncode == 7 and done.out == "" and d.socket in done.err
    assert json.loads(s("--json", *args).err)["message"]


def test_a_peer_that_is_no_daemon(new_store):
    """Whatever answers on the socket, sreg ends with a message and no crash."""
    d = new_store()
    for answer in (b"", b"HTTP/1.1 200 OK\r\n\r\n", b"\0" * 100, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nxyz",
                   b"HTTP/1.1 404 X\r\nContent-Length: 99999999999\r\n\r\n", b"SSH-2.0-x\r\n"):
        if os.path.exists(d.socket):
            os.unlink(d.socket)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(d.socket)
        listener.listen(5)
        p = subprocess.Popen([SREG, "--root", d.root, "status", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        listener.settimeout(soon(10))
        try:
            while p.poll() is None:
                listener.settimeout(0.2)
                try:
                    conn, _ = listener.accept()
                except (TimeoutError, socket.timeout):
                    continue
                conn.recv(65536)
                conn.sendall(answer)
                conn.close()
        finally:
            out, err = p.communicate(timeout=soon(20))
            listener.close()
        assert p.returncode > 0 and out == b"" and err, answer


# ---- entries --------------------------------------------------------------------------------------------------------

def test_set_and_get(sreg):
    assert sreg.ok("set", A + "/web/port", "8080", "--type", "integer") == ""
    assert sreg.ok("get", A + "/web/port") == "8080\n"
    e = sreg.json("get", A + "/web/port")
    assert (e["path"], e["type"], e["value"], e["version"], e["sealed"]) == (A + "/web/port", "integer", 8080, 1, False)
    said = sreg.fails(2, "bad-value", "set", A + "/web/port", "eighty")
    assert "eighty" not in said
    d = sreg.json("set", A + "/web/port", "8081", "--if-version", "1", "--reason", "moved", "--comment", "of the web")
    assert d["version"] == 2 and d["path"] == A + "/web/port"
    e = sreg.json("get", A + "/web/port")
    assert (e["value"], e["reason"], e["comment"]) == (8081, "moved", "of the web")
    sreg.fails(6, "conflict", "set", A + "/web/port", "1", "--if-version", "1")
    sreg.fails(6, "exists", "set", A + "/web/port", "1", "--if-absent")
    assert sreg.ok("get", "--version", "1", A + "/web/port") == "8080\n"


def test_options_stand_anywhere(sreg, daemon):
    sreg.ok("set", "--type=integer", A + "/a", "--", "-5")
    assert sreg.ok("get", A + "/a") == "-5\n"
    done = subprocess.run([SREG, "get", A + "/a", "--json", "--root", daemon.root], capture_output=True)
    assert json.loads(done.stdout)["value"] == -5
    done = subprocess.run([SREG, "get", A + "/a"], env={**os.environ, "SECREG_ROOT": daemon.root}, capture_output=True)
    assert done.stdout == b"-5\n"


def test_values_from_standard_input(sreg, daemon, c):
    sreg.ok("set", A + "/a", stdin=b"two\nlines\n")
    assert c.get(A + "/a").body == b"two\nlines"
    sreg.ok("set", A + "/a", "-", stdin=b"no line feed")
    assert c.get(A + "/a").body == b"no line feed"
    sreg.ok("set", A + "/b", "-t", "binary", stdin=b"\0\xff\n")
    assert c.get(A + "/b").body == b"\0\xff\n"
    assert sreg("get", A + "/b").stdout == b"\0\xff\n"
    assert b64(sreg.json("get", A + "/b")["value"]) == b"\0\xff\n"
    big = os.urandom(1 << 20)
    sreg.ok("set", A + "/big", "-t", "binary", stdin=big)
    assert sreg("get", A + "/big").stdout == big
    sreg.fails(2, "too-large", "set", A + "/big", "-t", "binary", stdin=big + b"xx")
    assert sreg("get", A + "/big").stdout == big


@pytest.mark.parametrize("type,value", [("string", ""), ("string", "\u00e9 x"), ("integer", "-9223372036854775808"), ("boolean", "true"),
                                        ("float", "1.5e3"), ("json", '{"a": [1, null]}'), ("list", '["a","b"]'), ("binary", "x")])
def test_every_type(sreg, type, value):
    sreg.ok("set", A + "/v", "--type", type, "--", value)
    assert sreg.ok("get", A + "/v") == value + ("" if type == "binary" else "\n")
    e = sreg.json("get", A + "/v")
    assert e["type"] == type
    assert type in sreg.ok("get", "-e", A + "/v")


def test_sealed(sreg, daemon, c):
    sreg.ok("set", A + "/key", "--seal", stdin=b"s3cret")
    assert c.get(A + "/key").headers["secreg-sealed"] == "true"
    assert sreg.ok("get", A + "/key") == "s3cret\n"
    done = sreg("set", A + "/key", "other", "--seal")
    assert done.returncode == 0 and "warning" in done.err
    assert sreg("set", A + "/key", "other", "--seal", "-q").err == ""
    sreg.ok("set", A + "/key", "third")
    assert c.get(A + "/key").headers["secreg-sealed"] == "true"
    sreg.ok("set", A + "/key", "fourth", "--no-seal")
    assert "secreg-sealed" not in c.get(A + "/key").headers


def test_del(sreg, c):
    sreg.ok("set", A + "/a", "1")
    sreg.fails(6, "conflict", "del", A + "/a", "--if-version", "7")
    assert sreg.ok("del", A + "/a", "--if-version", "1", "--reason", "gone") == ""
    sreg.fails(3, "not-found", "get", A + "/a")
    sreg.fails(3, "not-found", "del", A + "/a")
    assert c.get(A + "/a?history").data["versions"][0]["reason"] == "gone"
    sreg.ok("set", A + "/b", "1")
    assert sreg.json("del", A + "/b")["version"] == 2


def test_exit_statuses(sreg):
    sreg.ok("set", A + "/folder/entry", "1")
    sreg.fails(6, "is-folder", "get", A + "/folder")
    sreg.fails(6, "is-folder", "set", A + "/folder", "1")
    sreg.fails(6, "not-folder", "set", A + "/folder/entry/x", "1")
    sreg.fails(6, "not-folder", "ls", A + "/folder/entry")
    sreg.fails(3, "not-found", "ls", A + "/none")
    sreg.fails(2, "bad-path", "get", "/etc/passwd")
    sreg.fails(2, "bad-path", "get", A + "/../system/a")
    sreg.fails(2, "bad-path", "get", A + "/a b")
    sreg.fails(2, "bad-path", "get", A + "/folder/")
    sreg.fails(3, "not-found", "get", "--version", "9", A + "/folder/entry")
    sreg.fails(2, "bad-value", "set", A + "/j", "{bad", "-t", "json")


def test_a_path_can_name_no_other_resource(sreg, c):
    for path in ("/v1/lock", "v1/lock", "/registry/../v1/lock", "/registry/system?x", "/registry/system/a#b", "/registry/system/a?history",
                 "/registry/system/a%2fb", "http://x/registry/system/a", "", "/", "/registry/system/a\r\nX: y"):
        for verb in ("get", "del", "ls"):
            done = sreg(verb, path)
            assert done.returncode in (2, 3) and done.out == "", (verb, path, done)
    assert c.status()["state"] == "unlocked"


@pytest.mark.parametrize("args", [["get"], ["get", A + "/a", A + "/b"], ["set"], ["set", A + "/a", "1", "2"], ["nonsense"], [],
                                  ["get", "--nonsense", A + "/a"], ["set", A + "/a", "1", "--type", "int"], ["acl"], ["acl", "nonsense"],
                                  ["set", A + "/a", "1", "--seal", "--no-seal"], ["set", A + "/a", "1", "--if-version", "x"],
                                  ["set", A + "/a", "1", "--if-version", "1", "--if-absent"], ["get", "--version"], ["status", "extra"],
                                  ["set", A + "/a", "1", "--reason", "a\nb"], ["acl", "remove", "x"], ["acl", "allow", "any", "read"],
                                  ["acl", "allow", "uid:no-such-user-here", "read", A], ["audit"], ["audit", "query", "--limit", "x"],
                                  ["audit", "query", "--since", "yesterday"], ["audit", "query", "--uid", "no-such-user-here"],
                                  ["completion", "tcsh"], ["help", "nonsense"], ["get", "--json=1", A + "/a"],
                                  ["unlock", "--key-file", "--passphrase-stdin"]])
def test_wrong_command_lines(sreg, c, args):
    revision = c.status()["revision"]
    done = sreg(*args)
    assert done.returncode == 2 and done.out == "" and done.err, (args, done)
    assert c.status()["revision"] == revision


# ---- lists ----------------------------------------------------------------------------------------------------------

def test_ls_and_tree(sreg):
    for p in ("/web/port", "/web/key", "/web.conf", "/db/main/name", "/\u00e9"):
        sreg.ok("set", A + p, "1")
    assert sreg.ok("ls", A) == "db/\nweb/\nweb.conf\n\u00e9\n"
    assert sreg.ok("ls", A + "/") == sreg.ok("ls", A)
    assert sreg.ok("ls", "-r", A) == "".join(A + p + "\n" for p in ("/db/main/name", "/web/key", "/web/port", "/web.conf", "/\u00e9"))
    assert sreg.ok("ls", "/registry") == "applications/\nsecurity/\nsystem/\nuser/\n"
    assert sreg.ok("ls", "/registry/system") == ""
    d = sreg.json("ls", A)
    assert [e["name"] for e in d["entries"]] == ["db", "web", "web.conf", "\u00e9"] and d["next"] is None
    long = sreg.ok("ls", "-l", A)
    assert re.search(r"string .*web\.conf", long) and "db" in long
    tree = sreg.ok("tree", A)
    for word in ("web/", "port", "main/", "name", "\u00e9"):
        assert word in tree
    assert tree.split("\n")[0].rstrip("/") == A
    assert len(tree.strip().split("\n")) == 1 + 8
    assert {e["path"] for e in sreg.json("tree", A)["entries"]} == {
        A + p for p in ("/db/main/name", "/web/key", "/web/port", "/web.conf", "/\u00e9")}


def test_ls_takes_all_pages(sreg, daemon):
    daemon.put_many([A + "/p/n%04d" % i for i in range(1101)])
    names = sreg.ok("ls", A + "/p").split("\n")[:-1]
    assert names == ["n%04d" % i for i in range(1101)]
    assert sreg.ok("ls", "-r", A).split("\n")[:-1] == [A + "/p/" + n for n in names]
    assert len(sreg.json("ls", A + "/p")["entries"]) == 1101
    assert len(sreg.json("ls", "-l", "-r", A + "/p")["entries"]) == 1101


def test_history(sreg):
    sreg.ok("set", A + "/a", "1", "--reason", "first one")
    sreg.ok("set", A + "/a", "22")
    sreg.ok("del", A + "/a")
    out = sreg.ok("history", A + "/a").strip().split("\n")
    assert len(out) == 4 and "first one" in out[3] and "deleted" in out[1].lower() + out[0].lower()
    assert [v["version"] for v in sreg.json("history", A + "/a")["versions"]] == [3, 2, 1]
    sreg.fails(3, "not-found", "history", A + "/none")


def test_what_comes_from_others_is_made_safe_for_a_terminal(sreg, daemon):
    """On a terminal, control characters of a value cannot act; into a pipe, the bytes are what they are."""
    sreg.ok("set", A + "/evil", stdin=b"a\x1b]0;owned\x07b")
    assert sreg("get", A + "/evil").stdout == b"a\x1b]0;owned\x07b\n"
    sreg.ok("set", A + "/r", "1", "--comment", "x\u202ey")
    for args in (["get", A + "/evil"], ["get", "-e", A + "/evil"], ["get", "-e", A + "/r"]):
        shown = on_terminal([SREG, "--root", daemon.root, "--no-color", *args])
        assert b"\x1b" not in shown and b"\x07" not in shown and "\u202e".encode() not in shown, shown
    assert b"\\x1b" in on_terminal([SREG, "--root", daemon.root, "get", A + "/evil"]).lower()


def on_terminal(command, typed=None, timeout=15):
    """Runs a command on a terminal of its own, types the answers when it asks; gives what the terminal showed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["LC_ALL"] = "C.UTF-8"
        os.execv(command[0], command)
    shown = b""
    typed = list(typed or [])
    end = time.monotonic() + soon(timeout)
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 0.1)
        if ready:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data
        if typed and shown.rstrip().endswith((b":", b"[y/N]")):
            os.write(fd, typed.pop(0) + b"\n")
            shown += b"<typed>"
    os.close(fd)
    _, status = os.waitpid(pid, 0)
    on_terminal.status = os.waitstatus_to_exitcode(status)
    return shown


def test_a_passphrase_is_asked_for_and_not_shown(new_store):
    d = new_store(init=False)
    shown = on_terminal([SREG, "--root", d.root, "init"], [PASS, PASS])
    assert on_terminal.status == 0 and PASS not in shown, shown
    d.start()
    shown = on_terminal([SREG, "--root", d.root, "unlock"], [b"wrong one"])
    assert on_terminal.status == 5 and b"wrong one" not in shown
    shown = on_terminal([SREG, "--root", d.root, "unlock"], [PASS])
    assert on_terminal.status == 0 and PASS not in shown
    assert Sreg(d.root).json("status")["state"] == "unlocked"
    shown = on_terminal([SREG, "--root", d.root, "set", A + "/k", "--seal"], [b"typed secret"])
    assert on_terminal.status == 0 and b"typed secret" not in shown
    assert Sreg(d.root).ok("get", A + "/k") == "typed secret\n"


def test_two_different_passphrases_make_no_store(new_store):
    d = new_store(init=False)
    on_terminal([SREG, "--root", d.root, "init"], [PASS, PASS + b"x"])
    assert on_terminal.status == 2 and not os.path.exists(d.db)


# ---- rules ----------------------------------------------------------------------------------------------------------

def test_acl(sreg, c):
    said = sreg.ok("acl", "allow", "uid:33", "list,read", A + "/web")
    rule = int(re.search(r"\d+", said).group())
    deny = sreg.json("acl", "deny", "uid:33", "read", A + "/web/key")["id"]
    shown = sreg.ok("acl", "show", A + "/web")
    assert re.search(r"%d .*allow.*uid:33.*list,read.*%s/web\b" % (rule, A), shown) and "deny" in shown
    assert {r["id"] for r in sreg.json("acl", "show", A)["rules"]} == {1, rule, deny}
    assert sreg.json("acl", "show")["path"] == "/registry"
    done = sreg("acl", "test", "uid:33", "read", A + "/web/x")
    assert done.returncode == 0 and "allowed" in done.out and str(rule) in done.out
    done = sreg("acl", "test", "uid:33", "read", A + "/web/key")
    assert done.returncode == 4 and "refused" in done.out and str(deny) in done.out
    done = sreg("--json", "acl", "test", "uid:33", "write", A + "/web/x")
    assert done.returncode == 4 and json.loads(done.out) == {"allowed": False, "rule": 0}
    sreg.ok("acl", "remove", str(deny))
    assert sreg("acl", "test", "uid:33", "read", A + "/web/key").returncode == 0
    sreg.fails(3, "not-found", "acl", "remove", str(deny))
    sreg.fails(6, "last-admin", "acl", "remove", "1")
    sreg.fails(2, "bad-request", "acl", "allow", "somebody", "read", A)
    sreg.fails(2, "bad-request", "acl", "allow", "any", "everything", A)
    sreg.fails(2, "bad-path", "acl", "allow", "any", "read", "/etc")


def test_acl_knows_names_of_this_host(sreg):
    sreg.ok("acl", "allow", "uid:daemon", "read", A)
    sreg.ok("acl", "deny", "gid:daemon", "read", A)
    shown = [r["principal"] for r in sreg.json("acl", "show", A)["rules"]]
    import grp
    import pwd
    assert shown[1:] == ["uid:%d" % pwd.getpwnam("daemon").pw_uid, "gid:%d" % grp.getgrnam("daemon").gr_gid]


@needs_root
def test_as_another_user(daemon, sreg):
    sreg.ok("set", A + "/web/port", "80")
    other = Sreg(daemon.root, user=5001, group=5001, extra_groups=[])
    other.fails(3, "not-found", "get", A + "/web/port")
    other.fails(4, "refused", "set", A + "/web/port", "1")
    other.fails(4, "refused", "audit", "verify")
    other.fails(4, "refused", "lock")
    sreg.ok("acl", "allow", "uid:5001", "list,read", A + "/web")
    assert other.ok("get", A + "/web/port") == "80\n"
    other.fails(4, "refused", "del", A + "/web/port")
    assert other.json("whoami")["owns"] == "/registry/user/5001"
    other.ok("set", "/registry/user/5001/mine", "1")
    assert "roles" not in other.json("status")


# ---- service and trail ----------------------------------------------------------------------------------------------

def test_status_and_whoami(sreg, daemon):
    d = sreg.json("status")
    assert d["state"] == "unlocked" and {r["role"] for r in d["roles"]} == {"parent", "engine", "front", "starter"}
    out = sreg.ok("status")
    assert re.search(r"^state +unlocked$", out, re.M) and str(daemon.process.pid) in out
    d = sreg.json("whoami")
    assert d["uid"] == os.geteuid() and "control" in d["rights"]
    assert "control" in sreg.ok("whoami")


def test_lock_unlock_reload(sreg, daemon, c):
    sreg.ok("lock")
    assert c.status()["state"] == "locked"
    sreg.fails(7, "locked", "ls", A)
    sreg.ok("unlock", "--key-file")
    assert c.status()["state"] == "unlocked"
    assert sreg.ok("reload") == ""
    daemon.configure("nonsense: 1\n")
    assert "nonsense" in sreg.fails(1, "bad-config", "reload")


def test_audit_query(sreg):
    sreg.ok("set", A + "/a", "1", "--reason", "why not")
    sreg("get", A + "/none")
    sreg.ok("get", A + "/a")
    records = sreg.json("audit", "query", "--path", A)["records"]
    assert [(r["kind"], r["outcome"]) for r in records] == [("get", "done"), ("get", "not-found"), ("set", "done")]
    assert [r["kind"] for r in sreg.json("audit", "query", "--refused")["records"]] == ["get"]
    assert len(sreg.json("audit", "query", "-k", "set", "--since", "1h")["records"]) == 1
    assert sreg.json("audit", "query", "-k", "set", "--until", "1h")["records"] == []
    assert len(sreg.json("audit", "query", "-n", "2")["records"]) == 2
    assert sreg.json("audit", "query", "-u", "4711")["records"] == []
    me = str(os.geteuid())
    assert len(sreg.json("audit", "query", "-u", me, "-p", A + "/a")["records"]) == 2
    out = sreg.ok("audit", "query", "-k", "set")
    assert A + "/a" in out and "why not" in out and len(out.strip().split("\n")) == 2


def test_audit_query_beyond_a_page(sreg, c):
    for i in range(250):
        c.get(A + "/n%d" % i)
    records = sreg.json("audit", "query", "-k", "get", "-n", "240")["records"]
    assert [r["path"] for r in records] == [A + "/n%d" % i for i in range(249, 9, -1)]


def test_audit_tail(sreg):
    for i in range(15):
        sreg.ok("set", A + "/n%d" % i, "1")
    lines = sreg.ok("audit", "tail", "-n", "5").strip().split("\n")
    assert len(lines) == 5 and [A + "/n%d" % i in line for i, line in zip(range(10, 15), lines)] == [True] * 5
    assert len(sreg.ok("audit", "tail").strip().split("\n")) == 10
    records = [json.loads(line) for line in sreg.ok("audit", "tail", "--json", "-n", "20").strip().split("\n")]
    assert [r["seq"] for r in records] == sorted(r["seq"] for r in records)


def test_audit_tail_follows(sreg, daemon, c):
    p = subprocess.Popen([SREG, "--root", daemon.root, "audit", "tail", "--follow", "-n", "1", "--json"], stdout=subprocess.PIPE)
    try:
        time.sleep(0.3)
        c.put(A + "/followed", "1")
        found = []
        end = time.monotonic() + soon(10)
        while time.monotonic() < end and not any(r["path"] == A + "/followed" for r in found):
            ready, _, _ = select.select([p.stdout], [], [], 0.5)
            if ready:
                found.append(json.loads(p.stdout.readline()))
        assert any(r["path"] == A + "/followed" and r["kind"] == "set" for r in found)
    finally:
        p.send_signal(signal.SIGINT)
        p.wait(timeout=soon(10))


def test_audit_verify(sreg, c):
    for i in range(100):
        c.put(A + "/n%d" % (i % 5), str(i))
    d = sreg.json("audit", "verify")
    assert d["records"] >= 102 and (d["order"], d["chain"], d["tree_head"], d["first_bad"]) == ("ok", "ok", "ok", None)
    out = sreg.ok("audit", "verify")
    assert "chain: ok" in out and "not anchored" in out


def test_audit_verify_finds_a_forged_record(daemon, sreg, c):
    for i in range(1500):
        c.get(A + "/n%04d" % i)
    assert daemon.stop() == 0
    forged = [f for f in frames(daemon.db) if b"/n" in f.raw][700]
    forged.write(forged.raw.replace(b"/n", b"/m", 1))
    daemon.expects_trouble = True
    daemon.start()
    done = sreg("audit", "verify")
    assert done.returncode == 8, done
    done = sreg("--json", "audit", "verify")
    assert done.returncode == 8
    said = json.loads(done.stdout)
    assert said["chain"] == "bad" and said["first_bad"]["seq"] in (forged.seq, forged.seq + 1), said


def test_doctor(sreg, daemon):
    done = sreg("doctor")
    assert done.returncode == 0 and not re.search("^fail", done.out, re.M), done.out
    for role in ("parent", "engine", "front"):
        assert re.search("^ok +role %s +confined" % role, done.out, re.M)
    assert sreg.json("doctor")["failed"] == 0
    os.chmod(daemon.path("var/lib/secreg"), 0o755)
    done = sreg("doctor")
    assert done.returncode == 1 and re.search("^fail +state folder", done.out, re.M)
    assert json.loads(sreg("--json", "doctor").stdout)["failed"] == 1


def test_doctor_without_a_daemon(new_store):
    d = new_store()
    done = Sreg(d.root)("doctor")
    assert done.returncode == 1 and re.search("^fail +daemon", done.out, re.M)


# ---- this host ------------------------------------------------------------------------------------------------------

def make_host(folder):
    for path, text in {"etc/hostname": "made-up\n", "etc/hosts": "127.0.0.1 localhost\n10.1.2.3 db.example db\n",
                       "proc/sys/kernel/hostname": "made-up\n", "proc/sys/kernel/ostype": "Linux\n",
                       "etc/os-release": 'ID=debian\nVERSION_ID="12"\n'}.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w") as f:
            f.write(text)


def test_load_host(sreg, c, tmp_path):
    make_host(str(tmp_path))
    args = ["load-host", "--from", str(tmp_path)]
    before = c.status()["revision"]
    done = sreg(*args, "--dry-run")
    assert done.returncode == 0 and c.status()["revision"] == before, done
    done = sreg(*args, "--yes")
    assert done.returncode == 0, done
    assert sreg.ok("get", "/registry/system/kernel/hostname") == "made-up\n"
    loaded = c.status()["entries"]
    assert loaded > 3
    revision = c.status()["revision"]
    sreg.ok(*args, "--yes")  # nothing changed: nothing is written
    assert c.status()["revision"] == revision
    sreg.ok("set", "/registry/system/own/entry", "kept")
    with open(tmp_path / "proc/sys/kernel/hostname", "w") as f:
        f.write("renamed\n")
    with open(tmp_path / "etc/hostname", "w") as f:
        f.write("renamed\n")
    sreg.ok(*args, "--yes")
    assert sreg.ok("get", "/registry/system/kernel/hostname") == "renamed\n"
    assert sreg.ok("get", "/registry/system/own/entry") == "kept\n"
    assert c.get("/registry/system/kernel/hostname?version=1").body == b"made-up"


def test_load_host_of_this_host(sreg, c):
    done = sreg("load-host", "--yes")
    assert done.returncode == 0, done
    assert sreg.ok("get", "/registry/system/kernel/hostname").strip() == os.uname().nodename
    assert c.status()["entries"] > 50
    assert sreg.json("audit", "verify")["chain"] == "ok"


# ---- help -----------------------------------------------------------------------------------------------------------

VERBS = ["init", "unlock", "lock", "status", "whoami", "get", "set", "del", "ls", "tree", "history", "acl show", "acl allow", "acl deny",
         "acl remove", "acl test", "schema show", "schema set", "schema remove", "schema check", "lock-key", "unlock-key", "login", "logout", "session", "role list", "role show",
         "role add", "role remove", "explain", "policy require-approval", "policy test", "approval list", "approval show", "approval approve",
         "approval reject", "break-glass",
         "audit query", "audit tail", "audit verify", "audit checkpoint", "audit prove", "audit prune", "load-host", "run", "render", "reload", "doctor", "completion", "help",
         "version"]


def test_help_names_every_verb(sreg):
    out = sreg.ok("help")
    assert out == sreg.ok("--help")
    for v in VERBS:
        assert re.search(r"^  %s( \S.*)? .*$" % v, out, re.M), v
    for line in out.split("\n"):
        assert len(line) <= 120 and not re.search(r"[A-Z\]]add ", line), line


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb(sreg, verb):
    out = sreg.ok("help", *verb.split())
    assert out.startswith("usage: sreg %s" % verb) and "Examples:" in out
    assert sreg.ok(*verb.split(), "--help") == out


def test_version(sreg):
    assert re.fullmatch(r"sreg \d+\.\d+\.\d+\n", sreg.ok("version"))
    assert sreg.ok("--version") == sreg.ok("version")
    assert sreg.json("version")["version"] == sreg.json("status")["version"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(sreg, shell):
    out = sreg.ok("completion", shell)
    for word in ("load-host", "history", "--json"):
        assert word in out or word.lstrip("-") in out, word
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=out.encode()).returncode == 0


def test_bash_completion_completes(sreg, daemon):
    sreg.ok("set", A + "/web/port", "1")
    script = sreg.ok("completion", "bash") + r'''
COMP_WORDS=(sreg --root "%s" get /registry/appl) COMP_CWORD=4
complete -p sreg >/dev/null || exit 9
f=$(complete -p sreg | sed 's/.*-F \([^ ]*\).*/\1/')
COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
$f sreg /registry/appl get
printf '%%s\n' "${COMPREPLY[@]}"
''' % daemon.root
    script = script.replace("COMP_CWORD=4", "COMP_CWORD=4", 1)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                          env={**os.environ, "PATH": os.path.dirname(SREG) + ":" + os.environ["PATH"], "SECREG_ROOT": daemon.root})
    assert "/registry/applications" in done.stdout, done


@pytest.mark.parametrize("line, wanted", [(["run", "--env", A + "/we"], A + "/web/"), (["run", "--pre"], "--prefix"),
                                          (["run", "--env", A, "--", "hostnam"], "hostname"), (["run", "--", "sh", "sec"], "secret.in"),
                                          (["render", "sec"], "secret.in"), (["render", "x", "--rel"], "--reload")])
def test_bash_completes_files_and_programs(sreg, daemon, tmp_path, line, wanted):
    sreg.ok("set", A + "/web/port", "1")
    (tmp_path / "secret.in").write_text("")
    script = sreg.ok("completion", "bash") + "\ncompopt() { :; }; COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)); _sreg; printf '%s\\n' \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "-c", script, "bash", SREG, "--root", daemon.root, *line], capture_output=True, text=True, cwd=tmp_path)
    assert wanted in done.stdout.split("\n") and done.stderr == "", done


# ---- README ---------------------------------------------------------------------------------------------------------

def test_tour_of_the_readme(sreg, daemon, tmp_path):
    """The lines of the tour that quickstart's reader will type, one after the other in one shell, on a store of our own."""
    from conftest import TOP
    with open(os.path.join(TOP, "README.md")) as f:
        text = f.read()
    tour = text[text.index("## A tour"):]
    tour = [line.split(" #")[0].strip() for line in tour[:tour.index("\n## ", 1)].split("\n") if line.startswith("    ")]
    assert len(tour) >= 20 and tour[0].startswith("export PATH="), "the tour is gone from README.md"
    sreg.ok("load-host", "--yes", "-q")
    env = {**os.environ, "PATH": os.path.dirname(SREG) + ":" + os.environ["PATH"], "SECREG_ROOT": daemon.root}
    script = "\n".join(tour[1:]).replace(".secreg/run/secreg/socket", daemon.socket)
    done = subprocess.run(["bash", "-xeo", "pipefail", "-c", script], env=env, capture_output=True, text=True, timeout=soon(60), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sreg.json("audit", "verify")["chain"] == "ok"


def test_sreg_is_quiet_where_nothing_is_to_be_said(sreg):
    done = sreg("set", A + "/a", "1")
    assert (done.out, done.err) == ("", "")
    assert wait_for(lambda: sreg.ok("get", A + "/a") == "1\n", 5, "it is stored")
