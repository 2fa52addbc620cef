"""Transactions, subtree operations, metadata, listings with filters and of the past, fingerprints, expiry, destroying."""
import base64
import json
import os
import time

import pytest

from client import b64
from conftest import wait_for
from trail_verify import Follower

A = "/registry/applications"


def txn(c, then=(), compare=None, otherwise=None, **more):
    body = dict(more)
    if then is not None:
        body["then"] = list(then)
    if compare is not None:
        body["compare"] = compare
    if otherwise is not None:
        body["else"] = otherwise
    return c.post("/v1/txn", json.dumps(body))


def s(path, value, **more):
    return dict(op="set", path=A + path, value=value, **more)


def kinds(c, **args):
    return [(r["kind"], r["outcome"], r["path"]) for r in c.get("/v1/audit?order=up&limit=1000").data["records"]]


def tree_of(c, folder=A):
    return {e["path"][len(A):]: e.get("value") for e in c.list(folder, recursive=True, values=True)["entries"]}


# ---- all or nothing

def test_several_entries_in_one_revision(c):
    before = c.status()["revision"]
    r = txn(c, [s("/a", "1"), s("/b/c", 2), s("/d", True)], reason="together")
    assert r.status == 200 and r.data["succeeded"] is True
    assert [x["version"] for x in r.data["results"]] == [1, 1, 1]
    assert r.data["revision"] == before + 1 == c.status()["revision"]
    assert {x["revision"] for x in r.data["results"]} == {before + 1}
    for path in ("/a", "/b/c", "/d"):
        h = c.get(A + path + "?history").data["versions"][0]
        assert (h["revision"], h["reason"]) == (before + 1, "together")


@pytest.mark.parametrize("bad,code", [
    (dict(op="delete", path=A + "/none"), "not-found"),
    (dict(op="set", path=A + "/a/below", value="x"), "not-folder"),
    (dict(op="set", path=A + "/a", value="x", version=7), "conflict"),
    (dict(op="set", path=A + "/a", value="x", absent=True), "exists"),
    (dict(op="set", path=A + "/n", value="x", type="integer"), "bad-value"),
    (dict(op="set", path=A + "//n", value="x"), "bad-path"),
    (dict(op="get", path=A + "/none"), "not-found"),
    (dict(op="move", **{"from": A + "/none", "to": A + "/m"}), "not-found"),
    (dict(op="move", **{"from": A + "/a", "to": A + "/b"}), "exists"),
    (dict(op="copy", **{"from": A + "/f", "to": A + "/f/g"}), "bad-request"),
    (dict(op="revert", path=A + "/a", version=9), "not-found"),
    (dict(op="destroy", path=A + "/a", version=2), "conflict"),
    (dict(op="destroy", path=A + "/a", version=9), "not-found"),
])
def test_one_leaf_that_cannot_be_done_refuses_all(c, bad, code):
    for path, value in (("/a", "1"), ("/a", "2"), ("/b", "1"), ("/f/x", "1")):
        c.put(A + path, value)
    before, revision = tree_of(c), c.status()["revision"]
    r = txn(c, [s("/new", "x"), s("/f/y", "x"), bad, s("/late", "x")])
    assert r.code == code, r
    assert "then[" in r.json["error"]["message"]
    assert tree_of(c) == before and c.status()["revision"] == revision
    last = c.get("/v1/audit?kind=txn&limit=1").data["records"][0]
    assert last["outcome"] == code and last["detail"].startswith("then[")
    assert [k for k in kinds(c) if k[2] in (A + "/new", A + "/late")] == []
    Follower().follow(c)


def test_dry_run_changes_nothing_and_says_what_would_be(c):
    c.put(A + "/a", "1")
    before = tree_of(c)
    r = txn(c, [s("/a", "2"), s("/b", "1"), dict(op="delete", path=A + "/a")], dry_run=True)
    assert r.status == 200 and r.data["dry_run"] is True
    assert [x.get("version") for x in r.data["results"]] == [2, 1, 3]
    assert tree_of(c) == before
    assert c.put(A + "/b", "real").version == 1
    assert "dry run" in c.get("/v1/audit?kind=txn&limit=1").data["records"][0]["detail"]
    Follower().follow(c)


