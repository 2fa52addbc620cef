"""The audit trail: every operation leaves its record, reads and refusals too; what can be asked of it; and that it proves itself
to a verifier that shares no code with the daemon (trail_verify.py)."""
import datetime
import hashlib
import os
import subprocess
import sys
import time

import pytest

from conftest import HERE, needs_root
from trail_verify import Broken, Follower, Verifier, parse, split

A = "/registry/applications"
ME = os.geteuid()


def records(c, query=""):
    r = c.get("/v1/audit" + ("?" + query if query else ""))
    assert r.status == 200, r
    return r.data["records"]


def newest(c, kind=None):
    """The newest record, of a kind, checkpoints and epochs apart; the question itself is recorded after it was answered."""
    return [r for r in records(c, "limit=3" + ("&kind=" + kind if kind else "")) if r["kind"] not in ("checkpoint", "epoch")][0]


def brief(r):
    return r["kind"], r["outcome"], r["path"], r["version_before"], r["version_after"]


# ---- the verifier judged by published figures -----------------------------------------------------------------------

def test_verifier_knows_rfc6962_trees():
    """Roots of the eight leaves that the public test vectors of certificate transparency use."""
    leaves = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f")]
    roots = ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
             "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
             "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
             "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
             "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
             "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
             "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"]
    v = Verifier()
    assert v.root().hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for leaf, root in zip(leaves, roots):
        node, height = hashlib.sha256(b"\0" + leaf).digest(), 0
        while v.peaks and v.peaks[-1][0] == height:
            node = hashlib.sha256(b"\1" + v.peaks.pop()[1] + node).digest()
            height += 1
        v.peaks.append((height, node))
        assert v.root().hex() == root


# ---- every operation has its record ---------------------------------------------------------------------------------

def test_a_new_store_says_how_it_began(daemon, c):
    first, second, third = records(c, "order=up")[:3]
    assert (first["kind"], first["seq"], first["uid"]) == ("init", 0, ME)
    assert (second["kind"], second["seq"], second["uid"]) == ("epoch", 1, ME) and second["detail"].startswith("epoch 1, sealed to 1: ")
    assert (third["kind"], third["seq"], third["detail"]) == ("start", 2, "")


OPERATIONS = [
    # what is done, and the record it leaves: kind, outcome, path, version before and after
    (lambda c: c.put(A + "/new", "1"), ("set", "done", A + "/new", 0, 1)),
    (lambda c: c.put(A + "/a", "2"), ("set", "done", A + "/a", 1, 2)),
    (lambda c: c.put(A + "/a", "x", match=9), ("set", "conflict", A + "/a", 0, 0)),
    (lambda c: c.put(A + "/a", "x", absent=True), ("set", "exists", A + "/a", 0, 0)),
    (lambda c: c.put(A + "/a", "x", type="integer"), ("set", "bad-value", A + "/a", 0, 0)),
    (lambda c: c.put(A + "/a/b", "x"), ("set", "not-folder", A + "/a/b", 0, 0)),
    (lambda c: c.put("/registry/system", "x"), ("set", "is-folder", "/registry/system", 0, 0)),
    (lambda c: c.put(A + "/a", "x", reason="r" * 257), ("set", "too-large", A + "/a", 0, 0)),
    (lambda c: c.get(A + "/a"), ("get", "done", A + "/a", 1, 1)),
    (lambda c: c.entry(A + "/a"), ("get", "done", A + "/a", 1, 1)),
    (lambda c: c.get(A + "/a?version=1"), ("get", "done", A + "/a", 1, 1)),
    (lambda c: c.get(A + "/a?version=7"), ("get", "not-found", A + "/a", 0, 0)),
    (lambda c: c.get(A + "/none"), ("get", "not-found", A + "/none", 0, 0)),
    (lambda c: c.get("/registry"), ("get", "is-folder", "/registry", 0, 0)),
    (lambda c: c.get(A + "/a?history"), ("history", "done", A + "/a", 0, 0)),
    (lambda c: c.get(A + "/none?history"), ("history", "not-found", A + "/none", 0, 0)),
    (lambda c: c.get(A + "/"), ("list", "done", A, 0, 0)),
    (lambda c: c.get(A + "/?recursive"), ("list", "done", A, 0, 0)),
    (lambda c: c.get(A + "/none/"), ("list", "not-found", A + "/none", 0, 0)),
    (lambda c: c.delete(A + "/a"), ("delete", "done", A + "/a", 1, 2)),
    (lambda c: c.delete(A + "/none"), ("delete", "not-found", A + "/none", 0, 0)),
    (lambda c: c.delete(A + "/a", match=5), ("delete", "conflict", A + "/a", 0, 0)),
    (lambda c: c.get("/v1/acl?path=" + A), ("acl-show", "done", A, 0, 0)),
    (lambda c: c.acl_add(A, "deny", "uid:4711", "read"), ("acl-add", "done", A, 0, 0)),
    (lambda c: c.acl_add(A, "deny", "nobody", "read"), ("acl-add", "bad-request", A, 0, 0)),
    (lambda c: c.acl_add("/registry", "deny", "any", "admin"), ("acl-add", "last-admin", "/registry", 0, 0)),
    (lambda c: c.delete("/v1/acl?id=1"), ("acl-remove", "last-admin", "/registry", 0, 0)),
    (lambda c: c.delete("/v1/acl?id=99"), ("acl-remove", "not-found", "", 0, 0)),
    (lambda c: c.get("/v1/acl/test?path=%s&principal=any&action=read" % A), ("acl-test", "done", A, 0, 0)),
    (lambda c: c.get("/v1/audit?path=" + A), ("audit-read", "done", A, 0, 0)),
    (lambda c: c.get("/v1/audit?raw"), ("audit-read", "done", "", 0, 0)),
    (lambda c: c.get("/v1/checkpoint"), ("audit-read", "done", "", 0, 0)),
    (lambda c: c.post("/v1/reload"), ("reload", "done", "", 0, 0)),
    (lambda c: c.post("/v1/unlock"), ("unlock", "done", "", 0, 0)),
    (lambda c: c.post("/v1/lock"), ("lock", "done", "", 0, 0)),
]


