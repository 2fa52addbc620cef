"""peers - the servers a bench talks to: the daemon under test, redis, etcd, the bare socket; what is said to them."""
import base64
import json
import os
import shutil
import socket
import time

from harness import Failure, Process

PREFIX = "/registry/applications/{folder}/k"
DIGITS = "000000000"
VALUE = "000000000000" + "v" * 52


class Message:
    """The bytes of a request, where the key and the value in it are, and what must come back."""

    def __init__(self, harness, name, text, reply, is_base64=False):
        self.bytes = text.encode("ascii")
        self.path = harness.path(name + ".request")
        key, value = (base64_text(DIGITS), base64_text(VALUE)[:16]) if is_base64 else (DIGITS, VALUE)
        at = self.bytes.find(key.encode("ascii"))
        self.options = {"request": self.path, "base64": int(is_base64), "key_at": max(at, 0), **reply}
        if value.encode("ascii") in self.bytes:
            self.options["value_at"] = self.bytes.rindex(value.encode("ascii"))
        with open(self.path, "wb") as f:
            f.write(self.bytes)


def base64_text(text):
    return base64.b64encode(text.encode("ascii")).decode("ascii")


def path_of(folder):
    path = PREFIX.format(folder=folder)
    assert len(path) % 3 == 0, "the digits must begin on a boundary of base64"
    return path


def http_get(harness, folder):
    text = f"GET {path_of(folder)}{DIGITS} HTTP/1.1\r\nHost: x\r\n\r\n"
    return Message(harness, "get-" + folder, text, {"http": 1, "status": 200, "length": len(VALUE)})


def http_put(harness, folder, is_sealed=False):
    sealed = "Secreg-Sealed: true\r\n" if is_sealed else ""
    text = f"PUT {path_of(folder)}{DIGITS} HTTP/1.1\r\nHost: x\r\n{sealed}Content-Length: {len(VALUE)}\r\n\r\n{VALUE}"
    return Message(harness, "put-" + folder, text, {"http": 1, "status": 200, "or_status": 201})


def http_txn(harness, folder, count):
    """So many entries set in one transaction; the first and the last change with every request."""
    leaves = [{"op": "set", "path": path_of(folder) + "%09d" % i, "value": VALUE} for i in range(count)]
    return http_post_txn(harness, "txn-" + folder, leaves)


def http_move(harness, source, target):
    leaves = [{"op": "move", "from": os.path.dirname(path_of(source)), "to": os.path.dirname(path_of(target))}]
    return http_post_txn(harness, f"move-{source}-{target}", leaves)


def http_post_txn(harness, name, leaves):
    body = json.dumps({"then": leaves}, separators=(",", ":"))
    text = f"POST /v1/txn HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return Message(harness, name, text, {"http": 1, "status": 200})


def http_list(harness, folder, accept="application/json"):
    path = os.path.dirname(path_of(folder))
    text = f"GET {path}/?limit=1000 HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n"
    return Message(harness, f"list-{folder}-{accept[-4:]}", text, {"http": 1, "status": 200})


def redis_get(harness, folder):
    key = path_of(folder) + DIGITS
    text = f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n"
    return Message(harness, "redis-get", text, {"prefix": f"${len(VALUE)}\r\n", "reply_bytes": len(VALUE) + 7})


def redis_set(harness, folder):
    key = path_of(folder) + DIGITS
    text = f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${len(VALUE)}\r\n{VALUE}\r\n"
    return Message(harness, "redis-set", text, {"prefix": "+OK\r\n", "reply_bytes": 5})


def etcd_put(harness, folder):
    body = f'{{"key":"{base64_text(path_of(folder) + DIGITS)}","value":"{base64_text(VALUE)}"}}'
    text = f"POST /v3/kv/put HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" \
           f"Content-Length: {len(body)}\r\n\r\n{body}"
    return Message(harness, "etcd-put", text, {"http": 1, "status": 200}, is_base64=True)


def exchange(where, request, is_http=True):
    """One request and its whole reply, over a UNIX socket (a path) or TCP on loopback (a port)."""
    kind = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(kind, socket.SOCK_STREAM) as s:
        s.settimeout(10)
        s.connect(where if isinstance(where, str) else ("127.0.0.1", where))
        s.sendall(request)
        reply = b""
        while True:
            head, found, body = reply.partition(b"\r\n\r\n")
            if is_http and found:
                fields = dict(l.lower().split(b": ", 1) for l in head.split(b"\r\n")[1:])
                if len(body) >= int(fields.get(b"content-length", 0)):
                    return reply
            elif not is_http and reply:
                return reply
            more = s.recv(65536)
            if not more:
                raise OSError("closed before the reply was whole")
            reply += more


