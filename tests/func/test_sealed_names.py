"""Names that are sealed (doc/spec/store.md): below a folder whose schema says so no name stands in any file, and everything else
works as without."""
import json
import os
import sqlite3

import pytest

from conftest import SREG, needs_root
from test_approval import approve, glass
from test_backup import backup, restore
from test_cli import Sreg
from test_keys import rekey, wait_pass
from test_watch import Watch
from trail_verify import Follower

A = "/registry/applications"
V = A + "/vault"
BARE = V + "/~"


def seal_names(c, path=V):
    r = c.put("/v1/schema?path=" + path, json.dumps({"secrecy": "sealed-names"}))
    assert r.status == 200, r


def put(c, path, value="x", **how):
    r = c.put(path, value, sealed="true", **how)
    assert r.status in (200, 201), r
    return r


def files_that_hold(d, text, *more):
    """State, log and backups, as bytes; what SQLite has freed and not yet overwritten included."""
    found = []
    for path in d.state_files() + list(more):
        with open(path, "rb") as f:
            if text.encode() in f.read():
                found.append(os.path.basename(path))
    return found


def txn(c, *then, **more):
    return c.post("/v1/txn", json.dumps({"then": list(then), **more}))


def audit(c, query=""):
    return c.get("/v1/audit?limit=1000" + query).data["records"]


def stored_paths(d):
    db = sqlite3.connect("file:%s?mode=ro" % d.db, uri=True)
    paths = [r[0] for r in db.execute("SELECT path FROM version ORDER BY id")]
    db.close()
    return paths


def test_no_file_holds_a_sealed_name(daemon, c):
    seal_names(c)
    names = ["WEBhost", "deep/LEVELone/LEVELtwo", "NEVERstored", "n\u00e4me", "MOVEDaway", "MOVEDhere", "GONEagain"]
    put(c, V + "/WEBhost", "one")
    put(c, V + "/WEBhost", "two", reason="a reason")
    put(c, V + "/deep/LEVELone/LEVELtwo")
    put(c, V + "/n%C3%A4me")
    put(c, V + "/MOVEDaway")
    put(c, A + "/outside")
    assert txn(c, {"op": "move", "from": V + "/MOVEDaway", "to": A + "/plain"}, {"op": "copy", "from": A + "/outside", "to": V + "/MOVEDhere"},
               {"op": "set", "path": V + "/GONEagain", "value": "x", "seal": True}).status == 200
    assert c.delete(V + "/GONEagain").status == 200
    assert c.get(V + "/NEVERstored").code == "not-found"
    assert c.get(V + "/NEVERstored!").status == 400
    assert c.get(V + "/deep/").data["entries"] and c.get(V + "/WEBhost").body == b"two"
    w = Watch(daemon.socket, "?path=" + V + "/deep").read_head()
    w.hello()
    saved = backup(daemon)
    assert daemon.stop() == 0
    for name in names:
        for part in name.split("/"):
            if part != "deep":
                assert files_that_hold(daemon, part, saved) == [], part
    assert files_that_hold(daemon, "outside") and files_that_hold(daemon, "plain")
    paths = stored_paths(daemon)
    tokens = [p for p in paths if p.startswith(BARE)]
    assert len(tokens) == len(paths) - 2 and len(set(tokens)) == 6, "a path, a token"
    assert {(len(t) - len(BARE)) % 4 for t in tokens} == {0} and len({len(t) for t in tokens}) == 2, "lengths show in steps"


def test_what_is_served_is_whole(daemon, c):
    seal_names(c)
    put(c, V + "/a", "1", Secreg_Tags="red")
    put(c, V + "/a", "2")
    put(c, V + "/b/c", "3")
    before = c.status()["revision"]
    put(c, V + "/b/c", "4")
    c.delete(V + "/a")
    for _ in range(2):
        assert c.names(V) == ["b"] and c.names(V + "/b") == ["c"]
        assert [v["version"] for v in c.get(V + "/b/c?history").data["versions"]] == [2, 1]
        assert c.get(V + "/b/c?version=1").body == b"3" and c.get(V + "/a?version=1").body == b"1"
        assert c.names(A, recursive=True, name="c") == [V + "/b/c"]
        daemon.restart()
        c = daemon.client()
    assert txn(c, {"op": "revert", "path": V, "revision": before}).status == 200
    assert c.get(V + "/a").body == b"2" and c.get(V + "/b/c").body == b"3"
    seen = [(r["kind"], r["path"], r["detail"]) for r in audit(c, "&path=" + V)]
    assert ("set", V + "/b/c", "") in seen and ("delete", V + "/a", "") in seen and not [p for _, p, _ in seen if "~" in p]
    assert audit(c, "&path=" + V + "/b/c") and not [r for r in audit(c, "&path=" + V + "/a") if r["path"] != V + "/a"]
    # the trail as it is stored names tokens, the same one for the same path
    follower = Follower()
    follower.follow(c)
    raw = {r["path"] for r in follower.records if r["path"].startswith(V + "/")}
    assert raw and all(p.startswith(BARE) for p in raw)


