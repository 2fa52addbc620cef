"""A random walk through the whole of entries and rules, every answer compared with a small model of the tree.

The model is written from doc/spec/http-api.md and src/authz/authz.h, not from the code. One daemon serves all examples, each
below a folder of its own. As root the requests come from several users.

MODEL_STEPS (default 10000): steps in all. MODEL_SEED: the seed, printed at every run.
"""
import json
import os
import random
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from client import b64
from conftest import IS_ROOT
from trail_verify import Follower

ACTIONS = ["list", "read", "write", "delete", "grant", "audit", "control"]
ROLES = {"admin": set(ACTIONS), "operator": {"list", "read", "write"}, "auditor": {"list", "audit"}}
MEDIA = {"json": "application/json", "list": "application/json", "binary": "application/octet-stream"}
KEPT = 10  # versions

# users: name -> (uid, gid, supplementary groups); "me" made the store
USERS = {"me": (os.geteuid(), os.getegid(), os.getgroups())}
if IS_ROOT:
    USERS.update({"ann": (5001, 5001, []), "bob": (5002, 5002, [6001]), "cyd": (5003, 6001, [6002])})
STRANGERS = [u for u in USERS if u != "me"]

PATHS = ["/a", "", "/a/x", "/a/y", "/a/y/z", "/b", "/b/x", "/c/d/e", "/c/d", "/c", "/ab", "/\u00e9"]

# value, and the types it fits
VALUES = [
    (b"", {"string", "binary"}), (b"words", {"string", "binary"}), (b"\xff\x00", {"binary"}),
    (b"42", {"string", "integer", "float", "json", "binary"}), (b"-7", {"string", "integer", "float", "json", "binary"}),
    (b"true", {"string", "boolean", "json", "binary"}), (b"1.5", {"string", "float", "json", "binary"}),
    (b'{"a":[1]}', {"string", "json", "binary"}), (b'["x","y"]', {"string", "json", "list", "binary"}),
    (b"[1]", {"string", "json", "binary"}), (b"{bad", {"string", "binary"}), (b"v" * 2000, {"string", "binary"}),
]
TYPES = ["string", "integer", "boolean", "float", "json", "binary", "list"]


def principals():
    found = ["any", "uid:4711", "gid:6001", "gid:6002", "unit:none.service", "label:none"]
    return found + ["uid:%d" % u[0] for u in USERS.values()]


