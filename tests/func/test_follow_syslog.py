"""secreg-follow syslog (doc/spec/follow.md) to a real rsyslogd, over TCP and TLS, through restarts of both in mid-stream."""
import datetime
import ipaddress
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import soon, wait_for
from test_follow import Run, configure, status, trail

A = "/registry/applications"
LINE = re.compile(r"<(\d+)>1 (\S+) (\S+) secreg - (\S+) \[secreg@32473((?: [a-z_]+=\"(?:[^\"\\\]]|\\.)*\")*)\] (.*)")


# ---- certificates ---------------------------------------------------------------------------------------------------

class Authority:
    """Signs certificates for a test."""

    def __init__(self, name="authority"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = self.make(self.name, self.key, x509.BasicConstraints(True, None), [])

    def make(self, subject, key, constraints, names, days=10, start=-1):
        now = datetime.datetime.now(datetime.timezone.utc)
        b = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        b = b.serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=start))
        b = b.not_valid_after(now + datetime.timedelta(days=days)).add_extension(constraints, True)
        if names:
            b = b.add_extension(x509.SubjectAlternativeName(names), False)
        return b.sign(self.key, hashes.SHA256())

    def issue(self, folder, name, names, **args):
        """NAME-cert.pem and NAME-key.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert = self.make(subject, key, x509.BasicConstraints(False, None), names, **args)
        paths = [os.path.join(folder, "%s-%s.pem" % (name, what)) for what in ("cert", "key")]
        with open(paths[0], "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))
        with open(paths[1], "wb") as f:
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
        return paths

    def write(self, path):
        with open(path, "wb") as f:
            f.write(self.cert.public_bytes(serialization.Encoding.PEM))
        return path


# ---- the receiving end ----------------------------------------------------------------------------------------------

class Server:
    """An rsyslogd of the test's own, which writes what it gets as it gets it."""

    def __init__(self, folder, authority=None, port=None):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.process = None
        self.port = port or self.free_port()
        self.out = os.path.join(folder, "out")
        tls = module = ""
        if authority is not None:
            cert, key = authority.issue(folder, "server", [x509.DNSName("logs.example"),
                                                           x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            tls = ' defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="%s"' % authority.write(folder + "/ca.pem")
            tls += ' defaultNetstreamDriverCertFile="%s" defaultNetstreamDriverKeyFile="%s"' % (cert, key)
            module = ' StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"'
        with open(folder + "/conf", "w") as f:
            f.write('global(workDirectory="%s" maxMessageSize="64k"%s)\n' % (folder, tls))
            f.write('module(load="imtcp" MaxSessions="50"%s)\n' % module)
            f.write('input(type="imtcp" address="127.0.0.1" port="%d")\n' % self.port)
            f.write('template(name="raw" type="string" string="%rawmsg%\\n")\n')
            f.write('action(type="omfile" file="%s" template="raw")\n' % self.out)

    @staticmethod
    def free_port():
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def start(self):
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(["rsyslogd", "-n", "-f", self.folder + "/conf", "-i", self.folder + "/pid"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self.listens, 20, "rsyslogd listens")
        return self

    def listens(self):
        assert self.process.poll() is None, open(self.folder + "/log").read()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=soon(20))
            self.process = None
            if os.path.exists(self.folder + "/pid"):
                os.unlink(self.folder + "/pid")

    def records(self):
        """What came: (fields, whole line) each."""
        got = []
        if not os.path.exists(self.out):
            return got
        with open(self.out, encoding="utf-8", errors="surrogateescape") as f:
            for line in f.read().splitlines():
                m = LINE.fullmatch(line)
                if m is None:
                    assert "secreg@" not in line, line  # its own messages, and what is no syslog at all
                    continue
                fields = dict(re.findall(r" ([a-z_]+)=\"((?:[^\"\\\]]|\\.)*)\"", m[5]))
                got.append((fields, m))
        return got


@pytest.fixture
def ends():
    """Servers and followers to be ended."""
    made = []
    yield made
    for x in made:
        if isinstance(x, Server):
            x.stop(signal.SIGKILL)
        else:
            x.finish()


def follow(d, ends):
    ends.append(Run(d, "syslog"))
    return ends[-1]


def show(d, authority, trusts=None, has_cert=True, **args):
    """The files of the follower: whom it trusts, and what it shows."""
    folder = d.path("etc/secreg/follow")
    os.makedirs(folder)
    (trusts or authority).write(folder + "/ca.pem")
    cert, key = authority.issue(folder, "client", [x509.DNSName("client.example")], **args)
    if has_cert:
        os.rename(cert, folder + "/cert.pem")
        os.rename(key, folder + "/key.pem")


def settings(server, **more):
    return "syslog:\n" + "".join("  %s: %s\n" % kv for kv in {"server": "127.0.0.1", "port": server.port, "settle": "1s",
                                                              **more}.items())


def check(server, c):
    """All of the trail, in order; what comes twice says so and is the same. Returns (records, repeats)."""
    leaves, repeats, last = {}, 0, -1
    for fields, _ in server.records():
        seq = int(fields["seq"])
        if seq in leaves:
            assert fields.get("repeat") == "1" and leaves[seq] == fields["leaf"], fields
            repeats += 1
        else:
            assert seq == last + 1, (seq, last)
            leaves[seq] = fields["leaf"]
            last = seq
    t = trail(c)
    assert len(leaves) <= t.verifier.size
    return len(leaves), repeats


def has_all(server, c, size):
    return len({f["seq"] for f, _ in server.records()}) >= size


def size(c):
    return c.get("/v1/checkpoint").data["size"]


# ---- tests ----------------------------------------------------------------------------------------------------------

def test_over_tcp(daemon, c, ends):
    server = Server(daemon.path("rsyslog")).start()
    ends.append(server)
    configure(daemon, settings(server, tls="false", facility="local3"))
    r = follow(daemon, ends)
    c.put(A + "/a", "1", reason="why ]\"\\ not")
    c.get("/registry/security/none")
    n = size(c)
    wait_for(lambda: has_all(server, c, n), 20, "all of it is there")
    assert check(server, c)[1] == 0
    fields, m = [x for x in server.records() if x[0].get("path") == A + "/a"][0]
    assert int(m[1]) // 8 == 19 and m[3] == socket.gethostname() and m[4] == "set"
    assert m[6].startswith("set %s/a: done" % A) and fields["kind"] == "set"
    wait_for(lambda: status(daemon, "syslog")["next"] >= n, 20, "it counts as kept")
    assert r.end() == 0


def test_over_tls(daemon, c, ends):
    authority = Authority()
    server = Server(daemon.path("rsyslog"), authority).start()
    ends.append(server)
    show(daemon, authority)
    configure(daemon, settings(server, name="logs.example"))
    r = follow(daemon, ends)
    for i in range(300):
        c.put(A + "/a", str(i))
    n = size(c)
    wait_for(lambda: has_all(server, c, n), 30, "all of it is there: " + r.text())
    assert check(server, c)[1] == 0
    assert r.end() == 0


def through_restarts(daemon, c, server, ends, hows):
    stop = threading.Event()

    def work():
        k = daemon.client()
        i = 0
        while not stop.is_set():
            i += 1
            k.put(A + "/w", str(i))
            time.sleep(0.002)

    t = threading.Thread(target=work)
    t.start()
    r = follow(daemon, ends)
    for i, how in enumerate(hows):
        time.sleep(0.7)
        if how == "follower":
            r.end(signal.SIGKILL if i % 2 else signal.SIGTERM)
            r = follow(daemon, ends)
        else:
            server.stop(how)
            time.sleep(0.3)
            server.start()
    time.sleep(0.5)
    stop.set()
    t.join()
    n = size(c)
    wait_for(lambda: has_all(server, c, n), 60, "all of it is there")
    got, repeats = check(server, c)
    assert got >= n
    wait_for(lambda: status(daemon, "syslog")["next"] >= n, 20, "it counts as kept")
    return repeats


RESTARTS = [signal.SIGTERM, "follower", signal.SIGKILL, "follower", signal.SIGTERM, signal.SIGKILL]


def test_restarts_over_tcp(daemon, c, ends):
    server = Server(daemon.path("rsyslog")).start()
    ends.append(server)
    configure(daemon, settings(server, tls="false"))
    through_restarts(daemon, c, server, ends, RESTARTS)


def test_restarts_over_tls(daemon, c, ends):
    authority = Authority()
    server = Server(daemon.path("rsyslog"), authority).start()
    ends.append(server)
    show(daemon, authority)
    configure(daemon, settings(server))
    through_restarts(daemon, c, server, ends, RESTARTS)


def test_a_server_that_takes_nothing(daemon, c, ends):
    """It accepts and never reads: nobody is hindered, and what it took counts for nothing when it goes."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        configure(daemon, "syslog:\n  server: 127.0.0.1\n  port: %d\n  tls: false\n  settle: 60s\n" % port)
        r = follow(daemon, ends)
        peer, _ = s.accept()
        for i in range(5000):
            c.get(A + "/a")
        assert c.put(A + "/a", "1").status == 201
        assert r.process.poll() is None
        peer.close()
    server = Server(daemon.path("rsyslog"), port=port).start()
    ends.append(server)
    n = size(c)
    wait_for(lambda: has_all(server, c, n), 60, "all of it is there")
    got, _ = check(server, c)
    assert got >= n
    assert r.end() == 0


@pytest.mark.parametrize("what", ["authority", "name", "expired", "no-client", "tcp"])
def test_tls_refused(daemon, c, ends, what):
    """Whoever the server is, if it is not the right one no record leaves; and it is said why."""
    authority, other = Authority(), Authority("other")
    server = Server(daemon.path("rsyslog"), authority if what != "tcp" else None).start()
    ends.append(server)
    dates = {"days": -1, "start": -5} if what == "expired" else {}
    show(daemon, authority, trusts=other if what == "authority" else None, has_cert=what != "no-client", **dates)
    configure(daemon, settings(server, name="other.example" if what == "name" else "logs.example"))
    r = follow(daemon, ends)
    c.put(A + "/a", "1")
    wait_for(lambda: (status(daemon, "syslog") or {}).get("trouble"), 20, "it says why: " + r.text())
    assert server.records() == []
    assert status(daemon, "syslog")["next"] == 0
    assert r.end() == 0


@pytest.mark.parametrize("text,why", [("syslog:\n  server: 127.0.0.1\n", "ca.pem"), ("", "syslog.server"),
                                      ("syslog:\n  server: no such host\n", "server"),
                                      ("syslog:\n  server: host.invalid\n  tls: false\n", "host.invalid")])
def test_set_up_wrongly(daemon, text, why, ends):
    configure(daemon, text)
    r = follow(daemon, ends)
    assert r.wait() == 1
    assert why in r.text()


def test_a_server_out_of_reach(daemon, c, ends):
    """After a while it ends with 75, though each try begins well: a name may have another address by then."""
    port = Server.free_port()
    configure(daemon, "syslog:\n  server: 127.0.0.1\n  port: %d\n  tls: false\n  give_up: 2s\n" % port)
    r = follow(daemon, ends)
    c.put(A + "/a", "1")
    assert r.wait() == 75
    assert "cannot connect" in r.text()
    with socket.socket() as s:  # one that is reached goes on
        s.bind(("127.0.0.1", port))
        s.listen()
        r = follow(daemon, ends)
        time.sleep(soon(4))
        assert r.process.poll() is None
        assert r.end() == 0