def test_what_the_schema_demands(c):
    seal_names(c)
    r = c.put(V + "/a", "x")
    assert (r.status, r.code) == (422, "bad-value") and "sealed" in r.json["error"]["message"]
    put(c, V + "/a")
    assert c.put(V + "/a", "x", sealed="false").code == "bad-value"
    assert c.get("/v1/schema?path=" + V).data["schemas"][0]["schema"] == {"secrecy": "sealed-names"}


def test_rules_and_schemas_stand_above(c):
    """They name their place in the clear."""
    seal_names(c)
    put(c, V + "/a/b")
    c.allow(V, "uid:%d" % os.geteuid(), "break-glass")
    for r in (c.acl_add(V + "/a", "allow", "uid:5001", "read"), c.put("/v1/schema?path=" + V + "/a/b", '{"max_bytes":9}'),
              glass(c, V + "/a", 3)):
        assert (r.status, r.code) == (400, "bad-request") and "sealed" in r.json["error"]["message"], r
    assert c.allow(V, "uid:5001", "read") > 0
    c.put(A + "/other/x/y", "1")
    c.put("/v1/schema?path=" + A + "/other/x/y", '{"max_bytes":9}')
    for path in (A + "/other", A + "/other/x", A):
        r = c.put("/v1/schema?path=" + path, '{"secrecy":"sealed-names"}')
        assert (r.status, r.code) == (400, "bad-request") and "below it" in r.json["error"]["message"], r
    assert c.put("/v1/schema?path=" + A + "/other/x/y", '{"secrecy":"clear","max_bytes":9}').status == 200


def test_it_holds_from_when_it_is_said(daemon, c):
    put(c, V + "/EARLIER", "1")
    seal_names(c)
    put(c, V + "/EARLIER", "2")
    put(c, V + "/LATER", "1")
    assert c.delete("/v1/schema?path=" + V).status == 200
    put(c, V + "/LATER", "2")
    put(c, V + "/EARLIER", "3")
    daemon.restart()
    c = daemon.client()
    for name, count in (("EARLIER", 3), ("LATER", 2)):
        assert [v["version"] for v in c.get(V + "/%s?history" % name).data["versions"]] == list(range(count, 0, -1))
        assert c.get(V + "/%s?version=1" % name).body == b"1"
        assert len({r["seq"] for r in audit(c, "&path=%s/%s" % (V, name)) if r["kind"] == "set"}) == count
    assert daemon.stop() == 0
    assert [p == V + "/LATER" for p in stored_paths(daemon)] == [False, False, False, True, False]


def test_while_locked_a_record_names_the_folder_alone(daemon, c):
    seal_names(c)
    put(c, V + "/QUIET")
    assert c.post("/v1/lock").status == 200
    assert c.get(V + "/QUIET").code == "locked" and c.get(A + "/loud").code == "locked"
    daemon.restart()
    c = daemon.client()
    assert c.post("/v1/lock").status == 200
    assert c.get(V + "/QUIET").code == "locked"
    assert c.post("/v1/unlock").status == 200 and c.get(V + "/QUIET").body == b"x"
    refused = [r["path"] for r in audit(c) if r["outcome"] == "locked"]
    assert refused == [BARE, A + "/loud", BARE]
    assert daemon.stop() == 0
    assert files_that_hold(daemon, "QUIET") == []


def test_names_outlive_every_key(daemon, c):
    """Records are never written again: what hides names in them is the same key after a rekey."""
    seal_names(c)
    put(c, V + "/a/b", "1")
    put(c, V + "/a/b", "2")
    c.delete(V + "/a/b")
    put(c, V + "/a/b", "3")
    assert rekey(c, {1: None}).status == 200
    wait_pass(c)
    assert c.post("/v1/rotate").status == 200
    wait_pass(c)
    daemon.restart()
    c = daemon.client()
    put(c, V + "/a/b", "4")
    assert [v["version"] for v in c.get(V + "/a/b?history").data["versions"]] == [5, 4, 3, 2, 1]
    assert len([r for r in audit(c, "&path=" + V + "/a/b") if r["kind"] in ("set", "delete")]) == 5
    assert c.status()["corrupt_entries"] == 0
    assert daemon.stop() == 0
    assert len(set(p for p in stored_paths(daemon))) == 1
    saved = daemon.start() and backup(daemon)
    assert daemon.stop() == 0
    restore(daemon, saved)
    c = daemon.client()
    assert c.get(V + "/a/b").body == b"4" and c.names(V) == ["a"]
    assert daemon.stop() == 0
    assert files_that_hold(daemon, "a/b") == []


