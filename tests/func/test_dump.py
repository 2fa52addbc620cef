"""export, import and diff on the real programs: what comes back, what never leaves, and that an import is one transaction
that loses nothing."""
import json
import os
import socket
import subprocess
import threading

import pytest

from conftest import SREG, needs_root, soon
from test_cli import Sreg

A = "/registry/applications"
W = A + "/web"

pytestmark = pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")


@pytest.fixture
def sreg(daemon):
    return Sreg(daemon.root)


def txn(c, *ops):
    r = c.post("/v1/txn", json.dumps({"then": list(ops)}))
    assert r.status == 200, r
    return r.data


def fill(c):
    """One entry of each type, one sealed, one with everything."""
    def op(name, type, value, **more):
        return {"op": "set", "path": W + "/" + name, "type": type, "value": value, **more}
    txn(c, op("port", "integer", 8080), op("on", "boolean", True), {"op": "set", "path": W + "/rate", "type": "float", "text": "1.50"},
        op("hosts", "list", ["a b", 'say "hi"', ""]), op("tls/cert", "string", "-----BEGIN\nline\n-----END\n"),
        op("tls/key", "binary", "AAEC/w==", seal=True), op("token", "string", "hush-hush", seal=True),
        op("odd", "string", "no\t\x1b \u00e4\u2028 $HOME `id` \\ \" '"), op("none", "string", ""),
        op("note", "string", "8080", comment="a: 'b'", tags=["z", "a"], expires="2099-01-01T00:00:00Z"))
    assert c.put(W + "/json", b'{ "a" : [1, 2.50, null] }', type="json").status == 201


def entries(c, folder):
    """What a folder holds, but for versions and times."""
    rows, after = {}, None
    while True:
        page = c.list(folder, recursive=True, values=True, **({"after": after} if after else {}))
        for e in page["entries"]:
            rows[e["path"][len(folder) + 1:]] = {k: e[k] for k in ("type", "sealed", "value", "comment", "tags", "expires")}
        after = page["next"]
        if after is None:
            return rows


# ---- there and back -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("format", ["json", "yaml"])
def test_a_folder_comes_back_the_same(daemon, sreg, c, format):
    fill(c)
    file = daemon.path("x." + format)
    sreg.ok("export", W, "--with-secrets", "-o", file)
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert not [n for n in os.listdir(daemon.root) if n.startswith(".sreg")]
    report = sreg.json("import", file, "--to", A + "/copy", "--reason", "a copy")
    assert (report["written"], report["added"], report["changed"]) == (True, 11, 0)
    assert entries(c, A + "/copy") == entries(c, W)
    for name in ("odd", "json", "rate", "tls/key"):
        assert c.get(A + "/copy/" + name).body == c.get(W + "/" + name).body
    assert sreg("diff", W, A + "/copy", "--exit-code").returncode == 0
    assert sreg.json("import", file, "--to", A + "/copy")["written"] is False  # nothing is left to do
    assert len(c.get(A + "/copy/port?history").data["versions"]) == 1
    assert c.get(A + "/copy/port?history").data["versions"][0]["reason"] == "a copy"


def test_other_readers_see_the_same(daemon, sreg, c):
    """JSON and YAML by other libraries, env by a shell."""
    fill(c)
    doc = json.loads(sreg.ok("export", W, "--with-secrets"))
    assert (doc["format"], doc["version"], doc["base"]) == ("secreg-dump", 1, W)
    values = {e["path"]: e["value"] for e in doc["entries"]}
    assert values == {k: v["value"] for k, v in entries(c, W).items()}
    assert json.loads(sreg.ok("export", W, "--with-secrets", "--json"))["entries"] == doc["entries"]
    yaml = pytest.importorskip("yaml")
    seen = yaml.safe_load(sreg.ok("export", W, "--with-secrets", "--format", "yaml"))
    for path, value in values.items():
        e = seen["entries"][path]
        got = e["value"] if isinstance(e, dict) else e
        assert (json.loads(got) if path == "json" else got) == value, path


