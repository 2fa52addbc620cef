"""A second person for a subtree, and breaking the glass: on the real daemon, as several users."""
import json
import os
import subprocess
import time

import pytest

from conftest import SREG, needs_root, soon, wait_for
from trail_verify import Follower

A = "/registry/applications"
BOX = A + "/box"
S = BOX + "/safe"
ME = os.geteuid()
pytestmark = needs_root


def mark(c, path=S, principal="any", actions="write,delete,grant", **headers):
    return c.post("/v1/acl", json.dumps({"path": path, "effect": "approve", "principal": principal, "actions": actions}), **headers)


def txn(c, *then, **more):
    return c.post("/v1/txn", json.dumps({"then": list(then), **more}))


@pytest.fixture
def ann(daemon):
    return daemon.actor(5001)


@pytest.fixture
def bob(daemon):
    return daemon.actor(5002)


@pytest.fixture
def safe(c, ann, bob):
    """Ann and the administrator may do everything there, bob may only write."""
    c.allow(A, "uid:5001", "admin")
    c.allow(A, "uid:5002", "list,read,write,delete")
    c.put(S + "/a", "old")
    r = mark(c)
    assert r.status == 200, r
    return r.data["id"]


def waits(r):
    assert (r.status, r.code) == (202, "pending"), r
    assert "approval %s, until " % r.headers["secreg-approval"] in r.json["error"]["message"]
    return int(r.headers["secreg-approval"])


def pending(c):
    r = c.get("/v1/approvals")
    assert r.status == 200, r
    return [x["id"] for x in r.data["approvals"]]


def approve(c, id):
    return c.post("/v1/approvals?id=%d" % id)


def reject(c, id):
    return c.delete("/v1/approvals?id=%d" % id)


# ---- what waits -----------------------------------------------------------------------------------------------------

def test_a_write_waits_until_somebody_else_approves(daemon, c, ann, bob, safe):
    id = waits(bob.put(S + "/a", "new", reason="because"))
    assert c.get(S + "/a").body == b"old"
    assert pending(bob) == pending(c) == pending(ann) == [id]
    assert pending(daemon.actor(5003)) == []
    r = approve(bob, id)
    assert (r.status, r.code) == (403, "refused")
    r = approve(daemon.actor(5003), id)
    assert (r.status, r.code) == (404, "not-found")
    assert c.get(S + "/a").body == b"old"
    r = approve(ann, id)
    assert r.status == 200 and r.data["id"] == id
    assert c.get(S + "/a").body == b"new"
    assert c.entry(S + "/a").data["changed_by"] == 5002
    assert pending(c) == [] and approve(c, id).code == "not-found"
    records = [(x["kind"], x["uid"], x["outcome"], x["detail"]) for x in Follower().follow(c) if x["path"].startswith(S)]
    assert {("set", 5002, 33), ("set", 5002, 0), ("approve", 5001, 0), ("approve", 5002, 6)} <= {x[:3] for x in records}
    done = [d for k, u, o, d in records if (k, u, o) == ("set", 5002, 0)]
    assert done == ["approval %d by uid:5001: because" % id]
    approved = [d for k, u, o, d in records if (k, u, o) == ("approve", 5001, 0)]
    assert approved == ["approval %d of uid:5002" % id]


def test_administrators_wait_too(c, ann, safe):
    id = waits(c.put(S + "/a", "new"))
    assert approve(c, id).code == "refused"
    assert approve(ann, id).status == 200
    assert c.get(S + "/a").body == b"new"
    id = waits(c.delete(S + "/a"))
    assert approve(ann, id).status == 200
    assert c.get(S + "/a").status == 404


def test_who_has_no_right_does_not_wait(daemon, c, safe):
    stranger = daemon.actor(5003)
    assert stranger.put(S + "/a", "x").code == "refused"
    assert stranger.delete(S + "/a").code == "not-found"
    assert stranger.acl_add(S, "allow", "uid:5003", "admin").code == "refused"
    assert pending(c) == []


