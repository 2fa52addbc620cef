"""Conditions, roles, explanations, dry runs and compare-and-set of the policy, on the real daemon and command line."""
import datetime
import json
import os
import shutil
import signal
import subprocess

import pytest

from conftest import SREG, needs_root, soon, wait_for
from trail_verify import Follower

A = "/registry/applications"
ME = os.geteuid()


def add(c, path, effect, principal, actions, condition=None, match=None, dry=False):
    body = {"path": path, "effect": effect, "principal": principal, "actions": actions}
    if condition is not None:
        body["condition"] = condition
    return c.post("/v1/acl" + ("?dry_run" if dry else ""), json.dumps(body),
                  If_Match=None if match is None else '"%d"' % match)


def added(c, *args, **more):
    r = add(c, *args, **more)
    assert r.status == 200, r
    return r.data["id"]


def rules(c, path=A):
    r = c.get("/v1/acl?path=" + path)
    assert r.status == 200, r
    return {x["id"]: x for x in r.data["rules"]}


def role(c, method, name, principal, query="", match=None):
    etag = None if match is None else '"%d"' % match
    if method == "add":
        return c.post("/v1/roles" + query, json.dumps({"role": name, "principal": principal}), If_Match=etag)
    return c.request("DELETE", "/v1/roles?role=%s&principal=%s%s" % (name, principal, query.replace("?", "&")), If_Match=etag)


def explain(c, path, action, principal=None):
    r = c.get("/v1/explain?path=%s&action=%s%s" % (path, action, "" if principal is None else "&principal=" + principal))
    assert r.status == 200, r
    return r.data