def test_env_is_for_shells(daemon, sreg, c):
    fill(c)
    file = daemon.path("x.env")
    done = sreg("export", W, "--with-secrets", "-o", file)
    assert done.returncode == 0 and "loses types" in done.err
    for name, path in (("ODD", "odd"), ("PORT", "port"), ("TLS_CERT", "tls/cert"), ("TOKEN", "token")):
        shown = subprocess.run(["/bin/sh", "-c", '. "$0"; printf %s "$' + name + '"', file], capture_output=True)
        assert shown.stdout == c.get(W + "/" + path).body and shown.stderr == b""
    before = entries(c, W)
    assert sreg.json("import", file, "--to", W)["written"] is False
    with open(file) as f:
        text = f.read().replace('PORT="8080"', 'PORT="81"')
    with open(file, "w") as f:
        f.write(text + 'NEW__ONE="x"\n')
    report = sreg.json("import", file, "--to", W)
    assert (report["added"], report["changed"], report["deleted"]) == (1, 1, 0)
    before["port"]["value"] = 81
    after = entries(c, W)
    assert after.pop("new/one")["type"] == "string"
    assert after == before
    sreg.fails(2, "bad-value", "import", "-", "--format", "env", "--to", W, stdin=b"PORT=x\n")
    sreg.fails(2, "bad-request", "import", file, "--to", W, "--delete-missing")


# ---- secrets --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("format", ["json", "yaml", "env"])
def test_secrets_leave_only_when_told(daemon, sreg, c, format):
    fill(c)
    done = sreg("export", W, "--format", format)
    assert done.returncode == 0 and "hush" not in done.out and "AAEC" not in done.out
    assert "2 sealed entries are without their values" in done.err
    assert "hush" in sreg.ok("export", W, "--format", format, "--with-secrets")


def test_import_leaves_entries_without_value_alone(daemon, sreg, c):
    fill(c)
    before = entries(c, W)
    file = daemon.path("x.json")
    sreg.ok("export", W, "-o", file, "-q")
    report = sreg.json("import", file, "--delete-missing")
    assert (report["written"], report["without_value"], report["unchanged"]) == (False, 2, 9)
    assert entries(c, W) == before
    # where there is no such entry, none is made, and it is said
    done = sreg("import", file, "--to", A + "/copy")
    assert done.returncode == 0 and "? %s/copy/token (sealed, and its value is not in the file)" % A in done.out
    assert set(before) - set(entries(c, A + "/copy")) == {"token", "tls/key"}


def test_no_secret_is_shown(daemon, sreg, c):
    fill(c)
    file = daemon.path("x.yaml")
    sreg.ok("export", W, "--with-secrets", "-o", file)
    c.put(W + "/token", "loud-loud")
    for args in (["diff", file, W], ["diff", W, file], ["import", file, "--dry-run"], ["import", file, "--dry-run", "--json"]):
        done = sreg(*args)
        assert done.returncode == 0 and "token" in done.out
        assert "hush" not in done.out + done.err and "loud" not in done.out + done.err, args


# ---- one transaction ------------------------------------------------------------------------------------------------

def write(daemon, name, entries, base=W):
    file = daemon.path(name)
    with open(file, "w") as f:
        json.dump({"format": "secreg-dump", "version": 1, "base": base,
                   "entries": [{"path": p, "value": v} for p, v in entries.items()]}, f)
    return file


def test_all_or_nothing(daemon, sreg, c):
    fill(c)
    before, revision = entries(c, W), c.status()["revision"]
    file = write(daemon, "x.json", {"a": "1", "port": 1, "tls": "an entry where a folder is"})
    done = sreg("import", file, "--json")
    assert done.returncode == 6
    report = json.loads(done.out)
    assert report["conflicts"] == 1 and not report["written"]
    assert [s["path"] for s in report["steps"] if s["change"] == "conflict"] == [W + "/tls"]
    assert (entries(c, W), c.status()["revision"]) == (before, revision)
    report = sreg.json("import", file, "--theirs")
    assert (report["added"], report["changed"], report["deleted"]) == (2, 1, 2)
    assert c.status()["revision"] == report["revision"] == revision + 1
    assert c.get(W + "/tls").body == b"an entry where a folder is"
    assert c.get(W + "/port?history").data["versions"][0]["revision"] == revision + 1


def test_dry_run_asks_the_daemon(daemon, sreg, c):
    fill(c)
    before, revision = entries(c, W), c.status()["revision"]
    file = write(daemon, "x.json", {"port": 1, "new": "x"})
    out = sreg.ok("import", file, "--dry-run", "--delete-missing")
    assert "~ %s/port: 8080 -> 1\n" % W in out and "+ %s/new = x\n" % W in out and "- %s/note\n" % W in out
    assert (entries(c, W), c.status()["revision"]) == (before, revision)
    sreg.ok("import", file, "--delete-missing")
    assert {k: v["value"] for k, v in entries(c, W).items()} == {"port": 1, "new": "x"}


