"""What one user may take: entries, bytes stored, requests a second; nobody else is harmed, and who may control is exempt."""
import json

import pytest

A = "/registry/applications"


@pytest.fixture
def limited(new_store):
    d = new_store(config="limits:\n  entries_per_uid: 3\n  bytes_stored_per_uid: 1000\n").start()
    c = d.client()
    c.allow(A, "uid:4711", "list,read,write,delete")
    c.allow(A, "uid:4712", "list,read,write,delete")
    d.c, d.w, d.x = c, d.actor(4711), d.actor(4712)
    return d


def put(w, path, body="x"):
    return w.request("PUT", A + path, body)


def share(w):
    return w.request("GET", "/v1/status").data["share"]


def test_entries_of_one_user_are_limited(limited):
    w = limited.w
    assert [put(w, "/w%d" % i).status for i in range(3)] == [201] * 3
    r = put(w, "/w3")
    assert (r.status, r.code) == (429, "limit")
    assert put(w, "/w0", "changed").status == 200, "what is there may be changed"
    assert put(limited.x, "/x0").status == 201, "another user has a share of his own"
    assert w.request("DELETE", A + "/w1").status == 200
    assert put(w, "/w3").status == 201, "what was given up is free again"
    assert (share(w)["entries"], share(w)["uid"]) == (3, 4711)
    assert [limited.c.put(A + "/admin%d" % i, "x").status for i in range(10)] == [201] * 10, "who may control is exempt"


def test_bytes_of_one_user_are_limited(limited):
    w = limited.w
    assert put(w, "/a", "x" * 600).status == 201
    assert put(w, "/b", "x" * 600).code == "limit"
    assert put(w, "/b", "x" * 400).status == 201
    assert put(w, "/b", "x" * 401).code == "limit"
    assert put(w, "/b", "x" * 100).status == 200
    assert share(w)["bytes_stored"] == 700
    limited.restart()
    assert limited.actor(4711).request("GET", "/v1/status").data["share"]["bytes_stored"] == 700


def test_no_way_around_by_transactions(limited):
    w = limited.w
    for n in "ab":
        put(w, "/t/" + n)
    copy = {"then": [{"op": "copy", "from": A + "/t", "to": A + "/u"}]}
    r = w.request("POST", "/v1/txn", json.dumps(copy))
    assert (r.status, r.code) == (429, "limit") and share(w)["entries"] == 2
    many = {"then": [{"op": "set", "path": A + "/m%d" % i, "value": "x"} for i in range(5)]}
    assert w.request("POST", "/v1/txn", json.dumps(many)).code == "limit" and share(w)["entries"] == 2
    move = {"then": [{"op": "move", "from": A + "/t", "to": A + "/u"}]}
    assert w.request("POST", "/v1/txn", json.dumps(move)).status in (200, 429)
    assert share(w)["entries"] == 2


def test_requests_of_one_user_are_limited_by_rate(new_store):
    d = new_store(config="limits:\n  requests_per_second_per_uid: 5\n").start()
    c, w, x = d.client(), d.actor(4711), d.actor(4712)
    c.allow(A, "any", "list,read")
    c.put(A + "/a", "1")
    seen = [w.request("GET", A + "/a").status for _ in range(80)]
    assert seen[:50] == [200] * 50 and 429 in seen[50:]
    assert x.request("GET", A + "/a").status == 200
    assert all(c.get(A + "/a").status == 200 for _ in range(100))
    shares = {s["uid"]: s for s in c.status()["shares"]}
    assert shares[4711]["turned_away"] == seen.count(429) > 0
    records = c.get("/v1/audit?uid=4711&limit=1000").data["records"]
    assert len(records) == seen.count(200), "what was turned away fills no trail"
