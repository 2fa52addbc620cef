"""Clients of secregd for the functional tests: one that parses replies with Python's own HTTP library, so that what the
daemon sends is judged by another implementation, and a raw one that sends any bytes and reads what comes back.

The file needs nothing but the standard library, because an Actor runs it again as another user.
"""
import base64
import http.client
import json
import os
import pickle
import socket
import struct
import sys


try:
    import openapi
except ImportError:  # an Actor, who has the standard library only
    openapi = None


class UnixHTTPConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Reply:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        j = self.json
        assert j["success"] is True and j["error"] is None, j
        return j["data"]

    @property
    def code(self):
        """The code of a refusal; None for a success."""
        if 200 <= self.status < 300 and self.status != 202:
            return None
        j = self.json
        assert j["success"] is False and j["data"] is None, j
        return j["error"]["code"]

    @property
    def version(self):
        etag = self.headers["etag"]
        assert etag[0] == '"' and etag[-1] == '"', etag
        return int(etag[1:-1])

    def __repr__(self):
        return "<%d %s %r>" % (self.status, self.headers, self.body[:300])


class Client:
    """One persistent connection; opened when needed, and again after the daemon has closed it."""

    def __init__(self, path, timeout=20):
        self.conn = UnixHTTPConnection(path, timeout)

    def request(self, method, target, body=None, **headers):
        fields = {}
        for name, value in headers.items():
            if value is not None:
                fields[name.replace("_", "-")] = value.encode() if isinstance(value, str) else value
        if isinstance(body, str):
            body = body.encode()
        try:
            try:
                self.conn.request(method, target, body=body, headers=fields)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused while the body was still on its way: the reply says why
            r = self.conn.getresponse()
            content = r.read()
        except Exception:
            self.conn.close()
            raise
        reply = Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, content)
        if openapi is not None and method in ("GET", "PUT", "POST", "DELETE"):
            openapi.document(lambda: UnixHTTPConnection(self.conn.unix_path, 10)).check(method, target, reply)
        return reply

    def get(self, target, **headers):
        return self.request("GET", target, **headers)

    def put(self, target, body="", type=None, sealed=None, reason=None, comment=None, match=None, absent=False, **headers):
        fields = {"Secreg_Type": type, "Secreg_Sealed": sealed, "Secreg_Reason": reason, "Secreg_Comment": comment,
                  "If_Match": None if match is None else '"%d"' % match, "If_None_Match": "*" if absent else None}
        fields.update(headers)
        return self.request("PUT", target, body, **fields)

    def delete(self, target, match=None, reason=None, **headers):
        return self.request("DELETE", target, If_Match=None if match is None else '"%d"' % match,
                            Secreg_Reason=reason, **headers)

    def post(self, target, body=b"", **headers):
        return self.request("POST", target, body, **headers)

    def entry(self, path, query=""):
        """The entry with its metadata."""
        return self.get(path + query, Accept="application/json")

    def list(self, path, **args):
        """Rows of one page of a folder."""
        from urllib.parse import quote
        query = "&".join(k if v is True else "%s=%s" % (k, quote(str(v), safe="/")) for k, v in args.items())
        r = self.get(path.rstrip("/") + "/" + ("?" + query if query else ""))
        assert r.status == 200, r
        return r.data

    def names(self, path, **args):
        return [e.get("name", e.get("path")) for e in self.list(path, **args)["entries"]]

    def acl_add(self, path, effect, principal, actions):
        return self.post("/v1/acl", json.dumps({"path": path, "effect": effect, "principal": principal,
                                                "actions": actions}))

    def allow(self, path, principal, actions):
        r = self.acl_add(path, "allow", principal, actions)
        assert r.status == 200, r
        return r.data["id"]

    def deny(self, path, principal, actions):
        r = self.acl_add(path, "deny", principal, actions)
        assert r.status == 200, r
        return r.data["id"]

    def status(self):
        r = self.get("/v1/status")
        assert r.status == 200, r
        return r.data

    def close(self):
        self.conn.close()