def test_compare_chooses_the_branch(c):
    c.put(A + "/a", "1")
    c.put(A + "/n", "7", type="integer")
    print_ = c.get(A + "/?fingerprint").data["fingerprint"]
    holds = [{"path": A + "/a", "version": 1}, {"path": A + "/x", "absent": True}, {"path": A + "/a", "present": True},
             {"path": A + "/a", "value": "1"}, {"path": A + "/n", "value": 7, "type": "integer"}, {"path": A + "/n", "value": 7},
             {"path": A, "fingerprint": print_}]
    fails = [{"path": A + "/a", "version": 2}, {"path": A + "/a", "absent": True}, {"path": A + "/x", "present": True},
             {"path": A + "/a", "value": "2"}, {"path": A + "/n", "value": "7", "type": "string"}, {"path": A + "/x", "value": ""},
             {"path": A, "fingerprint": "00" * 32}]
    r = txn(c, [], compare=holds, otherwise=[dict(op="get", path=A + "/none")])
    assert r.data["succeeded"] is True and r.data["results"] == []
    for one in fails:
        r = txn(c, [dict(op="get", path=A + "/none")], compare=holds + [one], otherwise=[dict(op="get", path=A + "/a")])
        assert r.data["succeeded"] is False, one
        assert r.data["results"][0]["value"] == "1"


def test_later_leaves_see_earlier_ones(c):
    r = txn(c, [s("/a", "1"), s("/a", "2", version=1), dict(op="get", path=A + "/a"), dict(op="move", **{"from": A + "/a", "to": A + "/b"}),
                dict(op="get", path=A + "/b")])
    assert [x.get("value") for x in r.data["results"]] == [None, None, "2", None, "2"]
    assert c.get(A + "/a").status == 404


def test_malformed_bodies(c):
    for body in ("", "{", "[]", "{}", '{"then":{}}', '{"then":[1]}', '{"then":[{"op":"nothing"}]}', '{"then":[],"more":1}',
                 '{"then":[{"op":"set","path":"/registry/applications/a"}]}', '{"then":[{"op":"get"}]}',
                 '{"then":[{"op":"get","path":"/registry/applications/a","value":1}]}', '{"then":[],"compare":[{"path":"/registry/applications/a"}]}',
                 '{"then":[],"compare":[{"path":"/registry/applications/a","absent":true,"present":true}]}', '{"then":[],"dry_run":1}',
                 '{"then":[{"op":"set","path":"/registry/applications/a","value":"x","tags":["b","a","b"]}]}',
                 '{"then":[{"op":"set","path":"/registry/applications/a","value":"x","type":"binary"},{}]}',
                 '{"then":[{"op":"set","path":"/registry/applications/a","value":"*","type":"binary"}]}',
                 '{"then":[{"op":"set","path":"/registry/applications/a","value":"x","expires":"tomorrow"}]}',
                 '{"then":[{"op":"revert","path":"/registry/applications/a"}]}', '{"then":[{"op":"destroy","path":"/registry/applications/a"}]}'):
        r = c.post("/v1/txn", body)
        assert (r.status, r.code) == (400, "bad-request"), (body, r)
    assert c.status()["revision"] == c.status()["revision"]
    r = txn(c, [s("/a%d" % i, "x") for i in range(10001)])
    assert r.code == "bad-request"
    assert c.get(A + "/a0").status == 404


def test_ten_thousand_leaves(c):
    r = txn(c, [s("/many/%05d" % i, "x") for i in range(10000)])
    assert r.status == 200 and len(r.data["results"]) == 10000
    assert c.status()["entries"] == 10000
    Follower().follow(c)