def test_a_damaged_row_is_told_by_its_token(daemon, c):
    seal_names(c)
    put(c, V + "/SPOILT")
    put(c, V + "/good")
    assert daemon.stop() == 0
    db = sqlite3.connect(daemon.db)
    db.execute("UPDATE version SET comment = 'forged' WHERE id = 1")
    db.commit()
    db.close()
    daemon.start()
    daemon.expects_trouble = True
    c = daemon.client()
    assert c.status()["corrupt_entries"] == 1 and c.get(V + "/SPOILT").code == "corrupt" and c.get(V + "/good").body == b"x"
    assert "SPOILT" not in daemon.log() and "vault/~" in daemon.log()
    assert [r["path"] for r in audit(c) if r["kind"] == "corrupt"] == [V + "/SPOILT"]


def test_a_foreign_token_is_no_name(daemon, c):
    seal_names(c)
    put(c, V + "/a")
    assert daemon.stop() == 0
    db = sqlite3.connect(daemon.db)
    token = db.execute("SELECT path FROM version WHERE id = 1").fetchone()[0]
    db.execute("UPDATE version SET path = ? WHERE id = 1", (token[:-6] + "AAAA" + token[-2:],))
    db.commit()
    db.close()
    daemon.start()
    daemon.expects_trouble = True
    assert daemon.client().status()["state"] == "locked" and "rows are missing, foreign or replaced" in daemon.log()


@needs_root
def test_watches_and_approved_moves(daemon, c):
    seal_names(c)
    c.allow(A, "uid:5001", "admin")
    c.allow(A, "uid:5002", "list,read,write,delete")
    put(c, V + "/one", "1")
    put(c, A + "/shelf/two", "2")
    r = c.post("/v1/acl", json.dumps({"path": V, "effect": "approve", "principal": "any", "actions": "write,delete"}))
    assert r.status == 200
    ann, bob = daemon.actor(5001), daemon.actor(5002)
    w = Watch(daemon.socket, "?path=" + A).read_head()
    w.hello()
    r = bob.post("/v1/txn", json.dumps({"then": [{"op": "move", "from": A + "/shelf", "to": V + "/BROUGHT"}]}))
    assert r.status == 202
    id = int(r.headers["secreg-approval"])
    assert c.get("/v1/approvals").data["approvals"][0]["path"] == V + "/BROUGHT"
    assert approve(ann, id).status == 200
    gone, come = w.changes(2)
    assert (gone["path"], gone["to"]) == (A + "/shelf/two", V + "/BROUGHT/two")
    assert (come["path"], come["from"]) == (V + "/BROUGHT/two", A + "/shelf/two")
    r = bob.post("/v1/txn", json.dumps({"then": [{"op": "move", "from": V + "/BROUGHT", "to": A + "/back"}]}))
    assert approve(ann, int(r.headers["secreg-approval"])).status == 200
    gone, come = w.changes(2)
    assert (gone["path"], gone["to"]) == (V + "/BROUGHT/two", A + "/back/two") and come["from"] == V + "/BROUGHT/two"
    # and once more from the trail, as somebody who comes back later sees it
    again = Watch(daemon.socket, "?path=%s&since=0" % A).read_head()
    seen = [x["path"] for x in again.changes(6)]
    assert seen[-4:] == [A + "/shelf/two", V + "/BROUGHT/two", V + "/BROUGHT/two", A + "/back/two"]
    assert daemon.stop() == 0
    assert files_that_hold(daemon, "BROUGHT") == []


@pytest.mark.skipif(not os.path.exists(SREG), reason="sreg is not built")
def test_through_the_commands(daemon, c):
    s = Sreg(daemon.root)
    s.ok("schema", "set", V, "-", stdin=b'{"secrecy":"sealed-names"}')
    s.ok("set", "--seal", V + "/TOLD", "value")
    assert "value" in s.ok("get", V + "/TOLD") and V + "/TOLD" in s.ok("audit", "query", "--path", V)
    assert "names are sealed there" in s.fails(2, "bad-request", "acl", "allow", "uid:5001", "read", V + "/TOLD")
    assert files_that_hold(daemon, "TOLD") == []