def instant(seconds):
    """A time from now, as conditions write it."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- conditions -----------------------------------------------------------------------------------------------------

def test_a_condition_is_shown_in_its_canonical_form_and_kept(daemon, c):
    id = added(c, A, "allow", "uid:4711", "read", "days=mon,tue,wed zone=UTC0 time=09:00-17:00")
    assert rules(c)[id]["condition"] == "time=09:00-17:00 days=mon-wed"
    assert rules(c)[id]["expires"] is None
    ends = added(c, A, "deny", "uid:4711", "read", "until=2199-01-02T03:04:05Z")
    assert rules(c)[ends]["expires"].startswith("2199-01-02T03:04:05")
    assert rules(c, "/registry")[1]["condition"] is None
    before = rules(c)
    daemon.restart()
    c = daemon.client()
    assert rules(c) == before
    assert c.delete("/v1/acl?id=%d" % id).status == 200


@pytest.mark.parametrize("condition", ["", " ", "time=9-17", "days=fri  zone=UTC", "weather=fine", "zone=Europe/Berlin", "auth=root",
                                       "days=fri days=fri", "unit=x", "x" * 600, "until=2020-01-01T00:00:00Z", "zone=UTC"])
def test_a_malformed_condition_is_refused(c, condition):
    before = rules(c, "/registry")
    r = add(c, A, "allow", "uid:4711", "read", condition)
    assert (r.status, r.code) == (400, "bad-request"), r
    r = c.post("/v1/acl", json.dumps({"path": A, "effect": "allow", "principal": "any", "actions": "read", "condition": 7}))
    assert (r.status, r.code) == (400, "bad-request"), r
    assert rules(c, "/registry") == before


@needs_root
def test_a_condition_decides(daemon, c):
    c.put(A + "/a", "1")
    user = daemon.actor(5001)
    cases = [("since=2020-01-01T00:00:00Z", True), ("since=2199-01-01T00:00:00Z", False), ("until=2199-01-01T00:00:00Z", True),
             ("days=mon-sun", True), ("auth=peer", True), ("auth=pam", False), ("auth-age=60", False), ("address=0.0.0.0/0", False),
             ("unit=not-there-at-all.service", False), ("time=00:00-24:00", None)]
    for condition, holds in cases:
        r = add(c, A, "allow", "uid:5001", "read", condition)
        if holds is None:
            assert r.status in (200, 400)
            continue
        assert r.status == 200, (condition, r)
        assert (user.get(A + "/a").status == 200) == holds, condition
        assert c.delete("/v1/acl?id=%d" % r.data["id"]).status == 200
    c.allow(A, "uid:5001", "read")
    for condition, holds in [("auth=peer", True), ("auth=pam", False), ("days=mon-sun", True),
                             ("since=2199-01-01T00:00:00Z", False), ("unit=not-there-at-all.service", True)]:
        id = added(c, A, "deny", "uid:5001", "read", condition)
        assert (user.get(A + "/a").status == 200) != holds, condition
        assert c.delete("/v1/acl?id=%d" % id).status == 200


@needs_root
def test_a_rule_ends_by_itself_and_is_removed(daemon, c):
    c.put(A + "/a", "1")
    user = daemon.actor(5001)
    ended = added(c, A, "allow", "uid:5001", "read", "until=" + instant(3))
    denied = added(c, A, "deny", "uid:5001", "list", "until=" + instant(2))
    assert user.get(A + "/a").status == 200
    wait_for(lambda: user.get(A + "/a").status == 404, 10, "the rule holds after its end")
    wait_for(lambda: ended not in rules(c), 10, "an ended rule stays")
    assert denied in rules(c)  # an ended deny is left to a person
    found = [x for x in Follower().follow(c) if x["kind"] == "acl-expire"]
    assert [(x["rule"], x["path"], x["detail"]) for x in found] == [(ended, A, "allow uid:5001 read")]
    daemon.restart()
    assert ended not in rules(daemon.client())


def test_a_conditional_administrator_is_none(c):
    added(c, "/registry", "allow", "uid:4711", "admin", "days=mon-sun")
    r = c.delete("/v1/acl?id=1")
    assert (r.status, r.code) == (409, "last-admin"), r
    r = add(c, "/registry", "deny", "uid:%d" % ME, "grant", "time=03:00-03:01")
    assert (r.status, r.code) == (409, "last-admin"), r


UNITS = """
set -e
mount -t tmpfs none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/system.slice/here.service /sys/fs/cgroup/system.slice/gone.service /sys/fs/cgroup/system.slice/odd.service
printf 'populated 1\\nfrozen 0\\n' > /sys/fs/cgroup/system.slice/here.service/cgroup.events
printf 'populated 0\\nfrozen 0\\n' > /sys/fs/cgroup/system.slice/gone.service/cgroup.events
printf 'frozen 0\\n' > /sys/fs/cgroup/system.slice/odd.service/cgroup.events
exec "$@"
"""


@needs_root
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)")
def test_units_are_asked_of_the_kernel(new_store):
    """The daemon in a mount namespace with a made-up tree of control groups, confined as always."""
    d = new_store()
    d.start(prefix=["unshare", "-m", "/bin/sh", "-c", UNITS, "sh"])
    c = d.client()
    for unit, word in (("here.service", "yes"), ("gone.service", "no"), ("odd.service", "unknown"), ("none.service", "unknown")):
        id = added(c, A, "allow", "uid:4711", "read", "unit=" + unit)
        row = {x["id"]: x for x in explain(c, A, "read", "uid:4711")["rules"]}[id]
        assert row["holds"] == word, unit
        assert c.delete("/v1/acl?id=%d" % id).status == 200


# ---- roles ----------------------------------------------------------------------------------------------------------

def test_members_are_shown_and_kept(daemon, c):
    assert c.get("/v1/roles").data["members"] == []
    first = role(c, "add", "web-admins", "uid:4711").data["id"]
    role(c, "add", "web-admins", "gid:7")
    role(c, "add", "auditors", "unit:x.service")
    shown = c.get("/v1/roles").data["members"]
    assert [(m["role"], m["principal"]) for m in shown] == [("auditors", "unit:x.service"), ("web-admins", "uid:4711"),
                                                             ("web-admins", "gid:7")]
    assert all(m["created_by"] == ME and m["created"] for m in shown)
    assert [m["id"] for m in c.get("/v1/roles?role=web-admins").data["members"]][0] == first
    assert c.get("/v1/roles?role=none").code == "not-found"
    assert c.get("/v1/roles?role=").code == "bad-request"
    daemon.restart()
    c = daemon.client()
    assert c.get("/v1/roles").data["members"] == shown
    assert role(c, "remove", "web-admins", "uid:4711").data == {"id": first}
    assert role(c, "remove", "web-admins", "uid:4711").code == "not-found"
    assert c.post("/v1/lock").status == 200 and c.get("/v1/roles").code == "locked"
    assert c.post("/v1/unlock").status == 200
    assert len(c.get("/v1/roles").data["members"]) == 2


@pytest.mark.parametrize("name,principal", [("", "uid:1"), ("Web", "uid:1"), ("web", ""), ("web", "any"), ("web", "role:x"),
                                            ("web", "uid:65534"), ("w" * 33, "uid:1"), ("web", "alice"), ("a b", "uid:1")])
def test_malformed_members(c, name, principal):
    r = role(c, "add", name, principal)
    assert (r.status, r.code) == (400, "bad-request"), r


def test_a_member_twice(c):
    assert role(c, "add", "web", "uid:1").status == 200
    r = role(c, "add", "web", "uid:1")
    assert (r.status, r.code) == (412, "exists")


@needs_root
def test_members_have_what_the_role_has_at_once(daemon, c):
    c.put(A + "/a", "1")
    user, other = daemon.actor(5001, 5001, [6001]), daemon.actor(5002)
    c.allow(A, "role:web", "read")
    assert user.get(A + "/a").status == 404
    role(c, "add", "web", "uid:5001")
    assert user.get(A + "/a").body == b"1" and other.get(A + "/a").status == 404
    role(c, "remove", "web", "uid:5001")
    assert user.get(A + "/a").status == 404
    role(c, "add", "web", "gid:6001")
    assert user.get(A + "/a").body == b"1"
    role(c, "add", "barred", "uid:5001")
    c.deny(A, "role:barred", "read")
    assert user.get(A + "/a").status == 404
    role(c, "remove", "barred", "uid:5001")
    assert user.get(A + "/a").body == b"1"
    daemon.restart()
    c, user = daemon.client(), daemon.actor(5001, 5001, [6001])
    assert user.get(A + "/a").body == b"1"


@needs_root
def test_whoami_names_the_roles_of_the_caller(daemon, c):
    user = daemon.actor(5001, groups=[6001])
    assert user.get("/v1/whoami").data["roles"] == [] == c.get("/v1/whoami").data["roles"]
    for name, who in (("web", "uid:5001"), ("ops", "gid:6001"), ("db", "uid:5002")):
        assert role(c, "add", name, who).status == 200
    assert user.get("/v1/whoami").data["roles"] == ["ops", "web"]
    role(c, "remove", "web", "uid:5001")
    assert user.get("/v1/whoami").data["roles"] == ["ops"]
    c.post("/v1/lock")
    assert user.get("/v1/whoami").data["roles"] == ["ops"]


@needs_root
def test_roles_are_for_administrators_of_everything(daemon, c):
    user = daemon.actor(5001)
    c.allow(A, "uid:5001", "admin")
    for r in (user.get("/v1/roles"), role(user, "add", "web", "uid:1"), role(user, "remove", "web", "uid:1")):
        assert (r.status, r.code) == (403, "refused"), r
    c.allow("/registry", "uid:5001", "grant")
    assert role(user, "add", "web", "uid:1").status == 200


def test_the_last_member_of_the_last_administrators_stays(c):
    c.allow("/registry", "role:admins", "admin")
    assert c.delete("/v1/acl?id=1").code == "last-admin"
    role(c, "add", "admins", "uid:%d" % ME)
    assert c.delete("/v1/acl?id=1").status == 200
    r = role(c, "remove", "admins", "uid:%d" % ME)
    assert (r.status, r.code) == (409, "last-admin")
    c.deny(A, "role:barred", "grant")
    r = role(c, "add", "barred", "uid:%d" % ME)
    assert (r.status, r.code) == (409, "last-admin")


def test_edits_leave_records(c):
    role(c, "add", "web", "uid:1")
    role(c, "add", "web", "uid:1")
    role(c, "remove", "web", "uid:1")
    added(c, A, "allow", "uid:5", "read", "auth=pam")
    explain(c, A, "read", "uid:5")
    found = [(x["kind"], x["detail"], x["outcome"]) for x in Follower().follow(c) if x["kind"] not in ("start", "init", "audit-read", "checkpoint", "epoch")]
    assert found == [("role-add", "web uid:1", 0), ("role-add", "web uid:1", 9), ("role-remove", "web uid:1", 0),
                     ("acl-add", "allow uid:5 read if auth=pam", 0), ("explain", "read for uid:5", 0)]


# ---- compare-and-set ------------------------------------------------------------------------------------------------

def test_edits_take_the_revision_they_are_meant_for(c):
    revision = c.get("/v1/acl?path=" + A).version
    assert c.get("/v1/roles").version == revision == c.get("/v1/acl?path=" + A).data["policy"]
    c.put(A + "/a", "1")
    assert c.get("/v1/roles").version == revision  # an entry is no policy
    r = add(c, A, "allow", "uid:5", "read", match=revision)
    assert r.status == 200 and r.version > revision
    now = r.version
    for r in (add(c, A, "allow", "uid:6", "read", match=revision), role(c, "add", "web", "uid:1", match=revision),
              role(c, "remove", "web", "uid:1", match=revision), c.delete("/v1/acl?id=%d" % r.data["id"], match=revision)):
        assert (r.status, r.code) == (412, "conflict"), r
    r = role(c, "add", "web", "uid:1", match=now)
    assert r.status == 200 and r.version == c.get("/v1/roles").version
    assert role(c, "remove", "web", "uid:1", match=r.version).status == 200
    r = c.request("POST", "/v1/acl", json.dumps({"path": A, "effect": "allow", "principal": "any", "actions": "read"}), If_None_Match="*")
    assert (r.status, r.code) == (400, "bad-request")


# ---- dry runs -------------------------------------------------------------------------------------------------------

def flips(r):
    assert r.status == 200, r
    assert r.data["dry_run"] is True and r.data["has_more"] is False
    return {(x["principal"], x["path"], x["action"]): (x["before"], x["after"]) for x in r.data["changes"]}


def test_a_dry_run_says_who_gains_and_loses_and_changes_nothing(c):
    c.allow(A, "uid:5", "read,list")
    c.allow(A + "/web", "uid:5", "write")
    c.deny(A + "/web/key", "uid:5", "read")
    c.put(A + "/web/key", "1")
    before, revision = rules(c), c.get("/v1/roles").version
    status = c.status()["revision"]
    assert flips(add(c, A + "/web", "allow", "uid:6", "read", dry=True)) == {
        ("uid:6", A + "/web", "read"): ("refused", "allowed"), ("uid:6", A + "/web/key", "read"): ("refused", "allowed")}
    assert flips(add(c, A, "deny", "uid:5", "read", dry=True)) == {
        ("uid:5", A, "read"): ("allowed", "refused"), ("uid:5", A + "/web", "read"): ("allowed", "refused")}
    assert flips(add(c, A, "allow", "uid:5", "read", dry=True)) == {}
    first = min(id for id, x in before.items() if x["principal"] == "uid:5")
    assert set(flips(c.delete("/v1/acl?id=%d&dry_run" % first))) == {
        ("uid:5", A, "read"), ("uid:5", A, "list"), ("uid:5", A + "/web", "read"), ("uid:5", A + "/web", "list"),
        ("uid:5", A + "/web/key", "list")}
    assert (rules(c), c.get("/v1/roles").version, c.status()["revision"]) == (before, revision, status)
    records = [x for x in Follower().follow(c) if x["detail"].startswith("dry run: ")]
    assert len(records) == 4 and all(x["outcome"] == 0 and x["kind"].startswith("acl-") for x in records)


def test_a_dry_run_knows_conditions_and_roles(c):
    assert flips(add(c, A, "allow", "uid:5", "read", "auth=pam", dry=True)) == {("uid:5", A, "read"): ("refused", "conditional")}
    c.allow(A, "uid:5", "read")
    assert flips(add(c, A, "deny", "uid:5", "read", "auth=pam", dry=True)) == {("uid:5", A, "read"): ("allowed", "conditional")}
    assert flips(add(c, A, "allow", "uid:5", "read", "auth=pam", dry=True)) == {}
    c.allow(A + "/web", "role:web", "write")
    assert flips(role(c, "add", "web", "uid:5", "?dry_run")) == {("uid:5", A + "/web", "write"): ("refused", "allowed")}
    role(c, "add", "web", "uid:5")
    assert flips(role(c, "remove", "web", "uid:5", "?dry_run")) == {("uid:5", A + "/web", "write"): ("allowed", "refused")}
    c.deny(A + "/web", "role:barred", "read")
    assert flips(role(c, "add", "barred", "uid:5", "?dry_run")) == {("uid:5", A + "/web", "read"): ("allowed", "refused")}


def test_a_dry_run_is_refused_as_the_edit_would_be(c):
    assert c.delete("/v1/acl?id=1&dry_run").code == "last-admin"
    assert c.delete("/v1/acl?id=99&dry_run").code == "not-found"
    assert add(c, "/registry", "deny", "any", "grant", dry=True).code == "last-admin"
    assert add(c, A, "allow", "any", "read", match=999, dry=True).code == "conflict"
    assert role(c, "remove", "web", "uid:1", "?dry_run").code == "not-found"
    assert c.status()["rules"] == 1


@needs_root
def test_a_dry_run_tells_nothing_of_rules_that_cannot_be_seen(daemon, c):
    user = daemon.actor(5001)
    c.allow(A, "uid:5001", "grant")
    c.allow(A + "/hidden", "uid:4711", "read")
    c.deny(A + "/hidden", "uid:5001", "grant")
    c.allow("/registry", "uid:4712", "list")
    role(c, "add", "web", "uid:4713")
    got = flips(add(user, A, "allow", "any", "read", dry=True))
    assert {p for p, _, _ in got} == {"any", "uid:5001"} and {at for _, at, _ in got} == {A}
    assert explain(user, A, "read", "uid:4713")["roles"] == []
    assert explain(c, A, "read", "uid:4713")["roles"] == ["web"]


def test_a_dry_run_is_bounded(c):
    for i in range(330):
        c.allow(A + "/p%d" % i, "uid:%d" % (10000 + i), "read")
    r = add(c, A, "allow", "any", "read", dry=True)
    assert (r.status, r.code) == (413, "too-large"), r
    assert len(flips(add(c, A + "/p1", "allow", "any", "read", dry=True))) == 330  # all but the one that has it, and the administrator


# ---- explanations ---------------------------------------------------------------------------------------------------

def test_an_explanation_shows_every_rule_and_why(c):
    top = c.allow("/registry", "gid:7", "list,read")
    conditional = added(c, A, "allow", "uid:5", "read", "auth=pam days=mon-sun")
    role_rule = c.allow(A + "/web", "role:web", "read")
    deny = c.deny(A + "/web/key", "uid:5", "read")
    other = c.allow(A + "/web/key", "uid:6", "read")
    c.allow(A + "/web/key", "uid:5", "write")  # about another action
    role(c, "add", "web", "uid:5")
    d = explain(c, A + "/web/key", "read", "uid:5")
    assert (d["allowed"], d["decided_by"], d["rule"], d["roles"], d["owner"]) == (False, "rule", deny, ["web"], False)
    rows = {x["id"]: x for x in d["rules"]}
    assert {id: x["verdict"] for id, x in rows.items()} == {1: "other-subject", top: "other-subject", conditional: "condition-unknown",
                                                          role_rule: "loses", deny: "decides", other: "other-subject"}
    assert [rows[i]["path"] for i in (1, conditional, role_rule, deny)] == ["/registry", A, A + "/web", A + "/web/key"]
    assert rows[role_rule]["member"] == "uid:5" and rows[role_rule]["principal"] == "role:web"
    assert (rows[conditional]["unknown"], rows[conditional]["failing"]) == (["auth"], [])
    assert rows[conditional]["condition"] == "days=mon-sun auth=pam"
    c.delete("/v1/acl?id=%d" % deny)
    d = explain(c, A + "/web/key", "read", "uid:5")
    assert (d["allowed"], d["rule"]) == (True, role_rule)
    d = explain(c, A + "/web/key", "read", "uid:999")
    assert (d["allowed"], d["decided_by"], d["rule"]) == (False, "default", 0)


def test_an_explanation_of_oneself(c):
    d = explain(c, A, "read")
    assert (d["allowed"], d["decided_by"], d["rule"]) == (True, "rule", 1)
    id = added(c, A, "allow", "uid:%d" % ME, "read", "auth=pam")
    rows = {x["id"]: x for x in explain(c, A, "read")["rules"]}
    assert (rows[id]["verdict"], rows[id]["failing"], rows[id]["unknown"]) == ("condition-no", ["auth"], [])
    assert rows[1]["verdict"] == "decides"


def test_an_explanation_is_asked_for_in_full(c):
    for query in ("path=%s" % A, "action=read", "path=%s&action=read,list" % A, "path=%s&action=admin" % A,
                  "path=%s&action=read&principal=alice" % A, "path=%s&action=read&principal=" % A):
        assert c.get("/v1/explain?" + query).code == "bad-request", query
    assert c.get("/v1/explain?path=/etc&action=read").code == "bad-path"


@needs_root
def test_who_may_not_see_rules_sees_of_those_that_name_him_only_how_they_took_part(daemon, c):
    user = daemon.actor(5001)
    deny = added(c, A + "/web", "deny", "uid:5001", "read", "auth=peer")
    allow = c.allow(A, "role:web", "read")
    c.allow(A, "uid:5002", "read")
    role(c, "add", "web", "uid:5001")
    d = explain(user, A + "/web/key", "read")
    assert (d["allowed"], d["rule"], d["roles"]) == (False, deny, ["web"])
    assert [(sorted(x), x["id"], x["verdict"]) for x in d["rules"]] == [
        (["effect", "failing", "holds", "id", "names", "unknown", "verdict"], deny, "decides"),
        (["effect", "failing", "holds", "id", "names", "unknown", "verdict"], allow, "loses")]
    r = user.get("/v1/explain?path=%s&action=read&principal=uid:5002" % A)
    assert (r.status, r.code) == (403, "refused")
    c.allow(A + "/web", "uid:5001", "grant")
    d = explain(user, A + "/web/key", "read", "uid:5002")
    assert all("principal" not in x or x["path"].startswith(A + "/web") for x in d["rules"])
    own = explain(user, "/registry/user/5001/x", "write")
    assert (own["allowed"], own["decided_by"], own["owner"]) == (True, "owner", True)


@needs_root
def test_what_an_explanation_says_is_what_happens(daemon, c):
    user = daemon.actor(5001, 5001, [6001])
    c.put(A + "/a", "1")
    for effect, principal, actions, condition in [("allow", "gid:6001", "read", None), ("deny", "uid:5001", "read", "auth=pam"),
                                                  ("deny", "role:x", "read", None), ("allow", "any", "write", "days=mon-sun")]:
        added(c, A, effect, principal, actions, condition)
        assert explain(user, A + "/a", "read")["allowed"] == (user.get(A + "/a").status == 200)
        assert explain(user, A + "/a", "write")["allowed"] == (user.put(A + "/a", "1").status == 200)
    role(c, "add", "x", "gid:6001")
    assert explain(user, A + "/a", "read")["allowed"] is False and user.get(A + "/a").status == 404


# ---- what is not known of a caller ----------------------------------------------------------------------------------

@needs_root
def test_a_caller_who_was_gone_has_an_unknown_unit(daemon, c):
    """A process that ends before the daemon looks: whose unit it had, nobody can say, so a deny for a unit holds."""
    c.put(A + "/a", "1")
    c.allow(A, "uid:5001", "read")
    code = ("import os,socket,sys\n"
            "s = socket.socket(socket.AF_UNIX); s.connect(%r)\n"
            "if sys.argv[1] == 'gone' and os.fork(): os._exit(0)\n"  # who connected is gone; a child asks
            "s.sendall(b'GET %s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); print(s.recv(12).decode())\n" % (daemon.socket, A + "/a"))
    engine = daemon.roles()["engine"]

    def ask(how):
        """The daemon takes the connection only after the process that made it has ended, if it is to be gone."""
        if how == "gone":
            os.kill(engine, signal.SIGSTOP)
        try:
            p = subprocess.Popen(["/usr/bin/python3", "-I", "-S", "-c", code, how], stdout=subprocess.PIPE, user=5001, group=5001,
                                 extra_groups=[], cwd="/")
            if how == "gone":
                p.wait()
        finally:
            if how == "gone":
                os.kill(engine, signal.SIGCONT)
        return p.communicate()[0].decode()
    assert "200" in ask("alive") and "200" in ask("gone")
    c.deny(A, "unit:some.service", "read")
    has_unit_facts = tuple(int(x) for x in os.uname().release.split(".")[:2]) >= (6, 5)
    assert ("200" if has_unit_facts else "404") in ask("alive")
    assert "404" in ask("gone")


# ---- the command line -----------------------------------------------------------------------------------------------

def sreg(daemon, *args):
    return subprocess.run([SREG, "--root", daemon.root, *args], capture_output=True, text=True, timeout=soon(60))


def test_the_command_line(daemon, c):
    done = sreg(daemon, "acl", "allow", "uid:5", "read", A, "--when", "days=mon-fri zone=Europe/Berlin time=09:00-17:00")
    assert done.returncode == 0, done.stderr
    if os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
        assert "zone Europe/Berlin is stored as its rule of today: CET-1CEST,M3.5.0,M10.5.0/3" in done.stderr
        assert "time=09:00-17:00 days=mon-fri zone=CET-1CEST,M3.5.0,M10.5.0/3" in sreg(daemon, "acl", "show", A).stdout
    done = sreg(daemon, "acl", "allow", "uid:5", "read", A, "--when", "zone=Europe/Nowhere days=fri")
    assert done.returncode == 2 and "no such time zone" in done.stderr
    done = sreg(daemon, "acl", "allow", "uid:5", "read", A, "--when", "")
    assert done.returncode == 2
    assert sreg(daemon, "role", "add", "web", "uid:root").returncode == 0
    assert "uid:0" in sreg(daemon, "role", "list").stdout and "uid:0" in sreg(daemon, "role", "show", "web").stdout
    assert sreg(daemon, "role", "show", "none").returncode == 3
    done = sreg(daemon, "acl", "deny", "role:web", "read", A, "--dry-run")
    assert done.returncode == 0 and "uid:0" in done.stdout, done
    assert sreg(daemon, "acl", "allow", "uid:8", "read", A, "--if-revision", "1").returncode == 6
    policy = json.loads(sreg(daemon, "--json", "role", "list").stdout)["policy"]
    assert sreg(daemon, "acl", "allow", "uid:8", "read", A, "--if-revision", str(policy)).returncode == 0
    assert sreg(daemon, "role", "remove", "web", "uid:0", "--dry-run").stdout == "nobody would gain or lose anything\n"
    assert sreg(daemon, "role", "remove", "web", "uid:0").returncode == 0
    done = sreg(daemon, "explain", A + "/x", "read", "--for", "uid:8")
    assert done.returncode == 0 and done.stdout.startswith("allowed by rule "), done
    done = sreg(daemon, "explain", A + "/x", "read", "--for", "uid:9")
    assert done.returncode == 4 and done.stdout.startswith("refused: no rule allows it\n") and "other-subject" in done.stdout
    done = sreg(daemon, "--json", "explain", A + "/x", "read")
    assert done.returncode == 0 and json.loads(done.stdout)["rule"] == 1