def test_types_of_values(c):
    values = [("/s", "text", None, "string"), ("/i", 7, None, "integer"), ("/f", 1.5, None, "float"), ("/b", False, None, "boolean"),
              ("/l", ["a", "b"], None, "list"), ("/j", {"a": [1]}, None, "json"), ("/m", ["a", 1], None, "json"), ("/x", None, None, "json"),
              ("/bin", base64.b64encode(b"\x00\xff").decode(), "binary", "binary"), ("/js", "text", "json", "json"), ("/is", "7", "integer", "integer")]
    r = txn(c, [s(p, v, **({"type": t} if t else {})) for p, v, t, _ in values])
    assert r.status == 200, r
    for p, v, _, kind in values:
        e = c.entry(A + p).data
        assert e["type"] == kind and e["value"] == (int(v) if p == "/is" else v), (p, e)
    assert txn(c, [s("/i", "8")]).status == 200 and c.entry(A + "/i").data["value"] == 8  # keeps its type
    assert txn(c, [s("/i", "eight")]).code == "bad-value"


# ---- rights

def test_every_leaf_is_authorised_on_its_own(daemon, c):
    c.put(A + "/mine/a", "1")
    c.put(A + "/other/a", "secret")
    c.allow(A + "/mine", "uid:4711", "list,read,write,delete")
    w = daemon.actor(4711)
    def go(*leaves, **more):
        r = w.request("POST", "/v1/txn", json.dumps(dict(then=list(leaves), **more)))
        return r.status, r.code
    assert go(s("/mine/b", "2")) == (200, None)
    assert go(s("/mine/c", "2"), s("/other/b", "x"))[1] == "refused"
    assert go(s("/mine/c", "2"), dict(op="get", path=A + "/other/a"))[1] == "not-found"
    assert go(dict(op="copy", **{"from": A + "/other/a", "to": A + "/mine/stolen"}))[1] == "not-found"
    assert go(dict(op="copy", **{"from": A + "/mine/a", "to": A + "/other/put"}))[1] == "refused"
    assert go(dict(op="move", **{"from": A + "/other", "to": A + "/mine/o"}))[1] == "not-found"
    assert go(dict(op="delete-tree", path=A + "/other"))[1] == "not-found"
    assert go(dict(op="revert", path=A + "/other/a", version=1))[1] == "not-found"
    assert go(s("/mine/c", "2"), compare=[{"path": A + "/other/a", "value": "secret"}])[1] == "not-found"
    assert go(s("/mine/c", "2"), compare=[{"path": A + "/other/a", "absent": True}])[1] == "not-found"
    assert go(dict(op="delete-tree", path=A + "/mine"))[0] == 200
    assert tree_of(c) == {"/other/a": "secret"}


def test_a_subtree_is_not_moved_past_one_entry_without_the_right(daemon, c):
    for n in "abc":
        c.put(A + "/t/" + n, n)
    c.allow(A, "uid:4711", "list,read,write,delete")
    c.deny(A + "/t/b", "uid:4711", "delete")
    w = daemon.actor(4711)
    assert w.request("POST", "/v1/txn", json.dumps({"then": [{"op": "move", "from": A + "/t", "to": A + "/u"}]})).code == "refused", daemon.log()
    r = w.request("POST", "/v1/txn", json.dumps({"then": [{"op": "copy", "from": A + "/t", "to": A + "/u"}]}))
    assert r.data["results"][0]["entries"] == 3
    assert set(tree_of(c)) == {"/t/a", "/t/b", "/t/c", "/u/a", "/u/b", "/u/c"}


# ---- subtrees

