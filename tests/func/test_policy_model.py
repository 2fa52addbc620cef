"""Rules with conditions, roles and their members: every decision of the real daemon, and why, against a brute-force model.

The model is written from doc/spec/rules.md, not from the code; local times come from Python's zoneinfo. Time goes on while the
daemon is asked: the model is asked before and after, and where its answers differ either is right. One daemon serves all
examples, each below a folder of its own.

MODEL_STEPS (default 8000): steps in all. MODEL_SEED: the seed, printed at every run.
"""
import datetime
import json
import os
import random
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from conftest import IS_ROOT

zoneinfo = pytest.importorskip("zoneinfo")

ACTIONS = ["list", "read", "write", "delete", "grant", "audit", "control"]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Asia/Tokyo", "America/St_Johns"]
ROLES = ["web", "ops", "audit-team"]
PATHS = ["", "/a", "/a/x", "/a/x/y", "/b", "/b/z", "/ab"]
UTC = datetime.timezone.utc

USERS = {"me": (os.geteuid(), os.getegid(), os.getgroups())}
if IS_ROOT:
    USERS.update({"ann": (5001, 5001, []), "bob": (5002, 5002, [6001]), "cyd": (5003, 6001, [6002])})

PRINCIPALS = ["any", "uid:4711", "gid:6001", "gid:6002", "unit:none.service", "label:none", "role:web", "role:ops", "role:empty"]
PRINCIPALS += ["uid:%d" % u[0] for u in USERS.values()]
MEMBERS = [p for p in PRINCIPALS if not p.startswith("role:") and p != "any"]


def rule_of(zone):
    """What the zone's file says for today and later."""
    for folder in zoneinfo.TZPATH:
        try:
            with open(os.path.join(folder, zone), "rb") as f:
                return f.read().rstrip(b"\n").rsplit(b"\n", 1)[1].decode()
        except (OSError, IndexError):
            continue
    return None


ZONES = [z for z in ZONES if rule_of(z)]


# ---- conditions: a list of (key, text, data); truths are "Y", "N" and "?" ---------------------------------------------------

def local(now, zone):
    return now.astimezone(zoneinfo.ZoneInfo(zone) if zone else UTC)


def window_begins(now, start, end, zone):
    """The weekday on which the window that is open now began; None: it is shut."""
    here = local(now, zone)
    minute = here.hour * 60 + here.minute
    if start < end:
        return here.weekday() if start <= minute < end else None
    if minute >= start:
        return here.weekday()
    return (here.weekday() - 1) % 7 if minute < end else None


def truth_of_term(terms, key, facts):
    data = terms[key]
    now = facts["now"]
    zone = terms.get("zone")
    if key == "time":
        return "Y" if window_begins(now, *data, zone) is not None else "N"
    if key == "days":
        day = window_begins(now, *terms["time"], zone) if "time" in terms else None
        day = local(now, zone).weekday() if day is None else day
        return "Y" if day in data else "N"
    if key == "zone":
        return "Y"
    if key == "since":
        return "Y" if now >= data else "N"
    if key == "until":
        return "Y" if now < data else "N"
    if key == "auth":
        if facts["auth"] is None:
            return "?"
        return "Y" if data == "peer" or facts["auth"] == "pam" else "N"
    if key == "auth-age":
        return "?" if facts["auth"] is None else "N"  # a peer has not logged in
    if key == "address":
        return "?" if facts["auth"] is None else "N"  # a caller on the socket has none; of somebody else it is not known
    try:
        with open("/sys/fs/cgroup/system.slice/%s/cgroup.events" % data) as f:
            return "Y" if "populated 1\n" in f.read() else "N"
    except OSError:
        return "?"


def days_text(days):
    found = []
    for d in sorted(days):
        if found and found[-1][1] == d - 1:
            found[-1][1] = d
        else:
            found.append([d, d])
    return ",".join(DAYS[a] if a == b else "%s-%s" % (DAYS[a], DAYS[b]) for a, b in found)


