"""Trying again, ever more slowly, until a limit: what the wrappers that retry have in common."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from backy2_core.errors import BackyError

T = TypeVar("T")
E = TypeVar("E", bound=BackyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Retries for up to ``limit_s`` seconds a call, waiting ever longer, from ``first_wait_s`` to ``longest_wait_s``.

    Each wait is drawn at random from the upper half of its length, so that many clients do not come back in step.
    ``sleep``, ``clock`` (seconds) and ``draw`` (0 to 1) can be given by tests. Threads: may share one.
    """

    limit_s: float = 120.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random

    def retry(
        self, call: Callable[[], T], kind: type[E], hopeful: Callable[[E], bool], tell: Callable[[float, E], None]
    ) -> T:
        """Make the call until it succeeds; ``tell`` hears of each wait in seconds, and what it is for.

        Raises the last error of this ``kind`` if it is not ``hopeful``, or if the next wait would end behind the limit.
        """
        give_up_at = self.clock() + self.limit_s
        wait_s = self.first_wait_s
        while True:
            try:
                return call()
            except kind as error:
                pause_s = wait_s * (0.5 + 0.5 * self.draw())
                if not hopeful(error) or self.clock() + pause_s > give_up_at:
                    raise
                tell(pause_s, error)
            self.sleep(pause_s)
            wait_s = min(2 * wait_s, self.longest_wait_s)


def begun(listing: Callable[[], Iterator[T]]) -> Iterator[T]:
    """Begin a listing and fetch its first row, so that what is wrong with its beginning is raised here, and may be retried."""
    rows = listing()
    return _behind(list(itertools.islice(rows, 1)), rows)


def _behind(first: list[T], rest: Iterator[T]) -> Iterator[T]:
    yield from first
    yield from rest
