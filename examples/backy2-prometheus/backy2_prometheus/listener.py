"""The listener: gathers changes, writes them now and then, and pushes once when the command ends."""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Callable

from backy2_core.api import DamageFound, Event, Listener, VersionRemoved
from backy2_prometheus.changes import Change, changes_of
from backy2_prometheus.push import Gateway
from backy2_prometheus.textfile import update

log = logging.getLogger(__name__)

_WRITE_EVERY_S = 5.0
_MANY = (DamageFound, VersionRemoved)
"""Events of which a command may tell thousands; they are written with the next other one, or at the end."""


class PrometheusListener(Listener):
    """Keeps figures at ``path``, and pushes them to ``gateway`` when it is closed; each may be None.

    What cannot be written or pushed is a warning in the log, and is written with the next. ``clock`` gives the seconds
    since 1970.
    """

    def __init__(
        self,
        path: str | None,
        gateway: Gateway | None,
        *,
        forget_after_s: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._gateway = gateway
        self._forget_after_s = forget_after_s
        self._clock = clock
        self._pending: list[Change] = []
        self._written_at = float("-inf")
        self._told = False

    def notify(self, event: Event) -> None:
        """Take note of an event."""
        changes = list(changes_of(event, self._clock()))
        if self._path is None or not changes:
            return
        self._told = True
        self._pending += changes
        if not isinstance(event, _MANY) and time.monotonic() - self._written_at >= _WRITE_EVERY_S:
            self._write()

    def close(self) -> None:
        """Write what was not written yet, and push everything, if anything happened."""
        if self._told:
            self._told = False
            self._write(push=True)

    def _write(self, *, push: bool = False) -> None:
        assert self._path is not None
        self._written_at = time.monotonic()
        forget_before_s = self._clock() - self._forget_after_s if self._forget_after_s else float("-inf")
        try:
            series = update(self._path, self._pending, forget_before_s)
        except OSError as error:
            log.warning("Figures for Prometheus could not be written to %s: %s", self._path, error.strerror or error)
            return
        self._pending.clear()
        if push and self._gateway is not None:
            try:
                self._gateway.push(series)
            except (OSError, http.client.HTTPException, ValueError) as error:
                log.warning("Figures for Prometheus could not be pushed to %s: %s", self._gateway.url, error)