def test_move_keeps_values_types_seals_and_metadata(c):
    c.put(A + "/t/a", "1", comment="why", Secreg_Tags="x,y", Secreg_Expires="2100-01-01T00:00:00Z")
    c.put(A + "/t/s", "hidden", sealed="true")
    c.put(A + "/t/n", "7", type="integer")
    c.put(A + "/t/large", "L" * 5000)
    r = txn(c, [{"op": "move", "from": A + "/t", "to": A + "/u/v"}])
    assert r.data["results"] == [{"path": A + "/t", "to": A + "/u/v", "entries": 4}]
    e = c.entry(A + "/u/v/a").data
    assert (e["value"], e["comment"], e["tags"], e["expires"]) == ("1", "why", ["x", "y"], "2100-01-01T00:00:00.000Z")
    assert c.get(A + "/u/v/s").headers["secreg-sealed"] == "true" and c.get(A + "/u/v/s").body == b"hidden"
    assert c.entry(A + "/u/v/n").data["type"] == "integer" and len(c.get(A + "/u/v/large").body) == 5000
    assert c.get(A + "/t/").status == 404
    moved = c.get("/v1/audit?kind=move").data["records"]
    assert {(m["detail"], m["path"]) for m in moved} == {(A + "/t/" + n, A + "/u/v/" + n) for n in ("a", "s", "n", "large")}
    assert c.get(A + "/t/a?history").data["versions"][0]["deleted"] is True


def test_move_one_entry_and_copy_a_folder(c):
    c.put(A + "/a", "1")
    assert txn(c, [{"op": "move", "from": A + "/a", "to": A + "/b"}]).data["results"][0]["entries"] == 1
    assert txn(c, [{"op": "copy", "from": A + "/b", "to": A + "/c"}]).status == 200
    assert tree_of(c) == {"/b": "1", "/c": "1"}
    assert txn(c, [{"op": "move", "from": A, "to": "/registry/system/a"}]).code == "bad-request"


def test_delete_tree(c):
    for n in ("a", "b/c", "b/d"):
        c.put(A + "/t/" + n, n)
    c.put(A + "/u", "1")
    r = txn(c, [{"op": "delete-tree", "path": A + "/t"}], reason="cleaned")
    assert r.data["results"][0]["entries"] == 3 and tree_of(c) == {"/u": "1"}
    assert c.get(A + "/t/a?history").data["versions"][0]["reason"] == "cleaned"


def test_revert_an_entry(c):
    c.put(A + "/a", "1", comment="first")
    c.put(A + "/a", "2", sealed="true", comment="second")
    assert txn(c, [{"op": "revert", "path": A + "/a", "version": 1}]).data["results"][0]["entries"] == 1
    e = c.entry(A + "/a").data
    assert (e["value"], e["version"], e["sealed"], e["comment"]) == ("1", 3, False, "first")
    c.delete(A + "/a")
    assert txn(c, [{"op": "revert", "path": A + "/a", "version": 2}]).status == 200
    assert c.entry(A + "/a").data["value"] == "2" and c.entry(A + "/a").data["sealed"] is True


def test_revert_a_subtree_to_a_revision(c):
    c.put(A + "/t/a", "1")
    c.put(A + "/t/b", "1")
    c.put(A + "/t/f", "was an entry")
    then = c.status()["revision"]
    c.put(A + "/t/a", "2")
    c.delete(A + "/t/b")
    c.put(A + "/t/new", "x")
    c.delete(A + "/t/f")
    c.put(A + "/t/f/below", "now a folder")
    now = c.status()["revision"]
    past = c.list(A + "/t", recursive=True, values=True, revision=then)
    assert [(e["path"], e["value"]) for e in past["entries"]] == [(A + "/t/a", "1"), (A + "/t/b", "1"), (A + "/t/f", "was an entry")]
    dry = txn(c, [{"op": "revert", "path": A + "/t", "revision": then}], dry_run=True)
    assert dry.data["results"][0]["entries"] == 5
    assert txn(c, [{"op": "revert", "path": A + "/t", "revision": then}]).status == 200
    assert tree_of(c) == {"/t/a": "1", "/t/b": "1", "/t/f": "was an entry"}
    assert txn(c, [{"op": "revert", "path": A + "/t", "revision": now}]).status == 200
    assert tree_of(c) == {"/t/a": "2", "/t/f/below": "now a folder", "/t/new": "x"}


