"""Access rules: who may do what, as other users really connected, and as /v1/acl/test says it."""
import os
import pwd

import pytest

from conftest import needs_root

A = "/registry/applications"
ACTIONS = ["list", "read", "write", "delete", "grant", "audit", "control"]


def says(c, path, principal, action):
    r = c.get("/v1/acl/test?path=%s&principal=%s&action=%s" % (path, principal, action))
    assert r.status == 200, r
    return r.data["allowed"], r.data["rule"]


def rules(c, path="/registry"):
    r = c.get("/v1/acl?path=" + path)
    assert r.status == 200, r
    assert r.data["path"] == path
    return r.data["rules"]


# ---- the rules themselves -------------------------------------------------------------------------------------------

def test_first_rule_makes_the_founder_administrator(c):
    (r,) = rules(c)
    assert (r["path"], r["effect"], r["principal"], r["actions"], r["created_by"]) == (
        "/registry", "allow", "uid:%d" % os.geteuid(), ",".join(ACTIONS), os.geteuid())


def test_add_show_remove(c):
    rule = c.allow(A + "/web", "uid:4711", "list,read")
    shown = [r for r in rules(c, A) if r["id"] == rule]
    assert len(shown) == 1
    assert set(shown[0]) == {"id", "path", "effect", "principal", "actions", "condition", "expires", "created", "created_by"}
    assert (shown[0]["path"], shown[0]["effect"], shown[0]["principal"], shown[0]["actions"]) == (
        A + "/web", "allow", "uid:4711", "list,read")
    assert says(c, A + "/web/x", "uid:4711", "read") == (True, rule)
    r = c.delete("/v1/acl?id=%d" % rule)
    assert r.status == 200 and r.data == {"id": rule}
    assert [r for r in rules(c, A) if r["id"] == rule] == []
    assert says(c, A + "/web/x", "uid:4711", "read") == (False, 0)
    r = c.delete("/v1/acl?id=%d" % rule)
    assert (r.status, r.code) == (404, "not-found")


def test_shown_are_the_rules_on_above_and_below(c):
    on, above, below, beside = (c.allow(p, "uid:4711", "read") for p in (A + "/a/b", A + "/a", A + "/a/b/c/d", A + "/a/bb"))
    ids = [r["id"] for r in rules(c, A + "/a/b")]
    assert on in ids and above in ids and below in ids and beside not in ids
    assert ids == sorted(ids)


def test_rule_ids_are_never_used_again(c):
    first = c.allow(A, "uid:4711", "read")
    c.delete("/v1/acl?id=%d" % first)
    assert c.allow(A, "uid:4711", "read") > first


def test_rule_ids_are_never_used_again_over_a_restart(daemon, c):
    first = c.allow(A, "uid:4711", "read")
    c.delete("/v1/acl?id=%d" % first)
    daemon.restart()
    assert daemon.client().allow(A, "uid:4711", "read") > first


def test_rules_raise_the_revision(c):
    revision = c.status()["revision"]
    rule = c.allow(A, "uid:4711", "read")
    assert c.status()["revision"] == revision + 1
    c.delete("/v1/acl?id=%d" % rule)
    assert c.status()["revision"] == revision + 2


def test_roles_are_sets_of_actions(c):
    for role, actions in (("admin", ACTIONS), ("operator", ["list", "read", "write"]), ("auditor", ["list", "audit"])):
        rule = c.allow(A + "/" + role, "uid:4711", role)
        assert [r["actions"] for r in rules(c, A) if r["id"] == rule] == [",".join(actions)]
        for action in ACTIONS:
            assert says(c, A + "/" + role + "/x", "uid:4711", action)[0] == (action in actions), (role, action)


def test_actions_and_roles_mix(c):
    rule = c.allow(A, "uid:4711", "auditor,delete,read")
    assert [r["actions"] for r in rules(c, A) if r["id"] == rule] == ["list,read,delete,audit"]


@pytest.mark.parametrize("actions", ["", "Read", "read,", ",read", "read,,list", "read, list", "read,read", "admin,admin",
                                     "all", "*", "root", "ADMIN", "read\n", "read;list", "user"])
