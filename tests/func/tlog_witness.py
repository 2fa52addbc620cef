"""A small witness as C2SP tlog-witness has it, over HTTPS (TLS 1.3): a second implementation of RFC 6962 consistency proofs, signed
notes and cosignatures, with nothing of ours in it. It remembers the newest head of each log, and signs only what grew from it."""
import base64
import hashlib
import http.server
import ssl
import struct
import threading
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def grew(old_size, old_root, new_size, new_root, proof):
    """RFC 9162 section 2.1.4.2: the tree of new_size begins with that of old_size."""
    if old_size == 0:
        return not proof
    if old_size == new_size:
        return not proof and old_root == new_root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root


class Witness:
    def __init__(self, cert, key, logs, port=0):
        """logs: keys of those it knows, as trail.vkey has them."""
        self.name = "witness.example/w1"
        self.private = Ed25519PrivateKey.generate()
        self.public = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.logs = {}
        for text in logs:
            name, _, raw = text.strip().split("+", 2)
            self.logs[name] = base64.b64decode(raw)[1:]
        self.heads = {}  # name -> (size, root)
        self.asked = []  # (status, old, size) of each request
        self.answer = None  # what is answered instead, of (status, type, body)
        self.delay = 0
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(witness.delay)
                status, kind, text = witness.answer or witness.add(self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(cert, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def vkey(self):
        return "%s+%s+%s" % (self.name, key_id(self.name, 4, self.public).hex(), base64.b64encode(b"\4" + self.public).decode())

    def add(self, path, body):
        if path != "/log/add-checkpoint":
            return 404, "text/plain", b"no such log\n"
        head, note = body.decode().split("\n\n", 1)
        lines = head.split("\n")
        assert lines[0].startswith("old ")
        old, proof = int(lines[0][4:]), [base64.b64decode(x) for x in lines[1:]]
        status, kind, text, size = self.judge(old, proof, note)
        self.asked.append((status, old, size))
        return status, kind, text

    def judge(self, old, proof, note):
        text, signatures = note.rsplit("\n\n", 1)
        text += "\n"
        origin, size, root = text.splitlines()[:3]
        size, root = int(size), base64.b64decode(root)
        if origin not in self.logs:
            return 404, "text/plain", b"", size
        raw = [base64.b64decode(s.split(" ")[2]) for s in signatures.splitlines() if s.split(" ")[1] == origin]
        public = self.logs[origin]
        try:
            assert len(raw) == 1 and raw[0][:4] == key_id(origin, 1, public)
            Ed25519PublicKey.from_public_bytes(public).verify(raw[0][4:], text.encode())
        except (InvalidSignature, AssertionError):
            return 403, "text/plain", b"", size
        known, known_root = self.heads.get(origin, (0, hashlib.sha256(b"").digest()))
        if old > size:
            return 400, "text/plain", b"", size
        if old != known:
            return 409, "text/x.tlog.size", b"%d\n" % known, size
        if not grew(known, known_root, size, root, proof):
            return 422, "text/plain", b"", size
        self.heads[origin] = (size, root)
        when = int(time.time())
        signed = ("cosignature/v1\ntime %d\n" % when + text).encode()
        raw = key_id(self.name, 4, self.public) + struct.pack(">Q", when) + self.private.sign(signed)
        return 200, "text/plain", ("\u2014 %s %s\n" % (self.name, base64.b64encode(raw).decode())).encode(), size

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
