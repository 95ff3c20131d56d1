"""Points that a job passes, and what happens to the process at one of them. For child processes only.

A point is a text such as ``before meta.append_segments`` or ``after data.put``: the start and the end of each call that the
engine makes to its meta backend, its data backend and its target; and of a few calls below (``store.rename``, ``store.sync``,
``store.unlink``, ``sql.commit``, ``sql.statement``).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sqlalchemy

import backy2_core.engine.backup_run as backup_room
import backy2_core.engine.doomed as doomed_room
import backy2_core.engine.orphans as orphans_room
import backy2_core.engine.transfer as transfer_room
import backy2_core.exchange.arrival as arrival_room
import backy2_plugins.data_backends.file.backend as store_backend
import backy2_plugins.meta_backends.sql.cleanup as scans
from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.engine.context import Engine
from backy2_plugins import linux

REST_S = 0.2
"""Before a worker stops the process it lets the main thread come to rest, or where that stands would be left to chance."""
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Trap:
    """Counts arrivals at points; at the n-th at one of ``points`` the process gets ``action``. Any thread may arrive.

    ``marks`` is a descriptor that each arrival is written to (for a trace of system calls), or -1.
    """

    def __init__(self, points: list[str], arrival: int, action: str, marks: int = -1) -> None:
        self.arrivals: Counter[str] = Counter()
        self._points = frozenset(points)
        self._left = arrival
        self._signal = SIGNALS[action]
        self._marks = marks
        self._lock = threading.Lock()

    def arrive(self, point: str) -> None:
        """The job is at this point."""
        with self._lock:
            self.arrivals[point] += 1
            if self._marks >= 0:
                os.write(self._marks, f"{point}\n".encode())
            if point not in self._points:
                return
            self._left -= 1
            due = self._left == 0
        if due:
            if self._signal is signal.SIGSTOP and threading.current_thread() is not threading.main_thread():
                time.sleep(REST_S)
            # To this very thread: one that is sent to the process may reach another first, and this one runs on a little.
            signal.pthread_kill(threading.get_ident(), self._signal)

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with a point before and one after it."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.arrive(f"before {name}")
            result = function(*args, **kwargs)
            self.arrive(f"after {name}")
            return result

        return watched


class Watched:
    """An object all of whose calls pass points. Stands for a backend or a target."""

    def __init__(self, inner: Any, name: str, trap: Trap) -> None:
        self._inner = inner
        self._name = name
        self._trap = trap

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._inner, attribute)
        return self._trap.around(f"{self._name}.{attribute}", value) if callable(value) else value

    def __enter__(self) -> Watched:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._inner.__exit__(*error)


def set_traps(engine: Engine, trap: Trap) -> Engine:
    """The same engine, passing points."""

    def open_target(url: str, request: TargetRequest) -> Target:
        target: Any = Watched(engine.open_target(url, request), "target", trap)
        return target

    linux.rename_new = trap.around("store.rename", linux.rename_new)
    linux.syncfs = trap.around("store.sync", linux.syncfs)
    store_backend.os = _OsOf(trap)  # type: ignore[assignment]
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", lambda connection: trap.arrive("before sql.commit"))
    meta: Any = Watched(engine.meta, "meta", trap)
    data: Any = Watched(engine.data, "data", trap)
    return replace(engine, meta=meta, data=data, open_target=open_target)


def set_early_trap(trap: Trap) -> None:
    """Pass a point before each statement, from the opening of the database on."""

    def arrive(*statement: object) -> None:
        trap.arrive("before sql.statement")

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", arrive)


class _OsOf:
    """The os module as one module sees it, with points around unlink."""

    def __init__(self, trap: Trap) -> None:
        self.unlink = trap.around("store.unlink", os.unlink)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def cut_small() -> None:
    """Make batches so small that an image of some hundred blocks passes each point many times."""
    backup_room._UNIT_BYTES = 16 * 4096
    transfer_room._NEW_BATCH = 1
    arrival_room._SEGMENTS_A_BATCH = 1
    doomed_room._BATCH = orphans_room._BATCH = 8
    scans._ROWS = scans._ROWS_WITH_DATA = 40
    scans._PARTS = 1