def test_malformed_actions(c, actions):
    r = c.acl_add(A, "allow", "uid:4711", actions)
    assert (r.status, r.code) == (400, "bad-request"), r
    assert c.status()["rules"] == 1


GOOD_PRINCIPALS = ["uid:0", "uid:4294967294", "gid:0", "gid:27", "unit:sshd.service", "unit:user@1000.service",
                   "unit:run-r1\\x2d2.scope", "label:snap.firefox.firefox", "label:system_u:system_r:init_t:s0", "label:a", "role:web-admins", "any"]
BAD_PRINCIPALS = ["", "uid", "uid:", "uid:-1", "uid:01", "uid:+1", "uid: 1", "uid:root", "uid:4294967295", "uid:65534",
                  "gid:65534", "uid:4294967296", "uid:18446744073709551616", "UID:1", "user:root", "role:Admin", "Any",
                  "any ", "*", "unit:", "unit:sshd", "unit:sshd.socket", "unit:.service", "unit:a b.service",
                  "unit:a/b.service", "unit:\u00e9.service", "unit:" + "a" * 260 + ".service", "label:", "label:a b",
                  "label:\u00e9", "label:a\n", "label:" + "a" * 256, "uid:1,uid:2"]


@pytest.mark.parametrize("principal", GOOD_PRINCIPALS)
def test_principals(c, principal):
    from urllib.parse import quote
    rule = c.deny(A, principal, "read")
    assert [r["principal"] for r in rules(c, A) if r["id"] == rule] == [principal]
    assert says(c, A + "/x", quote(principal), "read") == (False, rule)


@pytest.mark.parametrize("principal", BAD_PRINCIPALS)
def test_malformed_principals(c, principal):
    r = c.acl_add(A, "allow", principal, "read")
    assert (r.status, r.code) == (400, "bad-request"), r
    assert c.status()["rules"] == 1


@pytest.mark.parametrize("effect", ["", "Allow", "permit", "allow ", "deny,allow"])
def test_malformed_effects(c, effect):
    r = c.acl_add(A, effect, "any", "read")
    assert (r.status, r.code) == (400, "bad-request")
    assert c.status()["rules"] == 1


@pytest.mark.parametrize("path", ["", "/", "registry", "/registry/", A + "/", A + "/..", "/registry/x", A + "//a", A + "/a*",
                                  A + "/a\x00", A + "/" + "n" * 256])
def test_malformed_paths(c, path):
    r = c.acl_add(path, "allow", "any", "read")
    assert r.status == 400 and r.code in ("bad-path", "bad-request"), r
    assert c.status()["rules"] == 1


@pytest.mark.parametrize("query", ["", "?id=", "?id=x", "?id=-1", "?id=01", "?id=1&id=1", "?id=9223372036854775808"])
def test_malformed_rule_ids(c, query):
    r = c.delete("/v1/acl" + query)
    assert (r.status, r.code) == (400, "bad-request")


@pytest.mark.parametrize("query", ["path=/registry&principal=uid:1&action=read,list", "path=/registry&principal=uid:1&action=admin",
                                   "path=/registry&principal=uid:1", "path=/registry&action=read",
                                   "path=/registry&principal=user&action=read", "principal=any&action=read"])
def test_malformed_questions(c, query):
    r = c.get("/v1/acl/test?" + query)
    assert (r.status, r.code) == (400, "bad-request"), r


# ---- what they mean, asked of /v1/acl/test ---------------------------------------------------------------------------

def test_default_is_no(c):
    for action in ACTIONS:
        assert says(c, A, "uid:4711", action) == (False, 0)
        assert says(c, A, "any", action) == (False, 0)


def test_rules_hold_for_everything_below_and_nothing_beside(c):
    rule = c.allow(A + "/web", "uid:4711", "read")
    for path in (A + "/web", A + "/web/a", A + "/web/a/b/c/d/e"):
        assert says(c, path, "uid:4711", "read") == (True, rule)
    for path in ("/registry", A, A + "/we", A + "/webx", A + "/web.x", "/registry/system/web"):
        assert says(c, path, "uid:4711", "read") == (False, 0)
    assert says(c, A + "/web", "uid:4711", "write") == (False, 0)
    assert says(c, A + "/web", "uid:4712", "read") == (False, 0)