class Raw:
    """A socket, and a reader of replies that trusts nothing: status line, fields, Content-Length, and no byte more."""

    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.have = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def try_send(self, data):
        """Sends to a peer that may have answered and closed already."""
        try:
            self.send(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.have += data
        return len(data) > 0

    def reply(self, has_body=True):
        """The next reply, or None if the connection ended before one began."""
        while b"\r\n\r\n" not in self.have:
            if not self.fill():
                assert self.have == b"", "cut reply: %r" % self.have
                return None
        head, self.have = self.have.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        assert version == "HTTP/1.1", lines[0]
        fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            assert name.lower() not in fields or name.lower() == "set-cookie", "field twice: " + name
            fields[name.lower()] = value.strip()
        if int(status) < 200 or int(status) in (204, 304):
            return Reply(int(status), fields, b"")
        size = int(fields["content-length"]) if has_body else 0
        while len(self.have) < size:
            if not self.fill():
                raise AssertionError("cut body: %r" % self.have)
        body, self.have = self.have[:size], self.have[size:]
        return Reply(int(status), fields, body)

    def is_over(self):
        """True once the daemon has closed the connection, with nothing more said."""
        while self.fill():
            pass
        return self.have == b""

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Stream:
    """A reply without end over a socket of its own, read strictly: head, chunks, one JSON object a line."""

    def __init__(self, path_of_socket, target, timeout=20):
        self.raw = Raw(path_of_socket, timeout)
        self.raw.send("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target)
        self.text = b""
        self.is_over = False
        self.head = None
        self.refusal = None

    def read_head(self):
        if self.head is None:
            while b"\r\n\r\n" not in self.raw.have:
                if not self.raw.fill():
                    raise ConnectionError("no head: %r" % self.raw.have)
            self.head = self.raw.have.split(b"\r\n\r\n")[0].decode()
            if not self.head.startswith("HTTP/1.1 200 "):
                self.refusal = self.raw.reply()
                return self
            self.raw.have = self.raw.have.split(b"\r\n\r\n", 1)[1]
            fields = [line.lower() for line in self.head.split("\r\n")]
            assert "transfer-encoding: chunked" in fields and "content-type: application/x-ndjson" in fields, fields
            assert "connection: close" in fields and not [f for f in fields if f.startswith("content-length")]
        return self

    def chunk(self):
        """Adds the next chunk to the text; False at the end."""
        while b"\r\n" not in self.raw.have:
            if not self.raw.fill():
                raise ConnectionError("cut stream: %r" % self.raw.have[:100])
        size, rest = self.raw.have.split(b"\r\n", 1)
        n = int(size, 16)
        assert size == b"%x" % n
        while len(rest) < n + 2:
            if not self.raw.fill():
                raise ConnectionError("cut stream")
            rest = self.raw.have.split(b"\r\n", 1)[1]
        assert rest[n:n + 2] == b"\r\n"
        self.text += rest[:n]
        self.raw.have = rest[n + 2:]
        return n > 0

    def line(self):
        """The next line as an object; None at the end of the stream."""
        self.read_head()
        assert self.refusal is None, self.refusal
        while b"\n" not in self.text:
            if self.is_over or not self.chunk():
                self.is_over = True
                assert self.text == b""
                return None
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def close(self):
        self.raw.close()


# ---- acting as another user -----------------------------------------------------------------------------------------

def send_message(sock, value):
    data = pickle.dumps(value)
    sock.sendall(struct.pack(">I", len(data)) + data)


def receive_message(sock):
    data = b""
    want = 4
    while len(data) < want:
        more = sock.recv(want - len(data))
        if more == b"":
            raise EOFError
        data += more
    size = struct.unpack(">I", data)[0]
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if more == b"":
            raise EOFError
        data += more
    return pickle.loads(data)


def serve_actor(fd):
    """The child: does what it is told, as the user it runs as."""
    control = socket.socket(fileno=fd)
    clients = {}
    raws = []
    while True:
        try:
            what, args = receive_message(control)
        except EOFError:
            return
        try:
            if what == "request":
                path, method, target, body, headers = args
                c = clients.setdefault(path, Client(path))
                r = c.request(method, target, body, **headers)
                answer = (r.status, r.headers, r.body)
            elif what == "reset":
                for c in clients.values():
                    c.close()
                answer = None
            elif what == "flood":
                path, count = args
                for _ in range(count):
                    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    s.connect(path)  # waits for room in the queue, which a socket with a time limit would not
                    s.settimeout(10)
                    raws.append(s)
                answer = len(raws)
            elif what == "flood-ask":  # what each connection of the flood says to one request
                seen = {}
                for s in raws:
                    try:
                        s.sendall(b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\n\r\n")
                    except OSError:
                        pass
                    try:
                        first = s.recv(12)
                    except OSError as e:
                        first = type(e).__name__.encode()
                    seen[first] = seen.get(first, 0) + 1
                answer = seen
            elif what == "flood-end":
                for s in raws:
                    s.close()
                raws = []
                answer = None
            else:
                raise ValueError(what)
            send_message(control, (True, answer))
        except Exception as e:
            send_message(control, (False, "%s: %s" % (type(e).__name__, e)))


class Actor(Client):
    """The same client, but as another user: every request is made by a process that runs as that user."""

    def __init__(self, path, uid, gid, groups=()):
        import subprocess
        here, there = socket.socketpair()
        with open(__file__) as f:
            code = f.read() + "\nserve_actor(%d)\n" % there.fileno()
        # the system's own, because the one that runs the tests may lie where another user cannot go
        python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
        self.process = subprocess.Popen([python, "-I", "-S", "-c", code], pass_fds=[there.fileno()], cwd="/",
                                        user=uid, group=gid, extra_groups=list(groups), start_new_session=True)
        there.close()
        here.settimeout(60)
        self.control = here
        self.path = path
        self.uid = uid

    def ask(self, what, *args):
        send_message(self.control, (what, args))
        is_good, answer = receive_message(self.control)
        if not is_good:
            raise ConnectionError(answer)
        return answer

    def request(self, method, target, body=None, **headers):
        if isinstance(body, str):
            body = body.encode()
        return Reply(*self.ask("request", self.path, method, target, body, headers))

    def close(self):
        self.control.close()
        try:
            self.process.wait(timeout=5)
        except Exception:
            self.process.kill()
            self.process.wait()


def b64(text):
    return base64.b64decode(text, validate=True)