def test_three_way(daemon, sreg, c):
    base = write(daemon, "base.json", {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1})
    theirs = write(daemon, "theirs.json", {"a": 1, "b": 2, "d": 2, "e": 2, "new": 1})  # c is deleted
    sreg.ok("import", base)
    c.put(W + "/a", "7")            # only here
    c.put(W + "/here", "1")
    c.delete(W + "/d")              # deleted here, changed there
    c.put(W + "/e", "9")            # changed in both
    before = entries(c, W)
    done = sreg("import", theirs, "--base", base)
    assert done.returncode == 6
    assert "! %s/d: deleted in ours, changed in theirs\n" % W in done.out
    assert "! %s/e: changed in both, ours 9, theirs 2\n" % W in done.out
    assert entries(c, W) == before
    sreg.ok("import", theirs, "--base", base, "--ours")
    assert {k: v["value"] for k, v in entries(c, W).items()} == {"a": 7, "b": 2, "e": 9, "here": "1", "new": 1}
    sreg.ok("import", theirs, "--base", base, "--theirs")
    assert {k: v["value"] for k, v in entries(c, W).items()} == {"a": 7, "b": 2, "d": 2, "e": 2, "here": "1", "new": 1}


class Between(threading.Thread):
    """A socket in front of the daemon's that does something once, just before a transaction goes through."""

    def __init__(self, folder, target, act):
        super().__init__(daemon=True)
        os.makedirs(os.path.join(folder, "run/secreg"))
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(os.path.join(folder, "run/secreg/socket"))
        self.listener.listen(5)
        self.target, self.act = target, act

    def run(self):
        here, _ = self.listener.accept()
        there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        there.connect(self.target)
        back = threading.Thread(target=self.pump, args=(there, here), daemon=True)
        back.start()
        self.pump(here, there)
        there.shutdown(socket.SHUT_RDWR)
        back.join()
        here.close()
        there.close()
        self.listener.close()

    def pump(self, source, to):
        while True:
            data = source.recv(1 << 16)
            if b"POST /v1/txn" in data:
                self.act()
            if data == b"":
                return
            to.sendall(data)


@pytest.mark.parametrize("act", ["change", "make", "delete"])
def test_a_change_in_between_is_not_lost(daemon, sreg, c, act):
    c.put(W + "/port", "1", type="integer")
    c.put(W + "/old", "x")
    file = write(daemon, "x.json", {"port": 2, "new": "x"})
    other = daemon.client()
    acts = {"change": lambda: other.put(W + "/port", "5"), "make": lambda: other.put(W + "/new", "mine"),
            "delete": lambda: other.put(W + "/old", "kept")}
    folder = daemon.path("between")
    Between(folder, daemon.socket, acts[act]).start()
    done = Sreg(folder)("import", file, "--delete-missing", "--json")
    assert (done.returncode, done.out) == (6, ""), done
    assert json.loads(done.err)["code"] in ("conflict", "exists")
    values = {k: v["value"] for k, v in entries(c, W).items()}
    assert values == {"change": {"port": 5, "old": "x"}, "make": {"port": 1, "old": "x", "new": "mine"},
                      "delete": {"port": 1, "old": "kept"}}[act]


# ---- rights, sizes, and what is wrong -------------------------------------------------------------------------------