@pytest.mark.parametrize("deny_first", [False, True])
@pytest.mark.parametrize("deny_path,allow_path", [(A, A), (A, A + "/a/b"), (A + "/a/b", A), ("/registry", A + "/a")])
def test_deny_wins_in_whatever_order_and_depth(c, deny_path, allow_path, deny_first):
    def deny():
        return c.deny(deny_path, "uid:4711", "read")

    if deny_first:
        rule = deny()
    c.allow(allow_path, "uid:4711", "read")
    if not deny_first:
        rule = deny()
    assert says(c, A + "/a/b/c", "uid:4711", "read") == (False, rule)
    c.delete("/v1/acl?id=%d" % rule)
    assert says(c, A + "/a/b/c", "uid:4711", "read")[0] is True


def test_deny_of_any_hits_all(c):
    c.allow(A, "uid:4711", "read")
    c.allow(A, "gid:4711", "read")
    rule = c.deny(A + "/secret", "any", "read")
    for principal in ("uid:4711", "gid:4711", "uid:%d" % os.geteuid()):
        assert says(c, A + "/secret/x", principal, "read") == (False, rule)
        if principal != "uid:%d" % os.geteuid():
            assert says(c, A + "/other", principal, "read")[0] is True


def test_deny_binds_the_administrator(c):
    c.put(A + "/secret", "x")
    rule = c.deny(A + "/secret", "uid:%d" % os.geteuid(), "read,write")
    r = c.get(A + "/secret")
    assert (r.status, r.code) == (403, "refused")
    r = c.put(A + "/secret", "y")
    assert (r.status, r.code) == (403, "refused")
    assert c.get(A + "/secret?history").status == 200
    c.delete("/v1/acl?id=%d" % rule)
    assert c.get(A + "/secret").body == b"x"


# ---- the last administrator -----------------------------------------------------------------------------------------

def test_last_administrator_cannot_be_removed(c):
    (first,) = rules(c)
    r = c.delete("/v1/acl?id=%d" % first["id"])
    assert (r.status, r.code) == (409, "last-admin")
    assert rules(c) == [first]
    c.put(A + "/still", "works")


@pytest.mark.parametrize("principal", ["any", "uid:%d" % os.geteuid()])
@pytest.mark.parametrize("actions", ["grant", "control", "admin"])
def test_last_administrator_cannot_be_denied(c, principal, actions):
    r = c.acl_add("/registry", "deny", principal, actions)
    assert (r.status, r.code) == (409, "last-admin")
    assert c.status()["rules"] == 1
    assert c.acl_add("/registry", "deny", principal, "delete").status == 200


def test_administrator_can_go_when_there_is_another(c):
    (first,) = rules(c)
    c.allow("/registry", "uid:4711", "admin")
    assert c.delete("/v1/acl?id=%d" % first["id"]).status == 200
    assert c.get("/v1/acl?path=/registry").status == 403
    assert c.put(A + "/a", "1").status == 403


def test_an_administrator_below_the_root_does_not_count(c):
    (first,) = rules(c)
    c.allow(A, "uid:4711", "admin")
    c.allow("/registry", "uid:4711", "grant")
    c.allow("/registry", "uid:4712", "control")
    r = c.delete("/v1/acl?id=%d" % first["id"])
    assert (r.status, r.code) == (409, "last-admin")


@pytest.mark.parametrize("principal", ["any", "uid:%d" % os.geteuid()])
@pytest.mark.parametrize("path", [A, A + "/a/b"])
def test_no_place_is_left_without_somebody_who_could_edit_its_rules(c, principal, path):
    """A deny of `grant` binds administrators too: nobody could ever take it back."""
    r = c.acl_add(path, "deny", principal, "grant")
    assert (r.status, r.code) == (409, "last-admin")
    c.allow(path, "uid:4711", "grant")
    r = c.acl_add(path, "deny", principal, "grant")
    assert r.status == (409 if principal == "any" else 200)


