"""sreg run on the real programs: what the program gets, what it does not get, and that it is not started half-provided."""
import os
import signal
import subprocess
import sys

import pytest

from conftest import SREG, needs_root, soon
from test_cli import Sreg

W = "/registry/applications/web"
SECRET = "hunter2-not-to-be-shown"
PYTHON = sys.executable

pytestmark = pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")


@pytest.fixture
def sreg(daemon):
    s = Sreg(daemon.root)
    s.ok("set", W + "/port", "8080", "--type", "integer")
    s.ok("set", W + "/db/pass-word", "--seal", stdin=SECRET.encode())
    s.ok("set", W + "/motd", "two\nlines \xe4 = $x")
    return s


def environment(s, *args, **more):
    """What a program gets as its environment, as a map."""
    out = s.ok("run", *args, "--", "/usr/bin/env", "-0", **more)
    return dict(line.split("=", 1) for line in out.split("\0") if line)


def refuses(s, tmp_path, status, code, *args):
    """Nothing is started, and no message holds a value."""
    marker = tmp_path / "started"
    message = s.fails(status, code, "run", *args, "--", "/usr/bin/touch", str(marker))
    assert not marker.exists() and "hunter" not in message
    return message


# ---- variables ------------------------------------------------------------------------------------------------------

def test_a_folder(sreg):
    e = environment(sreg, "--env", W)
    assert (e["PORT"], e["DB_PASS_WORD"], e["MOTD"]) == ("8080", SECRET, "two\nlines \xe4 = $x")
    assert e["LC_ALL"] == "C.UTF-8" and e["PATH"] == os.environ["PATH"]
    assert environment(sreg, "--env=" + W + "/") == e


def test_an_entry_a_name_and_a_prefix(sreg):
    e = environment(sreg, "--env", W + "/db/pass-word", "--env", "port=" + W + "/port", "--prefix", "Web_")
    assert e["Web_PASS_WORD"] == SECRET and e["port"] == "8080" and "MOTD" not in e
    assert environment(sreg, "--env", W + "/db")["PASS_WORD"] == SECRET


def test_an_entry_replaces_what_is_inherited(sreg):
    assert environment(sreg, "--env", W, env={"PORT": "1", "OTHER": "x"})["PORT"] == "8080"


def test_our_variables_are_not_passed_on(sreg):
    e = environment(sreg, "--env", W, env={"SECREG_TOKEN": "x", "SECREG_ROOT": "/r", "SECREG_": "x"})
    assert [name for name in e if name.startswith("SECREG")] == ["SECREG_ROOT"]


def test_empty_values_and_nothing_at_all(sreg):
    sreg.ok("set", W + "/empty", stdin=b"")
    assert environment(sreg, "--env", W + "/empty")["EMPTY"] == ""
    assert sreg.ok("run", "--", "/bin/echo", "x") == "x\n"


def test_arguments_are_the_programs_own(sreg):
    args = ["--json", "--root", "x", "-q", "--", "--env", "/registry", "", "a b", "--help"]
    out = sreg.ok("run", "--env", W, "--", PYTHON, "-c", "import sys; print(sys.argv[1:])", *args)
    assert out == repr(args) + "\n"


# ---- files ----------------------------------------------------------------------------------------------------------

LOOK = """
import fcntl, os, stat
path = os.environ["DB_PASS_WORD_FILE"]
assert open(path).read() == open(path).read() == %r
st = os.stat(path)
assert stat.S_ISREG(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o400 and st.st_nlink == 0, st
assert os.readlink(path).startswith("/memfd:"), os.readlink(path)
fd = int(path.rsplit("/", 1)[1])
assert fd >= 10 and os.read(fd, 100) == open(path, "rb").read()
for act in (lambda: os.write(fd, b"x"), lambda: os.ftruncate(fd, 0), lambda: fcntl.fcntl(fd, fcntl.F_ADD_SEALS, 0)):
    try:
        act()
    except PermissionError:
        continue
    raise SystemExit("not sealed")
""" % SECRET


