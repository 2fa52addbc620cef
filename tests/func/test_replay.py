"""sreg policy test: which decisions of the past a proposed policy would turn, on the real daemon."""
import json
import os
import subprocess
import time

import pytest

from conftest import SREG, needs_root, soon

A = "/registry/applications"
ME = os.geteuid()


def replay(c, *changes, query=""):
    return c.post("/v1/policy/test" + query, json.dumps({"changes": list(changes)}))


def rule(path, effect, principal, actions, condition=None):
    return {"add": "rule", "path": path, "effect": effect, "principal": principal, "actions": actions,
            **({"condition": condition} if condition else {})}


def flips(r):
    assert r.status == 200, r
    assert r.data["unknown"] == ["groups", "auth", "address", "unit"]
    return [(x["kind"], x["uid"], x["path"], x["action"], x["before"], x["after"]) for x in r.data["changes"]]


def test_what_would_be_refused(c):
    c.put(A + "/a", "1")
    c.get(A + "/a")
    c.get(A + "/b")
    before = (c.status()["revision"], c.get("/v1/acl?path=" + A).data["policy"])
    got = flips(replay(c, rule(A, "deny", "uid:%d" % ME, "read")))
    assert got == [("get", ME, A + "/b", "read", "allowed", "refused"), ("get", ME, A + "/a", "read", "allowed", "refused")]
    assert flips(replay(c, rule(A, "deny", "uid:4711", "read"))) == []
    assert flips(replay(c)) == []
    assert flips(replay(c, rule(A, "deny", "uid:%d" % ME, "read"), rule(A, "deny", "uid:%d" % ME, "write"))) [-1] == (
        "set", ME, A + "/a", "write", "allowed", "refused")
    assert (c.status()["revision"], c.get("/v1/acl?path=" + A).data["policy"]) == before
    assert c.get(A + "/a").body == b"1"


@needs_root
def test_what_would_be_allowed(daemon, c):
    c.put(A + "/a", "1")
    user = daemon.actor(5001, 5001, [6001])
    assert user.get(A + "/a").status == 404
    for changes in ([rule(A, "allow", "uid:5001", "read")], [rule(A, "allow", "gid:5001", "read")],
                    [rule(A, "allow", "role:web", "read"), {"add": "member", "role": "web", "principal": "uid:5001"}],
                    [rule(A, "allow", "any", "read", "since=2020-01-01T00:00:00Z")]):
        assert flips(replay(c, *changes)) == [("get", 5001, A + "/a", "read", "refused", "allowed")], changes
    for changes in ([rule(A, "allow", "gid:6001", "read")], [rule(A, "allow", "any", "read", "auth=pam")],
                    [rule(A, "allow", "role:web", "read"), {"add": "member", "role": "web", "principal": "gid:6001"}],
                    [rule(A, "allow", "any", "read", "unit=x.service")]):
        assert ("get", 5001, A + "/a", "read", "refused", "unknown") in flips(replay(c, *changes)), changes
    # the time of a condition is that of the record
    assert flips(replay(c, rule(A, "allow", "uid:5001", "read", "since=2199-01-01T00:00:00Z"))) == []


@needs_root
def test_taking_away(daemon, c):
    c.put(A + "/a", "1")
    id = c.allow(A, "uid:5001", "read")
    c.post("/v1/roles", json.dumps({"role": "web", "principal": "uid:5002"}))
    c.allow(A, "role:web", "read")
    one, two = daemon.actor(5001), daemon.actor(5002)
    one.get(A + "/a")
    two.get(A + "/a")
    assert flips(replay(c, {"remove": "rule", "id": id})) == [("get", 5001, A + "/a", "read", "allowed", "refused")]
    assert flips(replay(c, {"remove": "member", "role": "web", "principal": "uid:5002"})) == [
        ("get", 5002, A + "/a", "read", "allowed", "refused")]
    assert flips(replay(c, {"remove": "rule", "id": id}, rule(A, "allow", "uid:5001", "read"))) == []
    assert two.get(A + "/a").body == b"1"