def test_reading_does_not_wait(c, bob, safe):
    assert bob.get(S + "/a").body == b"old" and bob.names(S) == ["a"]
    assert c.get("/v1/acl?path=" + S).status == 200
    assert c.get("/v1/explain?path=%s&action=write" % S).data["allowed"] is True
    assert c.get("/v1/acl/test?path=%s&principal=any&action=read" % S).status == 200
    assert c.get("/v1/roles").status == 200
    assert bob.put(A + "/elsewhere", "1").status == 201
    assert pending(c) == []


WAYS = {
    "set": {"op": "set", "path": S + "/a", "value": "x"},
    "create": {"op": "set", "path": S + "/b/c", "value": "x"},
    "delete": {"op": "delete", "path": S + "/a"},
    "delete-tree": {"op": "delete-tree", "path": S},
    "delete-tree above": {"op": "delete-tree", "path": BOX},
    "move away": {"op": "move", "from": S + "/a", "to": A + "/gone"},
    "move in": {"op": "move", "from": A + "/x", "to": S + "/x"},
    "move above": {"op": "move", "from": BOX, "to": "/registry/system/moved"},
    "copy in": {"op": "copy", "from": A + "/x", "to": S + "/x"},
    "copy a tree over it": {"op": "copy", "from": "/registry/system/t", "to": S + "/b"},
    "revert": {"op": "revert", "path": S + "/a", "version": 1},
    "revert above": {"op": "revert", "path": BOX, "revision": 1},
    "destroy": {"op": "destroy", "path": S + "/a", "version": 1},
}


@pytest.mark.parametrize("way", list(WAYS))
def test_no_way_around_it(c, ann, safe, way):
    """Whatever changes something there waits, with all else that it would do, and is then done whole."""
    c.put(A + "/x", "1")
    c.put("/registry/system/t/b", "1")
    id = waits(c.put(S + "/a", "old2"))
    assert approve(ann, id).status == 200
    before = c.list("/registry", recursive=True, values=True)
    id = waits(txn(c, {"op": "set", "path": A + "/free", "value": "1"}, WAYS[way]))
    assert c.list("/registry", recursive=True, values=True)["entries"] == before["entries"]
    assert pending(ann) == [id]
    shown = ann.get("/v1/approvals?id=%d" % id)
    assert [x["op"] for x in shown.data["requests"]] == ["set", WAYS[way]["op"]]
    c.allow("/registry/system", "uid:5001", "admin")
    r = approve(ann, id)
    assert r.status == 200, r
    if WAYS[way]["op"] != "destroy":
        assert c.list("/registry", recursive=True, values=True)["entries"] != before["entries"]


def test_a_dry_run_does_not_wait(c, safe):
    r = txn(c, WAYS["set"], dry_run=True)
    assert r.status == 200 and c.get(S + "/a").body == b"old"
    r = c.post("/v1/acl?dry_run", json.dumps({"path": S, "effect": "allow", "principal": "any", "actions": "read"}))
    assert r.status == 200 and r.data["dry_run"] is True
    assert c.delete("/v1/acl?id=%d&dry_run" % safe).status == 200
    assert pending(c) == []


def test_rules_there_wait_the_mark_itself_too(c, ann, safe):
    first = waits(c.acl_add(S + "/b", "allow", "uid:9", "read"))
    second = waits(c.delete("/v1/acl?id=%d" % safe))
    assert safe in [x["id"] for x in c.get("/v1/acl?path=" + S).data["rules"]]
    third = waits(mark(c, S + "/more"))
    assert approve(ann, first).status == 200
    shown = {x["id"]: x for x in c.get("/v1/acl?path=" + S).data["rules"]}
    assert any(x["principal"] == "uid:9" and x["created_by"] == ME for x in shown.values())
    assert approve(ann, second).status == 200
    assert c.put(S + "/a", "free").status == 200
    assert reject(ann, third).status == 200
    assert pending(c) == []


def test_an_entry_expires_without_anybody(c, ann, safe):
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    id = waits(c.put(S + "/short", "1", Secreg_Expires=end))
    assert approve(ann, id).status == 200
    wait_for(lambda: c.get(S + "/short").status == 404, 10, "it stays")
    assert pending(c) == []


# ---- what holds when it is approved ---------------------------------------------------------------------------------

