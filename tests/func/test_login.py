"""Logging in through PAM, sessions, lockout, and what a process of the auth role may not do.

PAM reads DIR/etc/pam.d below the root that a test serves, so neither the host's stacks nor its users are used: the stacks
consist of pam_act (tests/pam), which does what its arguments say, and of pam_matrix of pam_wrapper, a module that others
wrote. Nothing is preloaded into anything.
"""
import glob
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import threading
import time

import pytest

from client import Client
from conftest import BUILD, IS_ROOT, SECREGD, SREG, TOP, is_alive, needs_root, session_of, soon, wait_for

A = "/registry/applications"
ACT = os.path.join(BUILD, "tests", "pam", "pam_act.so")
MATRIX = (glob.glob("/usr/lib/*/pam_wrapper/pam_matrix.so") + glob.glob("/usr/lib*/pam_wrapper/pam_matrix.so") + [None])[0]
PASSWORD = "correct horse"
ASK = "ask=Password:+:correct+horse"


def me(uid=None):
    import pwd
    return pwd.getpwuid(os.geteuid() if uid is None else uid).pw_name


def stack(d, auth, account=""):
    """Writes the PAM stack of a store: what pam_act does for auth and for account."""
    folder = d.path("etc/pam.d")
    os.makedirs(folder, exist_ok=True)
    os.makedirs(d.path("out"), exist_ok=True)
    os.chmod(d.path("out"), 0o777)
    with open(os.path.join(folder, "secreg.new"), "w", errors="surrogateescape") as f:
        f.write("auth required %s %s\naccount required %s %s\n" % (ACT, auth, ACT, account))
    os.rename(os.path.join(folder, "secreg.new"), os.path.join(folder, "secreg"))


@pytest.fixture
def served(new_store):
    """Makes a served store with a PAM stack."""
    def make(auth=ASK, account="", config=None, start=True, **args):
        d = new_store(config=config, **args)
        stack(d, auth, account)
        return d.start() if start else d
    return make


def begin(c, user=None, **headers):
    return c.post("/v1/login", json.dumps({} if user is None else {"user": user}), **headers)


def go_on(c, conversation, *answers):
    return c.post("/v1/login", json.dumps({"conversation": conversation, "answers": list(answers)}))


def log_in(c, *rounds, user=None):
    """Answers each round of prompts with a list of answers (or one answer). The last reply."""
    r = begin(c, user)
    for answers in rounds:
        if r.status != 200 or "conversation" not in r.data:
            return r
        r = go_on(c, r.data["conversation"], *([answers] if isinstance(answers, str) else answers))
    return r


def token_of(reply):
    assert reply.status == 200, reply
    return reply.data["session"]


def records(c, kind="login", limit=100):
    r = c.get("/v1/audit?kind=%s&limit=%d" % (kind, limit))
    assert r.status == 200, r
    return r.data["records"]


def auth_pids(d):
    """Processes of the auth role, zombies not counted."""
    found = []
    for pid in session_of(d.process.pid):
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                if b"--role=auth" in f.read() and is_alive(pid):
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def report(d, name="report"):
    """What a module reported: a map of the first word to the list of the rest."""
    found = {}
    with open(d.path("out", name)) as f:
        for line in f:
            key, _, rest = line.rstrip("\n").partition(" ")
            if "\t" in key:
                key, _, rest = line.rstrip("\n").partition("\t")
            found.setdefault(key, []).append(rest)
    return found


# ---- a login --------------------------------------------------------------------------------------------------------

def test_the_right_password(served):
    c = served().client()
    r = begin(c)
    assert r.status == 200 and set(r.data) == {"conversation", "prompts"}
    assert r.data["prompts"] == [{"text": "Password: ", "echo": False}]
    r = go_on(c, r.data["conversation"], PASSWORD)
    assert r.status == 200 and set(r.data) == {"session", "user", "expires", "absolute", "notes"}
    assert r.data["user"] == me() and r.data["notes"] == []
    assert re.fullmatch("[0-9a-f]{16}\\.[0-9a-f]{48}", r.data["session"])
    who = c.get("/v1/whoami", Secreg_Session=r.data["session"]).data
    assert who["auth"] == "pam" and 0 <= who["auth_age"] <= 5
    who = c.get("/v1/whoami").data
    assert who["auth"] == "peer" and who["auth_age"] is None
    [record] = records(c)
    assert record["outcome"] == "done" and record["uid"] == os.geteuid()
    assert record["detail"] == "session " + r.data["session"][:16]


def test_a_wrong_password(served):
    c = served().client()
    r = log_in(c, "wrong")
    assert (r.status, r.code) == (401, "login-failed") and r.headers["www-authenticate"] == "Secreg-Session"
    [record] = records(c)
    assert record["outcome"] == "login-failed"
    assert c.get("/v1/session").data["sessions"] == []
    token_of(log_in(c, PASSWORD))


@pytest.mark.skipif(MATRIX is None, reason="pam_matrix of libpam-wrapper is not installed")
def test_a_module_of_others(served, new_store):
    d = served(start=False)
    with open(d.path("etc/passdb"), "w") as f:
        f.write("%s:%s:secreg\n" % (me(), "of-pam-matrix"))
    with open(d.path("etc/pam.d/secreg"), "w") as f:
        f.write("auth required {0} passdb={1}\naccount required {0} passdb={1}\n".format(MATRIX, d.path("etc/passdb")))
    c = d.start().client()
    assert log_in(c, "wrong").code == "login-failed"
    r = log_in(c, "of-pam-matrix")
    token_of(r)
    with open(d.path("etc/passdb"), "w") as f:
        f.write("somebody-else:x:secreg\n")
    assert log_in(c, "x").code == "login-failed"  # no such user: not told apart


