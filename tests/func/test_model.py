"""A random walk through the whole of entries, transactions, listings and rules, every answer compared with the model (model.py).

One daemon serves all examples, each below a folder of its own. As root the requests come from several users.

MODEL_STEPS (default 20000): steps in all. MODEL_SEED: the seed, printed at every run.
"""
import base64
import functools
import json
import os
import random
import time
import traceback
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from client import b64
from conftest import IS_ROOT, SLOWER, soon
from model import ACTIONS, NEVER, ROLES, STATUS, TYPES, Model, No
from trail_verify import Follower

MEDIA = {"json": "application/json", "list": "application/json", "binary": "application/octet-stream"}
KEPT = 4  # versions: few, so that they run out
FAR = ["2100-01-01T00:00:00.000Z", "2150-06-01T12:00:00.500Z", "2199-12-31T23:59:59.999Z"]
TAGS = ["net", "tls", "web"]

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

# value of a leaf, its type there (None: left out), the bytes it stands for, the type that gives (None: as the entry has), what they fit
LEAF_VALUES = [
    ("", None, b"", None, {"string", "binary"}), ("words", None, b"words", None, {"string", "binary"}),
    ("42", None, b"42", None, {"string", "integer", "float", "json", "binary"}),
    ('["x"]', None, b'["x"]', None, {"string", "json", "list", "binary"}), ("v" * 2000, None, b"v" * 2000, None, {"string", "binary"}),
    (42, None, b"42", "integer", {"integer"}), (1.5, None, b"1.5", "float", {"float"}), (True, None, b"true", "boolean", {"boolean"}),
    (["x", "y"], None, b'["x","y"]', "list", {"list"}), ([1], None, b"[1]", "json", {"json"}), ({"a": [1]}, None, b'{"a":[1]}', "json", {"json"}),
    (None, None, b"null", "json", {"json"}), ("/wA=", "binary", b"\xff\x00", "binary", {"binary"}), ("text", "json", b'"text"', "json", {"json"}),
    ("7", "integer", b"7", "integer", {"integer"}), ("x", "integer", b"x", "integer", set()), (["x"], "json", b'["x"]', "json", {"json"}),
    ([1], "list", b"[1]", "list", set()), ("[]", "list", b"[]", "list", set()), (7, "string", b"7", "string", {"string"}),
    ("words", "string", b"words", "string", {"string"}),
]
LEAF_OPS = ["set"] * 6 + ["get"] * 2 + ["delete"] * 2 + ["delete-tree", "move", "move", "copy", "copy", "revert", "revert", "revert-tree",
                                                        "revert-tree", "destroy"]
COMPARISONS = ["version", "version", "absent", "present", "value", "fingerprint"]


def principals():
    found = ["any", "uid:4711", "gid:6001", "gid:6002", "unit:none.service", "label:none"]
    return found + ["uid:%d" % u[0] for u in USERS.values()]


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%03dZ" % int(seconds % 1 * 1000)