def test_it_is_judged_as_it_is_then(c, ann, bob, safe):
    id = waits(bob.put(S + "/a", "new", match=1))
    other = waits(c.put(S + "/a", "other"))
    assert approve(ann, other).status == 200
    r = approve(ann, id)
    assert (r.status, r.code) == (412, "conflict")
    assert pending(bob) == [id]  # it stays until it lapses, or somebody ends it
    assert reject(bob, id).status == 200 and pending(c) == []
    id = waits(bob.put(S + "/a", "new"))
    rule = c.deny(A, "uid:5002", "write")
    r = approve(ann, id)
    assert (r.status, r.code) == (403, "refused") and c.get(S + "/a").body == b"other"
    c.delete("/v1/acl?id=%d" % rule)
    assert approve(ann, id).status == 200 and c.get(S + "/a").body == b"new"


def test_a_named_approver(daemon, c, ann, bob):
    c.put(S + "/a", "old")
    c.allow(A, "uid:5001", "admin")
    assert mark(c, principal="role:safety").code == "last-admin"  # nobody is in it
    assert c.post("/v1/roles", json.dumps({"role": "safety", "principal": "uid:5002"})).status == 200
    assert mark(c, principal="role:safety").status == 200
    id = waits(c.put(S + "/a", "new"))
    assert pending(ann) == [] and approve(ann, id).code == "not-found"  # she may grant there, and was not named
    assert pending(bob) == [id] and approve(bob, id).status == 200
    assert c.get(S + "/a").body == b"new"


def test_each_place_wants_its_own_second_person(daemon, c, ann, bob):
    c.allow(A, "uid:5001", "admin")
    assert mark(c, A + "/p", "uid:5001").status == 200 and mark(c, A + "/q", "uid:5002").status == 200
    id = waits(txn(c, {"op": "set", "path": A + "/p/x", "value": "1"}, {"op": "set", "path": A + "/q/x", "value": "1"}))
    r = approve(ann, id)
    assert (r.status, r.code) == (403, "refused"), r
    assert c.get(A + "/p/x").status == 404
    only = waits(txn(c, {"op": "set", "path": A + "/p/x", "value": "1"}))
    assert approve(ann, only).status == 200 and c.get(A + "/p/x").body == b"1"


def test_nobody_marks_a_place_that_only_he_could_approve(c):
    assert mark(c).code == "last-admin"
    assert mark(c, principal="uid:%d" % ME).code == "last-admin"
    c.allow(A, "uid:5001", "grant")
    assert mark(c).status == 200


@pytest.mark.parametrize("change", [{"actions": "read"}, {"actions": "admin"}, {"principal": "x"}])
def test_malformed_marks(c, change):
    body = {"path": S, "effect": "approve", "principal": "uid:5", "actions": "write", **change}
    assert c.post("/v1/acl", json.dumps(body)).code == "bad-request"
    assert c.post("/v1/acl", json.dumps({**body, "actions": "write", "principal": "uid:5", "condition": "auth=pam"})).code == "bad-request"


# ---- keeping --------------------------------------------------------------------------------------------------------

def test_what_waits_outlives_a_restart_and_is_sealed(daemon, c, ann, bob, safe):
    id = waits(bob.put(S + "/secret", "a very secret value indeed", sealed="true", reason="note"))
    c.post("/v1/lock")
    assert c.get("/v1/approvals").code == "locked"
    c.post("/v1/unlock")
    daemon.restart()
    c, ann, bob = daemon.client(), daemon.actor(5001), daemon.actor(5002)
    for name in (daemon.db, daemon.db + "-wal"):
        with open(name, "rb") as f:
            assert b"very secret value" not in f.read()
    shown = ann.get("/v1/approvals?id=%d" % id).data
    assert (shown["uid"], shown["path"], shown["op"]) == (5002, S + "/secret", "set")
    assert shown["requests"] == [{"op": "set", "path": S + "/secret", "size": 26, "sealed": True, "reason": "note"}]
    assert b"very secret" not in ann.get("/v1/approvals?id=%d" % id).body
    assert approve(ann, id).status == 200
    assert bob.get(S + "/secret").body == b"a very secret value indeed"
    assert c.entry(S + "/secret").data["sealed"] is True