def test_a_past_that_is_no_longer_kept_is_said_to_be_gone(new_store):
    c = new_store(config="history:\n  versions: 2\n").start().client()
    c.put(A + "/a", "1")
    then = c.status()["revision"]
    for i in range(5):
        c.put(A + "/a", str(i))
    r = c.get(A + "/?recursive&values&revision=%d" % then)
    assert (r.status, r.code) == (410, "gone")
    assert txn(c, [{"op": "revert", "path": A, "revision": then}]).code == "gone"
    assert c.list(A, recursive=True, values=True, revision=c.status()["revision"] - 1)["entries"][0]["value"] == "3"


def test_a_revert_is_not_stopped_by_the_versions_it_makes_itself(new_store):
    """An entry that was not there yet, and has as many versions as are kept: the deletion pushes the first one out."""
    c = new_store(config="history:\n  versions: 3\n").start().client()
    c.put(A + "/t/x", "1")
    then = c.status()["revision"]
    for i in range(3):
        c.put(A + "/t/later", str(i))
    assert txn(c, [{"op": "revert", "path": A + "/t", "revision": then}]).data["results"][0]["entries"] == 1
    assert tree_of(c) == {"/t/x": "1"}


def test_what_has_expired_since_is_not_brought_back(c):
    c.put(A + "/t/a", "1", Secreg_Expires=stamp(0.4))
    c.put(A + "/t/b", "1")
    then = c.status()["revision"]
    wait_for(lambda: c.get(A + "/t/a").status == 404, 5, "the end")
    c.put(A + "/t/b", "2")
    assert txn(c, [{"op": "revert", "path": A + "/t/a", "version": 1}]).code == "bad-value"
    revision = c.status()["revision"]
    assert txn(c, [{"op": "revert", "path": A + "/t", "revision": then}]).data["results"][0]["entries"] == 1
    assert tree_of(c) == {"/t/b": "1"} and c.status()["revision"] == revision + 1
    c.put(A + "/t/a", "again")  # and what is there now goes, as it would be gone
    assert txn(c, [{"op": "revert", "path": A + "/t", "revision": then}]).data["results"][0]["entries"] == 2
    assert tree_of(c) == {"/t/b": "1"}


def test_filters_of_the_past_look_at_what_was(c):
    c.put(A + "/a", "1", Secreg_Tags="old")
    c.put(A + "/b", "1", type="integer")
    then = c.status()["revision"]
    c.put(A + "/a", "2", Secreg_Tags="new")
    c.put(A + "/b", "x", type="string")
    def past(**filters):
        return [e["path"] for e in c.list(A, recursive=True, values=True, revision=then, **filters)["entries"]]
    assert past(tag="old") == [A + "/a"] and past(tag="new") == []
    assert past(type="integer") == [A + "/b"] and past(name="b") == [A + "/b"]


# ---- destroying

def test_a_destroyed_version_is_gone_from_the_files(daemon, c):
    marker = "SHRED-ME-" + os.urandom(8).hex()
    c.put(A + "/a", marker)
    c.put(A + "/big", marker * 500)
    c.put(A + "/a", "second", sealed="true")
    c.put(A + "/big", "second")
    assert marker.encode() in b"".join(open(daemon.db + t, "rb").read() for t in ("", "-wal"))
    r = txn(c, [{"op": "destroy", "path": A + "/a", "version": 1}, {"op": "destroy", "path": A + "/big", "version": 1}])
    assert r.status == 200, r
    assert marker.encode() not in b"".join(open(daemon.db + t, "rb").read() for t in ("", "-wal"))
    assert (c.get(A + "/a?version=1").status, c.get(A + "/a?version=1").code) == (410, "gone")
    assert c.get(A + "/a?history").data["versions"][1]["destroyed"] is True
    assert txn(c, [{"op": "destroy", "path": A + "/a", "version": 1}]).code == "gone"
    assert txn(c, [{"op": "revert", "path": A + "/a", "version": 1}]).code == "gone"
    c.put(A + "/after", "works")
    daemon.restart()
    c = daemon.client()
    assert c.status()["state"] == "unlocked" and c.status()["corrupt_entries"] == 0
    assert c.get(A + "/after").body == b"works" and c.get(A + "/a").body == b"second"
    assert c.get(A + "/a?version=1").code == "gone"
    Follower().follow(c)


