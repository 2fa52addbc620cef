"""Rules, members of roles, schemas, requests that wait for a second person, and broken glass, killed at any moment: each edit is there
whole, with its record, or not at all.

KILLS (default 100) is the number of kills, KILLS_SEED makes it the same run again.
"""
import collections
import copy
import http.client
import json
import os
import random
import threading
import time

import pytest

from conftest import needs_root, soon
from trail_verify import Follower

A = "/registry/applications"
WORKERS = 3
ME = os.geteuid()


class State:
    """What a worker's part of the policy is. Rules are a multiset: who was not answered does not know the number."""

    def __init__(self):
        self.rules = collections.Counter()  # (path, effect, principal, actions, condition)
        self.members = set()                # (role, principal)
        self.schemas = {}                   # path -> type demanded
        self.waiting = collections.Counter()  # (path, uid)
        self.entries = {}

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return repr(vars(self))


class Worker(threading.Thread):
    """Edits the policy below one folder of its own, one request after the other."""

    def __init__(self, daemon, number, state, stop):
        super().__init__(daemon=True)
        self.top = "%s/w%d" % (A, number)
        self.number = number
        self.client = daemon.client()
        self.user = daemon.actor(5100 + number)
        self.rng = random.Random()
        self.state, self.asked, self.ids = state, None, {}
        self.stop, self.done, self.wrong = stop, 0, None
        self.kinds = collections.Counter()

    def run(self):
        try:
            while not self.stop.is_set():
                self.step()
        except (OSError, EOFError, http.client.HTTPException):
            pass  # killed
        except Exception as e:
            self.wrong = "%s: %s" % (type(e).__name__, e)

    def step(self):
        act = self.rng.choice([self.add_rule, self.add_rule, self.remove_rule, self.add_member, self.remove_member, self.set_schema,
                               self.remove_schema, self.ask, self.approve, self.reject, self.write, self.dry, self.glass])
        self.asked = copy.deepcopy(self.state)
        expects = act(self.asked)
        if expects is None:
            self.asked = None
            return
        send, status = expects
        r = send()
        if r.status not in status:
            self.wrong = (act.__name__, r)
            raise OSError
        self.state, self.asked = self.asked, None
        self.done += 1
        self.kinds[act.__name__] += 1

    def add_rule(self, after):
        rule = ("%s/%s" % (self.top, self.rng.choice("abc")), self.rng.choice(["allow", "deny"]), "uid:%d" % self.rng.randrange(6000, 6020),
                self.rng.choice(["read", "list,read", "write"]), self.rng.choice([None, None, "auth=pam", "until=2100-01-01T00:00:00Z"]))
        after.rules[rule] += 1
        body = dict(zip(("path", "effect", "principal", "actions", "condition"), rule))
        body = {k: v for k, v in body.items() if v is not None}
        return lambda: self.client.post("/v1/acl", json.dumps(body)), {200}

    def remove_rule(self, after):
        found = [(r["id"], key_of(r)) for r in self.client.get("/v1/acl?path=" + self.top).data["rules"] if r["path"].startswith(self.top + "/")]
        found = [(n, key) for n, key in found if key in after.rules]
        if not found:
            return None
        number, key = self.rng.choice(found)
        after.rules[key] -= 1
        after.rules = +after.rules
        return lambda: self.client.delete("/v1/acl?id=%d" % number), {200}

    def add_member(self, after):
        member = ("w%d-%s" % (self.number, self.rng.choice("xyz")), "uid:%d" % self.rng.randrange(6000, 6040))
        if member in after.members:
            return None
        after.members.add(member)
        return lambda: self.client.post("/v1/roles", json.dumps({"role": member[0], "principal": member[1]})), {200}

    def remove_member(self, after):
        if not after.members:
            return None
        member = self.rng.choice(sorted(after.members))
        after.members.remove(member)
        return lambda: self.client.request("DELETE", "/v1/roles?role=%s&principal=%s" % member), {200}

    def set_schema(self, after):
        path, kind = "%s/s%s" % (self.top, self.rng.choice("ab")), self.rng.choice(["string", "integer", "boolean"])
        after.schemas[path] = kind
        return lambda: self.client.request("PUT", "/v1/schema?path=" + path, json.dumps({"type": kind})), {200}

    def remove_schema(self, after):
        if not after.schemas:
            return None
        path = self.rng.choice(sorted(after.schemas))
        del after.schemas[path]
        return lambda: self.client.request("DELETE", "/v1/schema?path=" + path), {200}

    def ask(self, after):
        if sum(after.waiting.values()) >= 8:
            return None
        path = "%s/safe/%d" % (self.top, self.rng.randrange(4))
        after.waiting[(path, 5100 + self.number)] += 1
        return lambda: self.user.put(path, "asked %d" % self.rng.randrange(1000)), {202}

    def pick(self):
        found = [x for x in self.client.get("/v1/approvals").data["approvals"] if x["path"].startswith(self.top + "/")]
        return self.rng.choice(found) if found else None

    def approve(self, after):
        one = self.pick()
        if one is None:
            return None
        text = self.client.get("/v1/approvals?id=%d" % one["id"]).data
        value = text["requests"][0].get("value")
        after.waiting[(one["path"], one["uid"])] -= 1
        after.waiting = +after.waiting
        after.entries[one["path"]] = value
        return lambda: self.client.post("/v1/approvals?id=%d" % one["id"]), {200}

    def reject(self, after):
        one = self.pick()
        if one is None:
            return None
        after.waiting[(one["path"], one["uid"])] -= 1
        after.waiting = +after.waiting
        return lambda: self.client.delete("/v1/approvals?id=%d" % one["id"]), {200}

    def write(self, after):
        path = "%s/v%d" % (self.top, self.rng.randrange(3))
        after.entries[path] = "%d" % self.rng.randrange(10 ** 6)
        return lambda: self.client.put(path, after.entries[path]), {200, 201}

    def dry(self, after):
        body = {"path": self.top + "/a", "effect": "deny", "principal": "any", "actions": "read"}
        return lambda: self.client.post("/v1/acl?dry_run", json.dumps(body)), {200}

    def glass(self, after):
        if any(r[1] == "allow" and r[2] == "uid:%d" % (5100 + self.number) and r[0] == self.top + "/glass" for r in after.rules):
            return None
        after.rules[(self.top + "/glass", "allow", "uid:%d" % (5100 + self.number), "broken", None)] += 1
        return lambda: self.user.post("/v1/break-glass?path=%s/glass&for=3600" % self.top, Secreg_Reason="fire"), {200}