def clock(minute):
    return "%02d:%02d" % (minute // 60, minute % 60)


def condition_text(terms, rng):
    texts = {"time": lambda d: clock(d[0]) + "-" + clock(d[1]), "days": days_text, "zone": rule_of, "auth": str, "auth-age": str,
             "since": lambda d: d.strftime("%Y-%m-%dT%H:%M:%SZ"), "until": lambda d: d.strftime("%Y-%m-%dT%H:%M:%SZ"),
             "address": str, "unit": str}
    keys = list(terms)
    rng.shuffle(keys)
    return " ".join("%s=%s" % (k, texts[k](terms[k])) for k in keys)


def make_condition(rng, for_deny):
    """Terms around now, most of them decided by a hair."""
    now = datetime.datetime.now(UTC).replace(microsecond=0)
    terms = {}
    zone = rng.choice([None] + ZONES)
    here = local(now, zone)
    minute = here.hour * 60 + here.minute
    for kind in rng.sample(["time", "days", "since", "until", "auth", "auth-age", "address", "unit"], rng.choice([1, 1, 2, 3])):
        if kind == "time":
            start = (minute + rng.choice([-120, -1, 0, 1, 60, 700])) % 1440
            end = (start + rng.choice([1, 2, 61, 121, 720, 1439])) % 1440
            terms["time"] = (start, end) if end != start else (start, (start + 1) % 1440)
        elif kind == "days":
            terms["days"] = set(rng.sample(range(7), rng.choice([1, 2, 4, 6]))) | rng.choice([set(), {here.weekday()}])
        elif kind in ("since", "until"):
            gap = rng.choice([2, 3, 5, 3600, 10**7] if kind == "until" else [-3600, -1, 0, 1, 2, 3600])
            terms[kind] = now + datetime.timedelta(seconds=gap)
        elif kind == "auth":
            terms["auth"] = rng.choice(["peer", "peer", "pam"])
        elif kind == "auth-age":
            terms["auth-age"] = 60
        elif kind == "address":
            terms["address"] = "192.0.2.0/24"
        else:
            terms["unit"] = rng.choice(["cron.service", "none.service", "ssh.service"])
    if "since" in terms and "until" in terms and terms["since"] >= terms["until"]:
        del terms["since"]
    if zone and ("time" in terms or "days" in terms):
        terms["zone"] = zone
    return terms


def both(*truths):
    return "N" if "N" in truths else "?" if "?" in truths else "Y"


class World:
    def __init__(self, daemon):
        self.daemon = daemon
        self.clients = {}
        for name, (uid, gid, groups) in USERS.items():
            self.clients[name] = daemon.client() if name == "me" else daemon.actor(uid, gid, groups)
        self.facts = {}
        for name, c in self.clients.items():
            me = c.get("/v1/whoami").data
            self.facts[name] = {"any", "uid:%d" % me["uid"], "gid:%d" % me["gid"], *("gid:%d" % g for g in me["groups"]),
                                *(["unit:" + me["unit"]] if me["unit"] else []), *(["label:" + me["label"]] if me["label"] else [])}
        self.steps = self.examples = self.compared = self.open = self.verdicts = 0


WORLD = None


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.rules = {1: ("/registry", "allow", "uid:%d" % os.geteuid(), set(ACTIONS), None)}
        self.members = set()
        self.left = set()

    @initialize(number=st.integers(0, 10**6))
    def begin(self, number):
        WORLD.examples += 1
        self.base = "/registry/applications/p%d" % WORLD.examples
        rng = random.Random(number)
        for _ in range(rng.randrange(3, 8)):
            self.rule_add(number, rng.randrange(len(PATHS)), rng.choice(["allow", "allow", "deny"]), rng.choice(PRINCIPALS),
                          rng.choice(["read", "list,read", "read,write"]), rng.choice([True, False]), False)
            number += 1
        for _ in range(rng.randrange(4)):
            self.member_add(rng.choice(ROLES), rng.choice(MEMBERS))

    def teardown(self):
        c = WORLD.clients["me"]
        for id in list(self.rules):
            if id != 1:
                assert c.delete("/v1/acl?id=%d" % id).status in (200, 404)  # it may have ended
        for name, principal in self.members:
            assert c.request("DELETE", "/v1/roles?role=%s&principal=%s" % (name, principal)).status == 200

    # ---- the model

    def facts_now(self, is_caller):
        return {"now": datetime.datetime.now(UTC), "auth": "peer" if is_caller else None}

    def names(self, principals):
        """All that is true of somebody of whom these principals are."""
        return principals | {"any"} | {"role:" + name for name, p in self.members if p in principals}

    def truths(self, terms, facts):
        return {k: truth_of_term(terms, k, facts) for k in terms} if terms else {}

    def decide(self, principals, path, action, facts, rules=None):
        """(allowed, rule, {rule: (verdict, names, holds, failing, unknown)})"""
        names = self.names(principals)
        rows, applying = {}, {"allow": [], "deny": []}
        for id, (at, effect, who, actions, terms) in (self.rules if rules is None else rules).items():
            if action not in actions or not (path == at or path.startswith(at + "/")):
                continue
            truths = self.truths(terms, facts)
            holds = both("Y", *truths.values())
            named = "Y" if who in names else "N"
            rows[id] = (effect, named, holds, {k for k, t in truths.items() if t == "N"}, {k for k, t in truths.items() if t == "?"})
            if both(named, holds) in ("Y", "?" if effect == "deny" else "Y"):
                applying[effect].append(id)
        allowed = not applying["deny"] and bool(applying["allow"])
        decided = applying["deny"] or applying["allow"]
        deciding = min(decided) if decided else 0
        words = {}
        for id, (effect, named, holds, failing, unknown) in rows.items():
            if id == deciding:
                verdict = "decides"
            elif named == "N":
                verdict = "other-subject"
            elif holds == "N":
                verdict = "condition-no"
            elif holds == "?" and effect == "allow":
                verdict = "condition-unknown"
            else:
                verdict = "agrees" if (effect == "allow") == allowed else "loses"
            words[id] = (verdict, named, holds, failing, unknown)
        return allowed, deciding, words

    def has_ended(self, id, facts):
        _, effect, _, _, terms = self.rules[id]
        return effect == "allow" and bool(terms) and "until" in terms and facts["now"] >= terms["until"]

    # ---- comparing

    def ask(self, who, method, target, body=None, **headers):
        WORLD.steps += 1
        r = WORLD.clients[who].request(method, target, body, **headers)
        self.asked = (who, method, target, body, r)
        return r

    def url(self, path):
        return quote(path, safe="/")

    def place(self, n):
        return self.base + PATHS[n % len(PATHS)]

    def explained(self, who, principals, path, action, principal):
        """Asks, between two answers of the model."""
        before = self.facts_now(principal is None)
        expected = self.decide(principals, path, action, before)
        r = self.ask(who, "GET", "/v1/explain?path=%s&action=%s%s" % (self.url(path), action, "&principal=" + principal if principal else ""))
        after = self.facts_now(principal is None)
        then = self.decide(principals, path, action, after)
        assert r.status == 200, self.asked
        if expected != then:
            WORLD.open += 1
            return None
        return r.data, expected, after

    def compare_rows(self, d, words, facts, sees_all):
        told = {x["id"]: x for x in d["rules"]}
        letter = {"yes": "Y", "no": "N", "unknown": "?"}
        for id, (verdict, named, holds, failing, unknown) in words.items():
            if id not in told:
                assert self.has_ended(id, facts) or (named == "N" and not sees_all), (id, self.asked, self.rules)
                continue
            x = told.pop(id)
            assert (x["verdict"], letter[x["names"]], letter[x["holds"]], set(x["failing"]), set(x["unknown"])) == (
                verdict, named, holds, failing, unknown), (id, self.asked, self.rules, facts)
            WORLD.verdicts += 1
        assert told == {}, (self.asked, self.rules)

    # ---- steps

    where = st.integers(0, len(PATHS) - 1)
    who = st.sampled_from(list(USERS))

    @rule(number=st.integers(0, 10**9), tail=where, effect=st.sampled_from(["allow", "allow", "deny"]), principal=st.sampled_from(PRINCIPALS),
          actions=st.sampled_from(["read", "list", "write", "list,read", "operator", "auditor", "read,write,delete", "read,audit"]),
          conditional=st.booleans(), dry=st.sampled_from([False, False, False, True]))
    def rule_add(self, number, tail, effect, principal, actions, conditional, dry):
        rng = random.Random(number)
        meant = set().union(*({"operator": {"list", "read", "write"}, "auditor": {"list", "audit"}}.get(a, {a}) for a in actions.split(",")))
        terms = make_condition(rng, effect == "deny") if conditional else None
        body = {"path": self.place(tail), "effect": effect, "principal": principal, "actions": actions}
        if terms:
            body["condition"] = condition_text(terms, rng)
        new = (body["path"], effect, principal, meant, terms)
        r = self.ask("me", "POST", "/v1/acl" + ("?dry_run" if dry else ""), json.dumps(body))
        if dry:
            return self.compare_flips(r, body["path"], {**self.rules, 1 << 60: new})
        assert r.status == 200, self.asked
        assert r.data["id"] not in self.rules
        self.rules[r.data["id"]] = new
        return None

    @rule(which=st.integers(0, 20), dry=st.sampled_from([False, False, True]))
    def rule_remove(self, which, dry):
        ids = sorted(i for i in self.rules if i != 1)
        if not ids:
            return
        id = ids[which % len(ids)]
        r = self.ask("me", "DELETE", "/v1/acl?id=%d%s" % (id, "&dry_run" if dry else ""))
        if r.status == 404:
            assert self.has_ended(id, self.facts_now(True)), self.asked
            del self.rules[id]
        elif dry:
            self.compare_flips(r, self.rules[id][0], {k: x for k, x in self.rules.items() if k != id})
        else:
            assert r.data == {"id": id}, self.asked
            del self.rules[id]

    def compare_flips(self, r, path, rules):
        """Every principal, at every place with rules on the path and below."""
        assert r.status == 200, self.asked
        now = self.facts_now(True)
        if any(self.has_ended(id, now) for id in self.rules):
            return  # whether it is still there to be named is a matter of moments
        principals = {x[2] for x in [*self.rules.values(), *rules.values()]} | {p for _, p in self.members}
        places = {path} | {x[0] for x in [*self.rules.values(), *rules.values()] if (x[0] + "/").startswith(path + "/")}
        flips = {(p, at, a): (self.word(p, at, a, self.rules), self.word(p, at, a, rules)) for p in principals for at in places for a in ACTIONS}
        told = {(x["principal"], x["path"], x["action"]): (x["before"], x["after"]) for x in r.data["changes"]}
        assert told == {k: v for k, v in flips.items() if v[0] != v[1]}, (self.asked, self.rules)
        WORLD.compared += 1

    def word(self, principal, path, action, rules):
        names = self.names({principal})
        at = [x for x in rules.values() if action in x[3] and x[2] in names and (path + "/").startswith(x[0] + "/")]
        sure = any(x[1] == "allow" and not x[4] for x in at) and not any(x[1] == "deny" for x in at)
        best = any(x[1] == "allow" for x in at) and not any(x[1] == "deny" and not x[4] for x in at)
        return "allowed" if sure else "conditional" if best else "refused"

    @rule(name=st.sampled_from(ROLES), principal=st.sampled_from(MEMBERS))
    def member_add(self, name, principal):
        r = self.ask("me", "POST", "/v1/roles", json.dumps({"role": name, "principal": principal}))
        if (name, principal) in self.members:
            assert (r.status, r.code) == (412, "exists"), self.asked
            return
        assert r.status == 200, self.asked
        self.members.add((name, principal))

    @rule(name=st.sampled_from(ROLES), principal=st.sampled_from(MEMBERS), is_there=st.booleans(), which=st.integers(0, 10))
    def member_remove(self, name, principal, is_there, which):
        if is_there and self.members:
            name, principal = sorted(self.members)[which % len(self.members)]
        r = self.ask("me", "DELETE", "/v1/roles?role=%s&principal=%s" % (name, principal))
        assert (r.status == 200) == ((name, principal) in self.members), self.asked
        self.members.discard((name, principal))

    @rule()
    def members_show(self):
        r = self.ask("me", "GET", "/v1/roles")
        assert {(m["role"], m["principal"]) for m in r.data["members"]} == self.members, self.asked

    @rule(who=who, tail=where, action=st.sampled_from(ACTIONS))
    def explain_oneself(self, who, tail, action):
        path = self.place(tail)
        got = self.explained(who, WORLD.facts[who], path, action, None)
        if got:
            d, (allowed, deciding, words), facts = got
            assert (d["allowed"], d["rule"]) == (allowed, deciding), (self.asked, self.rules, facts)
            assert set(d["roles"]) == {n[5:] for n in self.names(WORLD.facts[who]) if n.startswith("role:")}, self.asked
            self.compare_rows(d, words, facts, who == "me")
            WORLD.compared += 1

    @rule(tail=where, action=st.sampled_from(ACTIONS[:5]), principal=st.sampled_from(PRINCIPALS))
    def explain_another(self, tail, action, principal):
        path = self.place(tail)
        got = self.explained("me", {principal}, path, action, principal)
        if got:
            d, (allowed, deciding, words), facts = got
            assert (d["allowed"], d["rule"]) == (allowed, deciding), (self.asked, self.rules, facts)
            self.compare_rows(d, words, facts, True)
            WORLD.compared += 1

    @rule(who=who, tail=where, action=st.sampled_from(["read", "list", "write", "delete"]))
    def do_it(self, who, tail, action):
        """What really happens."""
        path = self.place(tail) + "/e"
        before = self.decide(WORLD.facts[who], path, action, self.facts_now(True))[0]
        target = self.url(path)
        r = {"read": lambda: self.ask(who, "GET", target), "list": lambda: self.ask(who, "GET", target + "?history"),
             "write": lambda: self.ask(who, "PUT", target, "x"), "delete": lambda: self.ask(who, "DELETE", target)}[action]()
        after = self.decide(WORLD.facts[who], path, action, self.facts_now(True))[0]
        if before != after:
            WORLD.open += 1
            return
        WORLD.compared += 1
        if action == "write":
            assert (r.status in (200, 201)) == before and r.status in (200, 201, 403), (self.asked, self.rules)
        elif r.status == 404:  # it is not there, or he may not know
            is_there = WORLD.clients["me"].get(target).status == 200
            assert not (before and is_there), (self.asked, self.rules)
        else:
            assert (r.status == 200) == before and r.status in (200, 403), (self.asked, self.rules)

    @rule(tail=where, principal=st.sampled_from(PRINCIPALS), action=st.sampled_from(ACTIONS))
    def acl_test(self, tail, principal, action):
        """As if nothing were known that conditions ask for."""
        path = self.place(tail)
        r = self.ask("me", "GET", "/v1/acl/test?path=%s&principal=%s&action=%s" % (self.url(path), principal, action))
        assert r.data["allowed"] == (self.word(principal, path, action, self.rules) == "allowed"), (self.asked, self.rules)
        WORLD.compared += 1

    @rule(dice=st.integers(0, 60))
    def lock_and_unlock(self, dice):
        if dice == 11:
            assert self.ask("me", "POST", "/v1/lock").status == 200
            assert self.ask("me", "POST", "/v1/unlock").status == 200


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_decisions_against_the_model(new_store):
    global WORLD
    steps = int(os.environ.get("MODEL_STEPS", "8000"))
    number = int(os.environ.get("MODEL_SEED", random.randrange(1 << 30)))
    print("MODEL_SEED=%d" % number)
    WORLD = World(new_store().start())
    turn = 0
    try:
        while WORLD.steps < steps:
            machine = seed(number + turn)(type("Machine", (Machine,), {}))
            run_state_machine_as_test(machine, settings=settings(
                max_examples=20, stateful_step_count=60, deadline=None, database=None, print_blob=False,
                suppress_health_check=list(HealthCheck)))
            turn += 1
        assert WORLD.clients["me"].status()["rules"] == 1
        assert WORLD.compared > steps / 4 and WORLD.verdicts > steps / 10 and WORLD.open < steps / 50
        print("%d steps in %d examples: %d decisions compared, %d verdicts, %d open" % (
            WORLD.steps, WORLD.examples, WORLD.compared, WORLD.verdicts, WORLD.open))
    finally:
        for name, c in WORLD.clients.items():
            if name != "me":
                c.close()