@pytest.mark.parametrize("act,expected", OPERATIONS, ids=["%02d-%s-%s" % (i, o[1][0], o[1][1]) for i, o in enumerate(OPERATIONS)])
def test_each_operation_leaves_one_record(c, act, expected):
    c.put(A + "/a", "1")
    before = c.status()["records"]
    reply = act(c)
    after = c.status()["records"]
    is_signed = expected[0] == "lock" or expected[:2] == ("acl-add", "done")  # with a checkpoint before or behind
    assert after == before + 1 + 2 * is_signed  # which ends an epoch
    r = newest(c)
    assert brief(r) == expected
    assert (reply.code or "done") == r["outcome"]
    assert r["seq"] == before + 2 * (expected[0] == "lock")
    assert (r["uid"], r["gid"], r["pid"]) == (ME, os.getegid(), os.getpid())
    assert r["request_id"] == reply.headers["secreg-request"]
    assert r["revision"] == c.status()["revision"]
    if expected[0] not in ("unlock",) and r["outcome"] == "done":
        assert r["rule"] == 1


def test_status_and_whoami_leave_none(c):
    before = c.status()["records"]
    for _ in range(5):
        c.get("/v1/whoami")
        c.get("/v1/status")
    assert c.status()["records"] == before


def test_the_deciding_rule_is_named(c):
    c.put(A + "/a", "1")
    rule = c.deny(A + "/a", "any", "read")
    assert c.get(A + "/a").code == "refused"
    r = newest(c)
    assert brief(r)[:3] == ("get", "refused", A + "/a") and r["rule"] == rule


def test_details(c):
    c.put(A + "/a", "1", reason="because \u00e9")
    assert newest(c)["detail"] == "because \u00e9"
    c.delete(A + "/a", reason="no more")
    assert newest(c)["detail"] == "no more"
    rule = c.deny(A, "gid:4711", "read,write")
    assert newest(c)["detail"] == "deny gid:4711 read,write"
    c.delete("/v1/acl?id=%d" % rule)
    r = newest(c)
    assert (r["kind"], r["path"], r["detail"]) == ("acl-remove", A, "rule %d" % rule)
    c.get("/v1/audit?raw")
    assert newest(c)["detail"] == "raw"


def test_times_are_those_of_the_operations(c):
    before = time.time()
    c.put(A + "/a", "1")
    after = time.time()
    t = datetime.datetime.fromisoformat(newest(c)["time"].replace("Z", "+00:00")).timestamp()
    assert before - 0.01 <= t <= after + 0.01