class World:
    """What all examples share: the daemon, its clients, and what counts over the whole tree."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.clients = {}
        self.connect()
        self.revision = self.clients["me"].status()["revision"]
        self.steps = self.examples = self.changes = self.left = 0
        self.last_rule = 1

    def connect(self):
        for name, (uid, gid, groups) in USERS.items():
            if name == "me":
                self.clients[name] = self.daemon.client()
            elif name not in self.clients:
                self.clients[name] = self.daemon.actor(uid, gid, groups)


WORLD = None


class Version:
    def __init__(self, number, type, sealed, value, reason, revision):
        self.number, self.type, self.sealed, self.value, self.reason, self.revision = number, type, sealed, value, reason, revision
        self.deleted = value is None


class Entry:
    def __init__(self):
        self.versions = []  # oldest first, all of them
        self.comment = ""

    @property
    def now(self):
        return self.versions[-1]

    @property
    def is_live(self):
        return not self.now.deleted

    @property
    def kept(self):
        return self.versions[-KEPT:]


class Machine(RuleBasedStateMachine):
    """The model, and the steps that compare it with the daemon."""

    def __init__(self):
        super().__init__()
        self.entries = {}  # path -> Entry
        self.rules = {}    # id -> (path, effect, principal, actions)

    @initialize(number=st.integers(0, 10**6))
    def begin(self, number):
        """Begins with some entries and rules, so that even a short walk meets something."""
        WORLD.examples += 1
        self.base = "/registry/applications/m%d" % WORLD.examples
        rng = random.Random(number)
        for _ in range(rng.randrange(3, 9)):
            self.put("me", rng.randrange(len(PATHS)), rng.choice(VALUES), rng.choice([None, None] + TYPES), rng.choice([None, "true"]),
                     None, None, rng.choice([None, "note"]))
        for _ in range(rng.randrange(4, 9)):
            self.acl_add("me", rng.choice([1, 1, rng.randrange(len(PATHS))]), rng.choice(["allow", "allow", "allow", "deny"]),
                         rng.choice(["any", *["uid:%d" % USERS[u][0] for u in STRANGERS], "gid:6001"]),
                         rng.choice(["operator", "list,read", "list", "delete", "write,delete", "admin"]))

    def place(self, n):
        """One of the paths, or one of the entries that are there."""
        there = sorted(p for p in self.entries if self.live(p))
        if n < len(PATHS) or not there:
            return self.base + PATHS[n % len(PATHS)]
        return there[n % len(there)]

    def teardown(self):
        """Takes the rules away, as whoever still may; those that only others may take away stay behind."""
        gone = True
        while gone:
            gone = False
            for id, (path, *_) in list(self.rules.items()):
                who = next((u for u in USERS if self.may(u, path, "grant")), None)
                if who is not None and WORLD.clients[who].delete("/v1/acl?id=%d" % id).status == 200:
                    del self.rules[id]
                    WORLD.revision += 1
                    gone = True
        WORLD.left += len(self.rules)

    # ---- the model

    @staticmethod
    def rules_above(path, rules):
        me = {1: ("/registry", "allow", "uid:%d" % os.geteuid(), set(ACTIONS))}
        for id, r in {**me, **rules}.items():
            if path == r[0] or path.startswith(r[0] + "/"):
                yield id, r

    def can_be_taken_back(self, rules, path):
        """With these rules, at the path and at every rule below it, somebody whom a rule names has the right `grant`."""
        places = {path} | {r[0] for r in rules.values() if r[0].startswith(path + "/")}
        return all(any(self.decide({"any", r[2]}, p, "grant", rules)[0] for _, r in self.rules_above(p, rules)) for p in places)

    def decide(self, names, path, action, rules=None):
        """(allowed, id of the deciding rule) for whoever these principals name."""
        found = {"allow": [], "deny": []}
        for id, (_, effect, principal, actions) in self.rules_above(path, self.rules if rules is None else rules):
            if principal in names and action in actions:
                found[effect].append(id)
        if found["deny"]:
            return False, min(found["deny"])
        return (True, min(found["allow"])) if found["allow"] else (False, 0)

    def may(self, who, path, action):
        uid, gid, groups = USERS[who]
        names = {"any", "uid:%d" % uid, "gid:%d" % gid} | {"gid:%d" % g for g in groups}
        return self.decide(names, path, action)[0]

    def live(self, path):
        return path in self.entries and self.entries[path].is_live

    def is_folder(self, path):
        return any(p.startswith(path + "/") and e.is_live for p, e in self.entries.items()) or path.count("/") <= 2

    def is_blocked(self, path):
        return any(self.live(p) and path.startswith(p + "/") for p in self.entries)

    def refusal(self, who, path):
        """What somebody without the right gets: no more than he could see in the folder above."""
        is_there = self.live(path) or self.is_folder(path)
        return 403 if is_there and self.may(who, path.rsplit("/", 1)[0], "list") else 404

    # ---- comparing

    def ask(self, who, method, target, body=None, **headers):
        WORLD.steps += 1
        r = WORLD.clients[who].request(method, target, body, **headers)
        self.asked = (who, method, target, headers, r)
        return r

    def expect(self, r, status):
        codes = {400: "bad-request", 403: "refused", 404: "not-found", 422: "bad-value"}
        assert r.status == status, "expected %s: %s" % (status, (self.asked,))
        if status in codes:
            assert r.code == codes[status], self.asked

    def url(self, path):
        return quote(path, safe="/")

    def changed(self, path, version, reply, is_new):
        WORLD.revision += 1
        WORLD.changes += 1
        assert reply.data == {"path": path, "version": version, "revision": WORLD.revision}, self.asked
        assert reply.version == version and reply.status == (201 if is_new else 200), self.asked

    # ---- steps

    who = st.sampled_from(list(USERS))
    often_me = st.sampled_from(["me"] * 5 + list(USERS))
    where = st.integers(0, 2 * len(PATHS) - 1)  # see place()

    @rule(who=often_me, tail=where, value=st.sampled_from(VALUES), type=st.sampled_from([None] * 4 + TYPES),
          sealed=st.sampled_from([None, None, "true", "false"]), match=st.sampled_from([None] * 6 + ["absent", "now", "past"]),
          reason=st.sampled_from([None, "because", "\u00e9"]), comment=st.sampled_from([None, None, "", "note"]))
    def put(self, who, tail, value, type, sealed, match, reason, comment):
        path = self.place(tail)
        body, fits = value
        entry = self.entries.get(path)
        live = self.live(path)
        number = entry.now.number if entry else 0
        headers = {"Secreg_Type": type, "Secreg_Sealed": sealed, "Secreg_Reason": reason, "Secreg_Comment": comment,
                   "If_None_Match": "*" if match == "absent" else None,
                   "If_Match": {"now": '"%d"' % number, "past": '"%d"' % (number + 7)}.get(match)}
        r = self.ask(who, "PUT", self.url(path), body, **headers)
        stored = type or (entry.now.type if live else "string")
        if type in ("json", "list") and type not in fits:
            return self.expect(r, 422)
        if not self.may(who, path, "write"):
            return self.expect(r, 403)
        if stored not in fits:
            return self.expect(r, 422)
        if match == "absent" and live:
            self.expect(r, 412)
            assert r.code == "exists"
            return None
        if match == "past" or (match == "now" and not live):
            self.expect(r, 412)
            assert r.code == "conflict"
            return None
        if self.is_blocked(path) or self.is_folder(path):
            self.expect(r, 409)
            assert r.code == ("not-folder" if self.is_blocked(path) else "is-folder")
            return None
        is_sealed = sealed == "true" if sealed else live and entry.now.sealed
        if entry is None:
            entry = self.entries[path] = Entry()
        entry.comment = comment if comment is not None else entry.comment if live else ""
        entry.versions.append(Version(number + 1, stored, is_sealed, body, reason or "", WORLD.revision + 1))
        return self.changed(path, number + 1, r, not live)

    @rule(tail=where, value=st.sampled_from(VALUES), sealed=st.sampled_from([None, "true"]))
    def put_plainly(self, tail, value, sealed):
        self.put("me", tail, value, "binary", sealed, None, None, None)

    @rule(tail=where, value=st.sampled_from(VALUES))
    def put_again(self, tail, value):
        """The type is left to the entry."""
        self.put("me", tail, value, None, None, "now" if tail % 3 == 0 else None, None, None)

    @rule(who=often_me, tail=where, match=st.sampled_from([None, None, None, "now", "past"]), reason=st.sampled_from([None, "gone"]))
    def remove(self, who, tail, match, reason):
        path = self.place(tail)
        entry = self.entries.get(path)
        number = entry.now.number if entry else 0
        r = self.ask(who, "DELETE", self.url(path), Secreg_Reason=reason,
                     If_Match={"now": '"%d"' % number, "past": '"%d"' % (number + 7)}.get(match))
        if not self.may(who, path, "delete"):
            return self.expect(r, self.refusal(who, path))
        if not self.live(path):
            return self.expect(r, 409 if self.is_folder(path) else 404)
        if match == "past":
            return self.expect(r, 412)
        entry.versions.append(Version(number + 1, entry.now.type, False, None, reason or "", WORLD.revision + 1))
        entry.comment = ""
        return self.changed(path, number + 1, r, False)

    def find(self, who, path, number):
        """The version that a read finds, or the status it gets."""
        entry = self.entries.get(path)
        if not self.may(who, path, "read"):
            return self.refusal(who, path)
        if not self.live(path) and self.is_folder(path):
            return 409
        if entry is None or (number is None and not entry.is_live):
            return 404
        found = entry.now if number is None else next((v for v in entry.kept if v.number == number), None)
        return 404 if found is None or found.deleted else found

    @rule(who=who, tail=where, number=st.sampled_from([None] * 5 + [1, 2, 3, 12]))
    def get(self, who, tail, number):
        path = self.place(tail)
        r = self.ask(who, "GET", self.url(path) + ("?version=%d" % number if number else ""))
        v = self.find(who, path, number)
        if isinstance(v, int):
            return self.expect(r, v)
        self.expect(r, 200)
        assert r.body == v.value, self.asked
        assert r.version == v.number and r.headers["secreg-type"] == v.type, self.asked
        assert r.headers.get("secreg-sealed") == ("true" if v.sealed else None), self.asked
        assert r.headers["content-type"] == MEDIA.get(v.type, "text/plain; charset=utf-8")
        assert r.headers["secreg-revision"] == str(WORLD.revision)
        return None

    @rule(who=who, tail=where, number=st.sampled_from([None] * 5 + [1, 2, 3]))
    def get_entry(self, who, tail, number):
        path = self.place(tail)
        r = self.ask(who, "GET", self.url(path) + ("?version=%d" % number if number else ""), Accept="application/json")
        v = self.find(who, path, number)
        if isinstance(v, int):
            return self.expect(r, v)
        d = r.data
        assert (d["path"], d["type"], d["sealed"], d["version"], d["size"], d["reason"]) == (
            path, v.type, v.sealed, v.number, len(v.value), v.reason), self.asked
        if self.live(path):
            assert d["comment"] == self.entries[path].comment, self.asked
        meaning = d["value"]
        if v.type == "binary":
            assert b64(meaning) == v.value
        elif v.type == "string":
            assert meaning == v.value.decode()
        else:
            assert meaning == json.loads(v.value) and isinstance(meaning, bool) == isinstance(json.loads(v.value), bool)
        return None

    @rule(who=who, tail=where)
    def history(self, who, tail):
        path = self.place(tail)
        r = self.ask(who, "GET", self.url(path) + "?history")
        if not self.may(who, path, "list"):
            return self.expect(r, self.refusal(who, path))
        if path not in self.entries:
            return self.expect(r, 404)
        told = [(v["version"], v["type"], v["sealed"], v["deleted"], v["size"], v["reason"], v["revision"]) for v in r.data["versions"]]
        assert told == [(v.number, v.type, v.sealed, v.deleted, len(v.value or b""), v.reason, v.revision)
                        for v in reversed(self.entries[path].kept)], self.asked
        return None

    @rule(who=who, tail=where, recursive=st.booleans(), limit=st.sampled_from([None, None, 1, 2, 5]),
          after=st.sampled_from([None, None, None] + PATHS), plain=st.sampled_from([False, False, True]))
    def list(self, who, tail, recursive, limit, after, plain):
        folder = self.place(tail)
        args = ["recursive"] if recursive else []
        if limit:
            args.append("limit=%d" % limit)
        if after is not None:
            after = folder + after if recursive else after[1:]
            args.append("after=" + quote(after, safe="/"))
        r = self.ask(who, "GET", self.url(folder) + "/" + ("?" + "&".join(args) if args else ""),
                     Accept="text/plain" if plain else None)
        if not self.may(who, folder, "list"):
            return self.expect(r, self.refusal(who, folder))
        if not self.is_folder(folder):
            return self.expect(r, 409 if self.live(folder) else 404)
        self.expect(r, 200)
        below = sorted((p for p in self.entries if self.live(p) and p.startswith(folder + "/")), key=lambda p: p.encode().split(b"/"))
        if recursive:
            rows = [p for p in below if self.may(who, p, "list")]
            rows = [p for p in rows if after is None or p.encode().split(b"/") > after.encode().split(b"/")]
        else:
            names = sorted({p[len(folder) + 1:].split("/")[0] for p in below}, key=str.encode)
            rows = [n for n in names if self.may(who, folder + "/" + n, "list")]
            rows = [n for n in rows if after is None or n.encode() > after.encode()]
        page = rows[:limit] if limit else rows
        more = page[-1] if len(page) < len(rows) else None
        prefix = "" if recursive else folder + "/"
        if plain:
            assert r.body.decode() == "".join(n + ("\n" if self.live(prefix + n) else "/\n") for n in page), (rows, self.asked)
            assert r.headers.get("secreg-next") == (quote(more, safe="/@:+") if more else None), self.asked
            return None
        d = r.data
        assert [e.get("path" if recursive else "name") for e in d["entries"]] == page, (rows, self.asked)
        assert d["next"] == more, self.asked
        for e, n in zip(d["entries"], page):
            if self.live(prefix + n):
                v = self.entries[prefix + n].now
                assert (e["type"], e["version"], e["sealed"]) == (v.type, v.number, v.sealed), self.asked
            else:
                assert e == {"name": n, "folder": True}, self.asked
        return None

    @rule(who=st.sampled_from(["me"] * 6 + STRANGERS), tail=where, effect=st.sampled_from(["allow", "allow", "deny"]),
          principal=st.sampled_from(principals()),
          actions=st.sampled_from(["read", "list", "write", "delete", "list,read", "operator", "auditor", "read,write,delete", "admin",
                                   "grant", "grant"]))
    def acl_add(self, who, tail, effect, principal, actions):
        meant = set().union(*(ROLES.get(a, {a}) for a in actions.split(",")))
        path = self.place(tail)
        r = self.ask(who, "POST", "/v1/acl", json.dumps({"path": path, "effect": effect, "principal": principal, "actions": actions}))
        if not self.may(who, path, "grant"):
            return self.expect(r, 403)
        if effect == "deny" and not self.can_be_taken_back({**self.rules, WORLD.last_rule + 1: (path, effect, principal, meant)}, path):
            self.expect(r, 409)
            assert r.code == "last-admin", self.asked
            return None
        id = r.data["id"]
        assert id > WORLD.last_rule, "a rule id was used again: %s" % (self.asked,)
        WORLD.last_rule = id
        WORLD.revision += 1
        self.rules[id] = (path, effect, principal, meant)
        return None

    @rule(who=st.sampled_from(["me"] * 4 + STRANGERS), which=st.integers(0, 20))
    def acl_remove(self, who, which):
        if not self.rules:
            return None
        id = sorted(self.rules)[which % len(self.rules)]
        path, effect, _, actions = self.rules[id]
        if effect == "allow" and "grant" in actions and not self.can_be_taken_back(
                {k: x for k, x in self.rules.items() if k != id}, path):
            return None  # whether the last one may go is asked in test_acl.py
        r = self.ask(who, "DELETE", "/v1/acl?id=%d" % id)
        if not self.may(who, self.rules[id][0], "grant"):
            return self.expect(r, 404)
        assert r.data == {"id": id}, self.asked
        del self.rules[id]
        WORLD.revision += 1
        return None

    @rule(who=often_me, tail=where)
    def acl_show(self, who, tail):
        path = self.place(tail)
        r = self.ask(who, "GET", "/v1/acl?path=" + self.url(path))
        if not self.may(who, path, "grant"):
            return self.expect(r, 403)
        told = {x["id"]: (x["path"], x["effect"], x["principal"], set(x["actions"].split(","))) for x in r.data["rules"]}
        bear = {id: x for id, x in self.rules.items() if (path + "/").startswith(x[0] + "/") or x[0].startswith(path + "/")}
        expected = {id: x for id, x in bear.items() if self.may(who, x[0], "grant")}
        told.pop(1, None)
        assert told == expected, self.asked
        return None

    @rule(tail=where, principal=st.sampled_from(principals()), action=st.sampled_from(ACTIONS))
    def acl_test(self, tail, principal, action):
        path = self.place(tail)
        r = self.ask("me", "GET", "/v1/acl/test?path=%s&principal=%s&action=%s" % (self.url(path), principal, action))
        if not self.may("me", path, "grant"):
            return self.expect(r, 403)
        allowed, id = self.decide({"any", principal}, path, action)
        assert r.data == {"allowed": allowed, "rule": id}, self.asked
        return None

    @rule(dice=st.integers(0, 40))
    def lock_and_unlock(self, dice):
        """Everything is read from the database again, and checked."""
        if dice == 11:
            assert self.ask("me", "POST", "/v1/lock").status == 200
            assert self.ask("me", "GET", self.base).code == "locked"
            assert self.ask("me", "POST", "/v1/unlock").status == 200

    @rule(dice=st.integers(0, 150))
    def restart(self, dice):
        if dice == 77:
            for name, c in WORLD.clients.items():
                if name != "me":
                    c.ask("reset")
            WORLD.clients["me"].close()
            assert WORLD.daemon.process is not None
            WORLD.daemon.clients.clear()
            WORLD.daemon.restart()
            WORLD.clients["me"] = WORLD.daemon.client()
            WORLD.steps += 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_random_walk(new_store):
    global WORLD
    steps = int(os.environ.get("MODEL_STEPS", "10000"))
    number = int(os.environ.get("MODEL_SEED", random.randrange(1 << 30)))
    print("MODEL_SEED=%d" % number)
    daemon = new_store(config="history:\n  deleted_entries: 1000000\n").start()
    WORLD = World(daemon)
    actors = [c for n, c in WORLD.clients.items() if n != "me"]
    turn = 0
    try:
        while WORLD.steps < steps:
            machine = seed(number + turn)(type("Machine", (Machine,), {}))
            run_state_machine_as_test(machine, settings=settings(
                max_examples=20, stateful_step_count=80, deadline=None, database=None, print_blob=False,
                suppress_health_check=list(HealthCheck)))
            turn += 1
        c = WORLD.clients["me"]
        assert c.status()["revision"] == WORLD.revision
        assert c.status()["rules"] == 1 + WORLD.left
        records = Follower().follow(c)
        assert sum(1 for r in records if r["kind"] in ("set", "delete") and r["outcome"] == 0) == WORLD.changes
        print("%d steps in %d examples, %d changes, %d records" % (WORLD.steps, WORLD.examples, WORLD.changes, len(records)))
    finally:
        for a in actors:
            a.close()