def test_the_shipped_stack():
    """It is the host's own, and has no module of ours: one that talks to the daemon would wait for itself."""
    with open(os.path.join(TOP, "etc/pam.d/secreg")) as f:
        lines = [x.strip() for x in f if not x.startswith("#") and x.strip()]
    assert lines == ["@include common-auth", "@include common-account"]


def test_without_a_stack(new_store):
    d = new_store().start()
    c = d.client()
    r = log_in(c)
    assert (r.status, r.code) == (503, "login-broken")
    assert records(c)[0]["outcome"] == "login-broken"
    assert c.status()["state"] == "unlocked"


def test_several_prompts(served):
    c = served("info=Welcome two error=careful show=Token:+:123 info=bye").client()
    r = begin(c)
    assert r.data["prompts"] == [{"info": "Welcome"}, {"info": "two questions"}, {"text": "Name: ", "echo": True},
                                 {"text": "Code: ", "echo": False}]
    r = go_on(c, r.data["conversation"], "x", "y")
    assert r.data["prompts"] == [{"error": "careful"}, {"text": "Token: ", "echo": True}]
    r = go_on(c, r.data["conversation"], "123")
    token_of(r)
    assert r.data["notes"] == [{"info": "bye"}]
    assert log_in(c, ["x", "z"]).code == "login-failed"
    assert log_in(c, ["x", "y"], "124").code == "login-failed"


def test_as_many_answers_as_questions(served):
    c = served("two").client()
    r = begin(c)
    name = r.data["conversation"]
    for answers in ([], ["x"], ["x", "y", "z"]):
        bad = go_on(c, name, *answers)
        assert (bad.status, bad.code) == (400, "bad-request")
    token_of(go_on(c, name, "x", "y"))


def test_no_questions_at_all(served):
    c = served("").client()
    token_of(begin(c))


def test_prompts_of_any_kind_are_shown_as_text(served):
    c = served("ask=\x1b[31m\xff:x".encode("latin-1").decode("utf-8", "surrogateescape")).client()
    r = begin(c)
    assert r.data["prompts"][0]["text"].startswith("\x1b[31m")
    assert go_on(c, r.data["conversation"], "x").status == 200


@pytest.mark.parametrize("auth", ["binary", "many"])
def test_questions_that_cannot_be_put(served, auth):
    d = served(auth)
    c = d.client()
    r = begin(c)
    assert r.status in (401, 503) and r.code in ("login-failed", "login-broken"), r
    assert c.status()["state"] == "unlocked"


# statuses of <security/_pam_types.h>
@pytest.mark.parametrize("account,status,code", [
    ("return=13", 403, "login-expired"),   # PAM_ACCT_EXPIRED
    ("return=12", 403, "login-expired"),   # PAM_NEW_AUTHTOK_REQD
    ("return=27", 403, "login-expired"),   # PAM_AUTHTOK_EXPIRED
    ("return=6", 403, "refused"),          # PAM_PERM_DENIED
    ("return=7", 403, "refused"),          # PAM_AUTH_ERR
    ("return=10", 403, "refused"),         # PAM_USER_UNKNOWN
    ("return=4", 503, "login-broken"),     # PAM_SYSTEM_ERR
    ("info=not+today return=6", 403, "refused"),
])
def test_the_account_is_asked_too(served, account, status, code):
    c = served(account=account).client()
    r = log_in(c, PASSWORD)
    assert (r.status, r.code) == (status, code)
    assert records(c)[0]["outcome"] == code
    assert c.get("/v1/session").data["sessions"] == []
    assert log_in(c, "wrong").code == "login-failed"


@pytest.mark.parametrize("auth,code", [("return=7", "login-failed"), ("return=10", "login-failed"), ("return=11", "login-failed"),
                                       ("return=6", "refused"), ("return=9", "login-broken"), ("return=28", "login-broken"),
                                       ("return=13", "login-expired"), ("return=99", "refused")])
def test_what_modules_answer(served, auth, code):
    c = served(auth).client()
    assert begin(c).code == code


@pytest.mark.parametrize("other", ["nobody", "daemon", "no-such-user", "root+"])
def test_a_module_that_changes_the_user(served, other):
    d = served("%s user=%s" % (ASK, other))
    c = d.client()
    r = log_in(c, PASSWORD)
    assert (r.status, r.code) == (503, "login-broken")
    assert "another user" in d.log()
    assert c.get("/v1/session").data["sessions"] == []


def test_a_module_that_sets_the_same_user(served):
    token_of(log_in(served("%s user=%s" % (ASK, me())).client(), PASSWORD))


@pytest.mark.parametrize("how,why", [("crash", "killed by SIGTRAP"), ("exit", "exited with 3")])
def test_a_module_that_ends_the_process(served, how, why):
    d = served(how)
    c = d.client()
    r = begin(c)
    assert (r.status, r.code) == (503, "login-broken")
    wait_for(lambda: "role auth " + why in d.log(), 5, "its end is logged")
    assert c.put(A + "/x", "1").status == 201  # the daemon goes on
    stack(d, ASK)
    token_of(log_in(c, PASSWORD))


def test_a_module_that_leaves_a_process_behind(served):
    c = served("daemon " + ASK).client()
    start = time.monotonic()
    token_of(log_in(c, PASSWORD))
    assert time.monotonic() - start < 3


# ---- who, and on which connection -----------------------------------------------------------------------------------

def test_another_user_is_refused_and_counted(served):
    d = served(config="login:\n  failures: 3\n")
    c = d.client()
    for name in ("nobody", "root2", "nobody"):
        r = begin(c, name)
        assert (r.status, r.code) == (403, "refused"), r
    r = begin(c, "somebody")
    assert (r.status, r.code) == (429, "locked-out")
    assert [r["outcome"] for r in records(c)] == ["locked-out"] + 3 * ["refused"]
    assert "somebody" not in json.dumps(records(c)) and "root2" not in json.dumps(records(c))
    token_of(log_in(c, PASSWORD, user=me()))  # one's own bucket is another one
    assert begin(c, me().upper()).code == "locked-out"  # names are compared as they are
    assert begin(c, me() + " ").code == "locked-out"