def test_who_approves_sees_what_he_approves(c, ann, safe):
    id = waits(c.put(S + "/a", "the new value"))
    shown = ann.get("/v1/approvals?id=%d" % id).data["requests"]
    assert shown == [{"op": "set", "path": S + "/a", "size": 13, "sealed": False, "value": "the new value"}]
    c.deny(A, "uid:5001", "read")
    shown = ann.get("/v1/approvals?id=%d" % id).data["requests"]
    assert shown == [{"op": "set", "path": S + "/a", "size": 13, "sealed": False}]


def test_only_so_many_wait(daemon, c, ann, bob, safe):
    for i in range(16):
        waits(bob.put(S + "/n%d" % i, "1"))
    r = bob.put(S + "/more", "1")
    assert (r.status, r.code) == (429, "limit"), r
    waits(c.put(S + "/mine", "1"))
    for id in pending(bob):
        assert reject(bob, id).status == 200
    waits(bob.put(S + "/more", "1"))


def test_rejecting_leaves_a_record(c, ann, bob, safe):
    id = waits(bob.put(S + "/a", "new"))
    assert reject(ann, id).status == 200
    assert c.get(S + "/a").body == b"old" and pending(bob) == []
    found = [(x["kind"], x["uid"], x["detail"]) for x in Follower().follow(c) if x["kind"] == "reject"]
    assert found == [("reject", 5001, "approval %d of uid:5002" % id)]


def test_an_edited_request_keeps_the_registry_locked(daemon, c, bob, safe):
    waits(bob.put(S + "/a", "new"))
    daemon.stop()
    import sqlite3
    db = sqlite3.connect(daemon.db)
    db.execute("UPDATE approval SET uid = 5003")
    db.commit()
    db.close()
    daemon.start()
    assert daemon.client().get("/v1/status").data["state"] == "locked"


def test_approval_on_the_command_line(daemon, c, ann, bob, safe):
    def sreg(*args, uid=None):
        as_user = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        return subprocess.run([SREG, "--root", daemon.root, *args], capture_output=True, text=True, timeout=soon(60), cwd="/", **as_user)
    done = sreg("set", S + "/a", "new")
    assert done.returncode == 9 and "approval" in done.stderr, done
    id = json.loads(sreg("--json", "approval", "list").stdout)["approvals"][0]["id"]
    shown = sreg("approval", "show", str(id)).stdout
    assert S + "/a" in shown and "new" in shown
    assert S + "/a" in sreg("approval", "list").stdout
    assert sreg("approval", "approve", str(id)).returncode == 4
    assert approve(ann, id).status == 200
    sreg("set", S + "/a", "newer")
    id = pending(c)[0]
    assert sreg("approval", "reject", str(id)).returncode == 0
    assert sreg("approval", "show", str(id)).returncode == 3
    assert sreg("approval", "show", "x").returncode == 2
    done = sreg("policy", "require-approval", A + "/other", "--by", "uid:5001")
    assert done.returncode == 0 and done.stdout.startswith("added rule "), done
    assert "approve" in sreg("acl", "show", A + "/other").stdout


# ---- breaking the glass ---------------------------------------------------------------------------------------------

def glass(c, path, seconds, reason="it burns"):
    return c.post("/v1/break-glass?path=%s&for=%s" % (path, seconds), Secreg_Reason=reason)


def test_who_was_named_may_break_the_glass(daemon, c, ann, bob):
    c.put(A + "/a", "1")
    c.allow(A, "uid:5001", "break-glass")
    assert ann.get(A + "/a").status == 404
    r = glass(ann, A, 3)
    assert r.status == 200 and r.data["actions"] == "list,read,write,delete", r
    assert ann.get(A + "/a").body == b"1" and ann.put(A + "/b", "1").status == 201
    assert ann.get("/v1/acl?path=" + A).code == "refused" and ann.get("/v1/audit").code == "refused"
    assert glass(bob, A, 3).code == "refused"
    shown = {x["id"]: x for x in c.get("/v1/acl?path=" + A).data["rules"]}[r.data["id"]]
    assert (shown["principal"], shown["created_by"], shown["expires"]) == ("uid:5001", 5001, r.data["expires"])
    wait_for(lambda: ann.get(A + "/a").status == 404, 10, "it does not end")
    wait_for(lambda: r.data["id"] not in [x["id"] for x in c.get("/v1/acl?path=" + A).data["rules"]], 10, "the rule stays")
    kinds = [(x["kind"], x["uid"], x["outcome"], x["detail"]) for x in Follower().follow(c) if x["kind"] in ("break-glass", "acl-expire")]
    assert kinds[:2] == [("break-glass", 5001, 0, "3 s: it burns"), ("break-glass", 5002, 6, "3 s: it burns")]
    assert kinds[2][0] == "acl-expire"
    assert "uid 5001 broke the glass for 3 s" in daemon.log() and "it burns" in daemon.log()


