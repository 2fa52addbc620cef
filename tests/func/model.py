"""A small model of the tree: entries with all their versions, rules, and what every operation makes of them.

Written from doc/spec/http-api.md, doc/spec/rules.md and src/authz/authz.h, not from the code. Nothing here talks to a daemon.
"""
import fnmatch
import hashlib
import os
import struct

ACTIONS = ["list", "read", "write", "delete", "grant", "audit", "control"]
ROLES = {"admin": set(ACTIONS), "operator": {"list", "read", "write"}, "auditor": {"list", "audit"}}
TYPES = ["string", "integer", "boolean", "float", "json", "binary", "list"]
STATUS = {"bad-request": 400, "bad-path": 400, "bad-value": 422, "not-found": 404, "refused": 403, "conflict": 412, "exists": 412,
          "is-folder": 409, "not-folder": 409, "gone": 410, "last-admin": 409}
NEVER = None


class No(Exception):
    """An operation that is refused; `code` as replies have it."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Version:
    """One version; never changed once made."""

    def __init__(self, number, type, sealed, value, reason, revision, comment="", tags=(), expires=NEVER, destroyed=False):
        self.number, self.type, self.sealed, self.value, self.reason, self.revision = number, type, sealed, value, reason, revision
        self.comment, self.tags, self.expires, self.destroyed = comment, tuple(sorted(tags)), expires, destroyed
        self.deleted = value is None and not destroyed

    def shredded(self):
        return Version(self.number, self.type, self.sealed, None, self.reason, self.revision, self.comment, self.tags, self.expires, True)


class Model:
    def __init__(self, users, kept):
        self.users = users    # name -> (uid, gid, groups)
        self.kept_count = kept
        self.entries = {}     # path -> versions, oldest first, all of them
        self.rules = {}       # id -> (path, effect, principal, actions)
        self.revision = 0     # of the whole tree
        self.kinds = {}       # records of changes that must be in the trail, by kind
        self.group = None     # revision of the transaction that is going on, once it has changed something
        self.in_group = False
        self.clock = lambda: ""  # the time as expires has it; what has ended by then is not brought back

    # ---- rights

    def rules_above(self, path, rules):
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
        uid, gid, groups = self.users[who]
        names = {"any", "uid:%d" % uid, "gid:%d" % gid} | {"gid:%d" % g for g in groups}
        return self.decide(names, path, action)[0]

    def need(self, who, path, action):
        """Without the right one hears no more than one could see in the folder above."""
        if not self.may(who, path, action):
            is_there = self.live(path) or self.is_folder(path)
            raise No("refused" if is_there and self.may(who, path.rsplit("/", 1)[0], "list") else "not-found")

    def need_plainly(self, who, path, action):
        if not self.may(who, path, action):
            raise No("refused")

    # ---- what is there

    def now(self, path):
        return self.entries[path][-1] if path in self.entries else None

    def number(self, path):
        return self.entries[path][-1].number if path in self.entries else 0

    def live(self, path):
        return path in self.entries and not self.now(path).deleted

    def is_folder(self, path):
        return any(p.startswith(path + "/") and self.live(p) for p in self.entries) or path.count("/") <= 2

    def is_blocked(self, path):
        return any(path.startswith(p + "/") and self.live(p) for p in self.entries)

    def has_node(self, path):
        """Something of the path is kept: an entry, also a deleted one, or a rule, on it or below."""
        places = list(self.entries) + [r[0] for r in self.rules.values()]
        return path.count("/") <= 2 or any(p == path or p.startswith(path + "/") for p in places)

    @staticmethod
    def order(path):
        """Of a recursive listing."""
        return path.encode().split(b"/")

    def within(self, path, gone=False):
        """Entries at the path and below; `gone`: deleted ones too."""
        found = [p for p in self.entries if (p == path or p.startswith(path + "/")) and (gone or self.live(p))]
        return sorted(found, key=self.order)

    def kept(self, path):
        return self.entries[path][-self.kept_count:]

    def at(self, path, revision):
        """Number of the version that held at a revision; 0: none, or deleted."""
        for v in reversed(self.entries[path]):
            if v not in self.kept(path):
                raise No("gone")
            if v.revision <= revision:
                return 0 if v.deleted else v.number
        return 0

    def version(self, path, number):
        """A kept version that can be read."""
        v = next((v for v in self.kept(path) if v.number == number), None) if path in self.entries else None
        if v is None or v.deleted:
            raise No("not-found")
        if v.destroyed:
            raise No("gone")
        return v

    def read(self, who, path, number=None):
        self.need(who, path, "read")
        if not self.live(path) and self.is_folder(path):
            raise No("is-folder")
        if path not in self.entries or (number is None and not self.live(path)):
            raise No("not-found")
        return self.now(path) if number is None else self.version(path, number)

    def fingerprint(self, who, folder):
        frames, count = b"", 0
        for p in self.within(folder):
            if p == folder or not self.may(who, p, "read"):
                continue
            name, v = p[len(folder):].encode(), self.now(p)
            type = TYPES.index(v.type) + 1
            frames += struct.pack(">I", len(name)) + name + struct.pack(">BI", type, len(v.value)) + hashlib.sha256(v.value).digest()
            count += 1
        return hashlib.sha256(frames).hexdigest(), count

    # ---- listings

    def fits(self, path, version, filters):
        name, tag, type, before = (filters.get(k) for k in ("name", "tag", "type", "expires_before"))
        if name is not None and not fnmatch.fnmatchcase(path.rsplit("/", 1)[1], name):
            return False
        if tag is None and type is None and before is None:
            return True
        if version is None:
            return False
        return ((tag is None or tag in version.tags) and (type is None or version.type == type) and
                (before is None or (version.expires is not None and version.expires <= before)))

    def page(self, who, folder, recursive=False, values=False, revision=None, after=None, limit=1000, filters=None):
        """(rows, next): of each row the path or name, and the version it shows (None: a folder, or of a destroyed version its number)."""
        self.need(who, folder, "list")
        if not self.has_node(folder) or (revision is None and not self.is_folder(folder)):
            raise No("not-folder" if self.live(folder) else "not-found")
        rows = []
        for name, path, version in self.candidates(who, folder, recursive, values, revision, after, filters or {}):
            if len(rows) == limit:
                return rows, rows[-1][0]
            if revision is not None:
                number = self.at(path, revision)
                if number == 0:
                    continue
                version = self.past_row(path, number)
                if not self.fits(path, version, filters or {}):
                    continue
            rows.append((name, version))
        return rows, None

    def past_row(self, path, number):
        v = next(v for v in self.kept(path) if v.number == number)
        return v if not v.destroyed else Version(number, self.now(path).type, False, None, "", 0, destroyed=True)

    def candidates(self, who, folder, recursive, values, revision, after, filters):
        if not recursive:
            names = sorted({p[len(folder) + 1:].split("/")[0] for p in self.within(folder) if p != folder}, key=str.encode)
            for n in names:
                path = folder + "/" + n
                version = self.now(path) if self.live(path) else None
                if (after is None or n.encode() > after.encode()) and self.may(who, path, "list") and self.fits(path, version, filters):
                    yield n, path, version
            return
        for p in self.within(folder, revision is not None):
            if p == folder or (after is not None and self.order(p) <= self.order(after)) or not self.may(who, p, "list"):
                continue
            if values and not self.may(who, p, "read"):
                continue
            if revision is not None and not self.fits(p, None, {"name": filters.get("name")}):
                continue
            if revision is None and not self.fits(p, self.now(p), filters):
                continue
            yield p, p, self.now(p)

    # ---- changes

    def raise_revision(self):
        if self.in_group and self.group is not None:
            return self.group
        self.revision += 1
        self.group = self.revision if self.in_group else None
        return self.revision

    def record(self, kind, count=1):
        self.kinds[kind] = self.kinds.get(kind, 0) + count

    def add(self, path, type, sealed, value, reason, comment="", tags=(), expires=NEVER):
        number = self.number(path) + 1
        self.entries.setdefault(path, []).append(
            Version(number, type, sealed, value, reason, self.raise_revision(), comment, tags, expires))
        return number

    def check_place(self, path):
        if self.is_blocked(path):
            raise No("not-folder")
        if self.is_folder(path):
            raise No("is-folder")

    def check_match(self, path, match, absent):
        if absent and self.live(path):
            raise No("exists")
        if match is not None and (not self.live(path) or self.number(path) != match):
            raise No("conflict")

    def set(self, who, path, value, fits, type=None, sealed=None, reason="", comment=None, tags=None, expires=-1, match=None, absent=False):
        """type None and sealed None: as the entry is; comment, tags None and expires -1: as they are."""
        old = self.now(path) if self.live(path) else None
        stored = type or (old.type if old else "string")
        self.need_plainly(who, path, "write")
        if stored not in fits:
            raise No("bad-value")
        self.check_match(path, match, absent)
        self.check_place(path)
        number = self.add(path, stored, sealed if sealed is not None else bool(old and old.sealed), value, reason,
                          comment if comment is not None else old.comment if old else "",
                          tags if tags is not None else old.tags if old else (),
                          expires if expires != -1 else old.expires if old else NEVER)
        self.record("set")
        return number

    def remove(self, path, reason):
        return self.add(path, self.now(path).type, False, None, reason)

    def delete(self, who, path, reason="", match=None):
        self.need(who, path, "delete")
        if not self.live(path):
            raise No("is-folder" if self.is_folder(path) else "not-found")
        self.check_match(path, match, False)
        self.record("delete")
        return self.remove(path, reason)

    def subtree(self, who, path, action, gone=False):
        self.need(who, path, action)
        found = self.within(path, gone)
        if not found:
            raise No("not-found")
        return found

    def delete_tree(self, who, path, reason=""):
        found = self.subtree(who, path, "delete")
        for p in found:
            self.need_plainly(who, p, "delete")
            self.remove(p, reason)
        self.record("delete", len(found))
        return len(found)

    def duplicate(self, source, path, reason):
        v = source
        self.add(path, v.type, v.sealed, v.value, reason, v.comment, v.tags, v.expires)

    def transfer(self, who, path, to, is_move, reason=""):
        found = self.subtree(who, path, "read")
        self.need_plainly(who, to, "write")
        if path == "/registry" or to == "/registry" or path.count("/") <= 2 or to.count("/") <= 2 or to == path or to.startswith(path + "/"):
            raise No("bad-request")
        if self.is_blocked(to):
            raise No("not-folder")
        if self.live(to) or self.is_folder(to):
            raise No("exists")
        for p in found:
            target = to + p[len(path):]
            for where, action in ((p, "read"), (p, "delete"), (target, "write")):
                if action != "delete" or is_move:
                    self.need_plainly(who, where, action)
            self.duplicate(self.now(p), target, reason)
            if is_move:
                self.remove(p, reason)
        self.record("move" if is_move else "copy", len(found))
        return len(found)

    def put_back(self, who, path, number, reason):
        """To a version, or to none (0). True if that was a change."""
        if number == (self.number(path) if self.live(path) else 0):
            return False
        for action in ["delete"] if number == 0 else ["write", "read"]:
            self.need_plainly(who, path, action)
        if number == 0:
            self.remove(path, reason)
        else:
            source = self.version(path, number)
            self.check_place(path)
            self.duplicate(source, path, reason)
        return True

    def has_ended(self, v):
        return v.expires is not None and not v.destroyed and v.expires <= self.clock()

    def goal(self, path, revision):
        number = self.at(path, revision)
        if number and self.has_ended(self.entries[path][number - 1]):
            return 0
        return number

    def revert(self, who, path, version=None, revision=None, reason=""):
        if revision is not None and revision > self.revision:
            raise No("not-found")
        if version is not None:
            self.need(who, path, "write")
            if path not in self.entries:
                raise No("not-found")
            if any(v.number == version and self.has_ended(v) for v in self.kept(path)):
                raise No("bad-value")
            count = int(self.put_back(who, path, version, reason))
        else:
            found = self.subtree(who, path, "write", True)
            goals = [(p, self.goal(p, revision)) for p in found]
            count = sum(self.put_back(who, p, n, reason) for p, n in goals if n == 0)
            count += sum(self.put_back(who, p, n, reason) for p, n in goals if n != 0)
        self.record("revert", max(count, 1))
        return count

    def destroy(self, who, path, number):
        self.need(who, path, "delete")
        if path not in self.entries or number not in [v.number for v in self.kept(path)]:
            raise No("not-found")
        if number == self.number(path):
            raise No("conflict")
        v = self.entries[path][number - 1]
        if v.deleted or v.destroyed:
            raise No("gone")
        self.entries[path][number - 1] = v.shredded()
        self.raise_revision()
        self.record("destroy")

    def expire(self, path):
        self.remove(path, "expired")
        self.record("expire")

    # ---- transactions

    def holds(self, who, path, version=None, absent=False, present=False, value=None, type=None, fingerprint=None):
        self.need(who, path, "read" if value is not None or fingerprint is not None else "list")
        if fingerprint is not None:
            return self.is_folder(path) and self.fingerprint(who, path)[0] == fingerprint
        if value is not None:
            return self.live(path) and self.now(path).value == value and type in (None, self.now(path).type)
        if version is not None:
            return self.live(path) and self.number(path) == version
        return self.live(path) == present

    def begin(self):
        self.in_group, self.group = True, None
        return {p: list(v) for p, v in self.entries.items()}, self.revision, dict(self.kinds)

    def end(self, saved, keep):
        """The transaction is over: it stays, or never was."""
        self.in_group, self.group = False, None
        if not keep:
            self.entries, self.revision, self.kinds = saved
