"""Schemas on the real daemon: demanded on every way a value comes in, defaults, findings, rights, damage; and locked keys."""
import json
import sqlite3

import pytest

from trail_verify import Follower

A = "/registry/applications"


def put_schema(c, path, **schema):
    return c.request("PUT", "/v1/schema?path=" + A + path, json.dumps(schema))


def findings(c, path=""):
    return {(f["path"][len(A):], f["finding"]) for f in c.get("/v1/schema/check?path=" + A + path).data["findings"]}


def test_demands_are_made_of_every_put(c):
    assert put_schema(c, "/web/port", type="integer", min=1, max=65535, description="where it listens").status == 200
    assert put_schema(c, "/web/name", type="string", pattern="[a-z]{2,8}", max_bytes=8).status == 200
    assert put_schema(c, "/web/color", type="string", enum=["red", "green"]).status == 200
    assert put_schema(c, "/web/secrets", secrecy="sealed").status == 200
    good = [("/web/port", "80", {"type": "integer"}), ("/web/name", "shop", {}), ("/web/color", "red", {}), ("/web/secrets/a", "x", {"sealed": "true"})]
    bad = [("/web/port", "0", {"type": "integer"}), ("/web/port", "80", {"type": "string"}), ("/web/name", "Shop", {}), ("/web/name", "a", {}),
           ("/web/color", "blue", {}), ("/web/secrets/b", "x", {}), ("/web/secrets/deep/er", "x", {"sealed": "false"})]
    for path, value, how in bad:
        r = c.put(A + path, value, **how)
        assert (r.status, r.code) == (422, "bad-value"), (path, value, r)
        assert value not in r.json["error"]["message"] or len(value) < 3, "the value is echoed"
        assert c.get(A + path).status == 404
    for path, value, how in good:
        assert c.put(A + path, value, **how).status == 201, path
    assert c.put(A + "/web/port", "70000").code == "bad-value" and c.get(A + "/web/port").body == b"80"


def test_demands_are_made_of_every_other_way(c):
    """P-D5: what a single put may not do, no transaction, move, copy or revert does either."""
    c.put(A + "/free/a", "old")
    c.put(A + "/free/a", "new")
    put_schema(c, "/strict", type="integer")
    put_schema(c, "/free/a", type="string", enum=["new", "newer"])
    for leaf in ({"op": "set", "path": A + "/strict/x", "value": "text"}, {"op": "move", "from": A + "/free", "to": A + "/strict/free"},
                 {"op": "copy", "from": A + "/free/a", "to": A + "/strict/a"}, {"op": "revert", "path": A + "/free/a", "version": 1}):
        r = c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": A + "/other", "value": "x"}, leaf]}))
        assert (r.status, r.code) == (422, "bad-value") and "then[1]" in r.json["error"]["message"], (leaf, r)
    assert c.get(A + "/other").status == 404 and c.get(A + "/strict/").status == 404
    assert c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": A + "/strict/x", "value": 7}]})).status == 200


def test_schemas_of_all_folders_above_hold(c):
    put_schema(c, "", max_bytes=10)
    put_schema(c, "/web", type="string")
    put_schema(c, "/web/a", pattern="[0-9]*", type="string")
    assert c.put(A + "/web/a", "12345678901").code == "bad-value"
    assert c.put(A + "/web/a", "7", type="integer").code == "bad-value"
    assert c.put(A + "/web/a", "x").code == "bad-value"
    assert c.put(A + "/web/a", "123").status == 201
    shown = c.get("/v1/schema?path=" + A + "/web/a").data["schemas"]
    assert [s["path"] for s in shown] == [A + "/web/a", A + "/web", A]
    assert [s["path"] for s in c.get("/v1/schema?path=" + A + "/web").data["schemas"]] == [A + "/web", A, A + "/web/a"]
    assert c.delete("/v1/schema?path=" + A + "/web").status == 200
    assert c.delete("/v1/schema?path=" + A + "/web").code == "not-found"


def test_a_default_is_served_where_there_is_no_entry(c):
    put_schema(c, "/port", type="integer", default="8080", description="where it listens")
    r = c.get(A + "/port")
    assert (r.status, r.body, r.headers["secreg-type"], r.headers["secreg-default"]) == (200, b"8080", "integer", "true")
    assert "etag" not in r.headers
    e = c.entry(A + "/port").data
    assert (e["value"], e["version"], e["default"], e["comment"]) == (8080, 0, True, "where it listens")
    assert c.names(A) == [], "a default is no entry"
    assert c.put(A + "/port", "9", absent=True).version == 1
    assert "secreg-default" not in c.get(A + "/port").headers and c.get(A + "/port").body == b"9"
    c.delete(A + "/port")
    assert c.get(A + "/port").body == b"8080"
    assert c.get(A + "/port?version=9").status == 404


def test_malformed_and_contradicting_schemas(c):
    for bad in ("", "[]", "{", '{"unknown":1}', '{"type":"nothing"}', '{"type":"integer","min":"a"}', '{"min":1}', '{"type":"integer","min":5,"max":1}',
                '{"type":"string","pattern":"("}', '{"type":"integer","pattern":"a"}', '{"type":"integer","default":"x"}', '{"secrecy":"secret"}',
                '{"rotate_every_s":1}', '{"type":"string","enum":[]}', '{"min_bytes":9,"max_bytes":1}'):
        r = c.request("PUT", "/v1/schema?path=" + A + "/a", bad)
        assert r.code in ("bad-request", "bad-value"), (bad, r)
        assert len(r.json["error"]["message"]) > 20, r
    assert c.get("/v1/schema?path=" + A + "/a").data["schemas"] == []
    assert c.request("PUT", "/v1/schema", "{}").code == "bad-request"
    assert put_schema(c, "/../x", type="string").code == "bad-path"