def test_a_deny_stands_behind_broken_glass(c, ann):
    c.put(A + "/a", "1")
    c.allow(A, "uid:5001", "break-glass")
    c.deny(A, "uid:5001", "write")
    assert glass(ann, A, 60).status == 200
    assert ann.get(A + "/a").status == 200 and ann.put(A + "/a", "2").code == "refused"
    c.deny(A, "uid:5001", "break-glass")
    assert glass(ann, A, 60).code == "refused"


def test_broken_glass_is_bounded(c, ann):
    c.allow(A, "uid:5001", "break-glass")
    for seconds in ("0", "-1", "14401", "x", "99999999999"):
        assert glass(ann, A, seconds).code == "bad-request", seconds
    assert glass(ann, A, 60, None).code == "bad-request"
    assert ann.post("/v1/break-glass?path=" + A, Secreg_Reason="x").code == "bad-request"
    assert glass(ann, "/registry", 60).code == "refused"
    for i in range(4):
        assert glass(ann, A, 14400).status == 200
    assert glass(ann, A, 60).code == "limit"


def test_administrators_have_no_glass_to_break(c):
    assert glass(c, A, 60).code == "refused"
    assert "break-glass" not in c.get("/v1/whoami").data["rights"]


def test_a_place_that_wants_a_second_person_still_does_behind_broken_glass(c, ann, safe, bob):
    c.allow(A, "uid:5003", "break-glass")
    c.allow(A, "uid:5002", "break-glass")
    assert glass(bob, S, 60).status == 200
    waits(bob.put(S + "/a", "new"))


def test_break_glass_on_the_command_line(daemon, c):
    def sreg(*args):
        return subprocess.run([SREG, "--root", daemon.root, *args], capture_output=True, text=True, timeout=soon(60))
    assert sreg("break-glass", A).returncode == 2
    assert sreg("break-glass", A, "--reason", "x", "--for", "1y").returncode == 2
    assert sreg("break-glass", A, "--reason", "x").returncode == 4
    c.allow(A, "uid:%d" % ME, "break-glass")
    done = sreg("break-glass", A, "--reason", "x", "--for", "15m")
    assert done.returncode == 0 and done.stdout.startswith("you may list,read,write,delete until "), done


def test_a_schema_waits_and_is_shown(c, ann, safe):
    id = waits(ann.put("/v1/schema?path=" + S, '{"max_bytes":3}'))
    assert c.get("/v1/schema?path=" + S).data["schemas"] == []
    [asked] = c.get("/v1/approvals?id=%d" % id).data["requests"]
    assert (asked["op"], asked["path"], asked["schema"]) == ("schema-set", S, {"max_bytes": 3})
    assert approve(c, id).status == 200
    assert [x["schema"] for x in c.get("/v1/schema?path=" + S).data["schemas"]] == [{"max_bytes": 3}]


@pytest.mark.parametrize("how", ["/v1/rotate", "/v1/rekey"])
def test_it_waits_under_other_keys(daemon, c, ann, bob, safe, how):
    id = waits(bob.put(S + "/a", "new"))
    assert c.post(how, json.dumps({"slots": [{"id": 1}]}) if how == "/v1/rekey" else "").status == 200
    wait_for(lambda: "pass" not in c.status(), 20, "the pass ends")
    daemon.restart()
    for who in (ann, bob, c):
        who.close()
    ann, c = daemon.actor(5001), daemon.client()
    assert c.status()["state"] == "unlocked" and pending(c) == [id]
    assert approve(ann, id).status == 200
    assert c.get(S + "/a").body == b"new"