def test_no_place_below_is_left_without_one(c):
    c.allow(A + "/a/b", "uid:4711", "grant")
    c.deny(A + "/a/b", "uid:%d" % os.geteuid(), "grant")  # 4711 is the only one there now
    r = c.acl_add(A, "deny", "uid:4711", "grant")
    assert (r.status, r.code) == (409, "last-admin")
    assert c.acl_add(A, "deny", "uid:4712", "grant").status == 200


def test_the_last_who_could_edit_the_rules_of_a_place_cannot_go(c):
    """The same from the other side: the allow goes, the deny stays."""
    c.allow("/registry", "uid:4711", "admin")
    second = rules(c)[1]["id"]
    c.deny(A, "uid:%d" % os.geteuid(), "grant")
    r = c.delete("/v1/acl?id=%d" % second)
    assert (r.status, r.code) == (409, "last-admin"), r
    assert says(c, "/registry/system", "uid:4711", "grant")[0] is True


# ---- as other users -------------------------------------------------------------------------------------------------

@pytest.fixture
def user(daemon):
    """A user whom no rule names."""
    return daemon.actor(5001)


@needs_root
def test_a_stranger_gets_nothing_and_learns_nothing(c, user):
    c.put(A + "/there", "secret")
    c.put(A + "/folder/x", "secret")
    for there, absent in (("/there", "/not-there"), ("/folder/x", "/folder/y"), ("/folder", "/absent"), ("", "/absent")):
        for query in ("", "?history", "?version=1", "/", "/?recursive"):
            a, b = user.get(A + there + query), user.get(A + absent + query)
            assert (a.status, a.code) == (404, "not-found"), (there, query, a)
            strip = lambda r: {k: v for k, v in r.json.items() if k not in ("request_id", "timestamp")}
            assert (a.status, strip(a), set(a.headers)) == (b.status, strip(b), set(b.headers))
            assert a.headers["content-length"] == b.headers["content-length"]
        a, b = user.delete(A + there), user.delete(A + absent)
        assert (a.status, a.code) == (b.status, b.code) == (404, "not-found")
        a, b = user.delete(A + there, match=1), user.delete(A + absent, match=1)
        assert (a.status, a.code) == (b.status, b.code) == (404, "not-found")
        a, b = user.put(A + there, "1"), user.put(A + absent, "1")
        assert (a.status, a.code) == (b.status, b.code) == (403, "refused")
        assert a.json["error"] == b.json["error"]
        a, b = user.put(A + there, "1", absent=True), user.put(A + absent, "1", absent=True)
        assert (a.status, a.code) == (b.status, b.code) == (403, "refused")
        a, b = user.put(A + there, "x", type="integer"), user.put(A + absent, "x", type="integer")
        assert (a.status, a.code) == (b.status, b.code)
    assert c.get(A + "/there").body == b"secret"


@needs_root
def test_a_stranger_and_the_service(c, user):
    for r in (user.get("/v1/acl?path=" + A), user.get("/v1/acl/test?path=%s&principal=any&action=read" % A),
              user.acl_add(A, "allow", "uid:5001", "admin"), user.get("/v1/audit"), user.get("/v1/audit?raw"),
              user.get("/v1/checkpoint"), user.post("/v1/unlock", "x"), user.post("/v1/unlock"), user.post("/v1/lock"),
              user.post("/v1/reload")):
        assert (r.status, r.code) == (403, "refused"), r
    assert user.delete("/v1/acl?id=1").code == user.delete("/v1/acl?id=999").code == "not-found"
    assert set(user.get("/v1/status").data) == {"version", "state", "revision", "storage", "share"}
    assert user.get("/v1/whoami").data["rights"] == []
    assert c.status()["state"] == "unlocked" and c.status()["rules"] == 1


@needs_root
def test_each_action_is_needed_and_enough(c, user):
    def attempts(path):
        return {"list": user.get(path + "/").status, "history": user.get(path + "/e?history").status,
                "read": user.get(path + "/e").status, "version": user.get(path + "/e?version=1").status,
                "write": user.put(path + "/w", "1").status, "delete": user.delete(path + "/d").status,
                "grant": user.get("/v1/acl?path=" + path).status}

    good = {"list": {"list", "history"}, "read": {"read", "version"}, "write": {"write"}, "delete": {"delete"},
            "grant": {"grant"}, "audit": set(), "control": set()}
    for action in ACTIONS:
        path = A + "/" + action
        c.put(path + "/e", "1")
        c.put(path + "/d", "1")
        c.allow(path, "uid:5001", action)
        got = {what for what, status in attempts(path).items() if status < 300}
        assert got == good[action], action