def test_changes_are_refused_as_they_would_be(c):
    for changes, code in (([{"remove": "rule", "id": 1}], "last-admin"), ([{"remove": "rule", "id": 77}], "not-found"),
                          ([rule("/etc", "allow", "any", "read")], "bad-path"), ([rule(A, "allow", "x", "read")], "bad-request"),
                          ([rule(A, "allow", "any", "read", "weather=fine")], "bad-request"),
                          ([{"add": "member", "role": "X", "principal": "uid:1"}], "bad-request"),
                          ([{"remove": "member", "role": "x", "principal": "uid:1"}], "not-found")):
        r = replay(c, rule(A, "allow", "uid:5", "read"), *changes)
        assert r.code == code and "changes[1]" in r.json["error"]["message"], (changes, r)
    assert c.status()["rules"] == 1


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"changes":{}}', '{"changes":[1]}', '{"changes":[{}]}', '{"changes":[{"add":"x"}]}',
                                  '{"changes":[{"add":"rule"}]}', '{"changes":[{"remove":"rule","id":"1"}]}', '{"changes":[],"more":1}',
                                  '{"changes":[{"remove":"rule","id":1,"path":"/registry"}]}', '{"changes":[{"remove":"rule","id":0}]}',
                                  '{"changes":[{"add":"member","role":"a","principal":1}]}',
                                  '{"changes":[{"add":"member","remove":"rule","role":"a","principal":"uid:1"}]}'])
def test_malformed_bodies(c, body):
    r = c.post("/v1/policy/test", body)
    assert (r.status, r.code) == (400, "bad-request"), r


@needs_root
def test_it_needs_audit_and_grant(daemon, c):
    user = daemon.actor(5001)
    change = rule(A, "deny", "uid:4711", "read")
    assert replay(user, change).code == "refused"
    c.allow("/registry", "uid:5001", "audit")
    assert replay(user, change).code == "refused"
    c.allow(A, "uid:5001", "grant")
    assert replay(user, change).status == 200
    assert replay(user, rule("/registry/system", "deny", "uid:4711", "read")).code == "refused"
    assert replay(user, {"add": "member", "role": "a", "principal": "uid:1"}).code == "refused"
    c.put(A + "/hidden/x", "1")
    c.deny(A + "/hidden", "uid:5001", "audit")
    assert flips(replay(user, rule(A, "deny", "uid:%d" % ME, "write"))) == []


def test_a_proposal_waits_for_nobody(c):
    c.allow(A, "uid:5001", "grant")
    r = c.post("/v1/acl", json.dumps({"path": A, "effect": "approve", "principal": "any", "actions": "write,delete,grant"}))
    assert r.status == 200
    assert replay(c, rule(A, "deny", "uid:4711", "read")).status == 200


def test_since_and_pages(c):
    for i in range(3):
        c.get(A + "/n%d" % i)
    time.sleep(1.1)
    start = time.time()
    c.get(A + "/later")
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
    change = rule(A, "deny", "uid:%d" % ME, "read")
    assert len(flips(replay(c, change))) == 4
    r = replay(c, change, query="?since=" + since)
    assert [x[2] for x in flips(r)] == [A + "/later"] and r.data["next"] is None
    newest = c.get("/v1/checkpoint").data["size"]
    assert len(flips(replay(c, change, query="?after=%d" % newest))) == 4
    assert flips(replay(c, change, query="?after=0")) == []


def test_many_records(daemon, c):
    daemon.put_many([A + "/m%d" % i for i in range(6000)])
    change = rule(A, "deny", "uid:%d" % ME, "write")
    r = replay(c, change)
    assert r.data["records"] == 5000 and r.data["next"] is not None
    more = replay(c, change, query="?after=%d" % r.data["next"])
    assert more.data["next"] is None
    assert len({x["path"] for x in r.data["changes"] + more.data["changes"]}) == 6000
    assert len(r.data["changes"]) + len(more.data["changes"]) == 6000


def test_the_command_line(daemon, c):
    def sreg(*args):
        return subprocess.run([SREG, "--root", daemon.root, *args], capture_output=True, text=True, timeout=soon(60))
    c.put(A + "/a", "1")
    file = daemon.path("proposed.yaml")
    with open(file, "w") as f:
        f.write("changes:\n  - add: rule\n    path: %s\n    effect: deny\n    principal: uid:%d\n    actions: write\n" % (A, ME))
    done = sreg("policy", "test", file)
    assert done.returncode == 0 and A + "/a" in done.stdout and "refused" in done.stdout, done
    assert "they do not say further groups" in done.stderr
    rows = json.loads(sreg("--json", "policy", "test", file, "--since", "1h").stdout)
    assert [(x["kind"], x["path"], x["after"]) for x in rows] == [("set", A + "/a", "refused")]
    assert json.loads(sreg("--json", "policy", "test", file, "--since", "2199-01-01").stdout) == []
    with open(file, "w") as f:
        json.dump({"changes": []}, f)
    assert sreg("policy", "test", file).stdout == "no decision would be another\n"
    with open(file, "w") as f:
        f.write("changes:\n  - add: sugar\n")
    done = sreg("policy", "test", file)
    assert done.returncode == 2 and "line 2, column 5" in done.stderr
    assert sreg("policy", "test", daemon.path("absent")).returncode == 2
    assert sreg("policy", "test", file, "--since", "x").returncode == 2
