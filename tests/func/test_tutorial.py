"""Everything that doc/tutorial.md says to type, typed: all its ```sh blocks, in order, in one shell.

A command is one line, or more with a backslash at the end of a line, a here-document, or a compound that is not closed yet.
Lines behind it say what becomes of it: `#=> TEXT` is a part of what it prints to standard output and error together, and
`#=> status N` is its exit status, which is else 0.
"""
import os
import re
import select
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import BUILD, SREG, TOP, is_alive, session_of, soon, wait_for

TUTORIAL = os.path.join(TOP, "doc", "tutorial.md")
EACH, ALL = 60, 240  # seconds for one command and for all of them

pytestmark = pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")


class Command:
    """A command and what is demanded of it."""

    def __init__(self, text, line):
        self.text, self.line = text, line
        self.status, self.prints = None, []


def blocks_of(text):
    """The ```sh blocks: lists of (number of the line, line)."""
    blocks, inside = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if inside is None and line.startswith("```"):
            inside = line[3:].strip()
            if inside == "sh":
                blocks.append([])
        elif line.startswith("```"):
            inside = None
        elif inside == "sh":
            blocks[-1].append((number, line))
    assert inside is None, "a block is not closed"
    return blocks


def is_whole(text):
    """Whether the shell would begin to run it: nothing is open at its end."""
    if text.endswith("\\"):
        return False
    done = subprocess.run(["bash", "-n"], input=text + "\n", capture_output=True, text=True, timeout=soon(10))
    return done.returncode == 0 and "here-document" not in done.stderr


def commands_of(text):
    found = []
    for block in blocks_of(text):
        open_, begun, may_expect = "", 0, False
        for number, line in block:
            if not open_ and line.startswith("#=>"):
                said = line[3:].strip()
                assert may_expect and said, "line %d: nothing to say that of, or nothing said" % number
                status = re.fullmatch(r"status (\d+)", said)
                if status:
                    assert found[-1].status is None, "line %d: a second status" % number
                    found[-1].status = int(status.group(1))
                else:
                    found[-1].prints.append(said)
                continue
            assert "#=>" not in line, "line %d: #=> has to begin a line behind a whole command" % number
            if not open_ and (not line.strip() or line.startswith("#")):
                continue
            begun = begun if open_ else number
            open_ += ("\n" if open_ else "") + line
            if is_whole(open_):
                found.append(Command(open_, begun))
                open_, may_expect = "", True
        assert not open_, "line %d: not a whole command: %s" % (begun, open_)
    return found