@needs_root
def test_list_never_tells_values(c, user):
    c.put(A + "/a", "very secret", comment="public?", reason="why")
    c.allow(A, "uid:5001", "list")
    for r in (user.get(A + "/"), user.get(A + "/?recursive"), user.get(A + "/a?history")):
        assert r.status == 200 and b"very secret" not in r.body
    for r in (user.get(A + "/a"), user.entry(A + "/a"), user.get(A + "/a?version=1")):
        assert (r.status, r.code) == (403, "refused") and b"very secret" not in r.body


@needs_root
def test_whoever_may_list_the_parent_is_told_refused(c, user):
    c.put(A + "/a", "1")
    c.put(A + "/f/x", "1")
    c.allow(A, "uid:5001", "list")
    c.deny(A + "/f", "uid:5001", "list")
    assert (user.get(A + "/a").code, user.get(A + "/b").code) == ("refused", "not-found")
    assert (user.delete(A + "/a").code, user.delete(A + "/b").code) == ("refused", "not-found")
    assert user.get(A + "/f/").code == "refused"  # its name can be seen in the list of the parent...
    assert user.get(A + "/f/x").code == user.get(A + "/f/y").code == "not-found"  # ... but not what is in it


@needs_root
def test_lists_are_filtered(c, user):
    for p in ("/a", "/b/open", "/b/shut", "/c/deep/shut/x", "/c/deep/open/y", "/d"):
        c.put(A + p, "1")
    c.allow(A, "uid:5001", "list")
    for p in ("/b/shut", "/c/deep/shut", "/d"):
        c.deny(A + p, "uid:5001", "list")
    assert user.names(A) == ["a", "b", "c"]
    assert user.names(A + "/b") == ["open"]
    seen = user.names(A, recursive=True)
    assert seen == [A + p for p in ("/a", "/b/open", "/c/deep/open/y")]
    assert c.names(A, recursive=True) == sorted(A + p for p in ("/a", "/b/open", "/b/shut", "/c/deep/shut/x",
                                                                "/c/deep/open/y", "/d"))


@needs_root
def test_a_denied_entry_is_not_in_any_list(c, user):
    """Names, counts and page tokens are made after filtering."""
    for i in range(10):
        c.put(A + "/n%d" % i, "1")
    c.allow(A, "uid:5001", "list")
    for i in range(0, 10, 2):
        c.deny(A + "/n%d" % i, "uid:5001", "list")
    for recursive in (False, True):
        args = {"recursive": True} if recursive else {}
        found = []
        for _ in range(20):
            page = user.list(A, limit=2, **args)
            names = [e.get("path", e.get("name")) for e in page["entries"]]
            found += names
            if page["next"] is None:
                break
            assert page["next"] == names[-1]
            args["after"] = page["next"]
        assert found == [(A + "/" if recursive else "") + "n%d" % i for i in range(1, 10, 2)]
    assert user.get(A + "/", Accept="text/plain").body == b"".join(b"n%d\n" % i for i in range(1, 10, 2))


@needs_root
def test_a_page_token_does_not_tell_what_exists(c, user):
    """The answer to after=X is the same whether X is an invisible entry or none."""
    for p in ("/a", "/m/hidden", "/z"):
        c.put(A + p, "1")
    c.allow(A, "uid:5001", "list")
    c.deny(A + "/m", "uid:5001", "list")
    for present, absent in ((A + "/m/hidden", A + "/m/hiddem"), (A + "/m", A + "/l")):
        a = user.list(A, recursive=True, after=present)
        b = user.list(A, recursive=True, after=absent)
        assert a["entries"] == b["entries"] and [e["path"] for e in a["entries"]] == [A + "/z"]