# ---- metadata and listings

def test_tags_and_filters(c):
    c.put(A + "/web/port", "80", type="integer", Secreg_Tags="net,web")
    c.put(A + "/web/name", "x", Secreg_Tags="web")
    c.put(A + "/db/port", "5432", type="integer")
    assert c.entry(A + "/web/port").data["tags"] == ["net", "web"]
    c.put(A + "/web/port", "81")
    assert c.entry(A + "/web/port").data["tags"] == ["net", "web"]  # kept until replaced
    assert c.names(A, recursive=True, tag="web") == [A + "/web/name", A + "/web/port"]
    assert c.names(A, recursive=True, type="integer") == [A + "/db/port", A + "/web/port"]
    assert c.names(A, recursive=True, name="p*") == [A + "/db/port", A + "/web/port"]
    assert c.names(A, recursive=True, name="p*", tag="net") == [A + "/web/port"]
    assert c.names(A + "/web", tag="net") == ["port"]
    c.put(A + "/web/port", "82", Secreg_Tags="")
    assert c.entry(A + "/web/port").data["tags"] == []
    for bad in ("a,a", "a b", ",", "x" * 65, ",".join("t%d" % i for i in range(17)), "\u00e4"):
        assert c.put(A + "/bad", "x", Secreg_Tags=bad.encode()).code == "bad-request", bad
    for bad in ("name=[", "type=none", "tag=", "expires_before=x", "revision=1", "values", "fingerprint&long"):
        assert c.get(A + "/?" + bad).code == "bad-request", bad
    assert c.get(A + "/?recursive&revision=1").code == "bad-request"


def test_export_pages_agree_with_single_reads(c):
    for i in range(25):
        c.put(A + "/e/%02d" % i, "v%d" % i, sealed="true" if i % 2 else "false")
    seen, after = {}, None
    while True:
        page = c.list(A, recursive=True, values=True, limit=7, **({"after": after} if after else {}))
        seen.update({e["path"]: e for e in page["entries"]})
        after = page["next"]
        if after is None:
            break
    assert len(seen) == 25
    for path, e in seen.items():
        one = c.entry(path).data
        assert {k: one[k] for k in e} == e
    reads = c.get("/v1/audit?kind=get&path=" + A + "/e/03").data["records"]
    assert len(reads) == 2, "a read with a listing leaves its record"


def test_export_leaves_out_what_may_not_be_read(daemon, c):
    for n in "abc":
        c.put(A + "/" + n, n)
    c.allow(A, "uid:4711", "list,read")
    c.deny(A + "/b", "uid:4711", "read")
    w = daemon.actor(4711)
    assert [e["path"] for e in w.request("GET", A + "/?recursive&values").data["entries"]] == [A + "/a", A + "/c"]
    mine = w.request("GET", A + "/?fingerprint").data
    assert mine["entries"] == 2
    assert mine["fingerprint"] != c.get(A + "/?fingerprint").data["fingerprint"]


def test_fingerprint_is_of_content_alone(c):
    def fingerprint(folder):
        return c.get(A + folder + "/?fingerprint").data["fingerprint"]
    for folder in ("/x", "/y"):
        c.put(A + folder + "/a", "1")
        c.put(A + folder + "/b/c", "2", sealed="true" if folder == "/y" else "false")
    c.put(A + "/x/a", "9")
    assert fingerprint("/x") != fingerprint("/y")
    c.put(A + "/x/a", "1")
    assert fingerprint("/x") == fingerprint("/y")
    c.put(A + "/x/a", "1", type="json")
    assert fingerprint("/x") != fingerprint("/y")
    assert c.get(A + "/none/?fingerprint").status == 404


# ---- expiry

def stamp(seconds):
    t = time.time() + seconds
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".%03dZ" % int(t % 1 * 1000)