def key_of(rule):
    condition = rule["condition"]
    if rule["path"].endswith("/glass"):  # its end is that of the moment
        return (rule["path"], rule["effect"], rule["principal"], "broken", None)
    return (rule["path"], rule["effect"], rule["principal"], rule["actions"], condition)


def found_state(c, w):
    s = State()
    for r in c.get("/v1/acl?path=" + w.top).data["rules"]:
        if r["path"].startswith(w.top + "/") and not r["path"].endswith("/safe"):
            s.rules[key_of(r)] += 1
    s.members = {(m["role"], m["principal"]) for m in c.get("/v1/roles").data["members"] if m["role"].startswith("w%d-" % w.number)}
    for x in c.get("/v1/schema?path=" + w.top).data["schemas"]:
        if x["path"].startswith(w.top + "/"):
            s.schemas[x["path"]] = x["schema"]["type"]
    for x in c.get("/v1/approvals").data["approvals"]:
        if x["path"].startswith(w.top + "/"):
            s.waiting[(x["path"], x["uid"])] += 1
    r = c.get(w.top + "/?recursive&values")
    s.entries = {e["path"]: e["value"] for e in r.data["entries"]} if r.status == 200 else {}
    return s


def decisions_agree(c, s, rng):
    """What the daemon decides is what the rules say that it shows: a deny wins, and nothing is allowed by none."""
    for rule in rng.sample(sorted(s.rules, key=str), min(3, len(s.rules))):
        path, _, principal, actions, _ = rule
        action = actions.split(",")[-1]
        if action == "broken":
            continue
        named = [r for r in s.rules if r[0] == path and r[2] == principal and action in r[3].split(",")]
        denied = any(r[1] == "deny" for r in named)  # with a condition too: nothing is known that would lift it
        allowed = any(r[1] == "allow" and r[4] is None for r in named) and not denied
        r = c.get("/v1/acl/test?path=%s&principal=%s&action=%s" % (path, principal, action))
        assert r.data["allowed"] is allowed, (rule, named, r)


