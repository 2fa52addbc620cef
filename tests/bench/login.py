"""login - secregd: gets while twenty logins wait out the delay after a wrong answer, against gets without them."""
import json
import os
import subprocess
import time

import peers
from harness import Failure

LOGINS, USERS = 20, (0, 60001)  # each user may have ten failures at a time
DELAY_MS = 2000
STACK = "auth required {act} delay={delay}000 ask=Password:+:right\naccount required {act}\n"
CONFIG = "login:\n  failures: 10\n  per_uid: 10\n  window: 1s\n  lockout: 1s\n"

# One user's logins: as many connections, a wrong answer on each; says when all wait, and later what they were told.
CLIENT = """
import json, socket, sys
def reply(f):
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += f.read(1)
    n = [int(l.split(b":")[1]) for l in head.lower().split(b"\\r\\n") if l.startswith(b"content-length")][0]
    return json.loads(f.read(n))
def send(s, body):
    s.sendall(("POST /v1/login HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)).encode())
socks = []
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    socks.append((s, s.makefile("rb")))
for s, _ in socks:
    send(s, "{}")
for s, f in socks:
    send(s, json.dumps({"conversation": reply(f)["data"]["conversation"], "answers": ["wrong"]}))
print("asked", flush=True)
sys.stdin.readline()
print(json.dumps([reply(f)["error"]["code"] for _, f in socks]), flush=True)
"""


class Login:
    def __init__(self, h):
        if os.geteuid() != 0:
            raise Failure("two users log in, which takes root")
        act = os.path.join(h.build, "tests/pam/pam_act.so")
        if not os.path.exists(act):
            raise Failure(f"{act}: not there; build it first")
        self.h, self.free_at = h, 0.0
        self.get = peers.http_get(h, "bench")
        self.daemon = peers.Daemon(h, "daemon")
        for name, text in (("etc/pam.d/secreg", STACK.format(act=act, delay=DELAY_MS)), ("etc/secreg/secregd.yaml", CONFIG)):
            path = os.path.join(self.daemon.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        os.chmod(self.daemon.root, 0o755)
        os.chmod(os.path.dirname(self.daemon.root), 0o755)
        h.serve(self.daemon.start())
        self.daemon.fill(peers.http_put(h, "bench"), 1000, 100)

    def gets(self):
        return self.daemon.load(self.get, keys=1000)

    def waiting(self):
        """Processes of logins, which live as long as their delay."""
        found = 0
        for pid in self.daemon.process.pids():
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                found += f.read().startswith("secregd-auth")
        return found

    def gets_beside_logins(self):
        time.sleep(max(0.0, self.free_at - time.monotonic()))
        clients = [subprocess.Popen(["/usr/bin/python3", "-S", "-c", CLIENT, self.daemon.socket, str(LOGINS // len(USERS))],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=uid, group=uid, extra_groups=[])
                   for uid in USERS]
        for c in clients:
            if c.stdout.readline() != "asked\n":
                raise Failure("the logins could not begin")
        before = self.waiting()
        figures = self.gets()
        after = self.waiting()
        if before != LOGINS or after != LOGINS:
            raise Failure(f"{before} logins waited at the beginning and {after} at the end, not {LOGINS}")
        for c in clients:
            told = json.loads(c.communicate("\n", timeout=30)[0])
            if told != ["login-failed"] * (LOGINS // len(USERS)):
                raise Failure(f"the logins were told {told}")
        self.free_at = time.monotonic() + 2  # the lockout after so many failures is over
        return figures


def run(h):
    t = Login(h)
    h.run_rounds([("get", t.gets, False), ("get beside 20 logins", t.gets_beside_logins, False)])
    t.daemon.stop()
    h.goal_ratio("p99 of a get while 20 logins wait / without them", "get beside 20 logins", "get", 1.5, figure="p99_us", at_most=True)
    h.goal_ratio("rate of gets while 20 logins wait / without them", "get beside 20 logins", "get", 0.67, is_asked=False)