def answers(where, request, begins, is_http=True):
    try:
        return exchange(where, request, is_http).startswith(begins)
    except OSError:
        return False


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """secregd below a root of its own in the bench's folder."""

    def __init__(self, harness, name):
        self.harness, self.name, self.process = harness, name, None
        self.root = harness.path(name)
        self.program = os.path.join(harness.build, "bin", "secregd")
        self.socket = os.path.join(self.root, "run/secreg/socket")
        if not os.access(self.program, os.X_OK):
            raise Failure(f"{self.program}: not there; build it first")
        os.mkdir(self.root, 0o700)
        init = Process(harness, name + "-init", [self.program, "--root", self.root, "--mode=init", "key-file", "0"])
        if init.popen.wait(60) != 0:
            raise Failure(f"cannot make a store: {init.log()}")

    def spawn(self):
        self.process = Process(self.harness, self.name, [self.program, "--root", self.root])

    def start(self):
        self.spawn()
        self.process.wait_until(self.is_up)
        return self

    def is_up(self):
        return answers(self.socket, b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 ")

    def first_answer_ms(self, message):
        """From the start of the program to the first answered request."""
        begin = time.perf_counter()
        self.spawn()
        self.process.wait_until(lambda: answers(self.socket, message.bytes, b"HTTP/1.1 200 "), pause_s=0.0005)
        return (time.perf_counter() - begin) * 1000

    def stop(self):
        self.process.stop()

    def fill(self, message, count, conns=100):
        done = self.harness.measure("load", seconds=900, is_pinned=False, socket=self.socket, fill=count,
                                    conns=min(conns, count), **message.options)
        if done["ops"] != count:
            raise Failure(f"{done['ops']} of {count} entries were stored")
        return done

    def load(self, message, conns=1, **more):
        pids = ",".join(str(p) for p in self.process.pids())
        options = {"window_ms": self.harness.window_ms, **message.options, **more}
        return self.harness.measure("load", socket=self.socket, conns=conns, servers=pids, **options)

    def memory_kib(self):
        """Resident and proportional memory of all roles."""
        sums = {"Rss": 0, "Pss": 0}
        for pid in self.process.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                for line in f:
                    field = line.split(":")[0]
                    if field in sums:
                        sums[field] += int(line.split()[1])
        return sums


class Redis:
    def __init__(self, harness, name, *settings):
        self.harness = harness
        self.socket = harness.path(name + ".socket")
        os.mkdir(harness.path(name))
        program = shutil.which("redis-server") or "/usr/bin/redis-server"
        argv = [program, "--port", "0", "--unixsocket", self.socket, "--dir", harness.path(name), "--save", "",
                "--daemonize", "no", *settings]
        self.process = Process(harness, name, argv)
        self.process.wait_until(lambda: answers(self.socket, b"PING\r\n", b"+PONG", is_http=False))

    def load(self, message, conns=1, **more):
        pids = ",".join(str(p) for p in self.process.pids())
        return self.harness.measure("load", socket=self.socket, conns=conns, servers=pids,
                                    window_ms=self.harness.window_ms, **message.options, **more)

    def fill(self, message, count):
        self.harness.measure("load", is_pinned=False, socket=self.socket, fill=count, conns=64, **message.options)


class Etcd:
    def __init__(self, harness, message):
        self.harness = harness
        self.port, peer_port = free_port(), free_port()
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{peer_port}"
        argv = [shutil.which("etcd") or "/usr/bin/etcd", "--name", "bench", "--data-dir", harness.path("etcd"),
                "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", f"bench={peer}", "--log-level", "error"]
        self.process = Process(harness, "etcd", argv)
        self.process.wait_until(lambda: answers(self.port, message.bytes, b"HTTP/1.1 200 "))

    def load(self, message, conns=1, **more):
        pids = ",".join(str(p) for p in self.process.pids())
        return self.harness.measure("load", port=self.port, conns=conns, servers=pids,
                                    window_ms=self.harness.window_ms, **message.options, **more)


class Floor:
    """A server that only carries messages of the sizes that a request and its reply really have."""

    def __init__(self, harness, name, message, reply_bytes):
        self.harness, self.message, self.reply_bytes = harness, message, reply_bytes
        self.socket = harness.path(name + ".socket")
        argv = [harness.program("floor"), "--socket", self.socket, "--request-bytes", str(len(message.bytes)),
                "--reply-bytes", str(reply_bytes)]
        self.process = Process(harness, name, argv)
        self.process.wait_until(lambda: os.path.exists(self.socket))

    def load(self, conns=1):
        options = {"request": self.message.path, "key_at": self.message.options["key_at"], "keys": 1000,
                   "reply_bytes": self.reply_bytes}
        return self.harness.measure("load", socket=self.socket, conns=conns, servers=self.process.popen.pid,
                                    window_ms=self.harness.window_ms, **options)
