"""Connections of a server that several threads use at once: one each, and who comes too late waits."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence

from backy2_qcow2.errors import QemuError
from backy2_qcow2.nbd import NbdConnection, NbdError


class ConnectionPool:
    """Lends connections. One that failed other than by an answer of the server ends all: it is one process."""

    def __init__(self, connections: Sequence[NbdConnection]) -> None:
        self._idle: queue.SimpleQueue[NbdConnection] = queue.SimpleQueue()
        for connection in connections:
            self._idle.put(connection)
        self._broken = threading.Event()

    @contextlib.contextmanager
    def lent(self) -> Iterator[NbdConnection]:
        """A connection for one call."""
        connection = self._idle.get()
        try:
            if self._broken.is_set():
                raise QemuError("qemu-nbd ended or does not answer, see the first error")
            yield connection
        except (NbdError, QemuError):
            raise
        except BaseException:
            self._broken.set()
            raise
        finally:
            self._idle.put(connection)
