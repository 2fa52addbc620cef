"""The verbs that change, find and put back many entries at once: cp, mv, del -r, find, due, undo, revert, destroy, txn."""
import json
import os
import re
import time

import pytest

from conftest import SREG, needs_root
from test_cli import A, Sreg, on_terminal, sreg  # noqa: F401 (the fixture)
from trail_verify import Follower


def paths(sreg):
    return sreg.ok("ls", "-r", A).split()


def fill(sreg):
    for p, v in (("/web/port", "80"), ("/web/tls/key", "K"), ("/db", "x")):
        sreg.ok("set", A + p, v)


def unchanged(sreg, c, *args):
    """A dry run: says something, changes nothing, and its JSON says that it is one. Returns what it says."""
    revision = c.status()["revision"]
    out = sreg.ok(*args, "--dry-run")
    d = sreg.json(*args, "--dry-run")
    assert d["dry_run"] is True and c.status()["revision"] == revision
    return out


# ---- cp, mv, del

def test_cp_and_mv(sreg, c):
    fill(sreg)
    assert unchanged(sreg, c, "cp", A + "/web", A + "/www") == "copy %s/web/port -> %s/www/port\ncopy %s/web/tls/key -> %s/www/tls/key\n" % (A, A, A, A)
    assert sreg.ok("cp", A + "/web/", A + "/www/", "--reason", "test") == ""
    assert paths(sreg) == [A + p for p in ("/db", "/web/port", "/web/tls/key", "/www/port", "/www/tls/key")]
    assert c.get(A + "/www/port?history").data["versions"][0]["reason"] == "test"
    assert unchanged(sreg, c, "mv", A + "/db", A + "/data/db") == "move %s/db -> %s/data/db\n" % (A, A)
    d = sreg.json("mv", A + "/db", A + "/data/db")
    assert d["results"] == [{"path": A + "/db", "to": A + "/data/db", "entries": 1}] and d["dry_run"] is False
    assert c.get(A + "/data/db").body == b"x" and c.get(A + "/db").status == 404
    sreg.fails(6, "exists", "cp", A + "/web", A + "/www")
    sreg.fails(3, "not-found", "mv", A + "/none", A + "/some")
    sreg.fails(2, "bad-path", "mv", A + "/web", "/etc/web")
    sreg.fails(2, "bad-request", "mv", A + "/web", A + "/web/below")
    Follower().follow(c)


def test_del_of_a_subtree(sreg, c):
    fill(sreg)
    sreg.fails(6, "is-folder", "del", A + "/web")
    assert unchanged(sreg, c, "del", "-r", A + "/web") == "delete %s/web/port\ndelete %s/web/tls/key\n" % (A, A)
    assert unchanged(sreg, c, "del", A + "/db", "--if-version", "1") == "delete %s/db\n" % A
    sreg.fails(6, "conflict", "del", A + "/db", "--if-version", "2", "--dry-run")
    assert sreg.ok("del", "--recursive", A + "/web/", "--reason", "not used") == ""
    assert paths(sreg) == [A + "/db"]
    assert c.get(A + "/web/tls/key?history").data["versions"][0]["reason"] == "not used"
    sreg.fails(3, "not-found", "del", "-r", A + "/web")


@needs_root
def test_a_plan_says_how_much_it_cannot_show(sreg, daemon, c):
    fill(sreg)
    c.allow(A, "uid:4711", "list,read,write,delete")
    c.deny(A + "/web/tls", "uid:4711", "list")
    other = Sreg(daemon.root, user=4711, group=4711, extra_groups=[])
    done = other("cp", A + "/web", A + "/copy", "--dry-run")
    assert done.returncode == 0 and done.out == "copy %s/web/port -> %s/copy/port\n" % (A, A)
    assert "and 1 more" in done.err


# ---- set with metadata