def check_records(records, first):
    """Each edit of the policy that is there has its record, and each record of one says a revision of its own."""
    edits = [r for r in records if r["seq"] >= first and r["kind"] in ("acl-add", "acl-remove", "role-add", "role-remove", "schema-set", "schema-remove",
                                                                       "break-glass") and r["outcome"] == 0 and r["state"]]
    revisions = [r["revision"] for r in edits]
    assert revisions == sorted(revisions) and len(set(revisions)) == len(revisions)
    return collections.Counter(r["kind"] for r in edits)


@needs_root
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_in_the_middle_of_policy_edits(new_store):
    kills = int(os.environ.get("KILLS", "100"))
    seed = int(os.environ.get("KILLS_SEED", random.randrange(1 << 30)))
    print("KILLS_SEED=%d" % seed)
    rng = random.Random(seed)
    d = new_store().start()
    c = d.client()
    states = [State() for _ in range(WORKERS)]
    c.allow(A, "uid:5001", "admin")  # somebody else could approve
    for n in range(WORKERS):
        top = "%s/w%d" % (A, n)
        for path, effect, who, actions in ((top, "allow", "uid:%d" % (5100 + n), "list,read,write"), (top, "allow", "uid:%d" % (5100 + n), "break-glass"),
                                           (top + "/safe", "approve", "any", "write")):
            body = {"path": path, "effect": effect, "principal": who, "actions": actions}
            assert c.post("/v1/acl", json.dumps(body)).status == 200
    first = c.status()["records"]
    follower = Follower()
    done = unanswered = 0
    kinds = collections.Counter()
    for _ in range(kills):
        stop = threading.Event()
        workers = [Worker(d, n, states[n], stop) for n in range(WORKERS)]
        roles = d.roles()
        for w in workers:
            w.start()
        time.sleep(rng.uniform(0.0, 0.15))
        os.kill(roles[rng.choice(["parent", "engine", "engine", "engine", "front"])], 9)
        d.expects_trouble = True
        stop.set()
        d.wait_end()
        for w in workers:
            w.join(soon(20))
            assert not w.is_alive()
        d.clients.clear()
        d.start()
        c = d.client()
        assert c.status()["corrupt_entries"] == 0
        for n, w in enumerate(workers):
            assert w.wrong is None, w.wrong
            found = found_state(c, w)
            assert found == w.state or (w.asked is not None and found == w.asked), "neither before nor after:\n%s\n%s\n%s" % (found, w.state, w.asked)
            unanswered += w.asked is not None
            states[n] = found
            done += w.done
            kinds += w.kinds
            decisions_agree(c, found, rng)
        follower.follow(c)
    assert done > kills and unanswered > kills // 10, "the kills met nothing"
    recorded = check_records(follower.records, first)
    for act, kind in (("add_rule", "acl-add"), ("remove_rule", "acl-remove"), ("add_member", "role-add"), ("remove_member", "role-remove"),
                      ("set_schema", "schema-set"), ("remove_schema", "schema-remove"), ("glass", "break-glass")):
        assert recorded[kind] >= kinds[act], (kind, recorded, kinds)
    print("%d kills, %d edits answered, %d not: %s" % (kills, done, unanswered, dict(kinds)))