class World:
    """What all examples share: the daemon, its clients, and what counts over the whole tree."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.clients = {}
        self.connect()
        self.revision = self.clients["me"].status()["revision"]
        self.kinds = {}  # records of changes, over all examples
        self.steps = self.examples = self.left = 0
        self.last_rule = 1
        self.first_failure = None  # Hypothesis tries a failing walk again, which then fails in another way: the store has changed

    def connect(self):
        for name, (uid, gid, groups) in USERS.items():
            if name == "me":
                self.clients[name] = self.daemon.client()
            elif name not in self.clients:
                self.clients[name] = self.daemon.actor(uid, gid, groups)


WORLD = None


def step(**strategies):
    """A rule whose first failure is kept."""
    def decorate(function):
        @functools.wraps(function)
        def noted(self, *args, **more):
            try:
                return function(self, *args, **more)
            except Exception:
                WORLD.first_failure = WORLD.first_failure or traceback.format_exc()
                raise
        return rule(**strategies)(noted)
    return decorate


class Machine(RuleBasedStateMachine):
    """The steps, each compared with the model."""

    def __init__(self):
        super().__init__()
        self.m = Model(USERS, KEPT)
        self.m.revision, self.m.kinds = WORLD.revision, WORLD.kinds
        self.m.clock = lambda: rfc3339(time.time())

    @initialize(number=st.integers(0, 10**6))
    def begin(self, number):
        """Begins with some entries and rules, so that even a short walk meets something."""
        WORLD.examples += 1
        self.base = "/registry/applications/m%d" % WORLD.examples
        rng = random.Random(number)
        for _ in range(rng.randrange(3, 9)):
            self.put("me", rng.randrange(len(PATHS)), rng.choice(VALUES), rng.choice([None, None] + TYPES), rng.choice([None, "true"]),
                     None, None, rng.choice([None, "note"]), None, None)
        for _ in range(rng.randrange(4, 9)):
            self.acl_add("me", rng.choice([1, 1, rng.randrange(len(PATHS))]), rng.choice(["allow", "allow", "allow", "deny"]),
                         rng.choice(["any", *["uid:%d" % USERS[u][0] for u in STRANGERS], "gid:6001"]),
                         rng.choice(["operator", "list,read", "list", "delete", "write,delete", "admin"]))

    def place(self, n):
        """One of the paths, or one of the entries that are there."""
        there = sorted(p for p in self.m.entries if self.m.live(p))
        if n < len(PATHS) or not there:
            return self.base + PATHS[n % len(PATHS)]
        return there[n % len(there)]

    def teardown(self):
        """Takes the rules away, as whoever still may; those that only others may take away stay behind."""
        gone = True
        while gone:
            gone = False
            for id, (path, *_) in list(self.m.rules.items()):
                who = next((u for u in USERS if self.m.may(u, path, "grant")), None)
                if who is not None and WORLD.clients[who].delete("/v1/acl?id=%d" % id).status == 200:
                    del self.m.rules[id]
                    self.m.revision += 1
                    gone = True
        WORLD.left += len(self.m.rules)
        WORLD.revision, WORLD.kinds = self.m.revision, self.m.kinds

    # ---- comparing

    def ask(self, who, method, target, body=None, **headers):
        WORLD.steps += 1
        r = WORLD.clients[who].request(method, target, body, **headers)
        self.asked = (who, method, target, body, headers, r)
        return r

    def same(self, r, function, *args, **more):
        """What the model says; None after both have refused alike."""
        try:
            answer = function(*args, **more)
        except No as e:
            assert (r.status, r.code) == (STATUS[e.code], e.code), "expected %s: %s" % (e.code, self.asked)
            return None
        assert r.code is None, "expected a success: %s" % (self.asked,)
        return answer

    def expect(self, r, code):
        assert (r.status, r.code) == (STATUS[code], code), "expected %s: %s" % (code, self.asked)

    def url(self, path):
        return quote(path, safe="/")

    def changed(self, path, version, reply, is_new):
        assert reply.data == {"path": path, "version": version, "revision": self.m.revision}, self.asked
        assert reply.version == version and reply.status == (201 if is_new else 200), self.asked

    def same_value(self, shown, v):
        """A value in JSON is that of the version."""
        if v.type == "binary":
            assert b64(shown) == v.value, self.asked
        elif v.type == "string":
            assert shown == v.value.decode(), self.asked
        else:
            meant = json.loads(v.value)
            assert shown == meant and isinstance(shown, bool) == isinstance(meant, bool), self.asked

    def same_entry(self, shown, path, v):
        told = [shown[k] for k in ("path", "type", "sealed", "version", "size", "reason", "comment", "tags", "expires")]
        assert told == [path, v.type, v.sealed, v.number, len(v.value), v.reason, v.comment, list(v.tags), v.expires], (v.__dict__, self.asked)
        self.same_value(shown["value"], v)

    # ---- single entries

    who = st.sampled_from(list(USERS))
    often_me = st.sampled_from(["me"] * 5 + list(USERS))
    where = st.integers(0, 2 * len(PATHS) - 1)  # see place()

    @step(who=often_me, tail=where, value=st.sampled_from(VALUES), type=st.sampled_from([None] * 4 + TYPES),
          sealed=st.sampled_from([None, None, "true", "false"]), match=st.sampled_from([None] * 6 + ["absent", "now", "past"]),
          reason=st.sampled_from([None, "because", "\u00e9"]), comment=st.sampled_from([None, None, "", "note"]),
          tags=st.sampled_from([None, None, "", "tls", "web, net"]), expires=st.sampled_from([None, None, "never"] + FAR))
    def put(self, who, tail, value, type, sealed, match, reason, comment, tags, expires):
        path = self.place(tail)
        body, fits = value
        live, number = self.m.live(path), self.m.number(path)
        headers = {"Secreg_Type": type, "Secreg_Sealed": sealed, "Secreg_Reason": reason, "Secreg_Comment": comment,
                   "Secreg_Tags": tags, "Secreg_Expires": expires, "If_None_Match": "*" if match == "absent" else None,
                   "If_Match": {"now": '"%d"' % number, "past": '"%d"' % (number + 7)}.get(match)}
        r = self.ask(who, "PUT", self.url(path), body, **headers)
        if type in ("json", "list") and type not in fits:
            return self.expect(r, "bad-value")
        made = self.same(r, self.m.set, who, path, body, fits, type, None if sealed is None else sealed == "true", reason or "", comment,
                         None if tags is None else [t.strip() for t in tags.split(",") if t],
                         -1 if expires is None else NEVER if expires == "never" else expires,
                         {"now": number, "past": number + 7}.get(match), match == "absent")
        return self.changed(path, made, r, not live) if made else None

    @step(tail=where, value=st.sampled_from(VALUES), sealed=st.sampled_from([None, "true"]))
    def put_plainly(self, tail, value, sealed):
        self.put("me", tail, value, "binary", sealed, None, None, None, None, None)

    @step(tail=where, value=st.sampled_from(VALUES))
    def put_again(self, tail, value):
        """The type is left to the entry."""
        self.put("me", tail, value, None, None, "now" if tail % 3 == 0 else None, None, None, None, None)

    @step(who=often_me, tail=where, match=st.sampled_from([None, None, None, "now", "past"]), reason=st.sampled_from([None, "gone"]))
    def remove(self, who, tail, match, reason):
        path = self.place(tail)
        number = self.m.number(path)
        wanted = {"now": number, "past": number + 7}.get(match)
        r = self.ask(who, "DELETE", self.url(path), Secreg_Reason=reason, If_Match=None if wanted is None else '"%d"' % wanted)
        made = self.same(r, self.m.delete, who, path, reason or "", wanted)
        return self.changed(path, made, r, False) if made else None

    @step(who=who, tail=where, number=st.sampled_from([None] * 5 + [1, 2, 3, 12]))
    def get(self, who, tail, number):
        path = self.place(tail)
        r = self.ask(who, "GET", self.url(path) + ("?version=%d" % number if number else ""))
        v = self.same(r, self.m.read, who, path, number)
        if v is None:
            return
        assert r.body == v.value, self.asked
        assert r.version == v.number and r.headers["secreg-type"] == v.type, self.asked
        assert r.headers.get("secreg-sealed") == ("true" if v.sealed else None), self.asked
        assert r.headers["content-type"] == MEDIA.get(v.type, "text/plain; charset=utf-8")
        assert r.headers["secreg-revision"] == str(self.m.revision)

    @step(who=who, tail=where, number=st.sampled_from([None] * 5 + [1, 2, 3]))
    def get_entry(self, who, tail, number):
        path = self.place(tail)
        r = self.ask(who, "GET", self.url(path) + ("?version=%d" % number if number else ""), Accept="application/json")
        v = self.same(r, self.m.read, who, path, number)
        if v is not None:
            self.same_entry(r.data, path, v)

    def known(self, who, path):
        self.m.need(who, path, "list")
        if path not in self.m.entries:
            raise No("not-found")
        return self.m.kept(path)

    @step(who=who, tail=where)
    def history(self, who, tail):
        path = self.place(tail)
        r = self.ask(who, "GET", self.url(path) + "?history")
        kept = self.same(r, self.known, who, path)
        if kept is None:
            return
        told = [(v["version"], v["type"], v["sealed"], v["deleted"], v["destroyed"], v["size"], v["reason"], v["revision"])
                for v in r.data["versions"]]
        assert told == [(v.number, v.type, v.sealed, v.deleted, v.destroyed, len(v.value or b""), v.reason, v.revision)
                        for v in reversed(kept)], self.asked

    # ---- listings

    @step(who=who, tail=where, recursive=st.booleans(), limit=st.sampled_from([None, None, 1, 2, 5]),
          after=st.sampled_from([None, None, None] + PATHS), shape=st.sampled_from(["plain", "short", "long", "values"]),
          name=st.sampled_from([None, None, None, "x", "?", "[a-c]*"]), tag=st.sampled_from([None] * 4 + TAGS),
          type=st.sampled_from([None] * 5 + TYPES[:3]), before=st.sampled_from([None] * 5 + FAR))
    def list(self, who, tail, recursive, limit, after, shape, name, tag, type, before):
        folder = self.place(tail)
        recursive = recursive or shape == "values"
        filters = {k: v for k, v in (("name", name), ("tag", tag), ("type", type), ("expires_before", before)) if v is not None}
        args = ["recursive"] * recursive + [shape] * (shape in ("long", "values")) + ["%s=%s" % (k, quote(v, safe="")) for k, v in filters.items()]
        args += ["limit=%d" % limit] if limit else []
        if after is not None:
            after = folder + after if recursive else after[1:]
            args.append("after=" + quote(after, safe="/"))
        r = self.ask(who, "GET", self.url(folder) + "/" + ("?" + "&".join(args) if args else ""),
                     Accept="text/plain" if shape == "plain" else None)
        page = self.same(r, self.m.page, who, folder, recursive, shape == "values", None, after or None, limit or 1000, filters)
        if page is None:
            return
        rows, more = page
        if shape == "plain":
            assert r.body.decode() == "".join(n + ("\n" if v else "/\n") for n, v in rows), (rows, self.asked)
            assert r.headers.get("secreg-next") == (quote(more, safe="/@:+") if more else None), self.asked
            return
        d = r.data
        assert [e.get("path" if recursive else "name") for e in d["entries"]] == [n for n, _ in rows], (rows, self.asked)
        assert d["next"] == more and d["revision"] == self.m.revision, self.asked
        for e, (n, v) in zip(d["entries"], rows):
            self.same_row(e, n, v, shape)

    def same_row(self, e, name, v, shape):
        if v is None:
            assert e == {"name": name, "folder": True}, self.asked
            return
        assert (e["type"], e["version"], e["sealed"]) == (v.type, v.number, v.sealed), self.asked
        if shape == "long":
            assert (e["size"], e["tags"], e["expires"]) == (len(v.value), list(v.tags), v.expires), self.asked
        if shape == "values" and v.destroyed:
            assert e["value"] is None and "tags" not in e, self.asked
        elif shape == "values":
            assert (e["comment"], e["tags"], e["expires"]) == (v.comment, list(v.tags), v.expires), self.asked
            self.same_value(e["value"], v)

    @step(who=who, tail=where, back=st.integers(0, 12), limit=st.sampled_from([None, 1, 2]), name=st.sampled_from([None, None, "?"]),
          tag=st.sampled_from([None] * 3 + TAGS), type=st.sampled_from([None, None, None, "string"]))
    def list_past(self, who, tail, back, limit, name, tag, type):
        """All pages of how it was at a revision."""
        folder = self.place(tail)
        revision = max(1, self.m.revision - back)
        filters = {k: v for k, v in (("name", name), ("tag", tag), ("type", type)) if v is not None}
        args = "&".join(["recursive&values&revision=%d" % revision] + ["%s=%s" % (k, quote(v, safe="")) for k, v in filters.items()] +
                        (["limit=%d" % limit] if limit else []))
        after = None
        while True:
            r = self.ask(who, "GET", self.url(folder) + "/?" + args + ("&after=" + quote(after, safe="/") if after else ""))
            page = self.same(r, self.m.page, who, folder, True, True, revision, after, limit or 1000, filters)
            if page is None:
                return
            rows, more = page
            assert [e["path"] for e in r.data["entries"]] == [n for n, _ in rows] and r.data["next"] == more, (rows, self.asked)
            for e, (n, v) in zip(r.data["entries"], rows):
                self.same_row(e, n, v, "values")
            if more is None:
                return
            after = more

    def print_of(self, who, folder):
        self.m.need(who, folder, "read")
        if not self.m.is_folder(folder):
            raise No("not-folder" if self.m.live(folder) else "not-found")
        return self.m.fingerprint(who, folder)

    @step(who=who, tail=where)
    def fingerprint(self, who, tail):
        folder = self.place(tail)
        r = self.ask(who, "GET", self.url(folder) + "/?fingerprint")
        made = self.same(r, self.print_of, who, folder)
        if made is not None:
            assert r.data == {"path": folder, "fingerprint": made[0], "entries": made[1], "revision": self.m.revision}, self.asked

    # ---- transactions

    def make_comparison(self, who, kind, path, holds, pick):
        """(what is sent, what the model is asked)"""
        v = self.m.now(path) if self.m.live(path) else None
        if kind == "version":
            n = max(1, self.m.number(path) + (0 if holds else 3))
            return {"version": n}, {"version": n}
        if kind in ("absent", "present"):
            kind = kind if holds is None else ("present" if bool(v) == holds else "absent")
            return {kind: True}, {kind: True}
        if kind == "fingerprint":
            digest = self.m.fingerprint(who, path)[0] if holds else "ab" * 32
            return {"fingerprint": digest}, {"fingerprint": digest}
        if v is not None and holds and v.type in ("string", "binary"):
            sent = {"value": v.value.decode() if v.type == "string" else base64.b64encode(v.value).decode()}
            type = v.type if v.type == "binary" or pick % 2 else None
            return {**sent, **({"type": type} if type else {})}, {"value": v.value, "type": type}
        value, type, body, given, _ = LEAF_VALUES[pick % len(LEAF_VALUES)]
        return {"value": value, **({"type": type} if type else {})}, {"value": body, "type": type or given}

    def make_set(self, path, pick, match):
        value, type, body, given, fits = LEAF_VALUES[pick % len(LEAF_VALUES)]
        number = self.m.number(path)
        sent = {"op": "set", "path": path, "value": value, **({"type": type} if type else {})}
        asked = {"value": body, "fits": fits, "type": given}
        choices = {
            "comment": [(None, None), ("words", "words"), ("", "")], "seal": [(None, None), (True, True), (False, False)],
            "tags": [(None, None), ([], ()), (["web", "net"], ("web", "net"))], "expires": [(None, -1), (FAR[0], FAR[0]), ("null", NEVER)],
        }
        for i, (name, options) in enumerate(choices.items()):
            told, meant = options[pick // (7 + i) % 3]
            if told is not None:
                sent[name] = None if told == "null" else told
                asked["sealed" if name == "seal" else name] = meant
        if match == "now" and number:
            sent["version"] = asked["match"] = number
        elif match == "past":
            sent["version"] = asked["match"] = number + 7
        elif match == "absent":
            sent["absent"] = asked["absent"] = True
        return sent, asked

    def leaf(self, who, op, path, to, pick, match, reason):
        """(what is sent, what the model does for it, what kind of result there is)"""
        m = self.m
        back = max(1, m.number(path) - pick % 4)
        if op == "set":
            sent, asked = self.make_set(path, pick, match)
            return sent, lambda: ("version", m.set(who, path, reason=reason, **asked))
        if op == "get":
            return {"op": "get", "path": path}, lambda: ("entry", m.read(who, path))
        if op == "delete":
            n = {"now": m.number(path), "past": m.number(path) + 7}.get(match) or None
            return ({"op": "delete", "path": path, **({"version": n} if n else {})}, lambda: ("version", m.delete(who, path, reason, n)))
        if op == "delete-tree":
            return {"op": op, "path": path}, lambda: ("count", m.delete_tree(who, path, reason))
        if op in ("move", "copy"):
            return {"op": op, "from": path, "to": to}, lambda: ("count", m.transfer(who, path, to, op == "move", reason))
        if op == "revert":
            return {"op": op, "path": path, "version": back}, lambda: ("count", m.revert(who, path, version=back, reason=reason))
        if op == "revert-tree":
            at = max(1, m.revision - pick % 23) if pick % 29 else m.revision + 1000
            return {"op": "revert", "path": path, "revision": at}, lambda: ("count", m.revert(who, path, revision=at, reason=reason))
        return {"op": "destroy", "path": path, "version": back}, lambda: ("destroyed", (m.destroy(who, path, back), back)[1])

    def same_result(self, shown, sent, kind, made):
        if kind == "entry":
            return self.same_entry(shown, sent["path"], made)
        if kind == "count":
            wanted = {"path": sent.get("from", sent.get("path")), **({"to": sent["to"]} if "to" in sent else {}), "entries": made}
        else:
            wanted = {"path": sent["path"], "version": made, **({"revision": self.m.revision} if kind == "version" else {})}
        assert shown == wanted, (wanted, self.asked)
        return None

    def target(self, n, pick):
        """Where something may go: a place that is mostly free, at the top or in a folder."""
        if pick % 4 == 0:
            return self.base + PATHS[n % len(PATHS)]
        return self.base + ["", "/t", "/t/u", "/b"][pick // 4 % 4] + "/n%d" % (n % 5)

    @step(op=st.sampled_from(["move", "copy", "revert", "revert-tree", "destroy", "delete-tree"]), tail=where, other=where, pick=st.integers(0, 400))
    def tree_operation(self, op, tail, other, pick):
        """Alone, by whoever made the store: so that many are done."""
        self.transact("me", False, "", [], [(op, tail, other, pick, None)], False)

    @step(op=st.sampled_from(["move", "copy", "revert", "revert-tree"]), tail=where, other=where, pick=st.integers(0, 400),
          second=st.tuples(st.sampled_from(LEAF_OPS), where, where, st.integers(0, 400), st.just(None)))
    def two_operations(self, op, tail, other, pick, second):
        self.transact("me", False, "", [], [(op, tail, other, pick, None), second], False)

    @step(who=often_me, dry=st.sampled_from([False] * 5 + [True]), reason=st.sampled_from(["", "together"]),
          compare=st.lists(st.tuples(st.sampled_from(COMPARISONS), where, st.sampled_from([True] * 5 + [False]), st.integers(0, 400)), max_size=3),
          leaves=st.lists(st.tuples(st.sampled_from(LEAF_OPS), where, where, st.integers(0, 400),
                                    st.sampled_from([None] * 7 + ["now", "past", "absent"])), min_size=1, max_size=4),
          branch=st.booleans())
    def transaction(self, who, dry, reason, compare, leaves, branch):
        self.transact(who, dry, reason, compare, leaves, branch)

    def transact(self, who, dry, reason, compare, leaves, branch):
        """The model goes first, leaf by leaf, as the later ones are chosen by what the earlier ones made."""
        saved = self.m.begin()
        body = {"compare": [], "then": [], "else": []}
        refusal, results, holds = None, [], True
        try:
            for i, (kind, tail, truth, pick) in enumerate(compare):
                path = self.place(tail)
                sent, asked = self.make_comparison(who, kind, path, truth, pick)
                body["compare"].append({"path": path, **sent})
                blame = "compare[%d] %s" % (i, path)
                holds = self.m.holds(who, path, **asked) and holds
            part = "then" if holds else "else"
            for i, (op, tail, other, pick, match) in enumerate(leaves):
                path, to = self.place(tail), self.target(other, pick)
                sent, act = self.leaf(who, op, path, to, pick, match, reason)
                body[part].append(sent)
                blame = "%s[%d] %s" % (part, i, path)
                results.append((sent, *act()))
        except No as e:
            refusal = e.code
        # the branch that is not taken is never looked at
        body["else" if holds else "then"] = [{"op": "delete", "path": "/registry/none"}] if branch else []
        body.update({"dry_run": True} if dry else {}, **({"reason": reason} if reason else {}))
        body = {k: v for k, v in body.items() if v or k == "then"}
        r = self.ask(who, "POST", "/v1/txn", json.dumps(body))
        if refusal is None:
            assert r.code is None, self.asked
            d = r.data
            assert (d["succeeded"], d["dry_run"], d["revision"], len(d["results"])) == (holds, dry, self.m.revision, len(results)), self.asked
            for shown, (sent, kind, made) in zip(d["results"], results):
                self.same_result(shown, sent, kind, made)
        else:
            self.expect(r, refusal)
            assert blame in r.json["error"]["message"], (blame, self.asked)
        self.m.end(saved, refusal is None and not dry)
        self.m.record("txn")
        self.compare_all()

    def compare_all(self):
        """Everything that the administrator may read is what the model holds."""
        r = self.ask("me", "GET", self.url(self.base) + "/?recursive&values")
        page = self.same(r, self.m.page, "me", self.base, True, True)
        if page is not None:
            assert [e["path"] for e in r.data["entries"]] == [n for n, _ in page[0]], self.asked
            for e, (n, v) in zip(r.data["entries"], page[0]):
                self.same_row(e, n, v, "values")

    # ---- expiry

    @step(dice=st.integers(0, 9), tail=where, count=st.integers(1, 2))
    def expire_soon(self, dice, tail, count):
        """Entries that end in a moment; nothing else happens until they have, so the order of what happens is known."""
        if dice != 7:
            return
        paths = sorted({self.place(tail + i) for i in range(count)}, key=Model.order)
        end = time.time() + 0.25 * SLOWER
        stamp = rfc3339(end)
        saved = self.m.begin()
        leaves = [{"op": "set", "path": p, "value": "short", "type": "string", "expires": stamp} for p in paths]
        r = self.ask("me", "POST", "/v1/txn", json.dumps({"then": leaves}))
        try:
            for p in paths:
                self.m.set("me", p, b"short", {"string"}, "string", expires=stamp)
            refusal = None
        except No as e:
            refusal = e.code
        is_late = refusal is None and r.code == "bad-value"  # the daemon came to it only after the end
        assert is_late or r.code == refusal, self.asked
        self.m.end(saved, r.code is None)
        self.m.record("txn")
        if r.code is not None:
            return
        self.await_ends(paths)

    def await_ends(self, paths):
        until = time.monotonic() + soon(10)
        status = WORLD.clients["me"].status
        while status()["revision"] < self.m.revision + len(paths):
            assert time.monotonic() < until, "not expired: %s" % (paths,)
            time.sleep(0.02)
        for p in paths:
            self.m.expire(p)
        WORLD.steps += 1
        self.compare_all()
        for p in paths:
            self.history("me", self.tail_of(p))

    def tail_of(self, path):
        """A number that place() makes this path of, or any other path: what is asked for is compared in any case."""
        return PATHS.index(path[len(self.base):]) if path[len(self.base):] in PATHS else 0

    # ---- rules

    @step(who=st.sampled_from(["me"] * 6 + STRANGERS), tail=where, effect=st.sampled_from(["allow", "allow", "deny"]),
          principal=st.sampled_from(principals()),
          actions=st.sampled_from(["read", "list", "write", "delete", "list,read", "operator", "auditor", "read,write,delete", "admin",
                                   "grant", "grant"]))
    def acl_add(self, who, tail, effect, principal, actions):
        meant = set().union(*(ROLES.get(a, {a}) for a in actions.split(",")))
        path = self.place(tail)
        r = self.ask(who, "POST", "/v1/acl", json.dumps({"path": path, "effect": effect, "principal": principal, "actions": actions}))
        if not self.m.may(who, path, "grant"):
            return self.expect(r, "refused")
        if effect == "deny" and not self.m.can_be_taken_back({**self.m.rules, WORLD.last_rule + 1: (path, effect, principal, meant)}, path):
            return self.expect(r, "last-admin")
        id = r.data["id"]
        assert id > WORLD.last_rule, "a rule id was used again: %s" % (self.asked,)
        WORLD.last_rule = id
        self.m.revision += 1
        self.m.rules[id] = (path, effect, principal, meant)
        return None

    @step(who=st.sampled_from(["me"] * 4 + STRANGERS), which=st.integers(0, 20))
    def acl_remove(self, who, which):
        if not self.m.rules:
            return None
        id = sorted(self.m.rules)[which % len(self.m.rules)]
        path, effect, _, actions = self.m.rules[id]
        if effect == "allow" and "grant" in actions and not self.m.can_be_taken_back(
                {k: x for k, x in self.m.rules.items() if k != id}, path):
            return None  # whether the last one may go is asked in test_acl.py
        r = self.ask(who, "DELETE", "/v1/acl?id=%d" % id)
        if not self.m.may(who, self.m.rules[id][0], "grant"):
            return self.expect(r, "not-found")
        assert r.data == {"id": id}, self.asked
        del self.m.rules[id]
        self.m.revision += 1
        return None

    @step(who=often_me, tail=where)
    def acl_show(self, who, tail):
        path = self.place(tail)
        r = self.ask(who, "GET", "/v1/acl?path=" + self.url(path))
        if not self.m.may(who, path, "grant"):
            return self.expect(r, "refused")
        told = {x["id"]: (x["path"], x["effect"], x["principal"], set(x["actions"].split(","))) for x in r.data["rules"]}
        bear = {id: x for id, x in self.m.rules.items() if (path + "/").startswith(x[0] + "/") or x[0].startswith(path + "/")}
        expected = {id: x for id, x in bear.items() if self.m.may(who, x[0], "grant")}
        told.pop(1, None)
        assert told == expected, self.asked
        return None

    @step(tail=where, principal=st.sampled_from(principals()), action=st.sampled_from(ACTIONS))
    def acl_test(self, tail, principal, action):
        path = self.place(tail)
        r = self.ask("me", "GET", "/v1/acl/test?path=%s&principal=%s&action=%s" % (self.url(path), principal, action))
        if not self.m.may("me", path, "grant"):
            return self.expect(r, "refused")
        allowed, id = self.m.decide({"any", principal}, path, action)
        assert r.data == {"allowed": allowed, "rule": id}, self.asked
        return None

    @step(dice=st.integers(0, 40))
    def lock_and_unlock(self, dice):
        """Everything is read from the database again, and checked."""
        if dice == 11:
            assert self.ask("me", "POST", "/v1/lock").status == 200
            assert self.ask("me", "GET", self.base).code == "locked"
            assert self.ask("me", "POST", "/v1/unlock").status == 200

    @step(dice=st.integers(0, 150))
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
@pytest.mark.timeout(1500)
def test_random_walk(new_store):
    global WORLD
    steps = int(os.environ.get("MODEL_STEPS", "20000"))
    number = int(os.environ.get("MODEL_SEED", random.randrange(1 << 30)))
    print("MODEL_SEED=%d" % number)
    daemon = new_store(config="history:\n  versions: %d\n  deleted_entries: 1000000\n" % KEPT).start()
    WORLD = World(daemon)
    actors = [c for n, c in WORLD.clients.items() if n != "me"]
    turn = 0
    try:
        while WORLD.steps < steps:
            machine = seed(number + turn)(type("Machine", (Machine,), {}))
            run_state_machine_as_test(machine, settings=settings(
                max_examples=20, stateful_step_count=80, deadline=None, database=None, print_blob=False,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck)))
            turn += 1
        c = WORLD.clients["me"]
        assert c.status()["revision"] == WORLD.revision
        assert c.status()["rules"] == 1 + WORLD.left
        records = Follower().follow(c)
        counted = {}
        for x in records:
            if x["kind"] in WORLD.kinds and (x["outcome"] == 0 or x["kind"] == "txn"):
                counted[x["kind"]] = counted.get(x["kind"], 0) + 1
        assert counted == WORLD.kinds
        print("%d steps in %d examples, %d records; changes: %s" % (WORLD.steps, WORLD.examples, len(records), counted))
    except Exception:
        print("the first failure:\n%s" % WORLD.first_failure)
        raise
    finally:
        for a in actors:
            a.close()
