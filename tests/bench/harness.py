"""harness - what every bench shares: processes that cannot be left behind, one CPU or all, rounds, ratios, the report.

A case is something that yields figures (a load program's line of JSON). A goal is a ratio of two cases taken inside
one round under the same pinning, or a bound on one figure. A goal is judged by the median over the rounds with
everything on one CPU: across CPUs the wake-up of an idle virtual CPU costs more than most requests, so those ratios are
only shown.
"""
import atexit
import ctypes
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = {"load": [], "floor": [], "sync": [], "fan": [], "scan": ["-lsqlite3"], "move": ["-lsqlite3"]}
PIN_CPU = 0
SPIN_S, SPIN_LIMIT, SPIN_WAIT_S = 0.06, 0.06, 0.4
DISK_SYNCS, DISK_LIMIT, DISK_WAIT_S = 40, 1.3, 1.5
PR_SET_PDEATHSIG = 1
# Beside the figure that is judged stands one that the load of others hardly touches: operations for a second of CPU
# time where the CPU is the limit, the median latency where the disk is.
STEADY = {"slice90": "cpu_rate", "rate": "p50_us"}
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs", "devtmpfs"}


class Failure(Exception):
    """Nothing can be said about speed: something did not start, or answered what it should not."""


def median(values):
    v = sorted(values)
    return (v[(len(v) - 1) // 2] + v[len(v) // 2]) / 2


def file_system_of(path):
    """Type of the file system that holds `path`, from the longest mount point above it."""
    best, kind = "", "?"
    path = os.path.realpath(path) + "/"
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            left, right = line.split(" - ")
            point = left.split()[4].rstrip("/") + "/"
            if path.startswith(point) and len(point) >= len(best):
                best, kind = point, right.split()[0]
    return kind


def tree_of(pid):
    """The process and all below it."""
    pids = [pid]
    for p in pids:
        try:
            with open(f"/proc/{p}/task/{p}/children", encoding="ascii") as f:
                pids += [int(x) for x in f.read().split()]
        except OSError:
            pass
    return pids


class Process:
    """A server in a process group of its own, killed with everything in it when the bench ends, however it ends."""

    def __init__(self, harness, name, argv, **options):
        self.name = name
        self.log_path = os.path.join(harness.dir, name + ".log")
        libc = harness.libc

        def before_exec():
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with open(self.log_path, "ab") as log:
            try:
                self.popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                              start_new_session=True, preexec_fn=before_exec, **options)
            except OSError as e:
                raise Failure(f"{argv[0]}: {e.strerror}") from e
        harness.processes.append(self)

    def pids(self):
        return tree_of(self.popen.pid)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read().strip()[-2000:]

    def wait_until(self, is_ready, seconds=20, pause_s=0.01):
        end = time.monotonic() + seconds
        while not is_ready():
            if self.popen.poll() is not None:
                raise Failure(f"{self.name} ended with status {self.popen.returncode}: {self.log()}")
            if time.monotonic() > end:
                raise Failure(f"{self.name} is not ready after {seconds} s: {self.log()}")
            time.sleep(pause_s)

    def cpu_ms(self):
        """CPU time that all its processes were charged so far (main threads: the daemon's roles have no others)."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e6

    def pin(self, cpus):
        for pid in self.pids():
            for tid in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(tid), cpus)

    def stop(self, seconds=20):
        """Ask it to end; kill it if it does not."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failure(f"{self.name} does not end") from None
        self.kill()

    def kill(self):
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()


class Harness:
    def __init__(self, arguments):
        self.quick = arguments.quick
        self.rounds = arguments.rounds or (2 if self.quick else 5)
        self.window_ms = 300 if self.quick else 500
        self.json_path = arguments.json
        self.build = os.path.abspath(arguments.build)
        self.all_cpus = os.sched_getaffinity(0)
        if PIN_CPU not in self.all_cpus:
            raise Failure(f"CPU {PIN_CPU} may not be used")
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.processes, self.servers = [], []
        self.dir = self.make_dir(arguments.dir)
        self.programs = {}
        self.cases, self.goals, self.facts, self.notes = [], [], [], []
        self.is_pinned, self.round = True, 0
        self.best_sync_us = None
        self.started = time.time()
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, lambda number, frame: sys.exit(128 + number))
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        for p in reversed(self.processes):
            p.kill()
        self.processes = []
        if self.dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.dir = None

    def make_dir(self, wanted):
        above = wanted or os.environ.get("TMPDIR") or (self.build if os.path.isdir(self.build) else "/var/tmp")
        if not os.path.isdir(above):
            raise Failure(f"{above}: not a folder")
        kind = file_system_of(above)
        if kind in MEMORY_FILE_SYSTEMS:
            raise Failure(f"{above} is kept in memory ({kind}): syncing there costs nothing; give --dir")
        self.file_system = kind
        return tempfile.mkdtemp(prefix="bench-", dir=os.path.abspath(above))

    def path(self, name):
        return os.path.join(self.dir, name)

    # ---- programs ----------------------------------------------------------------------------------------------------

    def program(self, name):
        """Path of a load program: from the build folder, else compiled here."""
        if name not in self.programs:
            built = os.path.join(self.build, "tests", "bench", "bench-" + name)
            self.programs[name] = built if os.access(built, os.X_OK) else self.compile(name)
        return self.programs[name]

    def compile(self, name):
        out = self.path("bench-" + name)
        argv = [os.environ.get("CC", "cc"), "-std=c17", "-O2", "-D_GNU_SOURCE", "-o", out,
                os.path.join(HERE, name + ".c"), os.path.join(HERE, "bench.c")] + PROGRAMS[name]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"cannot compile {name}: {done.stderr.strip()[-1000:]}")
        return out

    def measure(self, name, seconds=60, is_pinned=None, **options):
        """Run a load program to its end; returns the figures it printed."""
        is_pinned = self.is_pinned if is_pinned is None else is_pinned
        argv = [self.program(name)]
        for key, value in options.items():
            argv += ["--" + key.replace("_", "-"), str(value)]
        cpus = {PIN_CPU} if is_pinned else self.all_cpus
        try:
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds,
                                  preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        except subprocess.TimeoutExpired as e:
            raise Failure(f"{' '.join(argv)}: not done after {seconds} s") from e
        if done.returncode != 0:
            raise Failure(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout)

    def serve(self, server):
        """From now on the server's processes are pinned as the cases are."""
        self.servers.append(server.process)
        server.process.pin({PIN_CPU} if self.is_pinned else self.all_cpus)
        return server

    # ---- rounds ------------------------------------------------------------------------------------------------------

    def spin_loss(self):
        """Share of a CPU that a busy loop does not get; waits a little for a quiet moment."""
        os.sched_setaffinity(0, {PIN_CPU} if self.is_pinned else self.all_cpus)
        end = time.monotonic() + SPIN_WAIT_S
        while True:
            wall, cpu = time.monotonic(), time.thread_time()
            while time.monotonic() - wall < SPIN_S:
                pass
            loss = 1 - (time.thread_time() - cpu) / (time.monotonic() - wall)
            if loss < SPIN_LIMIT or time.monotonic() > end:
                break
        os.sched_setaffinity(0, self.all_cpus)
        return round(max(loss, 0.0), 4)

    def sync_us(self):
        """Median time of a small synced write; waits a little while it is far above the best seen."""
        fd = os.open(self.path("gate"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + DISK_WAIT_S
        try:
            while True:
                took = []
                for i in range(DISK_SYNCS):
                    os.pwrite(fd, bytes([i]) * 4096, 0)
                    begin = time.perf_counter()
                    os.fdatasync(fd)
                    took.append((time.perf_counter() - begin) * 1e6)
                us = round(median(took), 1)
                self.best_sync_us = min(us, self.best_sync_us or us)
                if us < DISK_LIMIT * self.best_sync_us or time.monotonic() > end:
                    return us
        finally:
            os.close(fd)

    def run_case(self, name, function, is_durable):
        gate = {"sync_us": self.sync_us()} if is_durable else {}
        gate["spin_loss"] = self.spin_loss()
        figures = function()
        self.cases.append({"case": name, "round": self.round, "pinned": self.is_pinned, **gate, **figures})

    def run_rounds(self, cases, pinnings=(True, False)):
        """`cases`: (name, function returning figures, waits for the disk), in order; every round runs all of them,
        pinned and then not."""
        for self.round in range(1, self.rounds + 1):
            for self.is_pinned in pinnings:
                for server in self.servers:
                    server.pin({PIN_CPU} if self.is_pinned else self.all_cpus)
                where = "one CPU" if self.is_pinned else "all CPUs"
                for name, function, is_durable in cases:
                    self.say(f"round {self.round} of {self.rounds}, {where}: {name}")
                    self.run_case(name, function, is_durable)
        self.is_pinned = True
        self.say("")

    def say(self, text):
        if sys.stderr.isatty():
            print("\r\x1b[K" + text, end="", file=sys.stderr, flush=True)

    # ---- goals -------------------------------------------------------------------------------------------------------

    def figures(self, case, pinned):
        return {c["round"]: c for c in self.cases if c["case"] == case and c["pinned"] == pinned}

    def ratios(self, case, base, figure, pinned):
        a, b = self.figures(case, pinned), self.figures(base, pinned)
        ratios = [a[r][figure] / b[r][figure] for r in sorted(a) if r in b]
        return [1 / x for x in ratios] if figure == "p50_us" else ratios

    def goal_ratio(self, text, case, base, target, figure="rate", at_most=False, is_asked=True):
        """`case` must reach `target` times `base` (or stay below it). Not asked: shown, not judged."""
        pinned = self.ratios(case, base, figure, True)
        if not pinned:
            self.notes.append(f"{text}: not measured")
            return
        self.goals.append({"goal": text, "case": case, "base": base, "figure": figure, "target": target,
                           "at_most": at_most, "asked": is_asked, "unit": "x", "pinned": pinned,
                           "unpinned": self.ratios(case, base, figure, False),
                           "steady": self.ratios(case, base, STEADY.get(figure, figure), True)})

    def goal_bound(self, text, values, target, unit, steady=()):
        """A bound for what was measured; the median is judged."""
        self.goals.append({"goal": text, "target": target, "at_most": True, "asked": True, "unit": unit,
                           "pinned": values, "unpinned": [], "steady": list(steady)})

    # ---- report ------------------------------------------------------------------------------------------------------

    def report(self, bench):
        for g in self.goals:
            m = median(g["pinned"])
            g["median"] = m
            g["ok"] = (m <= g["target"] if g["at_most"] else m >= g["target"]) if g["asked"] else None
        print_goals(self.goals)
        print_cases(self.cases)
        for line in self.facts + self.notes:
            print(line)
        losses = [c["spin_loss"] for c in self.cases]
        syncs = [c["sync_us"] for c in self.cases if "sync_us" in c] or [0]
        took = time.time() - self.started
        print(f"\n{self.rounds} rounds, {took:.0f} s; spin loss before a case: median {median(losses):.1%}, worst "
              f"{max(losses):.1%}; small sync: best {min(syncs):.0f} us, median {median(syncs):.0f} us, worst "
              f"{max(syncs):.0f} us; data on {self.file_system}")
        if self.json_path:
            self.write_json(bench, took)
        return 0 if all(g["ok"] is not False for g in self.goals) and not self.notes else 1

    def write_json(self, bench, took):
        out = {"bench": bench, "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
               "seconds": round(took, 1), "rounds": self.rounds, "quick": self.quick,
               "machine": {"kernel": platform.release(), "cpus": len(self.all_cpus), "cpu": cpu_name(),
                           "file_system": self.file_system},
               "goals": self.goals, "facts": self.facts, "notes": self.notes, "cases": self.cases}
        with open(self.json_path, "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)
            f.write("\n")


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def spread(values, digits=3):
    if not values:
        return "-"
    return " / ".join(f"{v:.{digits}f}" for v in (min(values), median(values), max(values)))


def short(n):
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if n >= limit:
            return f"{n / limit:.3g}{unit}"
    return f"{n:.3g}"


def print_table(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for k, row in enumerate(rows):
        print("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip())
        if k == 0:
            print("  ".join("-" * w for w in widths))
    print()


def print_goals(goals):
    rows = [("goal (min / median / max)", "target", "one CPU", "", "steady", "all CPUs")]
    for g in goals:
        digits = 3 if g["unit"] == "x" else 1
        target = ("<= " if g["at_most"] else ">= ") + f"{g['target']:g} {g['unit']}" if g["asked"] else "-"
        verdict = {True: "ok", False: "below" if not g["at_most"] else "above", None: ""}[g["ok"]]
        rows.append((g["goal"], target, spread(g["pinned"], digits), verdict,
                     f"{median(g['steady']):.{digits}f}" if g["steady"] else "-", spread(g["unpinned"], digits)))
    print_table(rows)


def print_cases(cases):
    names = list(dict.fromkeys(c["case"] for c in cases))
    rows = [("case (medians)", "CPUs", "per s", "slice90", "p50 us", "p99 us", "client us", "server us")]
    for name in names:
        for pinned in (True, False):
            c = [x for x in cases if x["case"] == name and x["pinned"] == pinned]
            if not c:
                continue
            rows.append((name, "one" if pinned else "all", short(median(x["rate"] for x in c)),
                         short(median(x["slice90"] for x in c)), f"{median(x['p50_us'] for x in c):.4g}",
                         f"{median(x['p99_us'] for x in c):.4g}", f"{median(x['client_cpu_us'] for x in c):.3g}",
                         f"{median(x['server_cpu_us'] for x in c):.3g}"))
    print_table(rows)
