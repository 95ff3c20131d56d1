"""Orders to objects that fail as told: at which call of which method to raise, to wait or to do anything else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Order:
    method: str
    first: int
    last: int
    after: bool
    action: Callable[[], None]

    def fits(self, method: str, number: int, after: bool) -> bool:
        return self.method == method and self.after == after and self.first <= number <= self.last


class Orders:
    """What every faulty object has: ``calls`` counts the calls by method, and orders say what happens at which.

    Threads: orders may be given at any time, and calls made by several threads at once.
    """

    def __init__(self, contract: type) -> None:
        self.calls: Counter[str] = Counter()
        self._contract = contract
        self._orders: list[_Order] = []
        self._broken: Exception | None = None
        self._lock = threading.Lock()

    def fail(self, method: str, error: Exception, *, call: int = 1, times: int = 1, after: bool = False) -> None:
        """Let the ``call``-th call of ``method`` from now on, and ``times`` in all, raise ``error``.

        ``after``: the call is carried out first, as when only the answer of a remote store is lost.
        """

        def throw() -> None:
            raise error

        self.run(method, throw, call=call, times=times, after=after)

    def run(
        self, method: str, action: Callable[[], None], *, call: int = 1, times: int = 1, after: bool = False
    ) -> None:
        """Call ``action`` before (or ``after``) such calls, in their thread: to wait, to count, to kill the process."""
        if not callable(getattr(self._contract, method, None)):
            raise ValueError(f"a {self._contract.__name__} has no method {method}")
        with self._lock:
            first = self.calls[method] + call
            self._orders.append(_Order(method, first, first + times - 1, after, action))

    def break_down(self, error: Exception) -> None:
        """From now on every call but ``close`` raises ``error``, as where a store cannot be reached."""
        self._broken = error

    def forget_orders(self) -> None:
        """From now on every call is carried out."""
        with self._lock:
            self._orders.clear()
            self._broken = None

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        """Make a call as ordered."""
        with self._lock:
            self.calls[method] += 1
            number, broken = self.calls[method], self._broken
        if broken is not None and method != "close":
            raise broken
        self._act(method, number, after=False)
        result = call()
        self._act(method, number, after=True)
        return result

    def _act(self, method: str, number: int, *, after: bool) -> None:
        with self._lock:
            due = [order for order in self._orders if order.fits(method, number, after)]
        for order in due:
            order.action()