@needs_root
def test_others_see_and_change_what_they_may(daemon, sreg, c):
    fill(c)
    c.put(A + "/secret", "x")
    other = Sreg(daemon.root, user=12345, group=12345, extra_groups=[])
    other.fails(3, "not-found", "export", W)
    c.allow(A, "uid:12345", "list")
    c.allow(W + "/tls", "uid:12345", "read")
    doc = json.loads(other.ok("export", A, "-q"))
    assert {e["path"] for e in doc["entries"]} == {"web/tls/cert", "web/tls/key"}
    assert "AAEC" in other.ok("export", W + "/tls", "--with-secrets")
    text = json.dumps({"format": "secreg-dump", "version": 1, "base": W + "/tls",
                       "entries": [{"path": "cert", "value": "mine"}]}).encode()
    before = entries(c, W)
    other.fails(4, "refused", "import", "-", "--format", "json", "-q", stdin=text)
    assert other("import", "-", "--format", "json", "--dry-run", stdin=text).returncode == 4
    # what is there and cannot be seen is neither overwritten nor deleted
    c.deny(W + "/tls/key", "uid:12345", "list,read")
    c.allow(W + "/tls", "uid:12345", "write,delete")
    other.ok("import", "-", "--format", "json", "--delete-missing", stdin=text)
    assert c.get(W + "/tls/cert").body == b"mine"
    assert entries(c, W)["tls/key"] == before["tls/key"]
    text = text.replace(b'"cert"', b'"key"')
    assert other("import", "-", "--format", "json", stdin=text).returncode in (4, 6)
    assert entries(c, W)["tls/key"] == before["tls/key"]


def test_many_entries(daemon, sreg, c):
    count = 2500
    daemon.put_many(["%s/many/n%d" % (A, i) for i in range(count)])
    file = daemon.path("x.yaml")
    report = sreg.json("export", A + "/many", "-o", file)
    assert (report["entries"], report["without_value"]) == (count, 0)
    assert sreg.json("import", file, "--to", A + "/copy")["added"] == count
    assert sreg.json("diff", A + "/many", A + "/copy") == {"different": False, "added": 0, "changed": 0, "deleted": 0,
                                                           "unchanged": count, "not_compared": 0, "steps": []}


def test_what_is_too_large_is_refused_whole(daemon, sreg, c):
    file = write(daemon, "x.json", {"n%d" % i: "x" * 500000 for i in range(5)})
    sreg.fails(2, "too-large", "import", file, "-q")
    assert c.get(W + "/").status == 404
    file = write(daemon, "y.json", {"n": "x" * (1 << 20)})
    sreg.ok("import", file, "-q")
    sreg.ok("export", W, "-o", daemon.path("z.json"))
    assert sreg("diff", file, daemon.path("z.json"), "--exit-code").returncode == 0


def test_files_are_not_overwritten(daemon, sreg, c):
    fill(c)
    file, link = daemon.path("x.json"), daemon.path("link.json")
    with open(file, "w") as f:
        f.write("mine")
    os.symlink(file, link)
    for name in (file, link):
        sreg.fails(6, "exists", "export", W, "-o", name, "-q")
    sreg.ok("export", W, "-o", link, "--force")
    assert open(file).read() == "mine" and not os.path.islink(link)
    sreg.fails(6, "exists", "export", W, "-o", daemon.path("run"), "--format", "json", "--force", "-q")
    assert sreg("export", W, "-o", daemon.path("none/x.json")).returncode == 1


def test_diff_ends_as_diff_does(daemon, sreg, c):
    fill(c)
    file = daemon.path("x.yaml")
    sreg.ok("export", W, "-o", file, "-q")
    for args, status in (([file, W], 0), ([file, file], 0), ([W, A], 1), ([file, A + "/none"], 3), ([file, "x.txt"], 2)):
        assert sreg("diff", *args, "--exit-code").returncode == status, args
    assert sreg("diff", W, A).returncode == 0
    c.put(W + "/port", "1")
    c.delete(W + "/odd")
    c.put(W + "/new", "a\x1bb")
    assert sreg.ok("diff", file, W, "-q") == "+ new = a\\x1bb\n- odd\n~ port: 8080 -> 1\n"


@pytest.mark.parametrize("text,why", [
    (b"", "line 1, column 1"), (b"format: secreg-dump\nversion: 1\nentries:\n  a: no\n", "line 4, column 6"),
    (b"format: secreg-dump\nversion: 9\nentries: {}\n", "version"),
    (b"format: secreg-dump\nversion: 1\nentries:\n  ../x: a\n", "../x"),
    (b"format: secreg-dump\nversion: 1\nentries:\n  a: &x b\n", "anchors"),
    (b"format: secreg-dump\nversion: 1\nentries:\n  a: b\n  a/c: b\n", "cannot hold")])
def test_bad_files_change_nothing(daemon, sreg, c, text, why):
    said = sreg.fails(2, "bad-value", "import", "-", "--format", "yaml", "--to", W, stdin=text)
    assert why in said
    assert c.get(W + "/").status == 404