def test_files(sreg):
    sreg.ok("run", "--files", W, "--", PYTHON, "-c", LOOK)
    e = environment(sreg, "--files", W + "/db/pass-word", "--files", "KEY=" + W + "/motd", "--env", W + "/port")
    assert e["PASS_WORD_FILE"].startswith("/proc/self/fd/") and e["KEY"].startswith("/proc/self/fd/")
    assert e["PORT"] == "8080" and SECRET not in e.values()


def test_binary_files(sreg):
    value = bytes(range(256)) * 4000
    sreg.ok("set", W + "/blob", "--type", "binary", stdin=value)
    done = subprocess.run([SREG, "--root", sreg.root, "run", "--files", W + "/blob", "--", "/bin/sh", "-c", 'cat "$BLOB_FILE" "$BLOB_FILE"'],
                          capture_output=True, timeout=soon(60))
    assert done.stdout == value * 2, done.stderr


def test_no_other_descriptor_is_passed(sreg):
    look = "import os; print(*[fd for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)])"
    out = sreg.ok("run", "--files", W, "--", PYTHON, "-c", look)
    assert sorted(map(int, out.split())) == [0, 1, 2, 10, 11, 12], out


# ---- the program is the process -------------------------------------------------------------------------------------

def test_no_process_stays_between(sreg):
    p = subprocess.Popen([SREG, "--root", sreg.root, "run", "--env", W, "--", "/bin/sh", "-c", "echo $$; exec sleep 60"],
                         stdout=subprocess.PIPE)
    assert int(p.stdout.readline()) == p.pid
    p.send_signal(signal.SIGTERM)
    assert p.wait(timeout=soon(20)) == -signal.SIGTERM
    p.stdout.close()


@pytest.mark.parametrize("status", [0, 1, 3, 7, 126, 255])
def test_the_status_is_the_programs(sreg, status):
    assert sreg("run", "--env", W, "--", "/bin/sh", "-c", "exit %d" % status).returncode == status