def test_a_login_belongs_to_its_connection(served):
    d = served()
    a, b = d.client(), d.client()
    name = begin(a).data["conversation"]
    r = go_on(b, name, PASSWORD)
    assert (r.status, r.code) == (409, "no-login")
    assert go_on(a, name[:-1] + ("0" if name[-1] != "0" else "1"), PASSWORD).code == "no-login"
    token_of(go_on(a, name, PASSWORD))
    assert go_on(a, name, PASSWORD).code == "no-login"  # it is over


def test_beginning_anew(served):
    d = served(config="login:\n  failures: 2\n")
    c = d.client()
    first = begin(c).data["conversation"]
    second = begin(c).data["conversation"]
    assert first != second
    assert go_on(c, first, PASSWORD).code == "no-login"
    name = begin(c).data["conversation"]
    token_of(go_on(c, name, PASSWORD))
    wait_for(lambda: not auth_pids(d), 5, "the processes are gone")


def test_a_client_that_goes_away(served):
    d = served()
    c = d.client()
    begin(c)
    assert len(auth_pids(d)) == 1
    c.close()
    wait_for(lambda: not auth_pids(d), 5, "the process is gone")
    assert records(d.client()) == []  # nothing was tried
    assert d.roles()


def test_going_away_after_an_answer_is_a_failure(served):
    """Else a guess could be taken back as soon as it does not succeed at once."""
    d = served("delay=20000000 " + ASK, config="login:\n  failures: 2\n")
    for _ in range(2):
        r = d.raw()
        r.send("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        name = r.reply().data["conversation"]
        body = json.dumps({"conversation": name, "answers": ["guess"]})
        r.send("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        time.sleep(0.2)
        r.close()
        wait_for(lambda: not auth_pids(d), 5, "the process is gone")
    c = d.client()
    assert begin(c).code == "locked-out"
    outcomes = [(r["outcome"], r["detail"]) for r in records(c)]
    assert outcomes == [("locked-out", "")] + 2 * [("login-failed", "given up by the client")]


def test_a_silent_client(served):
    d = served(config="login:\n  prompt_timeout: 300\n")
    c = d.client()
    name = begin(c).data["conversation"]
    wait_for(lambda: not auth_pids(d), 5, "the process is gone")
    r = go_on(c, name, PASSWORD)
    assert (r.status, r.code) == (409, "no-login")
    token_of(log_in(c, PASSWORD))


# ---- what happens to the process ------------------------------------------------------------------------------------

def test_a_module_that_blocks(served):
    d = served("block", config="login:\n  time_limit: 1000\n")
    c = d.client()
    start = time.monotonic()
    r = begin(c)
    assert (r.status, r.code) == (503, "login-broken")
    assert 0.9 < time.monotonic() - start < soon(10)
    assert "role auth did not finish in time" in d.log()
    wait_for(lambda: not auth_pids(d), 5, "the process is gone")
    stack(d, ASK)
    token_of(log_in(c, PASSWORD))


def test_killing_the_process(served):
    d = served(ASK + " sleep=60000")
    replies = []

    def client():
        c = Client(d.socket, soon(30))
        replies.append(log_in(c, PASSWORD))
        replies.append(c.get("/v1/whoami"))
        c.close()
    t = threading.Thread(target=client)
    t.start()
    [pid] = wait_for(lambda: auth_pids(d), 10, "there is a process")
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    t.join(timeout=soon(10))
    assert [r.status for r in replies] == [503, 200] and replies[0].code == "login-broken"
    assert records(d.client())[0]["outcome"] == "login-broken"


def test_killing_the_process_while_the_client_thinks(served):
    d = served()
    c = d.client()
    name = begin(c).data["conversation"]
    os.kill(auth_pids(d)[0], signal.SIGKILL)
    wait_for(lambda: not auth_pids(d), 5, "the process is gone")
    time.sleep(0.1)
    assert go_on(c, name, PASSWORD).code == "no-login"
    token_of(log_in(c, PASSWORD))


def test_a_crash_after_an_answer_counts(served):
    d = served(ASK + " crash", config="login:\n  failures: 2\n")
    c = d.client()
    assert [log_in(c, PASSWORD).code for _ in range(3)] == ["login-broken", "login-broken", "locked-out"]


def test_stopping_while_a_login_hangs(served):
    d = served("sleep=60000")
    r = d.raw()
    r.send("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    wait_for(lambda: auth_pids(d), 10, "there is a process")
    d.process.send_signal(signal.SIGTERM)
    reply = r.reply()
    assert reply is None or (reply.status, reply.code) == (503, "unavailable"), reply
    assert d.wait_end(10) == 0


def test_the_starter_is_part_of_the_daemon(served):
    d = served("sleep=60000")
    r = d.raw()
    r.send("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    wait_for(lambda: auth_pids(d), 10, "there is a process")
    assert d.kill("starter") == 1
    assert "role starter killed by SIGKILL" in d.log()


LOAD = """
import json, socket, sys
sys.path.insert(0, %r)
from client import Raw
raws = [Raw(%r, 60) for _ in range(%d)]
for r in raws:
    r.send("POST /v1/login HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n")
names = [r.reply().data["conversation"] for r in raws]
for r, name in zip(raws, names):
    body = json.dumps({"conversation": name, "answers": ["wrong"]})
    r.send("POST /v1/login HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %%d\\r\\n\\r\\n%%s" %% (len(body), body))
print("asked", flush=True)
sys.stdin.readline()
print(json.dumps([r.reply().code for r in raws]), flush=True)
"""


def rate(c, seconds):
    """Gets a second, and the slowest one."""
    end = time.monotonic() + seconds
    count, slowest = 0, 0.0
    while time.monotonic() < end:
        start = time.monotonic()
        assert c.get(A + "/x").status == 200
        slowest = max(slowest, time.monotonic() - start)
        count += 1
    return count / seconds, slowest


def test_logins_that_hang_slow_nobody_down(served):
    """20 logins wait out the delay after a failure; gets are answered as before."""
    d = served("delay=5000000 ask=Password:+:right", config="login:\n  failures: 10\n  per_uid: 10\n")
    users = [os.geteuid(), 60001] if IS_ROOT else [os.geteuid()]
    c = d.client()
    assert c.put(A + "/x", "1").status == 201
    before, _ = rate(c, 1.5)
    here = os.path.dirname(os.path.abspath(__file__))
    loads = []
    for uid in users:
        extra = {"user": uid, "group": uid, "extra_groups": []} if uid != os.geteuid() else {}
        loads.append(subprocess.Popen(["/usr/bin/python3", "-S", "-c", LOAD % (here, d.socket, 10)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, **extra))
    for p in loads:
        assert p.stdout.readline() == "asked\n"
    assert len(auth_pids(d)) == 10 * len(users)
    during, slowest = rate(c, 1.5)
    assert len(auth_pids(d)) == 10 * len(users)  # all the time
    for p in loads:
        p.stdin.write("\n")
        p.stdin.flush()
        assert json.loads(p.stdout.readline()) == 10 * ["login-failed"]
        p.wait(timeout=soon(10))
    # the machine may be busy; what must not be seen is anybody waiting for a delay of seconds
    assert during > before / 10 and slowest < soon(1), (before, during, slowest)


def test_logins_at_a_time_are_bounded(served):
    d = served(config="login:\n  per_uid: 2\n")
    clients = [d.client() for _ in range(3)]
    assert [begin(c).status for c in clients] == [200, 200, 429]
    assert begin(d.client()).code == "limit"
    clients[0].close()
    wait_for(lambda: len(auth_pids(d)) == 1, 5, "one is gone")
    token_of(log_in(clients[2], PASSWORD))


@needs_root
def test_logins_of_all_users_are_bounded(served):
    d = served(config="login:\n  processes: 2\n")
    a, b = d.client(), d.actor(60001)
    assert begin(a).status == 200 and begin(b).status == 200
    r = begin(d.actor(60002))
    assert (r.status, r.code) == (429, "limit")


# ---- lockout --------------------------------------------------------------------------------------------------------

def test_lockout(served):
    d = served(config="login:\n  lockout: 1500\n")
    c = d.client()
    assert [log_in(c, "wrong").code for _ in range(5)] == 5 * ["login-failed"]
    r = begin(c)
    assert (r.status, r.code) == (429, "locked-out")
    assert re.search("try again in [12] s", r.json["error"]["message"])
    assert begin(d.client()).code == "locked-out"  # another connection is the same user
    assert c.get("/v1/whoami").status == 200  # locked out of logins, and of nothing else
    time.sleep(1.6)
    token_of(log_in(c, PASSWORD))


@needs_root
def test_lockout_is_of_one_user(served):
    d = served()
    a, b = d.actor(60001), d.client()
    for _ in range(5):
        assert log_in(a, "wrong").code == "login-failed"
    assert begin(a).code == "locked-out"
    assert begin(a, me()).code == "refused"  # and not tried: it counts for the peer alone
    token_of(log_in(b, PASSWORD))
    assert log_in(b, "wrong").code == "login-failed"


def test_success_is_no_failure(served):
    c = served(config="login:\n  failures: 2\n").client()
    for _ in range(6):
        token_of(log_in(c, PASSWORD))
        assert log_in(c, "wrong").code == "login-failed"


@needs_root
def test_a_user_nobody_knows(served):
    """The right answer of a uid without a name is worth nothing, and looks like a wrong one."""
    d = served()
    a = d.actor(61234)
    r = begin(a)
    assert r.data["prompts"] == [{"text": "Password: ", "echo": False}]
    assert go_on(a, r.data["conversation"], PASSWORD).code == "login-failed"


@needs_root
def test_a_user_named_like_a_number(served):
    """Who has no name is called by the number, which may be the name of somebody else: the uid decides."""
    a = served("user=root " + ASK).actor(61234)
    assert log_in(a, PASSWORD).code == "login-failed"


@needs_root
def test_a_rule_can_want_a_login(served):
    d = served()
    c, path = d.client(), "/registry/applications/vault/key"
    assert c.put(path, "inside").status == 201
    for actions, condition in (("read", "auth=pam"), ("list,break-glass", "auth-age=60")):
        assert c.post("/v1/acl", json.dumps({"path": path, "effect": "allow", "principal": "uid:1", "actions": actions,
                                             "condition": condition})).status == 200
    other = d.actor(1)
    assert other.get(path).status == 404
    token = token_of(log_in(other, PASSWORD))
    assert other.get(path, Secreg_Session=token).body == b"inside"
    assert other.get(path).status == 404  # the session is of a request, not of a connection
    glass = "/v1/break-glass?for=60&path=" + path
    assert other.post(glass, Secreg_Reason="it burns").code == "refused"
    assert other.post(glass, Secreg_Reason="it burns", Secreg_Session=token).status == 200
    assert other.get(path).body == b"inside"


# ---- sessions -------------------------------------------------------------------------------------------------------

def use(c, token):
    return c.get("/v1/whoami", Secreg_Session=token)


def test_a_bad_session_is_an_error_everywhere(served):
    c = served().client()
    assert c.put(A + "/x", "1").status == 201
    good = token_of(log_in(c, PASSWORD))
    for bad in ("x", "0" * 65, good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace(".", ":"), good + "0", good[:16]):
        for r in (c.get(A + "/x", Secreg_Session=bad), c.put(A + "/x", "2", Secreg_Session=bad), use(c, bad),
                  c.get("/v1/status", Secreg_Session=bad), begin(c, Secreg_Session=bad),
                  c.delete("/v1/session?all", Secreg_Session=bad), c.get("/v1/session", Secreg_Session=bad)):
            assert (r.status, r.code) == (401, "bad-session"), r
            assert bad not in r.body.decode()
    assert c.get(A + "/x", Secreg_Session=good).body == b"1"
    assert [r["outcome"] for r in records(c, "get")].count("bad-session") == 6
    assert [r["outcome"] for r in records(c, "set")].count("bad-session") == 6
    assert c.get(A + "/x", Secreg_Session="").status == 400


def test_two_session_headers(served):
    d = served()
    token = token_of(log_in(d.client(), PASSWORD))
    r = d.raw()
    r.send("GET /v1/whoami HTTP/1.1\r\nHost: x\r\nSecreg-Session: %s\r\nSecreg-Session: %s\r\n\r\n" % (token, token))
    assert r.reply().status == 400


@needs_root
def test_a_session_is_of_one_uid(served):
    d = served()
    c, other = d.client(), d.actor(60001)
    token = token_of(log_in(c, PASSWORD))
    r = use(other, token)
    assert (r.status, r.code) == (401, "bad-session")
    assert other.delete("/v1/session?id=" + token[:16]).code == "not-found"
    assert other.delete("/v1/session?all").data == {"ended": 0}
    assert other.get("/v1/session").data["sessions"] == []
    assert use(c, token).status == 200


def test_listing_and_ending(served):
    c = served().client()
    tokens = [token_of(log_in(c, PASSWORD)) for _ in range(3)]
    rows = c.get("/v1/session", Secreg_Session=tokens[1]).data["sessions"]
    assert sorted(r["id"] for r in rows) == sorted(t[:16] for t in tokens)
    assert [r["id"] for r in rows if r["current"]] == [tokens[1][:16]]
    assert set(rows[0]) == {"id", "made", "used", "expires", "absolute", "current"}
    assert not any(t[17:] in json.dumps(rows) for t in tokens)
    assert c.delete("/v1/session").code == "bad-request"
    assert c.delete("/v1/session?id=0123456789abcdef").code == "not-found"
    assert c.delete("/v1/session?id=%s" % tokens[2]).code == "not-found"
    assert c.delete("/v1/session?id=" + tokens[0][:16]).data == {"ended": 1}
    assert c.delete("/v1/session", Secreg_Session=tokens[1]).data == {"ended": 1}
    assert [use(c, t).status for t in tokens] == [401, 401, 200]
    assert c.delete("/v1/session?all").data == {"ended": 1}
    assert [use(c, t).status for t in tokens] == [401, 401, 401]
    assert {r["detail"] for r in records(c, "logout") if r["outcome"] == "done"} == {
        "session " + tokens[0][:16], "session " + tokens[1][:16], "1 sessions"}
    for bad in ("?id=", "?all=1", "?id=x&all", "?x"):
        assert c.delete("/v1/session" + bad).status == 400


def test_records_say_which_session(served):
    """What was asked with a session can be found by its handle, and what was asked without one cannot."""
    c = served().client()
    first, second = token_of(log_in(c, PASSWORD)), token_of(log_in(c, PASSWORD))
    c.put(A + "/a", "1", Secreg_Session=first)
    c.get(A + "/a", Secreg_Session=first)
    c.get(A + "/a", Secreg_Session=second)
    c.get(A + "/a")
    c.delete("/v1/session", Secreg_Session=first)
    def found(handle):
        return [(r["kind"], r["session"]) for r in c.get("/v1/audit?order=up&session=" + handle).data["records"]]
    assert found(first[:16]) == [(k, first[:16]) for k in ("login", "set", "get", "logout")]
    assert found(second[:16]) == [(k, second[:16]) for k in ("login", "get")]
    assert found("0123456789abcdef") == []
    assert {r["session"] for r in c.get("/v1/audit?kind=start").data["records"]} == {""}
    for bad in ("", "x", first[:15], first[:17], first):
        assert c.get("/v1/audit?session=" + bad).status == 400
    without = c.get("/v1/audit?session=0000000000000000&kind=get").data["records"]
    assert [(r["kind"], r["session"]) for r in without] == [("get", "")]


def test_one_too_many_ends_the_one_used_longest_ago(served):
    c = served(config="session:\n  per_user: 2\n").client()
    a, b = token_of(log_in(c, PASSWORD)), token_of(log_in(c, PASSWORD))
    assert use(c, a).status == 200
    token_of(log_in(c, PASSWORD))
    assert [use(c, t).status for t in (a, b)] == [200, 401]


def test_sessions_end(served):
    c = served(config="session:\n  idle: 1000\n  absolute: 2000\n").client()
    token = token_of(log_in(c, PASSWORD))
    start = time.monotonic()
    while time.monotonic() - start < 1.6:
        assert use(c, token).status == 200  # used, it outlives the first limit
        time.sleep(0.2)
    time.sleep(0.6)
    assert use(c, token).code == "bad-session"
    token = token_of(log_in(c, PASSWORD))
    time.sleep(1.2)
    assert use(c, token).code == "bad-session"


def test_sessions_do_not_outlive_the_daemon(served):
    d = served()
    token = token_of(log_in(d.client(), PASSWORD))
    d.restart()
    assert use(d.client(), token).code == "bad-session"


def test_locking_ends_sessions(served):
    d = served()
    c = d.client()
    token = token_of(log_in(c, PASSWORD))
    assert c.post("/v1/lock", Secreg_Session=token).status == 200
    assert use(c, token).code == "bad-session"
    locked = token_of(log_in(c, PASSWORD))  # for the locked registry has logins too
    assert c.post("/v1/unlock", Secreg_Session=locked).status == 200
    assert use(c, locked).status == 200
    assert use(c, token).code == "bad-session"
    assert c.post("/v1/lock").status == 200
    assert use(c, locked).status == 200  # made under a key of the process


# ---- requests -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("body", [
    "[]", "1", "{", '{"user":1}', '{"user":""}', '{"user":null}', '{"users":"x"}', '{"answers":["x"]}', '{"conversation":"x"}',
    '{"conversation":"x","answers":"y"}', '{"conversation":"x","answers":[1]}', '{"conversation":"x","answers":[null]}',
    '{"conversation":"x","answers":["\\u0000"]}', '{"conversation":"x","answers":["y"],"user":"z"}',
    '{"user":"a","user":"a"}', '{"conversation":"%s","answers":[]}' % ("x" * 600), '{"user":"%s"}' % ("x" * 256),
    '{"conversation":"x","answers":["%s"]}' % ("y" * 512), '{"conversation":"x","answers":[%s]}' % ",".join(17 * ['"y"']),
    '{"user":"\xff"}',
])
def test_malformed_requests(served, body):
    d = served()
    c = d.client()
    r = c.post("/v1/login", body.encode("latin-1"))
    assert (r.status, r.code) == (400, "bad-request"), r
    assert "yyyy" not in r.body.decode() and not auth_pids(d)


def test_an_empty_body_is_a_beginning(served):
    assert "conversation" in served().client().post("/v1/login").data


@pytest.mark.parametrize("answer", ["", " ", "x" * 511, "\u00e4\u20ac\U0001f600", "a\"b\\c\n\t", "a:b"])
def test_answers_arrive_as_they_are(served, answer):
    d = served(start=False)
    if answer in ("", "x" * 511, "\u00e4\u20ac\U0001f600"):
        stack(d, "ask=x:" + answer)
        c = d.start().client()
        token_of(log_in(c, answer))
    else:
        c = d.start().client()
    assert log_in(c, answer + "z" if len(answer) < 511 else "z").code == "login-failed"


def test_nothing_secret_is_kept(served):
    d = served("ask=Password:+:right-password-4711")
    c = d.client()
    assert log_in(c, "wrong-password-0815").code == "login-failed"
    token = token_of(log_in(c, "right-password-4711"))
    assert use(c, token).status == 200
    c.put(A + "/x", "1", Secreg_Session=token)
    raw = c.get("/v1/audit?raw").body
    d.restart()
    content = raw + d.log().encode()
    for path in d.state_files():
        with open(path, "rb") as f:
            content += f.read()
    for secret in ("right-password", "wrong-password", token[17:], token):
        assert secret.encode() not in content
    assert token[:16].encode() in content  # the handle is in the record


# ---- what the process has -------------------------------------------------------------------------------------------

def seen(served, extra="", **args):
    d = served(start=False, **args)
    stack(d, "report=%s %s" % (d.path("out/report"), extra % {"d": d.root}))
    d.start(env={"LD_PRELOAD": "", "SECREG_ROOT": "", "HOME": "/root", "PAM_TEST": "leak"})
    c = d.client()
    return d, c, begin(c)


def test_the_process_gets_nothing_but_its_channel(served):
    d, c, r = seen(served)
    token_of(r)
    got = report(d)
    assert sorted(got["env"]) == ["LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    assert got["fd"] == ["0", "1", "2", "3"]  # /dev/null twice, the log, the channel
    assert got["service"] == ["secreg"] and got["user"] == [me()] and got["ruser"] == [me()]
    assert got["tty"] == ["secreg"] and got["rhost"] == ["localhost"]
    assert got["dumpable"] == ["0"] and got["core"] == ["0"] and got["cpu"] == ["30"]
    assert got["uid"] == [str(os.geteuid())]
    assert int(got["pid"][0]) not in d.roles().values()


@needs_root
def test_the_process_of_root_is_confined(served):
    d = served(start=False)
    stack(d, ASK)
    d.start()
    roles = d.roles()
    words = " ".join("read=%s" % p for p in (d.key, d.db, d.path("etc/pam.d/secreg"), "/etc/shadow", "/etc/passwd",
                                             "/proc/%d/environ" % roles["engine"], "/proc/%d/mem" % roles["parent"]))
    words += "".join(" kill=%d" % roles[r] for r in ("engine", "parent", "starter"))
    stack(d, "report=%s %s" % (d.path("out/report"), words))
    token_of(begin(d.client()))
    got = report(d)
    reads = dict(x.split(" ") for x in got["read"])
    assert reads[d.key] == "EACCES" and reads[d.db] == "EACCES"
    assert reads[d.path("etc/pam.d/secreg")] == "yes" and reads["/etc/passwd"] == "yes"
    assert reads["/etc/shadow"] == "yes"  # what PAM needs
    assert reads["/proc/%d/environ" % roles["engine"]] == "EACCES" and reads["/proc/%d/mem" % roles["parent"]] == "EACCES"
    assert got["no_new_privs"] == ["1"] and got["Seccomp:"] == ["2"]
    for line in ("CapEff:", "CapPrm:", "CapBnd:"):
        caps = int(got[line][0], 16)
        for forbidden in (12, 16, 17, 18, 19, 21, 22, 25):  # net_admin, module, rawio, chroot, ptrace, admin, boot, time
            assert caps >> forbidden & 1 == 0, (line, forbidden)
        assert caps >> 1 & 1 == 1
        assert line == "CapBnd:" or caps >> 5 & 1 == 0  # kill: the starter's, of no use after no_new_privs
    kills = dict(x.split(" ") for x in got["kill"])
    assert set(kills.values()) == {"EPERM"}, kills


@needs_root
def test_passwd_may_be_replaced_while_the_daemon_runs(served):
    """What is hidden is worked out anew for each login: files of /etc are replaced, not written."""
    d = served(start=False)
    new = d.path("etc/replaced")
    open(new, "w").close()
    d.start()
    stack(d, "report=%s read=%s" % (d.path("out/report"), new))
    token_of(begin(d.client()))
    os.unlink(new)
    with open(new + ".new", "w") as f:
        f.write("x")
    os.rename(new + ".new", new)
    token_of(begin(d.client()))
    assert report(d)["read"] == [new + " yes"]


@needs_root
def test_an_ordinary_user_can_serve_logins(new_store):
    """Without root: PAM's helpers need their set-user-ID bit, so no_new_privs, and what needs it, stay off."""
    d = new_store(init=False)
    uid = 60001
    for folder in ("etc/secreg", "var/lib", "run", "out"):
        os.makedirs(d.path(folder))
    stack(d, "report=%s read=/etc/shadow" % d.path("out/report"))
    subprocess.run(["chown", "-R", "%d:%d" % (uid, uid), d.root], check=True)
    as_user = ["setpriv", "--reuid=%d" % uid, "--regid=%d" % uid, "--clear-groups"]
    done = subprocess.run([*as_user, SECREGD, "--root", d.root, "--mode=init", "key-file", "0"], capture_output=True,
                          timeout=soon(60), cwd="/")
    assert done.returncode == 0, done.stderr
    d.start(prefix=as_user)
    a = d.actor(uid)
    r = begin(a)
    assert r.code == "login-failed"  # the uid has no name on this host; but the stack ran
    got = report(d)
    assert got["no_new_privs"] == ["0"] and got["Seccomp:"] == ["0"] and got["CapEff:"] == ["0000000000000000"]
    assert got["dumpable"] == ["0"] and got["core"] == ["0"] and got["uid"] == [str(uid)]
    assert got["read"] == ["/etc/shadow EACCES"]
    roles = {r["role"]: r for r in a.get("/v1/status").data["roles"]}
    assert "no_new_privs" in roles["starter"]["not_held"] and "no_new_privs" not in roles["engine"]["not_held"]


def test_a_front_cannot_ask_for_a_process():
    """The links table says who may: there is one link to the auth role, from the engine."""
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "src", "bin", "secregd.c")) as f:
        links = re.search(r"links\[\] = \{(.*?)\};", f.read(), re.S).group(1)
    assert re.findall(r"ROLE_(\w+), ROLE_AUTH", links) == ["ENGINE"]


# ---- sreg -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def sreg(served):
    """Runs sreg with a runtime folder of its own."""
    d = served()
    runtime = d.path("out", "runtime")
    os.mkdir(runtime, 0o700)

    def run(*args, stdin=None, **env):
        e = {k: v for k, v in os.environ.items() if k not in ("SECREG_SESSION", "SECREG_ROOT")}
        e.update({"XDG_RUNTIME_DIR": runtime, "HOME": d.path("out"), **env})
        return subprocess.run([SREG, "--root", d.root, *args], input=stdin, capture_output=True, text=True, env=e,
                              timeout=soon(60), start_new_session=True)
    run.d = d
    run.runtime = runtime
    return run


def token_files(folder):
    return sorted(glob.glob(os.path.join(folder, "secreg", "session*")))


def test_sreg_logs_in_and_out(sreg):
    p = sreg("login", "--answers-stdin", stdin=PASSWORD + "\n")
    assert p.returncode == 0 and p.stdout == "", p
    [path] = token_files(sreg.runtime)
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    token = open(path).read().strip()
    assert json.loads(sreg("whoami", "--json").stdout)["auth"] == "pam"
    assert "pam" in sreg("whoami").stdout
    listing = sreg("session").stdout
    assert token[:16] in listing and "current" in listing and token[17:] not in listing
    assert len(json.loads(sreg("session", "--json").stdout)["sessions"]) == 1
    assert sreg("logout").returncode == 0 and token_files(sreg.runtime) == []
    assert json.loads(sreg("whoami", "--json").stdout)["auth"] == "peer"
    p = sreg("logout")
    assert p.returncode == 5 and "no session" in p.stderr
    assert use(sreg.d.client(), token).code == "bad-session"


def test_sreg_never_prints_the_token(sreg):
    p = sreg("login", "--answers-stdin", "--json", stdin=PASSWORD + "\n")
    token = open(token_files(sreg.runtime)[0]).read().strip()
    assert set(json.loads(p.stdout)) == {"user", "expires", "absolute"}
    assert token not in p.stdout + p.stderr


def test_sreg_says_what_went_wrong(sreg):
    p = sreg("login", "--answers-stdin", stdin="wrong\n")
    assert p.returncode == 5 and "not the right ones" in p.stderr and token_files(sreg.runtime) == []
    p = sreg("login", "--answers-stdin", stdin="")
    assert p.returncode == 2 and "fewer answers" in p.stderr
    p = sreg("login", "--answers-stdin", "--user", "nobody2", stdin=PASSWORD)
    assert p.returncode == 4
    p = sreg("login", "--answers-stdin", "--json", stdin="wrong\n")
    assert json.loads(p.stderr)["code"] == "login-failed"
    p = sreg("login", PASSWORD)
    assert p.returncode == 2
    p = sreg("login")  # no terminal, and no leave to read standard input
    assert p.returncode == 2 and "terminal" in p.stderr
    stack(sreg.d, ASK, "return=13")
    p = sreg("login", "--answers-stdin", stdin=PASSWORD)
    assert p.returncode == 5 and "expired" in p.stderr
    for _ in range(3):
        sreg("login", "--answers-stdin", stdin="wrong\n")
    p = sreg("login", "--answers-stdin", stdin=PASSWORD)
    assert p.returncode == 5 and "too many failed logins" in p.stderr


def test_sreg_forgets_a_dead_token(sreg):
    assert sreg("login", "--answers-stdin", stdin=PASSWORD).returncode == 0
    sreg.d.restart()
    p = sreg("whoami")
    assert p.returncode == 5 and "session is not valid" in p.stderr and "was removed" in p.stderr
    assert token_files(sreg.runtime) == []
    assert sreg("whoami").returncode == 0
    assert sreg("login", "--answers-stdin", stdin=PASSWORD).returncode == 0
    sreg.d.client().delete("/v1/session?all")
    assert sreg("logout").returncode == 5
    assert token_files(sreg.runtime) == []


def test_sreg_all_sessions(sreg):
    other = token_of(log_in(sreg.d.client(), PASSWORD))
    assert sreg("login", "--answers-stdin", stdin=PASSWORD).returncode == 0
    p = sreg("logout", "--all", "--json")
    assert json.loads(p.stdout) == {"ended": 2} and token_files(sreg.runtime) == []
    assert use(sreg.d.client(), other).status == 401


def test_sreg_session_file_of_ones_own(sreg):
    path = sreg.d.path("out", "tokens", "mine")
    assert sreg("login", "--answers-stdin", stdin=PASSWORD, SECREG_SESSION=path).returncode == 0
    assert os.stat(path).st_mode & 0o777 == 0o600 and token_files(sreg.runtime) == []
    assert json.loads(sreg("whoami", "--json", SECREG_SESSION=path).stdout)["auth"] == "pam"
    assert json.loads(sreg("whoami", "--json").stdout)["auth"] == "peer"


@pytest.mark.skipif(os.path.isdir("/run/user/%d" % os.geteuid()), reason="this user has a runtime folder")
def test_sreg_without_a_runtime_folder(sreg):
    assert sreg("login", "--answers-stdin", stdin=PASSWORD, XDG_RUNTIME_DIR="").returncode == 0
    [path] = token_files(sreg.d.path("out/.cache"))
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


def test_sreg_does_not_use_a_file_others_could_touch(sreg):
    assert sreg("login", "--answers-stdin", stdin=PASSWORD).returncode == 0
    [path] = token_files(sreg.runtime)
    os.chmod(path, 0o640)
    p = sreg("whoami", "--json")
    assert p.returncode == 0 and json.loads(p.stdout)["auth"] == "peer" and "others may read" in p.stderr
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    p = sreg("whoami", "--json")
    assert json.loads(p.stdout)["auth"] == "peer" and "not used" in p.stderr
    os.unlink(path)
    with open(path, "w") as f:
        os.fchmod(f.fileno(), 0o600)
        f.write("x\r\nX-Evil: y\n")
    p = sreg("whoami", "--json")
    assert json.loads(p.stdout)["auth"] == "peer" and "does not hold a token" in p.stderr


def test_sreg_keeps_registries_apart(sreg, served):
    assert sreg("login", "--answers-stdin", stdin=PASSWORD).returncode == 0
    other = served()
    p = subprocess.run([SREG, "--root", other.root, "whoami", "--json"], capture_output=True, text=True, timeout=soon(60),
                       env={**os.environ, "XDG_RUNTIME_DIR": sreg.runtime})
    assert p.returncode == 0 and json.loads(p.stdout)["auth"] == "peer", p


class Terminal:
    """sreg on a terminal of its own."""

    def __init__(self, sreg, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["XDG_RUNTIME_DIR"] = sreg.runtime
            os.execv(SREG, [SREG, "--root", sreg.d.root, *args])
        self.text = ""

    def until(self, wanted):
        end = time.monotonic() + soon(15)
        while wanted not in self.text:
            ready, _, _ = select.select([self.fd], [], [], max(0.0, end - time.monotonic()))
            assert ready, "in vain for %r: %r" % (wanted, self.text)
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            assert data, "ended before %r: %r" % (wanted, self.text)
            self.text += data.decode()

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        while True:
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode()
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return status


def test_sreg_asks_on_the_terminal(sreg):
    stack(sreg.d, "info=hello\x1b[2J two error=careful " + ASK)
    t = Terminal(sreg, "login")
    t.until("Name: ")
    assert "hello\\x1b[2J" in t.text and "two questions" in t.text  # made safe
    assert t.echoes()
    t.type("x\n")
    t.until("Code: ")
    assert not t.echoes()
    t.type("y\n")
    t.until("Password: ")
    assert "careful" in t.text and not t.echoes()
    t.type(PASSWORD + "\n")
    status = t.end()
    assert os.waitstatus_to_exitcode(status) == 0 and "logged in" in t.text
    assert PASSWORD not in t.text
    assert len(token_files(sreg.runtime)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_sreg_gives_the_terminal_back(sreg, number):
    t = Terminal(sreg, "login")
    t.until("Password: ")
    assert not t.echoes()
    os.kill(t.pid, number)
    wait_for(lambda: t.echoes(), 5, "echo is back")
    assert os.waitstatus_to_exitcode(t.end()) == -number
    wait_for(lambda: not auth_pids(sreg.d), 5, "the process is gone")


def test_doctor_looks_at_the_starter(sreg):
    p = sreg("doctor", "--json")
    checks = {c["name"]: c for c in json.loads(p.stdout)["checks"]}
    assert checks["role starter"]["verdict"] == "ok", checks
