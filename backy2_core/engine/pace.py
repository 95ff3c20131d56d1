"""Tells how far a phase is, no more often than somebody wants to know."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from backy2_core.engine.lease import Lease
from backy2_core.engine.progress import Progress

_SHOW_EVERY_S = 0.2


class Paced:
    """One phase, shown while the ``with`` lasts. With a ``lease``, the job's progress goes along, and a lost one is noticed.

    ``share`` is the part of the whole job that was done when the phase began, and when it is over.
    """

    def __init__(
        self,
        progress: Progress,
        action: str,
        total: int,
        unit: str,
        lease: Lease | None = None,
        share: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.done = 0
        self._progress = progress
        self._phase = (action, total, unit)
        self._lease = lease
        self._share = share
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        self._progress.begin(*self._phase)
        return self

    def advance(self, more: int) -> None:
        """So many more are finished."""
        self.done += more
        now = time.monotonic()
        if now - self._shown_at < _SHOW_EVERY_S:
            return
        self._shown_at = now
        self._progress.advance(self.done)
        if self._lease is not None:
            first, last = self._share
            self._lease.check()
            self._lease.progress = first + (last - first) * min(1.0, self.done / max(1, self._phase[1]))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is None:
            self._progress.advance(self.done)
        self._progress.finish()
