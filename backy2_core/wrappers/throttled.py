"""Keeps a data backend below a number of bytes a second, so that backups leave room on a shared network or disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.model.blob import BlobUid
from backy2_core.wrappers.forwarding import ForwardingDataBackend

_BURST_S = 0.25


class TokenBucket:
    """Hands out bytes at ``rate`` a second; what was not used for a quarter of a second is lost.

    Whoever takes more than there is goes into debt and waits until it is paid, so that one large piece needs no large
    bucket, and the average is kept whatever the sizes. A rate of 0 is no limit. Threads: any number.
    """

    def __init__(self, rate: int, *, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._rate = rate
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = rate * _BURST_S
        self._returned = 0
        self._filled_at = clock()

    def take(self, count: int) -> None:
        """Take ``count`` bytes, and wait until they are due."""
        if self._rate <= 0:
            return
        with self._lock:
            now = self._clock()
            filled = self._tokens + (now - self._filled_at) * self._rate
            self._tokens = min(filled, self._rate * _BURST_S) + self._returned - count
            self._returned = 0
            self._filled_at = now
            wait_s = -self._tokens / self._rate
        if wait_s > 0:
            self._sleep(wait_s)

    def give_back(self, count: int) -> None:
        """Return bytes that were taken and not used; the next taker has them on top of what is there."""
        with self._lock:
            self._returned += count


class ThrottledDataBackend(ForwardingDataBackend):
    """Limits :meth:`put` to ``write_bytes_s`` and :meth:`get` to ``read_bytes_s``, for all threads together.

    0 is no limit. Documents are small and pass freely. ``sleep`` and ``clock`` (seconds) can be given by tests.
    """

    def __init__(
        self,
        inner: DataBackend,
        *,
        read_bytes_s: int = 0,
        write_bytes_s: int = 0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(inner)
        self._reads = TokenBucket(read_bytes_s, sleep=sleep, clock=clock)
        self._writes = TokenBucket(write_bytes_s, sleep=sleep, clock=clock)

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Wait until the bytes are due, then store the blob."""
        self._writes.take(len(data))
        self.inner.put(uid, data)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Wait until as many bytes are due as there is room for, then read the blob; what it has less is given back."""
        self._reads.take(len(buffer))
        count = 0
        try:
            count = self.inner.get(uid, buffer)
            return count
        finally:
            self._reads.give_back(len(buffer) - count)