@needs_root
def test_rights_below_without_rights_above(c, user):
    c.put(A + "/web/port", "80")
    c.put(A + "/db/pw", "x")
    c.allow(A + "/web", "uid:5001", "operator")
    assert user.get(A + "/web/port").body == b"80"
    assert user.put(A + "/web/new", "1").status == 201
    assert user.names(A + "/web") == ["new", "port"]
    assert user.get(A + "/").code == "not-found"
    assert user.get("/registry/").code == "not-found"
    assert user.get(A + "/db/pw").code == "not-found"
    assert user.delete(A + "/web/new").code == "refused"


@needs_root
def test_group_rules_see_supplementary_groups(daemon, c):
    c.put(A + "/a", "1")
    c.allow(A, "gid:6001", "read,list")
    c.deny(A + "/a", "gid:6002", "read")
    none = daemon.actor(5001, 5001)
    primary = daemon.actor(5001, 6001)
    member = daemon.actor(5001, 5001, [7000, 6001, 7001])
    barred = daemon.actor(5001, 6001, [6002])
    assert none.get(A + "/a").code == "not-found"
    assert primary.get(A + "/a").body == b"1"
    assert member.get(A + "/a").body == b"1"
    assert sorted(member.get("/v1/whoami").data["groups"]) == [6001, 7000, 7001]
    assert barred.get(A + "/a").code == "refused"


@needs_root
def test_many_groups(daemon, c):
    """256 supplementary groups are read; whoever has more is served not at all, rather than by a part of them."""
    c.put(A + "/a", "1")
    c.allow(A, "gid:20255", "read")
    member = daemon.actor(5001, 5001, list(range(20000, 20256)))
    assert member.get(A + "/a").body == b"1"
    assert len(member.get("/v1/whoami").data["groups"]) == 256
    beyond = daemon.actor(5002, 5002, list(range(20000, 20257)))
    assert beyond.get(A + "/a").status == 429
    assert member.get(A + "/a").body == b"1"


@needs_root
def test_every_request_is_decided_by_the_rules_of_its_moment(c, user):
    c.put(A + "/a", "1")
    rule = c.allow(A, "uid:5001", "read")
    assert user.get(A + "/a").status == 200
    c.delete("/v1/acl?id=%d" % rule)
    assert user.get(A + "/a").status == 404
    c.allow(A, "uid:5001", "read")
    assert user.get(A + "/a").status == 200
    c.deny("/registry", "uid:5001", "read")
    assert user.get(A + "/a").status == 404


@needs_root
def test_nobody_is_nobody(daemon, c):
    """65534 is what users of foreign name spaces look like: no rule is for it, not even one for any."""
    c.put(A + "/a", "1")
    c.allow("/registry", "any", "admin")
    nobody = daemon.actor(65534, 65534)
    assert nobody.get(A + "/a").code == "not-found"
    d = nobody.get("/v1/whoami").data
    assert d["rights"] == [] and d["owns"] is None
    assert nobody.put("/registry/user/nobody/x", "1").code == "refused"
    assert nobody.put("/registry/user/65534/x", "1").code == "refused"
    assert daemon.actor(5001).get(A + "/a").body == b"1"


# ---- owning a subtree -----------------------------------------------------------------------------------------------

@needs_root
def test_a_user_owns_the_subtree_of_its_name(daemon, c):
    daemon_user = pwd.getpwnam("daemon")
    user, other = daemon.actor(daemon_user.pw_uid, daemon_user.pw_gid), daemon.actor(5001)
    mine = "/registry/user/daemon"
    assert user.get("/v1/whoami").data["owns"] == mine
    assert user.put(mine + "/a/b", "1").status == 201
    assert user.get(mine + "/a/b").body == b"1"
    assert user.names(mine, recursive=True) == [mine + "/a/b"]
    assert user.get(mine + "/a/b?history").status == 200
    assert user.delete(mine + "/a/b").status == 200
    for path in ("/registry/user/daemonx/a", "/registry/user/bin/a", "/registry/user/a", "/registry/user/daemo/n",
                 "/registry/system/daemon/a", "/registry/user/5001/a"):
        assert user.put(path, "1").code == "refused", path
    for r in (other.put(mine + "/x", "1"),):
        assert r.code == "refused"
    for r in (user.get("/registry/user/"), user.get("/registry/")):
        assert r.code == "not-found"
    # what owning does not mean: rules and the trail
    assert user.get("/v1/acl?path=" + mine).code == "refused"
    assert user.acl_add(mine, "allow", "uid:5001", "read").code == "refused"