@needs_root
def test_refusals_of_strangers_are_recorded_with_who_they_are(daemon, c):
    c.put(A + "/a", "1")
    user = daemon.actor(5001, 6001)
    for act, kind, outcome in ((lambda: user.get(A + "/a"), "get", "not-found"),
                               (lambda: user.put(A + "/a", "2"), "set", "refused"),
                               (lambda: user.delete(A + "/a"), "delete", "not-found"),
                               (lambda: user.get(A + "/"), "list", "not-found"),
                               (lambda: user.get("/v1/acl?path=" + A), "acl-show", "refused"),
                               (lambda: user.acl_add(A, "allow", "uid:5001", "read"), "acl-add", "refused"),
                               (lambda: user.delete("/v1/acl?id=1"), "acl-remove", "not-found"),
                               (lambda: user.get("/v1/audit"), "audit-read", "refused"),
                               (lambda: user.get("/v1/checkpoint"), "audit-read", "refused"),
                               (lambda: user.post("/v1/unlock", "guess"), "unlock", "refused"),
                               (lambda: user.post("/v1/lock"), "lock", "refused"),
                               (lambda: user.post("/v1/reload"), "reload", "refused")):
        reply = act()
        r = newest(c)
        assert (r["kind"], r["outcome"]) == (kind, outcome), r
        assert (r["uid"], r["gid"], r["pid"], r["rule"]) == (5001, 6001, user.process.pid, 0)
        assert r["request_id"] == reply.headers["secreg-request"]


def test_no_record_holds_a_value_or_passphrase(daemon, c):
    c.put(A + "/a", "value-4711")
    c.put(A + "/a", "value-4712", sealed="true")
    c.put(A + "/n", "value-4713", type="integer")
    c.post("/v1/lock")
    c.post("/v1/unlock", "passphrase-4714")
    c.post("/v1/unlock")
    raw = c.get("/v1/audit?raw").body
    for n in range(4711, 4715):
        assert b"%d" % n not in raw


# ---- asking ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def busy(daemon, c):
    for i in range(20):
        c.put(A + "/web/n%d" % i, "1")
        c.get(A + "/web/n%d" % i)
        c.get(A + "/none%d" % i)
    c.put(A + "/webx", "1")
    c.put(A + "/web", "1")
    return c


def test_newest_first_and_upwards(busy):
    down = [r["seq"] for r in records(busy, "limit=1000")]
    assert down == sorted(down, reverse=True) and down[-1] == 0
    up = [r["seq"] for r in records(busy, "limit=1000&order=up")]
    assert up[:len(down)] == sorted(down)
    assert [r["seq"] for r in records(busy, "limit=3&order=down")] == [len(up) + i for i in (0, -1, -2)]


def test_fields_of_a_record(busy):
    assert set(newest(busy)) == {"seq", "time", "kind", "outcome", "request_id", "uid", "gid", "pid", "session", "unit", "label", "path",
                                 "detail", "version_before", "version_after", "rule", "revision"}


def test_filter_by_kind(busy):
    found = records(busy, "kind=set&limit=1000")
    assert len(found) == 22 and {r["kind"] for r in found} == {"set"}
    assert records(busy, "kind=delete") == []


def test_filter_by_path_and_below(busy):
    found = records(busy, "kind=set&limit=1000&path=%s/web" % A)
    assert {r["path"] for r in found} == {A + "/web"} | {A + "/web/n%d" % i for i in range(20)}
    assert len(records(busy, "limit=1000&path=%s/web/n1" % A)) == 2


def test_filter_by_refusal(busy):
    found = records(busy, "refused&limit=1000")
    assert len(found) == 21 and {r["outcome"] for r in found} == {"not-found", "is-folder"}


def test_filter_by_outcome_and_rule(busy):
    every = records(busy, "limit=1000")
    codes = {r["outcome"] for r in every}
    assert len(codes) > 1
    for code in codes:
        found = records(busy, "limit=1000&outcome=" + code)
        assert [r["seq"] for r in found if r["seq"] <= every[0]["seq"]] == [r["seq"] for r in every if r["outcome"] == code]
    assert records(busy, "outcome=timeout") == []
    rules = {r["rule"] for r in every} - {0}
    assert rules
    for rule in rules:
        found = records(busy, "limit=1000&rule=%d" % rule)
        assert {r["rule"] for r in found} == {rule} and len(found) >= sum(r["rule"] == rule for r in every)
    assert records(busy, "rule=%d" % (max(rules) + 1000)) == []
    for bad in ("outcome=", "outcome=Done", "outcome=6", "rule=0", "rule=x", "rule="):
        assert busy.get("/v1/audit?" + bad).status == 400, bad


def test_filter_by_user(busy):
    assert len(records(busy, "uid=%d&kind=get&limit=1000" % ME)) == 40
    assert records(busy, "uid=4711") == []