def test_an_entry_expires_by_itself_and_leaves_a_record(c):
    c.put(A + "/a", "1", Secreg_Expires=stamp(0.7), Secreg_Tags="short")
    c.put(A + "/b", "1")
    assert c.get(A + "/a").status == 200
    assert c.names(A, recursive=True, expires_before=stamp(5)) == [A + "/a"]
    end = time.monotonic() + 5
    while c.get(A + "/a").status == 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert c.get(A + "/a").status == 404 and c.names(A) == ["b"]
    r = c.get("/v1/audit?kind=expire").data["records"]
    assert [(x["path"], x["version_before"], x["version_after"]) for x in r] == [(A + "/a", 1, 2)]
    h = c.get(A + "/a?history").data["versions"][0]
    assert h["deleted"] and h["reason"] == "expired"
    Follower().follow(c)


def test_expiry_happens_without_requests_and_over_a_restart(daemon, c):
    c.put(A + "/a", "1", Secreg_Expires=stamp(0.5))
    c.put(A + "/b", "1", Secreg_Expires=stamp(1.0))
    c.put(A + "/c", "1", Secreg_Expires=stamp(3600))
    records = c.status()["records"]
    wait_for(lambda: c.status()["records"] > records, 5, "an expiry that nobody asked about")
    daemon.stop()
    time.sleep(1.0)
    daemon.start()
    c = daemon.client()
    assert c.get(A + "/b").status == 404 and c.get(A + "/c").status == 200
    assert len(c.get("/v1/audit?kind=expire").data["records"]) == 2


def test_ends_are_kept_replaced_and_taken_away(c):
    far = "2100-01-01T00:00:00Z"
    c.put(A + "/a", "1", Secreg_Expires=far)
    c.put(A + "/a", "2")
    assert c.entry(A + "/a").data["expires"] == "2100-01-01T00:00:00.000Z"
    c.put(A + "/a", "3", Secreg_Expires="never")
    assert c.entry(A + "/a").data["expires"] is None
    assert c.put(A + "/a", "4", Secreg_Expires="2001-01-01T00:00:00Z").code == "bad-value"
    assert c.put(A + "/a", "4", Secreg_Expires="soon").code == "bad-request"
    txn(c, [s("/a", "5", expires=far)])
    assert c.entry(A + "/a").data["expires"] == "2100-01-01T00:00:00.000Z"
    txn(c, [s("/a", "6", expires=None)])
    assert c.entry(A + "/a").data["expires"] is None


def test_many_expire_at_once(c):
    at = stamp(1.2)
    assert txn(c, [s("/m/%04d" % i, "x", expires=at) for i in range(3000)]).status == 200
    end = time.monotonic() + 10
    while c.get(A + "/m/2999").status == 200 and time.monotonic() < end:
        time.sleep(0.05)
    assert c.status()["entries"] == 0
    Follower().follow(c)


# ---- while locked, full, killed

def test_a_locked_registry_does_no_transaction(new_store):
    d = new_store(slot="passphrase", rounds=600000, passphrase=b"correct horse battery").start()
    c = d.client()
    assert txn(c, [s("/a", "1")]).code == "locked"
    assert c.get(A + "/?fingerprint").code == "locked"


def test_kill_in_the_middle_of_moves(daemon, c):
    """Two entries that only ever move together: after a kill they are at one place, never at two, never apart."""
    txn(c, [s("/left/a", "1"), s("/left/b", "1")])
    import threading
    stop = threading.Event()

    def mover():
        try:
            k = daemon.client()
            while not stop.is_set():
                for a, b in (("/left", "/right"), ("/right", "/left")):
                    txn(k, [{"op": "move", "from": A + a, "to": A + b}])
        except Exception:
            pass
    for _ in range(6):
        t = threading.Thread(target=mover)
        t.start()
        time.sleep(0.08)
        daemon.kill("engine")
        stop.set()
        t.join()
        stop.clear()
        daemon.start()
        c = daemon.client()
        assert set(tree_of(c)) in ({"/left/a", "/left/b"}, {"/right/a", "/right/b"})
    Follower().follow(c)
