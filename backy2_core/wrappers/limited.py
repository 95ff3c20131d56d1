"""Keeps a data backend below a number of calls at once, so that a job with many threads does not overrun the store."""

from __future__ import annotations

import threading

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.model.blob import BlobUid
from backy2_core.wrappers.forwarding import ForwardingDataBackend


class LimitedDataBackend(ForwardingDataBackend):
    """Lets at most ``reads`` threads be in :meth:`get` and ``writes`` in :meth:`put` at a time; others wait for their turn."""

    def __init__(self, inner: DataBackend, *, reads: int, writes: int) -> None:
        super().__init__(inner)
        self._reads = threading.BoundedSemaphore(reads)
        self._writes = threading.BoundedSemaphore(writes)

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Wait for a turn, then store the blob."""
        with self._writes:
            self.inner.put(uid, data)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Wait for a turn, then read the blob."""
        with self._reads:
            return self.inner.get(uid, buffer)
