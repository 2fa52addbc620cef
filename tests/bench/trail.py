"""trail - what a record costs the trail against its parts, and how fast it is verified against hashing it once."""
import json
import os
import shutil
import subprocess
import time

from harness import PIN_CPU, Failure

RECORDS, QUICK_RECORDS = 10_000_000, 200_000


class Trail:
    def __init__(self, h):
        self.h, self.serial = h, 0
        self.verifier = os.path.join(h.build, "bin", "secreg-verify")
        if not os.access(self.verifier, os.X_OK):
            raise Failure(f"{self.verifier}: not there; build it first")
        self.records = (QUICK_RECORDS if h.quick else RECORDS) // 64 * 64
        self.folder = h.path("filled")
        os.mkdir(self.folder)
        self.h.measure("trail", what="fill", folder=self.folder, records=self.records, seconds=300, is_pinned=False)
        self.log = os.path.join(self.folder, "trail")

    def turn(self, what):
        self.serial += 1
        folder = self.h.path(f"trail-{self.serial}")
        os.mkdir(folder)
        figures = self.h.measure("trail", what=what, folder=folder, window_ms=2 * self.h.window_ms)
        shutil.rmtree(folder)
        return figures

    def prove(self):
        return [self.h.measure("trail", what="prove", folder=self.folder) for _ in range(3)]

    def query(self):
        return [self.h.measure("trail", what="query", folder=self.folder) for _ in range(3)]

    def hash(self):
        return self.h.measure("trail", what="hash", folder=self.log, records=self.records)

    def verify(self):
        cpus = {PIN_CPU} if self.h.is_pinned else self.h.all_cpus
        begin = time.perf_counter()
        done = subprocess.run([self.verifier, "--json", self.log], capture_output=True, text=True, timeout=300, check=False,
                              preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        seconds = time.perf_counter() - begin
        if done.returncode != 0 or json.loads(done.stdout)["records"] != self.records:
            raise Failure(f"{self.verifier}: {done.returncode}: {done.stdout} {done.stderr}")
        rate = self.records / seconds
        return {"ops": self.records, "seconds": seconds, "rate": rate, "slice90": rate, "p50_us": 1e6 / rate, "p99_us": 1e6 / rate,
                "client_cpu_us": 0, "server_cpu_us": 0, "cpu_rate": rate}


def run(h):
    t = Trail(h)
    h.run_rounds([("hash and insert bare", lambda: t.turn("bare"), False), ("append", lambda: t.turn("append"), False),
                  ("hash the log once", t.hash, False), ("secreg-verify", t.verify, False)])
    h.goal_ratio("records appended / hashed and inserted bare", "append", "hash and insert bare", 1 / 1.5)
    proofs = t.prove()
    h.goal_bound(f"a proof for one record among {proofs[0]['records']:,}", [p["mean_ms"] for p in proofs], 5, "ms")
    h.goal_bound("the first one after opening", [p["first_ms"] for p in proofs], 5, "ms")
    h.goal_bound("the slowest of the others", [p["worst_ms"] for p in proofs], 5, "ms")
    h.goal_bound("its size", [p["bytes"] for p in proofs], 2048, "bytes")
    answers = t.query()
    found = {(a["user_found"], a["path_found"], a["time_found"], a["nothing_found"]) for a in answers}
    if found != {(t.records // 1000003 + (t.records % 1000003 > 500000), min(100, t.records // 1000), 50, 0)}:
        raise Failure(f"queries find {found}")
    for what, name in (("of a path", "path"), ("of one user", "user"), ("of 50 us", "time"), ("that is empty", "nothing_again"),
                       ("the first after opening, empty", "nothing")):
        h.goal_bound(f"a page of records {what}", [a[f"{name}_ms"] for a in answers], 20, "ms")
    h.goal_ratio("records verified / hashed once, as one stream", "secreg-verify", "hash the log once", 0.5)