def test_filter_by_time(c):
    c.put(A + "/early", "1")
    time.sleep(0.05)
    middle = datetime.datetime.utcnow().isoformat(timespec="milliseconds") + "Z"
    time.sleep(0.05)
    c.put(A + "/late", "1")
    assert [r["path"] for r in records(c, "kind=set&since=" + middle)] == [A + "/late"]
    assert [r["path"] for r in records(c, "kind=set&until=" + middle)] == [A + "/early"]
    assert records(c, "since=2100-01-01T00:00:00Z") == [] and records(c, "until=2000-01-01T00:00:00Z") == []


def test_filters_together(busy):
    found = records(busy, "kind=get&refused&path=%s&uid=%d&limit=1000" % (A, ME))
    assert len(found) == 20 and all(r["path"].startswith(A + "/none") for r in found)


@pytest.mark.parametrize("query", ["kind=set", "", "refused", "path=%s/web" % A])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_paging(busy, query, limit):
    """Pages put together are the whole, downwards and upwards."""
    for order in ("down", "up"):
        until = busy.status()["records"] - 1
        whole = [r["seq"] for r in records(busy, query + "&limit=1000&order=" + order if query else "limit=1000&order=" + order)]
        whole = [s for s in whole if s <= until]
        found, after = [], None
        for _ in range(2000):
            q = "limit=%d&order=%s" % (limit, order) + ("&" + query if query else "") + ("&after=%d" % after if after is not None else "")
            d = busy.get("/v1/audit?" + q).data
            assert len(d["records"]) <= limit
            found += [r["seq"] for r in d["records"] if r["seq"] <= until]
            after = d["next"]
            if after is None or (order == "up" and after > until):
                break
        assert found == whole


@pytest.mark.parametrize("query", ["kind=none", "kind=", "uid=x", "uid=-1", "uid=4294967295", "limit=0", "limit=1001", "limit=x",
                                   "since=yesterday", "since=2026-01-01", "until=x", "order=sideways", "refused=1", "path=/etc",
                                   "path=%s/" % A, "after=x", "after=-1", "raw&kind=set", "raw=1", "raw&limit=5", "raw&order=up"])
def test_malformed_questions(c, query):
    r = c.get("/v1/audit?" + query)
    assert r.status == 400 and r.code in ("bad-request", "bad-path"), r


@needs_root
def test_an_auditor_reads_the_trail_and_no_values(daemon, c):
    c.put(A + "/a", "1")
    c.allow("/registry", "uid:5001", "auditor")
    auditor = daemon.actor(5001)
    assert [r["path"] for r in records(auditor, "kind=set")] == [A + "/a"]
    assert auditor.get("/v1/checkpoint").status == 200
    assert auditor.get("/v1/audit?raw").status == 200
    assert auditor.get(A + "/a").code == "refused"


@needs_root
def test_records_of_paths_that_an_auditor_must_not_audit_are_left_out(daemon, c):
    c.put(A + "/open", "1")
    c.put(A + "/shut/x", "1")
    c.allow("/registry", "uid:5001", "auditor")
    c.deny(A + "/shut", "uid:5001", "audit")
    auditor = daemon.actor(5001)
    assert [r["path"] for r in records(auditor, "kind=set")] == [A + "/open"]
    assert [r for r in records(auditor, "limit=1000") if r["path"].startswith(A + "/shut")] == []


@needs_root
def test_an_auditor_below_the_root_gets_no_trail(daemon, c):
    c.allow(A, "uid:5001", "auditor")
    auditor = daemon.actor(5001)
    for target in ("/v1/audit", "/v1/audit?path=" + A, "/v1/audit?raw", "/v1/checkpoint"):
        assert auditor.get(target).code == "refused"


# ---- proof ----------------------------------------------------------------------------------------------------------

def test_checkpoint_of_a_young_trail(c):
    d = c.get("/v1/checkpoint").data
    assert set(d) == {"size", "root", "last", "note", "key"} and d["size"] == 5
    assert len(d["root"]) == len(d["last"]) == 64