def test_set_tags_and_end(sreg, c):
    sreg.ok("set", A + "/a", "1", "--tags", "tls, web", "--expires", "2100-01-31", "--comment", "why")
    e = c.entry(A + "/a").data
    assert (e["tags"], e["expires"], e["comment"]) == (["tls", "web"], "2100-01-31T00:00:00.000Z", "why")
    shown = sreg.ok("get", "-e", A + "/a")
    assert re.search("^tags +tls,web$", shown, re.M) and re.search("^expires +2100-01-31T00:00:00.000Z$", shown, re.M)
    shown = sreg.ok("ls", "-l", A).split("\n")
    assert "EXPIRES" in shown[0] and "TAGS" in shown[0] and re.search("2100-01-31T00:00:00.000Z  tls,web", shown[1])
    sreg.ok("set", A + "/a", "2", "--expires", "+30d", "--tags", "")
    e = c.entry(A + "/a").data
    left = time.mktime(time.strptime(e["expires"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()
    assert e["tags"] == [] and abs(left - 30 * 86400) < 60
    sreg.ok("set", A + "/a", "3", "--expires", "never")
    assert c.entry(A + "/a").data["expires"] is None
    sreg.fails(2, "bad-request", "set", A + "/a", "4", "--expires", "soon")
    sreg.fails(2, "bad-value", "set", A + "/a", "4", "--expires", "2001-01-01")
    sreg.fails(2, "bad-request", "set", A + "/a", "4", "--tags", "a b")


@pytest.mark.parametrize("type,value", [("string", "\u00e9 \"x\"\\"), ("integer", "-7"), ("boolean", "true"), ("float", "1.5e3"),
                                        ("json", '{"a": [1, null]}'), ("list", '["a","b"]'), ("binary", "\x01x")])
def test_a_dry_set_is_judged_as_the_real_one(sreg, c, type, value):
    args = ["set", A + "/v", "--type", type, "--tags", "b,a", "--expires", "+1d", "--comment", "c", "--seal", "--if-absent", "--", value]
    d = sreg.json("-q", "set", "--dry-run", *args[1:])
    assert d["results"][0]["version"] == 1 and c.get(A + "/v").status == 404
    assert sreg.ok("-q", "set", "--dry-run", *args[1:]) == "set %s/v version 1\n" % A
    sreg.ok("-q", *args)
    for bad in (["--type", "integer", "--", "x"], ["--type", "json", "--", "{"], ["--type", "list", "--", "[1]"]):
        sreg.fails(2, "bad-value", "set", A + "/v", *bad)
        sreg.fails(2, "bad-value", "set", A + "/v", "--dry-run", *bad)
    sreg.fails(6, "exists", "set", A + "/v", "--dry-run", "--if-absent", "--type", "string", "--", "x")
    sreg.fails(6, "conflict", "set", A + "/v", "--dry-run", "--if-version", "7", "--type", "string", "--", "x")
    assert c.entry(A + "/v").data["version"] == 1


def test_a_dry_run_that_is_too_large_is_told_so(sreg):
    done = sreg("set", A + "/v", "--dry-run", stdin=b"\x01" * (1 << 20))  # six times as long in JSON
    assert done.returncode == 2 and "larger than the limit" in done.err, done


def test_a_dry_set_of_bytes_wants_the_type(sreg):
    assert sreg("set", A + "/v", "--dry-run", stdin=b"\xff").returncode == 2
    assert sreg("set", A + "/v", "--dry-run", "-t", "binary", stdin=b"\xff\n").returncode == 0


# ---- find and due

def test_find(sreg, c):
    c.put(A + "/web/port", "80", type="integer", Secreg_Tags="net,web")
    c.put(A + "/web/name", "x", Secreg_Tags="web")
    c.put("/registry/system/port", "1")
    assert sreg.ok("find", A).split() == [A + "/web/name", A + "/web/port"]
    assert sreg.ok("find", "--name", "p*").split() == [A + "/web/port", "/registry/system/port"]
    assert sreg.ok("find", A, "--tag", "web", "--type", "string") == A + "/web/name\n"
    assert sreg.ok("find", A, "--tag", "none") == ""
    assert [e["path"] for e in sreg.json("find", A, "--type", "integer")["entries"]] == [A + "/web/port"]
    assert re.search(r"integer +1 +2 .*net,web +" + A + "/web/port", sreg.ok("find", "-l", A, "-n", "port"))
    sreg.fails(2, "bad-request", "find", A, "--name", "[")
    sreg.fails(2, "bad-request", "find", A, "--type", "text")
    sreg.fails(3, "not-found", "find", A + "/none")


def test_find_reads_all_pages(sreg, daemon):
    daemon.put_many(["%s/n/%04d" % (A, i) for i in range(2100)])
    assert len(sreg.ok("find", A, "-n", "*0").split()) == 210
    assert len(sreg.json("find", A)["entries"]) == 2100


def test_due(sreg, c):
    for name, end in (("/c", "+9d"), ("/a", "+2h"), ("/b", "+40d"), ("/d", "+72h")):
        sreg.ok("set", A + name, "1", "--expires", end, "--tags", "t")
    c.put(A + "/never", "1")
    lines = [x.split() for x in sreg.ok("due").strip().split("\n")]
    assert lines[0] == ["EXPIRES", "LEFT", "TYPE", "VERSION", "TAGS", "PATH"]
    assert [x[-1] for x in lines[1:]] == [A + "/a", A + "/d", A + "/c"]
    assert [x[1:3] for x in lines[1:]] == [["119", "min"], ["2", "d"], ["8", "d"]]
    assert [e["path"] for e in sreg.json("due", A, "--within", "8w")["entries"]] == [A + "/a", A + "/d", A + "/c", A + "/b"]
    assert sreg.ok("due", "/registry/system") == "" and sreg.ok("due", "--within", "1h") == ""
    sreg.fails(2, "bad-request", "due", "--within", "a while")


# ---- undo

def test_undo_of_a_change_a_deletion_and_a_creation(sreg, c):
    sreg.ok("set", A + "/a", "1")
    sreg.ok("set", A + "/a", "2")
    assert unchanged(sreg, c, "undo", A + "/a") == "revert %s/a version 1\n" % A
    sreg.ok("undo", A + "/a", "--reason", "wrong")
    v = c.get(A + "/a?history").data["versions"][0]
    assert c.get(A + "/a").body == b"1" and (v["version"], v["reason"]) == (3, "wrong")
    sreg.ok("undo", A + "/a")  # takes back what undo did
    assert c.get(A + "/a").body == b"2"
    sreg.ok("del", A + "/a")
    sreg.ok("undo", A + "/a")
    assert c.get(A + "/a").body == b"2"
    sreg.ok("set", A + "/new", "1")
    assert unchanged(sreg, c, "undo", A + "/new") == "delete %s/new\n" % A
    sreg.ok("undo", A + "/new")
    assert c.get(A + "/new").status == 404
    sreg.ok("undo", A + "/new")
    sreg.ok("del", A + "/new")
    sreg.ok("set", A + "/new", "again")
    sreg.ok("undo", A + "/new")
    assert c.get(A + "/new").status == 404
    sreg.fails(3, "not-found", "undo", A + "/none")
    Follower().follow(c)


def test_undo_of_what_is_gone(new_store):
    d = new_store(config="history:\n  versions: 1\n").start()
    s = Sreg(d.root)
    for v in "123":
        s.ok("set", A + "/a", v)
    s.fails(3, "gone", "undo", A + "/a")
    d2 = new_store().start()
    s = Sreg(d2.root)
    for v in "12":
        s.ok("set", A + "/a", v)
    s.ok("destroy", "--yes", "--version", "1", A + "/a")
    s.fails(3, "gone", "undo", A + "/a")
    s.fails(3, "gone", "revert", A + "/a", "--version", "1")
    s.fails(3, "gone", "destroy", "--yes", A + "/a", "--version", "1")


def request_of(c, **args):
    query = "&".join("%s=%s" % x for x in args.items())
    return c.get("/v1/audit?limit=1&" + query).data["records"][0]["request_id"]


def test_undo_of_a_whole_request(sreg, c):
    fill(sreg)
    c.put(A + "/gone", "was here")
    leaves = [dict(op="set", path=A + "/web/port", value="81"), dict(op="set", path=A + "/web/port", value="82"),
              dict(op="move", **{"from": A + "/web/tls", "to": A + "/tls"}), dict(op="delete", path=A + "/gone"),
              dict(op="set", path=A + "/gone/below", value="now a folder"), dict(op="set", path=A + "/fresh", value="x")]
    before = {p: c.get(p).body for p in paths(sreg)}
    assert c.post("/v1/txn", json.dumps({"then": leaves})).status == 200
    id = request_of(c, kind="txn")
    sreg.ok("set", A + "/elsewhere", "not touched")
    plan = unchanged(sreg, c, "undo", "--request", id).split("\n")
    assert "delete %s/fresh" % A in plan and "revert %s/web/port version 1" % A in plan and "revert %s/web/tls/key version 1" % A in plan
    sreg.ok("undo", "--request", id)
    assert {p: c.get(p).body for p in paths(sreg)} == {**before, A + "/elsewhere": b"not touched"}
    sreg.fails(6, "conflict", "undo", "--request", id)  # that is no longer the newest change
    sreg.fails(3, "not-found", "undo", "--request", "0000000000000000")
    sreg.fails(2, "bad-request", "undo")
    sreg.fails(2, "bad-request", "undo", A + "/a", "--request", id)


def test_undo_of_a_single_request_and_of_what_cannot_be_undone(sreg, c):
    sreg.ok("set", A + "/a", "1")
    sreg.ok("set", A + "/a", "2")
    id = request_of(c, kind="set")
    sreg.ok("set", A + "/b", "1")
    sreg.ok("undo", "--request", id)
    assert c.get(A + "/a").body == b"1"
    leaves = [dict(op="destroy", path=A + "/a", version=2), dict(op="set", path=A + "/a", value="4")]
    assert c.post("/v1/txn", json.dumps({"then": leaves})).status == 200
    done = sreg("undo", "--request", request_of(c, kind="txn"))
    assert done.returncode == 0 and "cannot be undone" in done.err and c.get(A + "/a").body == b"1"


def test_undo_of_a_request_wants_a_later_change_left_alone(sreg, c):
    sreg.ok("set", A + "/a", "1")
    sreg.ok("set", A + "/a", "2")
    id = request_of(c, kind="set")
    sreg.ok("set", A + "/a", "3")
    sreg.fails(6, "conflict", "undo", "--request", id)
    assert c.get(A + "/a").body == b"3"


# ---- revert

def test_revert_to_version_and_revision(sreg, c):
    for v in "123":
        sreg.ok("set", A + "/t/a", v)
    sreg.ok("set", A + "/t/b", "1")
    then = str(c.status()["revision"])
    assert unchanged(sreg, c, "revert", A + "/t/a", "--version", "1") == "revert %s/t/a version 1\n" % A
    sreg.ok("revert", A + "/t/a", "--version", "1", "--reason", "was right")
    assert c.get(A + "/t/a").body == b"1" and c.get(A + "/t/a?history").data["versions"][0]["reason"] == "was right"
    sreg.ok("del", A + "/t/b")
    sreg.ok("set", A + "/t/new", "x")
    plan = unchanged(sreg, c, "revert", A + "/t", "--revision", then)
    assert plan == "revert %s/t/a version 3\nrevert %s/t/b version 1\ndelete %s/t/new\n" % (A, A, A)
    sreg.ok("revert", A + "/t/", "--revision", then)
    assert {p: c.get(p).body for p in paths(sreg)} == {A + "/t/a": b"3", A + "/t/b": b"1"}
    assert unchanged(sreg, c, "revert", A + "/t", "--revision", str(c.status()["revision"])) == ""
    sreg.fails(3, "not-found", "revert", A + "/t/a", "--version", "99")
    sreg.fails(3, "not-found", "revert", A + "/t", "--revision", "999999")
    for wrong in ([], ["--version", "1", "--revision", "2"], ["--version", "0"], ["--time", "then"]):
        sreg.fails(2, "bad-request", "revert", A + "/t/a", *wrong)


def pause():
    """Times are shown to the millisecond: two that must differ stand apart."""
    time.sleep(0.02)
    now = time.time()
    time.sleep(0.02)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + ".%03dZ" % int(now % 1 * 1000)


def test_revert_to_a_time(sreg, c):
    nothing = pause()
    sreg.ok("set", A + "/x", "1")
    before = pause()
    sreg.ok("set", A + "/t/a", "1")
    sreg.ok("set", A + "/t/b", "1")
    then = pause()
    sreg.ok("set", A + "/t/a", "2")
    sreg.ok("mv", A + "/t/b", A + "/b")
    plan = unchanged(sreg, c, "revert", A + "/t", "--time", then)
    assert plan == "revert %s/t/a version 1\nrevert %s/t/b version 1\n" % (A, A)
    sreg.ok("revert", A + "/t", "--time", then)
    assert (c.get(A + "/t/a").body, c.get(A + "/t/b").body) == (b"1", b"1")
    sreg.ok("revert", A + "/t", "--time", before)
    assert c.get(A + "/t/").status == 404 and c.get(A + "/b").status == 200
    sreg.fails(3, "not-found", "revert", A + "/x", "--time", "2001-01-01")
    sreg.ok("revert", A + "/x", "--time", nothing)
    assert c.get(A + "/x").status == 404


@needs_root
def test_revert_to_a_time_without_the_right_to_read_the_trail(daemon, sreg, c):
    c.allow(A, "uid:4711", "list,read,write,delete")
    other = Sreg(daemon.root, user=4711, group=4711, extra_groups=[])
    before = pause()
    sreg.ok("set", A + "/t/a", "1")
    then = pause()
    sreg.ok("set", A + "/t/a", "2")
    other.ok("revert", A + "/t/a", "--time", then)
    assert c.get(A + "/t/a").body == b"1"
    other.fails(4, "refused", "revert", A + "/t", "--time", then)
    other.fails(3, "gone", "revert", A + "/t/a", "--time", before)
    other.fails(4, "refused", "undo", "--request", "0000000000000000")


# ---- destroy

def test_destroy(sreg, c, daemon):
    marker = "DESTROY-" + os.urandom(6).hex()
    sreg.ok("set", A + "/a", marker)
    sreg.ok("set", A + "/a", "2")
    sreg.fails(2, "bad-request", "destroy", A + "/a", "--version", "1")  # nobody can be asked
    assert unchanged(sreg, c, "destroy", A + "/a", "--version", "1") == "destroy %s/a version 1\n" % A
    sreg.ok("destroy", "-y", A + "/a", "--version", "1", "--reason", "leaked")
    assert marker.encode() not in b"".join(open(daemon.db + t, "rb").read() for t in ("", "-wal"))
    assert re.search("destroyed", sreg.ok("history", A + "/a"))
    sreg.fails(6, "conflict", "destroy", "-y", A + "/a", "--version", "2")
    sreg.fails(3, "not-found", "destroy", "-y", A + "/a", "--version", "9")
    sreg.fails(2, "bad-request", "destroy", "-y", A + "/a")


def test_destroy_asks_on_a_terminal(sreg, c, daemon):
    for v in "123":
        sreg.ok("set", A + "/a", v)
    command = [SREG, "--root", daemon.root, "destroy", A + "/a", "--version"]
    shown = on_terminal(command + ["1"], [b"n"])
    assert b"[y/N]" in shown and c.get(A + "/a?version=1").status == 200
    shown = on_terminal(command + ["1"], [b"y"])
    assert b"destroyed version 1" in shown and c.get(A + "/a?version=1").code == "gone"


# ---- txn

def test_txn_from_file_and_input(sreg, c, tmp_path):
    body = {"compare": [{"path": A + "/a", "absent": True}], "then": [dict(op="set", path=A + "/a", value="1"), dict(op="get", path=A + "/a"),
            dict(op="copy", **{"from": A + "/a", "to": A + "/b"})]}
    f = tmp_path / "t.json"
    f.write_text(json.dumps(body))
    out = unchanged(sreg, c, "txn", str(f))
    assert out.split("\n")[0].split() == ["PATH", "TO", "ENTRIES", "VERSION", "VALUE"]
    assert c.get(A + "/a").status == 404
    done = sreg("txn", "-", "--reason", "from here", stdin=json.dumps(body).encode())
    assert done.returncode == 0 and A + "/b" in done.out
    assert c.get(A + "/b?history").data["versions"][0]["reason"] == "from here"
    done = sreg("txn", str(f))
    assert done.returncode == 6 and "did not hold" in done.err
    body["else"] = [dict(op="delete", path=A + "/a")]
    d = json.loads(sreg.ok("--json", "txn", stdin=json.dumps(body).encode()))
    assert d["succeeded"] is False and c.get(A + "/a").status == 404
    c.delete(A + "/b")
    kept = {"dry_run": False, "reason": "old", **body}
    assert sreg.json("txn", "--dry-run", "--reason", "new", stdin=json.dumps(kept).encode())["dry_run"] is True
    Follower().follow(c)


def test_txn_that_is_refused(sreg, c, tmp_path):
    for bad in (b"", b"{", b"[]", b'{"then":{}}', b'{"then":[],"more":1}', b'{"then":[],"then":[]}'):
        assert sreg("txn", stdin=bad).returncode == 2, bad
    assert sreg("txn", str(tmp_path / "none")).returncode == 2
    done = sreg("txn", stdin=json.dumps({"then": [dict(op="set", path=A + "/a", value="1"), dict(op="delete", path=A + "/x")]}).encode())
    assert done.returncode == 3 and "then[1] %s/x" % A in done.err and c.get(A + "/a").status == 404
    assert sreg("txn", stdin=b" " * (2 << 20) + b"{}").returncode == 2


# ---- fingerprint

def test_fingerprint(sreg, c):
    fill(sreg)
    sreg.ok("cp", A + "/web", "/registry/system/web")
    one, two = sreg.ok("fingerprint", A + "/web"), sreg.ok("fingerprint", "/registry/system/web/")
    assert one == two and re.fullmatch("[0-9a-f]{64}\n", one)
    assert sreg.json("fingerprint", A + "/web") == c.get(A + "/web/?fingerprint").data
    sreg.fails(6, "not-folder", "fingerprint", A + "/db")
    sreg.fails(3, "not-found", "fingerprint", A + "/none")
