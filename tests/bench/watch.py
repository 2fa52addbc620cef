"""watch - secregd: how long a change takes to reach one who watches, and a hundred; what watching costs a put."""
import os

import peers

WATCHES = (1, 100)


class Watch:
    def __init__(self, h):
        self.h = h
        self.daemon = peers.Daemon(h, "daemon")
        os.makedirs(os.path.join(self.daemon.root, "etc/secreg"), exist_ok=True)
        with open(os.path.join(self.daemon.root, "etc/secreg/secregd.yaml"), "w", encoding="ascii") as f:
            f.write("limits:\n  watches: 1000\n  watches_per_uid: 1000\n  connections_per_uid: 1000\n")
        h.serve(self.daemon.start())

    def fan(self, watches):
        pids = ",".join(str(p) for p in self.daemon.process.pids())
        return self.h.measure("fan", socket=self.daemon.socket, watches=watches, servers=pids, window_ms=2 * self.h.window_ms)


def run(h):
    w = Watch(h)
    cases = [(f"reach {n}", lambda n=n: w.fan(n), True) for n in (0,) + WATCHES]
    h.run_rounds(cases)
    w.daemon.stop()
    h.goal_ratio("time until a change has reached 100 watches / 1", "reach 1", "reach 100", 3, at_most=True)
    h.goal_ratio("time of a put and its line on one watch / of a put that nobody watches", "reach 0", "reach 1", 2,
                 at_most=True, is_asked=False)
