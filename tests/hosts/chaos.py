"""What befalls many hosts in the course of a soak: processes are killed, servers restarted, connections cut."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tests.hosts.fleet import KILLED, Fleet
from tests.support.ceph import Gateway
from tests.support.proxy import Proxy, Strike, To
from tests.support.servers import Server

FULL_S = 600.0
IN_FULL = {"kill": 40, "cut": 90, "restart PostgreSQL": 3, "restart the gateway": 3}
"""How often each befalls them in ten minutes; in a shorter soak fewer, and each once at least. Not every cut hits."""
AT_LEAST = {"kill": 30, "cut": 50, "restart PostgreSQL": 3, "restart the gateway": 3}
_MOST_BYTES = 40_000


def scaled(number: int, duration_s: float) -> int:
    """So many in ten minutes are how many in this time."""
    return max(1, round(number * min(1.0, duration_s / FULL_S)))


@dataclass(frozen=True)
class Targets:
    """What is struck. All of its methods are called from the thread that made the servers."""

    fleet: Fleet
    postgresql: Server
    gateway: Gateway
    to_postgresql: Proxy
    to_gateway: Proxy


class Chaos:
    """Strikes at random moments of ``duration_s``; :meth:`strike` is to be called often."""

    def __init__(self, targets: Targets, rng: random.Random, duration_s: float) -> None:
        self.done: Counter[str] = Counter()
        self._targets = targets
        self._rng = rng
        self._began = time.monotonic()
        self._due: list[tuple[float, str]] = []
        for what, number in IN_FULL.items():
            # Not at the very end, so that servers are up again and cuts still hit.
            self._due += [(rng.uniform(0.02, 0.9) * duration_s, what) for _ in range(scaled(number, duration_s))]
        self._due.sort()
        self._down: list[tuple[float, Callable[[], None]]] = []

    def strike(self) -> None:
        """Do all that is due."""
        now = time.monotonic() - self._began
        for at, start in [entry for entry in self._down if entry[0] <= now]:
            self._down.remove((at, start))
            start()
        while self._due and self._due[0][0] <= now:
            _, what = self._due.pop(0)
            strikes = {"kill": self._kill, "cut": self._cut, "restart PostgreSQL": self._postgresql}
            strikes.get(what, self._gateway)()
            if what.startswith("restart"):
                self.done[what] += 1

    def end(self) -> None:
        """Start what is down, let all connections live, and wait until all processes ended."""
        for _, start in self._down:
            start()
        self._down.clear()
        for proxy in (self._targets.to_postgresql, self._targets.to_gateway):
            proxy.heal()
            self.done["cut"] += proxy.strikes[Strike.CUT]
        self._targets.fleet.drain()
        # Some that were to be killed had ended just before.
        self.done["kill"] = sum(n for (_, code), n in self._targets.fleet.ends.items() if code == KILLED)

    def _kill(self) -> None:
        fleet = self._targets.fleet
        if alive := [each for each in fleet.running if each not in fleet.doomed]:
            fleet.kill(self._rng.choice(alive))

    def _cut(self) -> None:
        proxy = self._rng.choice([self._targets.to_postgresql, self._targets.to_gateway])
        proxy.order(Strike.CUT, self._rng.choice(list(To)), after=self._rng.randrange(_MOST_BYTES))

    def _postgresql(self) -> None:
        self._restart(self._targets.postgresql.kill, self._targets.postgresql.start)

    def _gateway(self) -> None:
        self._restart(self._targets.gateway.kill, self._targets.gateway.start)

    def _restart(self, kill: Callable[[], None], start: Callable[[], None]) -> None:
        for at, up in [entry for entry in self._down if entry[1] == start]:
            self._down.remove((at, up))
            up()
        kill()
        self._down.append((time.monotonic() - self._began + self._rng.uniform(1, 5), start))