class Shell:
    """One bash, not interactive, in a folder of its own; each command's output goes to a file beside that folder."""

    def __init__(self, folder):
        self.home = os.path.join(folder, "h")
        self.files = os.path.join(folder, "f")
        os.mkdir(self.home)
        os.mkdir(self.files)
        os.symlink(BUILD, os.path.join(self.home, "build"))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SECREG_", "XDG_", "BASH_"))}
        env.update(HOME=self.home, PWD=self.home, LC_ALL="C.UTF-8", PATH="%s/bin:%s" % (BUILD, env.get("PATH", "/usr/bin:/bin")))
        self.answers, theirs = os.pipe()
        self.count = 0
        # descriptor 9 is the way back; no command has it, so that its end is the end of the shell
        self.process = subprocess.Popen(["bash", "--noprofile", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, cwd=self.home, env=env, pass_fds=[theirs], start_new_session=True)
        self.process.stdin.write(b"exec 9>&%d %d>&-\n" % (theirs, theirs))
        os.close(theirs)

    def run(self, text, seconds):
        """The exit status, None if it did not end in time or ended the shell, and what was printed."""
        self.count += 1
        name = os.path.join(self.files, str(self.count))
        with open(name + ".sh", "w") as f:
            f.write(text + "\n")
        self.process.stdin.write((". %s.sh >%s.out 2>&1 </dev/null 9>&-; echo $? >&9\n" % (name, name)).encode())
        self.process.stdin.flush()
        ready, _, _ = select.select([self.answers], [], [], seconds)
        answer = os.read(self.answers, 16).decode() if ready else ""
        out = ""
        if os.path.exists(name + ".out"):
            with open(name + ".out", errors="replace") as f:
                out = f.read()
        return (int(answer) if answer else None), out

    def others(self):
        """What was started and goes on, beside the shell itself."""
        return [p for p in session_of(self.process.pid) if p != self.process.pid and is_alive(p)]

    def end(self):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for pid in [*self.others(), self.process.pid]:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            if sign == signal.SIGTERM:
                self.process.stdin.close()
                end = time.monotonic() + soon(3)
                while self.others() and time.monotonic() < end:
                    time.sleep(0.02)
        self.process.wait(timeout=soon(10))
        os.close(self.answers)
        wait_for(lambda: not self.others(), 10, "end what the commands left behind")


def follow(text, folder, each=EACH, everything=ALL):
    """Does what a text says; fails with the command that did something else and all that it printed."""
    commands = commands_of(text)
    end = time.monotonic() + soon(everything)
    shell = Shell(folder)
    try:
        for c in commands:
            status, out = shell.run(c.text, max(0, min(soon(each), end - time.monotonic())))
            shown = "\nline %d: %s\nprinted:\n%s" % (c.line, c.text, out)
            assert status is not None, "it did not end in time, or ended the shell:" + shown
            assert status == (c.status or 0), "exit status %d, not %d:%s" % (status, c.status or 0, shown)
            for wanted in c.prints:
                assert wanted in out, "does not print %r:%s" % (wanted, shown)
        wait_for(lambda: not shell.others(), min(each, 10), "end of all that was started")
    finally:
        shell.end()
    return commands


@pytest.fixture
def folder(_folder):
    made = tempfile.mkdtemp(dir=_folder)
    os.chmod(made, 0o755)
    return made


def test_the_tutorial(folder):
    with open(TUTORIAL, encoding="utf-8") as f:
        commands = follow(f.read(), folder)
    assert len(commands) > 20 and sum(len(c.prints) for c in commands) > 15, "most of it was not found"


# ---- would it be noticed?

def sh(*lines):
    return "\n".join(["Text.", "", "```sh", *lines, "```", ""])


@pytest.mark.parametrize("lines", [
    ["echo one; echo two >&2", "#=> one", "#=> two"], ["false", "#=> status 1"], ["x=1", "export y=2; cd /", "echo $x$y $PWD", "#=> 12 /"],
    ["echo a \\", "  b", "#=> a b"], ["cat <<E", "#not a comment", "E", "#=> #not"], ["for i in 1 2; do", "  echo $i", "done", "#=> 2"],
    ["sleep 100 &", "kill $!; wait $!", "#=> status 143"], ["command -v sreg", "#=> /bin/sreg"], ["cat", "echo $HOME", "#=> /h"]])
def test_what_holds_passes(folder, lines):
    follow(sh(*lines), folder)


@pytest.mark.parametrize("lines,said", [
    (["true", "echo one", "#=> two"], r"does not print 'two':\s+line 5: echo one\s+printed:\s+one"),
    (["echo why; false"], r"exit status 1, not 0:\s+line 4: .*\s+printed:\s+why"),
    (["true", "#=> status 1"], "exit status 0, not 1"), (["nonesuch"], "exit status 127"), (["exit 0", "true"], "ended the shell"),
    (["echo begun; sleep 100"], r"not end in time.*\s+printed:\s+begun"), (["echo one", "echo two", "#=> one"], "does not print 'one'"),
    (["echo one #=> one"], "has to begin a line"), (["#=> one"], "nothing to say that of"), (["echo one", "#=>"], "nothing said"),
    (["echo 'one"], "not a whole command"), (["cat <<E", "one"], "not a whole command")])
def test_what_does_not_hold_fails(folder, lines, said):
    with pytest.raises(AssertionError, match=re.compile(said, re.S)):
        follow(sh(*lines), folder, each=1)


def test_what_goes_on_is_noticed_and_ended(folder):
    with pytest.raises(AssertionError, match="end of all that was started"):
        follow(sh("trap '' TERM; sleep 300 & echo $! >pid"), folder, each=1)
    with open(os.path.join(folder, "h", "pid")) as f:
        assert not is_alive(int(f.read()))