def test_findings(c):
    c.put(A + "/a", "text")
    c.put(A + "/fits", "7", type="integer")
    put_schema(c, "/a", type="integer")
    put_schema(c, "/fits", type="integer")
    put_schema(c, "/needed", required=True, type="string")
    assert findings(c) == {("/a", "unfit"), ("/needed", "missing")}
    c.put(A + "/needed", "x")
    c.delete(A + "/a")
    assert findings(c) == set()


def test_who_may(daemon, c):
    w = daemon.actor(4711)
    c.allow(A, "uid:4711", "list,read,write,delete")
    body = json.dumps({"type": "string"})
    assert w.request("PUT", "/v1/schema?path=" + A + "/a", body).code == "refused"
    put_schema(c, "/a", type="string")
    put_schema(c, "/hidden/a", type="string")
    c.deny(A + "/hidden", "uid:4711", "list,read")
    assert w.request("DELETE", "/v1/schema?path=" + A + "/a").code == "refused"
    assert [s["path"] for s in w.request("GET", "/v1/schema?path=" + A).data["schemas"]] == [A + "/a"]
    assert w.request("GET", "/v1/schema?path=" + A + "/hidden/a").code == "not-found"
    x = daemon.actor(4712)
    assert x.request("GET", "/v1/schema?path=" + A).code == "not-found"
    assert x.request("GET", "/v1/schema/check?path=" + A).code == "not-found"


def test_schemas_survive_and_are_authenticated(daemon, c):
    c.put(A + "/x", "1")
    put_schema(c, "/a", type="integer")
    put_schema(c, "/a", type="integer", min=5)
    put_schema(c, "/b", type="string")
    daemon.restart()
    c = daemon.client()
    assert c.status()["state"] == "unlocked"
    assert c.put(A + "/a", "1", type="integer").code == "bad-value"
    Follower().follow(c)
    assert daemon.stop() == 0
    for sql in ("UPDATE schema SET form = (SELECT form FROM schema WHERE path LIKE '%/b') WHERE path LIKE '%/a'",
                "DELETE FROM schema WHERE path LIKE '%/a'", "UPDATE schema SET path = '/registry' WHERE path LIKE '%/b'"):
        before = open(daemon.db, "rb").read()
        db = sqlite3.connect(daemon.db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert db.execute(sql).rowcount > 0
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        daemon.expects_trouble = True
        daemon.start()
        assert daemon.client().status()["state"] == "locked", sql
        daemon.stop()
        open(daemon.db, "wb").write(before)


def test_kinds_of_records(c):
    put_schema(c, "/a", type="string")
    c.get("/v1/schema?path=" + A)
    c.get("/v1/schema/check?path=" + A)
    c.delete("/v1/schema?path=" + A + "/a")
    kinds = [r["kind"] for r in c.get("/v1/audit?order=up").data["records"]]
    assert [k for k in kinds if k.startswith("schema")] == ["schema-set", "schema-show", "schema-check", "schema-remove"]


# ---- the command line

@pytest.fixture
def sreg(daemon):
    from test_cli import Sreg
    return Sreg(daemon.root)


def test_verbs(sreg, c, tmp_path):
    f = tmp_path / "schema.json"
    f.write_text('{"type":"integer","min":1,"default":"80"}')
    assert sreg("schema", "set", A + "/port", str(f)).returncode == 0
    assert sreg("get", A + "/port").out == "80\n"
    assert sreg("set", A + "/port", "0", "--type", "integer").returncode == 2
    assert A + "/port" in sreg.ok("schema", "show", A)
    assert sreg.json("schema", "show", A + "/port")["schemas"][0]["schema"]["min"] == 1
    assert sreg("schema", "check", A).returncode == 0
    c.put(A + "/old", "x")
    assert sreg("schema", "set", A + "/old", "-", stdin=b'{"type":"boolean"}').returncode == 0
    done = sreg("schema", "check", A)
    assert done.returncode == 1 and "unfit" in done.out and A + "/old" in done.out
    assert sreg("schema", "remove", A + "/old").returncode == 0
    assert sreg("schema", "remove", A + "/old").returncode == 3
    assert sreg("schema", "set", A + "/x", str(tmp_path / "none")).returncode == 3
    assert sreg("schema", "set", A + "/x", "-", stdin=b"{").returncode == 2


def test_a_locked_key_holds_for_everybody_until_it_is_unlocked(sreg, c):
    c.put(A + "/k/a", "1")
    assert sreg("lock-key", A + "/k").returncode == 0
    assert sreg("set", A + "/k/a", "2").returncode == 4
    assert sreg("del", A + "/k/a").returncode == 4
    assert c.post("/v1/txn", json.dumps({"then": [{"op": "set", "path": A + "/k/new", "value": "x"}]})).code == "refused"
    assert c.get(A + "/k/a").body == b"1"
    assert sreg("unlock-key", A + "/k").returncode == 0
    assert sreg("set", A + "/k/a", "2").returncode == 0
    assert sreg("unlock-key", A + "/k").returncode == 3