def test_programs_that_cannot_be_started(sreg, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("echo x")
    for command, status in (("/nonexistent/program", 127), ("no-such-program-here", 127), (str(plain), 126), ("/", 126),
                            (str(plain) + "/x", 127)):
        done = sreg("run", "--env", W, "--", command)
        assert (done.returncode, done.out) == (status, "") and command in done.err and "hunter" not in done.err, done.err


def test_an_environment_that_is_too_large(sreg):
    for i in range(30):
        sreg.ok("set", "%s/large/n%d" % (W, i), stdin=b"hunter " * 18000)
    done = subprocess.run([SREG, "--root", sreg.root, "run", "--env", W, "--", "/bin/true"], capture_output=True, timeout=soon(60),
                          preexec_fn=lambda: __import__("resource").setrlimit(3, (1 << 20, 1 << 20)))
    assert done.returncode == 126 and b"too long" in done.stderr and b"hunter" not in done.stderr


# ---- refusals -------------------------------------------------------------------------------------------------------

def test_all_or_nothing(sreg, tmp_path):
    for option in ("--env", "--files"):
        assert W + "/none" in refuses(sreg, tmp_path, 3, "not-found", option, W, option, W + "/none")
        refuses(sreg, tmp_path, 3, "not-found", option, W + "/none/")
        refuses(sreg, tmp_path, 6, "is-folder", option, "X=" + W)
        refuses(sreg, tmp_path, 6, "not-folder", option, W + "/port/")


def test_collisions(sreg, tmp_path):
    sreg.ok("set", W + "/db.pass/word", "other")
    said = refuses(sreg, tmp_path, 6, "exists", "--env", W)
    assert W + "/db.pass/word" in said and W + "/db/pass-word" in said and "DB_PASS_WORD" in said
    refuses(sreg, tmp_path, 6, "exists", "--files", W)
    refuses(sreg, tmp_path, 6, "exists", "--env", W + "/port", "--env", "PORT=" + W + "/motd")
    refuses(sreg, tmp_path, 6, "exists", "--env", W + "/port", "--env", W + "/port")


@pytest.mark.parametrize("name", ["1st", "m\xfcll", "path", "ld_preload", "ld/library.path", "bash-env", "secreg/token", "python/path",
                                  "a" * 200 + "/" + "b" * 100])
def test_names_that_are_refused(sreg, tmp_path, name):
    sreg.ok("set", W + "/" + name, SECRET)
    refuses(sreg, tmp_path, 2, "bad-value", "--env", W)


def test_special_names_by_hand(sreg):
    sreg.ok("set", W + "/ld_preload", "")
    assert environment(sreg, "--env", "LD_PRELOAD=" + W + "/ld_preload")["LD_PRELOAD"] == ""
    assert environment(sreg, "--env", W, "--prefix", "X_")["X_LD_PRELOAD"] == ""


def test_values_that_are_refused(sreg, tmp_path):
    sreg.ok("set", W + "/nul", "--type", "binary", stdin=b"hunter\0x")
    refuses(sreg, tmp_path, 2, "bad-value", "--env", W)
    sreg.ok("del", W + "/nul")
    sreg.ok("set", W + "/long", stdin=b"hunter" * 30000)
    refuses(sreg, tmp_path, 2, "too-large", "--env", W)
    assert sreg.ok("run", "--files", W, "--", "/bin/sh", "-c", 'wc -c < "$LONG_FILE"') == "180000\n"


@pytest.mark.parametrize("args", [[], ["--env", W], ["--env", W, "--"], ["--env"], ["--env", "--", "true"], [W, "--", "true"],
                                  ["--keep", W, "--", "true"], ["--env", "x", "--", "true"], ["--env", "A-B=" + W, "--", "true"],
                                  ["--env", "A=" + W + "/", "--", "true"], ["--env", "/v1/status", "--", "true"],
                                  ["--env", "SECREG_X=" + W + "/port", "--", "true"], ["--prefix", "a", "--prefix", "b", "--", "true"],
                                  ["--env", W, "true"], ["--env", W + "/../x", "--", "true"]])
def test_usage(sreg, args):
    done = sreg("run", *args)
    assert (done.returncode, done.out) == (2, "") and done.err.startswith("sreg: "), done


def test_help(sreg):
    for args in (["run", "--help"], ["help", "run"], ["run", "-h", "--", "x"]):
        assert "usage: sreg run" in sreg.ok(*args)


def test_locked_and_no_daemon(sreg, daemon, tmp_path):
    sreg.ok("lock")
    refuses(sreg, tmp_path, 7, "locked", "--env", W)
    refuses(sreg, tmp_path, 7, "locked", "--files", W + "/")
    assert daemon.stop() == 0
    done = sreg("run", "--env", W, "--", "/bin/true")
    assert done.returncode == 7 and "no daemon is running" in done.err


@needs_root
def test_refused(sreg, daemon, tmp_path):
    other = Sreg(daemon.root, user=4242, group=4242, extra_groups=[])
    os.chmod(tmp_path, 0o777)
    refuses(other, tmp_path, 3, "not-found", "--env", W)
    sreg.ok("acl", "allow", "uid:4242", "list,read", W)
    assert environment(other, "--env", W)["DB_PASS_WORD"] == SECRET
    sreg.ok("acl", "deny", "uid:4242", "read", W + "/db")
    said = refuses(other, tmp_path, 4, "refused", "--env", W)
    assert W + "/db/pass-word" in said
    assert environment(other, "--env", W + "/port")["PORT"] == "8080"


@needs_root
def test_files_are_for_their_owner(sreg):
    look = ("import os; path = os.environ['PORT_FILE']; assert open(path).read() == '8080'\n"
            "os.setgroups([]); os.setgid(4242); os.setuid(4242)\n"
            "try: open(path)\nexcept PermissionError: print('refused')")
    assert sreg.ok("run", "--files", W + "/port", "--", PYTHON, "-c", look) == "refused\n"


def test_the_trail_names_each_entry(sreg):
    environment(sreg, "--env", W)
    for path in (W + "/port", W + "/db/pass-word", W + "/motd"):
        out = sreg.ok("audit", "query", "--kind", "get", "--path", path)
        assert path in out and SECRET not in out
