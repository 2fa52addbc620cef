"""registry - secregd: reads against the bare socket and redis, durable writes against the bare disk, redis and etcd,
lists against SQLite; what stays the same with a million entries; memory; start."""
import json
import shutil
import time

import peers
from harness import Failure

KEYS = 1000
MANY_KEYS = 1000000
REST_KEYS = 10000
MEMORY_MAX_MIB, START_MAX_MS = 24, 100
CONNS = 64


def has(program):
    return shutil.which(program, path="/usr/bin:/usr/sbin:/usr/local/bin:/bin") is not None


class Registry:
    def __init__(self, h):
        self.h = h
        self.get, self.get_sealed = peers.http_get(h, "bench"), peers.http_get(h, "seald")
        self.put = peers.http_put(h, "bench")
        self.list, self.list_plain = peers.http_list(h, "listd"), peers.http_list(h, "listd", "text/plain")
        self.daemon = peers.Daemon(h, "daemon").start()
        self.fill(self.daemon, {"bench": False, "seald": True, "listd": False}, KEYS)
        h.serve(self.daemon)
        self.cases = []
        self.serial = 0

    def fill(self, daemon, folders, count, conns=100):
        for folder, is_sealed in folders.items():
            daemon.fill(peers.http_put(self.h, folder, is_sealed), count, conns)

    def add(self, name, function, is_durable=False):
        self.cases.append((name, function, is_durable))

    def floor(self, name, message):
        reply = peers.exchange(self.daemon.socket, message.bytes)
        return self.h.serve(peers.Floor(self.h, name, message, len(reply)))

    # ---- reads -------------------------------------------------------------------------------------------------------

    def add_reads(self):
        h, d = self.h, self.daemon
        plain, sealed = self.floor("floor-plain", self.get), self.floor("floor-sealed", self.get_sealed)
        self.add("floor get c1", plain.load)
        self.add("get c1", lambda: d.load(self.get, keys=KEYS))
        self.add("floor get-sealed c1", sealed.load)
        self.add("get-sealed c1", lambda: d.load(self.get_sealed, keys=KEYS))
        self.add("floor get c64", lambda: plain.load(CONNS))
        self.add("get c64", lambda: d.load(self.get, CONNS, keys=KEYS))
        if has("redis-server"):
            redis = h.serve(peers.Redis(h, "redis-get", "--appendonly", "no"))
            get = peers.redis_get(h, "bench")
            redis.fill(peers.redis_set(h, "bench"), KEYS)
            self.add("redis get c1", lambda: redis.load(get, keys=KEYS))
            self.add("redis get c64", lambda: redis.load(get, CONNS, keys=KEYS))

    def add_lists(self):
        d = self.daemon
        listed = json.loads(peers.exchange(d.socket, self.list.bytes).partition(b"\r\n\r\n")[2])["data"]["entries"]
        names = peers.exchange(d.socket, self.list_plain.bytes).partition(b"\r\n\r\n")[2].split()
        if len(listed) != KEYS or names != [e["name"].encode() for e in listed]:
            raise Failure(f"a list of {KEYS} entries holds {len(listed)}, as text {len(names)}")
        self.add("list 1000", lambda: d.load(self.list, slice_ms=50))
        self.add("list 1000 text", lambda: d.load(self.list_plain, slice_ms=50))
        for layout in ("table", "store"):
            self.add("sqlite scan 1000 " + layout, lambda layout=layout: self.scan(layout))

    def scan(self, layout):
        self.serial += 1
        return self.h.measure("scan", file=self.h.path(f"scan-{self.serial}.db"), layout=layout, rows=1000,
                              window_ms=self.h.window_ms)

    # ---- writes ------------------------------------------------------------------------------------------------------

    def add_writes(self):
        """Each case beside what it is compared with: the speed of a disk changes from second to second."""
        h, d = self.h, self.daemon
        redis = etcd = None
        if has("redis-server"):
            redis = h.serve(peers.Redis(h, "redis-set", "--appendonly", "yes", "--appendfsync", "always",
                                        "--auto-aof-rewrite-percentage", "0"))
            set_one = peers.redis_set(h, "bench")
        if has("etcd"):
            put_one = peers.etcd_put(h, "bench")
            etcd = h.serve(peers.Etcd(h, put_one))
        self.add("sync 4 KiB", lambda: h.measure("sync", file=h.path("sync"), window_ms=h.window_ms), True)
        self.add("put c1", lambda: d.load(self.put, keys=KEYS), True)
        if etcd:
            self.add("etcd put c1", lambda: etcd.load(put_one, keys=KEYS), True)
        if redis:
            self.add("redis set c64", lambda: redis.load(set_one, CONNS, keys=KEYS), True)
        self.add("put c64", lambda: d.load(self.put, CONNS, keys=KEYS), True)
        if etcd:
            self.add("etcd put c64", lambda: etcd.load(put_one, CONNS, keys=KEYS), True)

    # ---- many entries ------------------------------------------------------------------------------------------------

    def run_many(self):
        """A daemon with a thousand entries and one with a million, side by side."""
        few, many = peers.Daemon(self.h, "few").start(), peers.Daemon(self.h, "many").start()
        self.fill(few, {"bench": False}, KEYS)
        begin = time.monotonic()
        self.h.say("storing a million entries")
        self.fill(many, {"bench": False}, MANY_KEYS, conns=200)
        took = time.monotonic() - begin
        self.h.facts.append(f"a million entries were stored in {took:.0f} s over 200 connections")
        self.h.servers = [few.process, many.process]
        self.h.run_rounds([("get c1, thousand", lambda: few.load(self.get, keys=KEYS), False),
                           ("get c1, million", lambda: many.load(self.get, keys=MANY_KEYS), False)])
        few.stop()
        many.stop()

    # ---- at rest -----------------------------------------------------------------------------------------------------

    def run_rest(self):
        daemon = peers.Daemon(self.h, "rest").start()
        self.fill(daemon, {"bench": False, "seald": True}, REST_KEYS // 2)
        daemon.stop()
        took, cpu = [], []
        for _ in range(5 if self.h.quick else 10):
            self.h.spin_loss()  # for a quiet moment
            took.append(daemon.first_answer_ms(self.get))
            cpu.append(daemon.process.cpu_ms())
            daemon.stop()
        daemon.first_answer_ms(self.get)
        time.sleep(2)
        memory = daemon.memory_kib()
        daemon.stop()
        for kind in ("Pss", "Rss"):
            self.h.goal_bound(f"memory at rest, 10,000 entries: {kind.upper()} of all roles", [memory[kind] / 1024],
                              MEMORY_MAX_MIB, "MiB")
        self.h.goals[-1]["asked"] = False
        self.h.goal_bound("start with 10,000 entries to the first answered get", took, START_MAX_MS, "ms", cpu)

    # ---- goals -------------------------------------------------------------------------------------------------------

    def set_goals(self):
        goal = self.h.goal_ratio
        goal("get 64 B, 1 connection / bare socket", "get c1", "floor get c1", 0.15, "slice90")
        goal("get 64 B sealed, 1 connection / bare socket", "get-sealed c1", "floor get-sealed c1", 0.14, "slice90")
        goal("get 64 B, 64 connections / redis get", "get c64", "redis get c64", 0.5, "slice90")
        goal("put 64 B synced, 1 connection / bare sync", "put c1", "sync 4 KiB", 0.7)
        goal("put 64 B synced, 1 connection / etcd put", "put c1", "etcd put c1", 2)
        goal("put 64 B synced, 64 connections / redis set, always synced", "put c64", "redis set c64", 0.8)
        goal("put 64 B synced, 64 connections / etcd put", "put c64", "etcd put c64", 5)
        goal("list of 1,000 / bare SQLite scan of the same rows", "list 1000", "sqlite scan 1000 store", 0.5)
        goal("list of 1,000 / SQLite scan of one flat table", "list 1000", "sqlite scan 1000 table", 0.5,
             is_asked=False)
        goal("list of 1,000, names as text / bare SQLite scan", "list 1000 text", "sqlite scan 1000 table", 0.5,
             is_asked=False)
        goal("get 64 B, 64 connections / bare socket", "get c64", "floor get c64", 0, "slice90", is_asked=False)
        goal("get 64 B, 1 connection / redis get", "get c1", "redis get c1", 0, "slice90", is_asked=False)


def run(h):
    r = Registry(h)
    r.add_reads()
    r.add_lists()
    r.add_writes()
    h.run_rounds(r.cases)
    r.daemon.stop()
    for p in reversed(h.servers[1:]):
        p.kill()
    r.set_goals()
    r.run_rest()
    if not h.quick:
        r.run_many()
        h.goal_ratio("time of a get, 1 connection: a million entries / a thousand", "get c1, thousand",
                     "get c1, million", 1.3, "slice90", at_most=True)