@needs_root
def test_a_user_without_a_name_owns_its_number(daemon, c):
    user = daemon.actor(5001)
    assert user.get("/v1/whoami").data["owns"] == "/registry/user/5001"
    assert user.put("/registry/user/5001/a", "1").status == 201
    assert user.put("/registry/user/50012/a", "1").code == "refused"
    assert daemon.actor(50012).put("/registry/user/5001/a", "1").code == "refused"


@needs_root
def test_owning_gives_way_to_deny(daemon, c):
    user = daemon.actor(5001)
    assert user.put("/registry/user/5001/a", "1").status == 201
    c.deny("/registry/user", "uid:5001", "write")
    assert user.put("/registry/user/5001/a", "2").code == "refused"
    assert user.get("/registry/user/5001/a").body == b"1"
    c.deny("/registry/user/5001/a", "any", "read")
    assert user.get("/registry/user/5001/a").code == "refused"


@needs_root
def test_a_user_may_be_the_folder_itself_as_an_entry(daemon, c):
    user = daemon.actor(5001)
    assert user.put("/registry/user/5001", "an entry").status == 201
    assert user.get("/registry/user/5001").body == b"an entry"
    assert user.delete("/registry/user/5001").status == 200


@needs_root
def test_lister_of_all_users_does_not_see_whom_it_must_not(daemon, c):
    lister, owner = daemon.actor(5002), daemon.actor(5001)
    owner.put("/registry/user/5001/a", "1")
    c.put("/registry/user/5003/a", "1")
    c.allow("/registry/user", "uid:5002", "list")
    assert lister.names("/registry/user") == ["5001", "5003"]
    c.deny("/registry/user/5001", "uid:5002", "list")
    assert lister.names("/registry/user", recursive=True) == ["/registry/user/5003/a"]


# ---- handing rights on ----------------------------------------------------------------------------------------------

@needs_root
def test_granting_below_is_granting_below_only(daemon, c):
    user, other = daemon.actor(5001), daemon.actor(5002)
    c.put(A + "/web/a", "1")
    c.allow(A + "/web", "uid:5001", "grant")
    above = c.deny("/registry", "uid:5009", "read")
    rule = user.acl_add(A + "/web/x", "allow", "uid:5002", "read")
    assert rule.status == 200
    assert user.acl_add(A, "allow", "uid:5002", "read").code == "refused"
    assert user.acl_add("/registry", "allow", "uid:5001", "admin").code == "refused"
    assert user.delete("/v1/acl?id=%d" % above).code == "not-found"
    assert above not in [r["id"] for r in user.get("/v1/acl?path=" + A + "/web").data["rules"]]
    assert user.delete("/v1/acl?id=%d" % rule.data["id"]).status == 200
    assert other.get(A + "/web/a").code == "not-found"


@needs_root
def test_rules_of_units_and_labels_match_no_plain_process(daemon, c):
    c.put(A + "/a", "1")
    user = daemon.actor(5001)
    me = user.get("/v1/whoami").data
    c.allow(A, "unit:definitely-not-this.service", "read")
    c.allow(A, "label:definitely-not-this", "read")
    assert user.get(A + "/a").code == "not-found"
    if me["unit"]:
        c.allow(A, "unit:" + me["unit"], "read")
        assert user.get(A + "/a").body == b"1"


def test_rules_are_bounded(new_store):
    d = new_store().start()
    c = d.client()
    added = 1
    for i in range(5000):
        r = c.acl_add(A + "/p%d" % (i % 100), "allow", "uid:%d" % (10000 + i), "read")
        if r.status != 200:
            break
        added += 1
    assert (r.status, r.code) == (429, "limit") and added == 4096
    assert c.status()["rules"] == 4096
    d.restart()
    c = d.client()
    assert c.status()["rules"] == 4096
    assert c.delete("/v1/acl?id=%d" % 2).status == 200
    assert c.acl_add(A, "allow", "uid:1", "read").status == 200