def test_the_trail_verifies_and_says_what_the_query_says(daemon, c):
    for i in range(300):
        c.put(A + "/n%d" % (i % 9), str(i), sealed="true" if i % 2 else "false", reason="\u00e9" * (i % 40))
        if i % 3 == 0:
            c.get(A + "/n%d" % (i % 9))
        if i % 7 == 0:
            c.delete(A + "/n%d" % (i % 9))
    f = Follower()
    found = f.follow(c)
    assert [r["seq"] for r in found] == list(range(len(found))) and len(found) > 400
    told, after = [], None
    while len(told) < len(found):
        d = c.get("/v1/audit?order=up&limit=1000" + ("&after=%d" % after if after is not None else "")).data
        told += d["records"]
        after = d["next"] if d["next"] is not None else told[-1]["seq"]
    for raw, doc in zip(found, told):
        for name in ("seq", "kind", "uid", "gid", "pid", "unit", "label", "path", "detail", "version_before", "version_after", "rule",
                     "revision"):
            assert raw[name] == doc[name], name
        assert "%016x" % raw["request"] == doc["request_id"]
    # a change states the tree after it, and which version it made; a read does neither
    for r in found:
        changes = r["kind"] in ("set", "delete") and r["outcome"] == 0
        assert (len(r["commitment"]) == 32) == changes
        assert (len(r["state"]) == 32) == (changes or r["kind"] == "init")
    revisions = [r["revision"] for r in found if r["kind"] not in ("start", "epoch")]  # a locked registry knows none
    assert revisions == sorted(revisions)
    monos = [r["mono_us"] for r in found]
    assert monos == sorted(monos)


def test_the_trail_grows_and_never_changes(daemon, c):
    f = Follower()
    f.follow(c)
    for _ in range(3):
        for i in range(40):
            c.put(A + "/n", str(i))
        f.follow(c)
        daemon.restart()
        c = daemon.client()
        f.follow(c)
        c.post("/v1/lock")
        f.follow(c)
        c.post("/v1/unlock")
    kinds = [r["kind"] for r in f.records]
    assert kinds.count("start") == 4 and kinds.count("stop") == 3 and kinds.count("set") == 120
    whole = Follower()
    whole.follow(c)
    assert whole.records[:len(f.records)] == f.records


def test_a_long_trail_verifies_over_its_frontiers(daemon, c):
    """More records than the daemon re-hashes at its start."""
    f = Follower()
    for _ in range(3):
        for _ in range(900):
            c.get(A + "/none")
        daemon.restart()
        c = daemon.client()
        f.follow(c)
    assert len(f.records) > 2700


def test_raw_pages(daemon, c):
    for i in range(3000):
        c.get(A + "/" + "n" * 255 + "/" + "m" * 200)
    first = c.get("/v1/audit?raw").body
    assert len(first) <= 1 << 20
    raws = list(split(first))
    assert [parse(r)["seq"] for r in raws] == list(range(len(raws))) and len(raws) < 3000
    second = list(split(c.get("/v1/audit?raw&after=%d" % (len(raws) - 1)).body))
    assert parse(second[0])["seq"] == len(raws)
    Follower().follow(c)


def test_raw_behind_the_end_is_empty(c):
    for after in (10**6, 2**63 - 1):
        r = c.get("/v1/audit?raw&after=%d" % after)
        assert r.status == 200 and r.body == b"" and r.headers["content-type"] == "application/octet-stream"


def test_the_verifier_finds_every_change(daemon, c, tmp_path):
    """The verifier itself: one bit anywhere, a record more, less, twice or elsewhere is noticed at the right number."""
    for i in range(30):
        c.put(A + "/n", str(i))
    head = c.get("/v1/checkpoint").data
    raws = list(split(c.get("/v1/audit?raw").body))[:head["size"]]

    def judge(records_):
        v = Verifier()
        try:
            for raw in records_:
                v.add(raw)
        except Broken as e:
            return e.seq
        return None if v.root().hex() == head["root"] else "root"

    assert judge(raws) is None
    for at in range(0, len(raws), 3):
        for byte in range(0, len(raws[at]), 11):
            bad = bytearray(raws[at])
            bad[byte] ^= 1
            found = judge(raws[:at] + [bytes(bad)] + raws[at + 1:])
            assert found in ((at, at + 1) if at + 1 < len(raws) else (at, "root")), (at, byte, found)
        assert judge(raws[:at] + raws[at + 1:]) in (at, "root")
        assert judge(raws[:at] + [raws[at]] + raws[at:]) == at + 1
        if at + 1 < len(raws):
            assert judge(raws[:at] + [raws[at + 1], raws[at]] + raws[at + 2:]) == at
    assert judge(raws[:-1]) == "root"

    path = tmp_path / "raw"
    path.write_bytes(b"".join(len(r).to_bytes(4, "big") + r for r in raws))
    done = subprocess.run([sys.executable, os.path.join(HERE, "trail_verify.py"), str(path)], capture_output=True, text=True)
    assert done.returncode == 0 and head["root"] in done.stdout
