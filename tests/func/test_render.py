"""sreg render on the real programs: the output file is whole at every instant, keeps what it should keep, and nothing is shown."""
import fcntl
import json
import os
import pwd
import random
import resource
import signal
import stat
import subprocess
import threading
import time

import pytest

from conftest import SREG, needs_root, soon, wait_for
from test_cli import Sreg

W = "/registry/applications/web"
SECRET = "hunter2-not-to-be-shown"
TEMPLATE = """# {{/* not shown */}}made by sreg
port = {{ get "%s/port" }}
token = {{ get "%s/token" | shell }}
""" % (W, W)
RENDERED = "# made by sreg\nport = 8080\ntoken = '%s'\n" % SECRET

pytestmark = pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")


@pytest.fixture
def sreg(daemon):
    s = Sreg(daemon.root)
    s.ok("set", W + "/port", "8080", "--type", "integer")
    s.ok("set", W + "/token", "--seal", stdin=SECRET.encode())
    return s


@pytest.fixture
def t(tmp_path):
    path = tmp_path / "t"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture
def o(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "web.conf"


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def refuses(s, status, code, *args):
    message = s.fails(status, code, "render", *args)
    assert "hunter" not in message
    return message


def is_alone(o):
    return os.listdir(o.parent) == [o.name]


# ---- what is made ---------------------------------------------------------------------------------------------------

def test_to_standard_output(sreg, t):
    assert sreg.ok("render", str(t)) == RENDERED
    assert sreg.ok("render", "-", stdin=TEMPLATE.encode()) == RENDERED


def test_blocks(sreg, t):
    sreg.ok("set", W + "/db/host", "a'b")
    sreg.ok("set", W + "/tls", "false", "--type", "boolean")
    t.write_text('{{ range "%s/db" }}{{ .name }}={{ .value | shell }}{{ end }}\n{{ if "%s/tls" }}tls{{ else }}plain{{ end }}'
                 '{{ if "%s/none" }}x{{ end }}{{ get "%s/none" | default "-" }}' % (W, W, W, W))
    assert sreg.ok("render", str(t)) == "host='a'\\''b'\nplain-"


def test_values_are_data(sreg, t):
    """A value that looks like a template gives itself, and asks for nothing."""
    hostile = '{{ get "%s/token" }}{{ end }}{{' % W
    sreg.ok("set", W + "/port", "--type", "string", stdin=hostile.encode())
    t.write_text('{{ get "%s/port" }}' % W)
    assert sreg.ok("render", str(t)) == hostile


def test_a_new_file_is_its_owners(sreg, t, o):
    assert sreg.ok("render", str(t), str(o)) == ""
    assert o.read_text() == RENDERED and mode_of(o) == 0o600 and is_alone(o)


def test_bytes(sreg, t, o):
    value = bytes(range(256)) * 4000
    sreg.ok("set", W + "/blob", "--type", "binary", stdin=value)
    t.write_bytes(b"\xff\0{{ get \"%s/blob\" }}" % W.encode())
    sreg.ok("render", str(t), str(o))
    assert o.read_bytes() == b"\xff\0" + value


def test_check_needs_no_daemon(sreg, daemon, t, o):
    assert daemon.stop() == 0
    assert sreg.ok("render", "--check", str(t)) == ""
    assert sreg.json("render", "--check", str(t)) == {"valid": True}
    t.write_text("a\nb {{ nope }}")
    assert refuses(sreg, 2, "bad-value", "--check", str(t)) == "%s:2:6: unknown word: nope" % t
    assert refuses(sreg, 2, "bad-value", str(t), str(o)) == "%s:2:6: unknown word: nope" % t


# ---- owner and mode -------------------------------------------------------------------------------------------------

def test_mode_is_kept_or_set(sreg, t, o):
    o.write_text("old")
    for mode in (0o644, 0o400, 0o660):
        os.chmod(o, mode)
        sreg.ok("set", W + "/port", str(mode), "--type", "integer")
        sreg.ok("render", str(t), str(o))
        assert mode_of(o) == mode and "port = %d" % mode in o.read_text()
    sreg.ok("render", str(t), str(o), "--mode", "0640")
    assert mode_of(o) == 0o640
    os.umask(0o077)
    try:
        sreg.ok("render", str(t), str(o) + "2", "--mode", "666")
    finally:
        os.umask(0o022)
    assert mode_of(str(o) + "2") == 0o666


@needs_root
def test_owner_is_kept_or_set(sreg, t, o):
    nobody = pwd.getpwnam("nobody")
    o.write_text("old")
    os.chown(o, 4242, 4343)
    sreg.ok("render", str(t), str(o))
    st = os.stat(o)
    assert (st.st_uid, st.st_gid) == (4242, 4343) and o.read_text() == RENDERED
    sreg.ok("render", str(t), str(o), "--owner", "nobody", "--group", "4444")
    st = os.stat(o)
    assert (st.st_uid, st.st_gid) == (nobody.pw_uid, 4444) and is_alone(o)


@needs_root
def test_who_may_not_give_a_file_away(sreg, daemon, t, o):
    sreg.ok("acl", "allow", "uid:4242", "list,read", W)
    other = Sreg(daemon.root, user=4242, group=4242, extra_groups=[])
    for folder in t.parents:
        if folder.name.startswith(("pytest-", "popen-", t.parent.name)):
            os.chmod(folder, 0o755)
    os.chown(o.parent, 4242, 4242)
    o.write_text("old")
    os.chmod(o, 0o644)
    assert "Operation not permitted" in refuses(other, 1, "internal", str(t), str(o))
    assert "Operation not permitted" in refuses(other, 1, "internal", str(t), str(o) + "2", "--owner", "root")
    assert o.read_text() == "old" and is_alone(o)
    other.ok("render", str(t), str(o) + "2")
    assert os.stat(str(o) + "2").st_uid == 4242


# ---- reload ---------------------------------------------------------------------------------------------------------

def test_reload_only_after_other_bytes(sreg, t, o, tmp_path):
    count = tmp_path / "count"
    args = ["render", str(t), str(o), "--reload", "echo x >> %s" % count]

    def reloads():
        return count.read_text().count("x") if count.exists() else 0

    sreg.ok(*args)
    assert reloads() == 1
    inode = os.stat(o).st_ino
    sreg.ok(*args)
    assert reloads() == 1 and os.stat(o).st_ino == inode, "the same bytes are not written again"
    sreg.ok(*args, "--mode", "0644")
    assert reloads() == 1 and mode_of(o) == 0o644
    sreg.ok("set", W + "/port", "9090")
    sreg.ok(*args)
    assert reloads() == 2 and mode_of(o) == 0o644
    sreg.ok("set", W + "/unrelated", "1")
    sreg.ok(*args)
    assert reloads() == 2


def test_what_reload_gets(sreg, t, o):
    """No value in arguments, environment or descriptors; the new file is in place; its output is not data."""
    command = "test -s %s && env && cat /proc/$$/cmdline && ls -l /proc/$$/fd" % o
    done = sreg("--json", "render", str(t), str(o), "--reload", command)
    assert done.returncode == 0, done.err
    assert json.loads(done.out) == {"output": str(o), "changed": True, "owner_changed": False, "dry_run": False, "reload": 0}
    assert "PATH=" in done.err and "hunter" not in done.err and "socket:" not in done.err and ".new" not in done.err


def test_a_reload_that_fails(sreg, t, o):
    done = sreg("render", str(t), str(o), "--reload", "exit 3")
    assert done.returncode == 1 and "exited with 3" in done.err and "hunter" not in done.err
    assert o.read_text() == RENDERED and is_alone(o)
    sreg.ok("set", W + "/port", "1")
    done = sreg("render", str(t), str(o), "--reload", "kill -9 $$")
    assert done.returncode == 1 and "killed by SIGKILL" in done.err
    assert sreg("render", str(t), str(o), "--reload", "exit 3").returncode == 0, "the bytes did not change"


# ---- refusals: the old file stays -----------------------------------------------------------------------------------

@pytest.mark.parametrize("text, status, code, part", [
    ('{{ get "%s/none" }}' % W, 3, "not-found", ":1:1: %s/none: no such entry" % W),
    ('x\n {{ get "%s" }}' % W, 6, "is-folder", ":2:2: %s: the path is a folder" % W),
    ('{{ range "%s/port" }}{{ end }}' % W, 6, "not-folder", W + "/port"),
    ('{{ range "%s/none" }}{{ end }}' % W, 3, "not-found", W + "/none"),
    ('{{ get "%s/token" }}{{ end }}' % W, 2, "bad-value", "no block"),
    ('{{ get "%s/token" }}{{ if "%s/port" }}' % (W, W), 2, "bad-value", "no end"),
    ('{{ get "%s/token" | nope }}' % W, 2, "bad-value", "unknown word: nope"),
    ('{{ get "%s/token" }}{{ get "%s/empty" | required }}' % (W, W), 2, "bad-value", "required: the value is empty"),
    ('{{ get "%s/raw" | json }}' % W, 2, "bad-value", "json: the value is not UTF-8"),
    ('{{ get "%s/raw" | shell }}' % W, 2, "bad-value", "shell: the value is not text"),
    ("x" * (1 << 20) + "y", 2, "too-large", "at most 1048576 bytes"),
], ids=lambda x: str(x)[:40].replace("/", ""))
def test_refusals(sreg, t, o, text, status, code, part):
    sreg.ok("set", W + "/empty", stdin=b"")
    sreg.ok("set", W + "/raw", "--type", "binary", stdin=b"hunter\xff\0")
    t.write_text(text)
    o.write_text("old")
    before = os.stat(o)
    assert part in refuses(sreg, status, code, str(t), str(o), "--reload", "touch %s2" % o)
    assert o.read_text() == "old" and os.stat(o).st_ino == before.st_ino and is_alone(o)


def test_too_large_an_output(sreg, t, o):
    sreg.ok("set", W + "/large", stdin=b"hunter42" * 131072)
    t.write_text('{{ get "%s/large" }}' % W * 17)
    o.write_text("old")
    assert "the output is larger" in refuses(sreg, 2, "bad-value", str(t), str(o))
    assert o.read_text() == "old" and is_alone(o)


def test_locked_and_no_daemon(sreg, daemon, t, o):
    o.write_text("old")
    sreg.ok("lock")
    assert ":2:8: %s/port: the registry is locked" % W in refuses(sreg, 7, "locked", str(t), str(o))
    assert daemon.stop() == 0
    done = sreg("render", str(t), str(o))
    assert done.returncode == 7 and "no daemon is running" in done.err
    assert o.read_text() == "old" and is_alone(o)


@needs_root
def test_refused(sreg, daemon):
    other = Sreg(daemon.root, user=4242, group=4242, extra_groups=[])
    text = '{{ if "%s/token" }}x{{ else }}y{{ end }}{{ get "%s/token" | default "z" }}' % (W, W)
    assert other.ok("render", "-", stdin=text.encode()) == "yz", "what may not be known is not there"
    sreg.ok("acl", "allow", "uid:4242", "list", W)
    done = other("render", "-", stdin=text.encode())
    assert (done.returncode, done.out) == (4, "") and "-:1:1: %s/token: not permitted" % W in done.err and "hunter" not in done.err


def test_outputs_that_are_refused(sreg, t, o, tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    o.symlink_to(target)
    assert "symbolic link" in refuses(sreg, 1, "internal", str(t), str(o))
    assert target.read_text() == "precious" and o.is_symlink() and is_alone(o)
    o.unlink()
    o.symlink_to(tmp_path / "dangling")
    refuses(sreg, 1, "internal", str(t), str(o))
    assert not (tmp_path / "dangling").exists()
    o.unlink()
    o.mkdir()
    refuses(sreg, 1, "internal", str(t), str(o))
    o.rmdir()
    os.mkfifo(o)
    assert "not a regular file" in refuses(sreg, 1, "internal", str(t), str(o))
    o.unlink()
    refuses(sreg, 2, "bad-request", str(t), str(o.parent) + "/")
    refuses(sreg, 1, "internal", str(t), str(o.parent / "none" / "x"))
    refuses(sreg, 1, "internal", str(t), str(o.parent) + "/..")
    refuses(sreg, 2, "bad-request", str(t), str(t))
    os.link(t, o)
    refuses(sreg, 2, "bad-request", str(t), str(o))
    assert t.read_text() == TEMPLATE
    refuses(sreg, 1, "internal", str(tmp_path / "none"), str(o))


def test_the_folder_may_be_a_link(sreg, t, o, tmp_path):
    (tmp_path / "link").symlink_to(o.parent)
    sreg.ok("render", str(t), str(tmp_path / "link" / o.name))
    assert o.read_text() == RENDERED


# ---- dry run --------------------------------------------------------------------------------------------------------

def test_dry_run(sreg, t, o):
    assert sreg.ok("render", "--dry-run", str(t), str(o)) == "+    1: # made by sreg\n+    2: port = ***\n+    3: token = ***\n"
    assert not o.exists() and os.listdir(o.parent) == []
    o.write_text(RENDERED.replace("8080", "1"))
    os.chmod(o, 0o600)
    assert sreg.ok("render", "--dry-run", str(t), str(o), "--reload", "touch %s2" % o) == "-    2: ***\n+    2: port = ***\n"
    assert is_alone(o)
    o.write_text(RENDERED)
    assert sreg.ok("render", "--dry-run", str(t), str(o)) == ""
    assert sreg.json("render", "--dry-run", str(t), str(o), "--mode", "0644") == {
        "output": str(o), "changed": False, "owner_changed": True, "dry_run": True, "reload": None}
    assert "mode 0644" in sreg.ok("render", "--dry-run", str(t), str(o), "--mode", "0644")
    assert mode_of(o) == 0o600


# ---- faults in the middle -------------------------------------------------------------------------------------------

@needs_root
def test_disk_full(sreg, t, o):
    sreg.ok("set", W + "/large", stdin=b"hunter42" * 20000)
    t.write_text('{{ get "%s/large" }}' % W)
    script = ("mount -t tmpfs -o size=64k none %s || exit 99; echo old > %s; %s --root %s render %s %s --reload 'touch %s2'; echo $?; "
              "ls -A %s; cat %s" % (o.parent, o, SREG, sreg.root, t, o, o, o.parent, o))
    done = subprocess.run(["unshare", "--mount", "/bin/sh", "-c", script], capture_output=True, timeout=soon(60), text=True)
    if done.returncode == 99:
        pytest.skip("no mount namespace here")
    assert done.stdout == "1\n%s\nold\n" % o.name and "No space left" in done.stderr and "hunter" not in done.stderr, done


def test_killed_while_it_writes(sreg, t, o):
    """The size limit kills it in the middle of the new file: the old one stays, and the next one clears up."""
    sreg.ok("set", W + "/large", stdin=b"hunter42" * 20000)
    t.write_text('{{ get "%s/large" }}' % W)
    o.write_text("old")
    os.chmod(o, 0o640)
    left = o.parent / (".%s.new" % o.name)
    done = subprocess.run([SREG, "--root", sreg.root, "render", str(t), str(o)], capture_output=True, timeout=soon(60),
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    assert done.returncode == -signal.SIGXFSZ and o.read_text() == "old"
    assert mode_of(left) == 0o640 and left.stat().st_size == 65536
    held = open(left, "rb")
    sreg.ok("set", W + "/large", "new")
    sreg.ok("render", str(t), str(o))
    assert o.read_text() == "new" and is_alone(o)
    assert b"new" not in held.read(), "a leftover is not written to again"
    held.close()


def test_killed_at_any_time(sreg, t, o):
    sreg.ok("set", W + "/large", stdin=b"1" * 500000)
    t.write_text('{{ get "%s/large" }}' % W * 8)
    started = time.monotonic()
    sreg.ok("render", str(t), str(o))
    took = time.monotonic() - started
    size = o.stat().st_size
    random.seed(7)
    for i in range(25):
        sreg.ok("set", W + "/large", stdin=str(i % 10).encode() * 500000)
        p = subprocess.Popen([SREG, "--root", sreg.root, "render", str(t), str(o)], stderr=subprocess.DEVNULL)
        time.sleep(random.random() * took)
        p.kill()
        p.wait()
        content = o.read_bytes()
        assert len(content) == size and len(set(content)) == 1
    sreg.ok("render", str(t), str(o))
    assert is_alone(o) and set(o.read_bytes()) == {ord("4")}


# ---- two at once ----------------------------------------------------------------------------------------------------

def test_who_waits_reads_later(sreg, t, o):
    """A render that waits for another one takes the values of after its wait."""
    o.write_text("old")
    claim = open(o.parent / (".%s.new" % o.name), "w")
    fcntl.flock(claim, fcntl.LOCK_EX)
    p = subprocess.Popen([SREG, "--root", sreg.root, "render", str(t), str(o)])
    time.sleep(0.3)
    assert p.poll() is None and o.read_text() == "old"
    sreg.ok("set", W + "/port", "9999")
    claim.close()
    assert p.wait(timeout=soon(20)) == 0
    assert "port = 9999" in o.read_text() and is_alone(o)


def test_many_at_once(sreg, t, o):
    """Readers see whole files; when all have ended, the file has the last value and the reloads saw a file each."""
    stop, troubles = threading.Event(), []
    sreg.ok("render", str(t), str(o))

    def read():
        while not stop.is_set():
            text = o.read_text()
            if not (text.startswith("# made") and text.endswith(SECRET + "'\n")):
                troubles.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for i in range(8):
            sreg.ok("set", W + "/port", str(i))
            both = [subprocess.Popen([SREG, "--root", sreg.root, "render", str(t), str(o), "--reload", "echo x >> %s2" % o])
                    for _ in range(3)]
            assert [p.wait(timeout=soon(60)) for p in both] == [0, 0, 0]
            assert "port = %d\n" % i in o.read_text()
    finally:
        stop.set()
        reader.join()
    assert troubles == []
    assert open(str(o) + "2").read() == "x\n" * 8, "of renders with the same bytes one reloads"


@needs_root
def test_a_shared_folder(sreg, t, o):
    """What others put in the way is neither followed nor written to."""
    os.chmod(o.parent, 0o1777)
    victim = t.parent / "victim"
    victim.write_text("precious")
    left = o.parent / (".%s.new" % o.name)
    left.write_text("")
    os.chown(left, 4242, 4242)
    os.chmod(left, 0o666)
    with open(left, "rb") as held:
        sreg.ok("render", str(t), str(o))
        assert held.read() == b""
    left.symlink_to(victim)
    sreg.ok("set", W + "/port", "1")
    sreg.ok("render", str(t), str(o))
    assert victim.read_text() == "precious" and "port = 1\n" in o.read_text() and mode_of(o) == 0o600 and is_alone(o)


def test_usage(sreg, t, o):
    for args in (["--mode", "0999"], ["--mode", "4755"], ["--mode", ""], ["--owner", "no-such-user-here"], ["--check"]):
        assert sreg("render", str(t), str(o), *args).returncode == 2
    for args in ([], [str(t), "--reload", "true"], [str(t), "--dry-run"], [str(t), "--mode", "600"], ["--json", str(t)], [str(t), "a", "b"]):
        assert sreg("render", *args).returncode == 2
    assert not o.exists()


def test_a_terminal_gets_no_control_characters(sreg, t):
    import pty
    sreg.ok("set", W + "/port", "--type", "string", stdin=b"a\033[2Jb")
    parent, child = pty.openpty()
    done = subprocess.Popen([SREG, "--root", sreg.root, "render", str(t)], stdout=child, stdin=subprocess.DEVNULL)
    os.close(child)
    seen = b""
    wait_for(lambda: done.poll() is not None, 20, "sreg ends")
    try:
        while chunk := os.read(parent, 4096):
            seen += chunk
    except OSError:
        pass
    os.close(parent)
    assert b"\\x1b[2J" in seen and b"\033" not in seen
