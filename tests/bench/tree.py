"""tree - secregd: a transaction of many entries against single puts, and moving a subtree against SQLite's bare UPDATE."""
import json

import peers
from harness import Failure

TXN_KEYS = 100
MOVE_KEYS = 10000


class Tree:
    def __init__(self, h):
        self.h = h
        self.put, self.txn = peers.http_put(h, "bench"), peers.http_txn(h, "txned", TXN_KEYS)
        self.there, self.back = peers.http_move(h, "movea", "moveb"), peers.http_move(h, "moveb", "movea")
        self.singles, self.moves = peers.Daemon(h, "singles").start(), peers.Daemon(h, "moves").start()
        h.serve(self.singles)
        h.serve(self.moves)
        self.moves.fill(peers.http_put(h, "movea"), MOVE_KEYS, 100)
        self.serial = 0

    def check(self):
        """What is measured is what is meant: so many keys in one revision."""
        d = json.loads(peers.exchange(self.singles.socket, self.txn.bytes).partition(b"\r\n\r\n")[2])["data"]
        if len(d["results"]) != TXN_KEYS or {r["revision"] for r in d["results"]} != {d["revision"]}:
            raise Failure(f"not a transaction of {TXN_KEYS} entries: {d}")
        for message in (self.there, self.back):
            d = json.loads(peers.exchange(self.moves.socket, message.bytes).partition(b"\r\n\r\n")[2])["data"]
            if d["results"][0]["entries"] != MOVE_KEYS:
                raise Failure(f"not a move of {MOVE_KEYS} entries: {d}")

    def move(self):
        """There and back until the window is over; the subtree may end at either place."""
        figures = self.moves.load(self.there, other=self.back.path, window_ms=8 * self.h.window_ms, warm_ms=0)
        d = json.loads(peers.exchange(self.moves.socket, peers.http_list(self.h, "movea").bytes).partition(b"\r\n\r\n")[2])
        if not d["success"]:
            peers.exchange(self.moves.socket, self.back.bytes)
        return figures

    def update(self, is_small=False):
        self.serial += 1
        return self.h.measure("move", file=self.h.path(f"move-{self.serial}.db"), rows=MOVE_KEYS, small=int(is_small),
                              window_ms=4 * self.h.window_ms, warm_ms=0)


def run(h):
    t = Tree(h)
    t.check()
    h.run_rounds([("put c1", lambda: t.singles.load(t.put, keys=1000), True),
                  ("txn of 100 puts", lambda: t.singles.load(t.txn), True),
                  ("sqlite update of 10000 paths", t.update, True),
                  ("the same, of path, type, version and value", lambda: t.update(True), True),
                  ("move of 10000 entries", t.move, True)])
    h.goal_ratio("transaction of 100 puts / one put", "txn of 100 puts", "put c1", 0.1)
    h.goal_ratio("move of 10,000 entries / bare SQLite UPDATE of the same rows", "move of 10000 entries",
                 "sqlite update of 10000 paths", 0.25)
