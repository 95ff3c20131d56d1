"""Writing a lot without filling the page cache: what was written goes to the disk in the background and is dropped."""

from __future__ import annotations

import threading

from backy2_core.api import Extent
from backy2_plugins import linux, page_cache

_BATCH_BYTES = 16 * 1024 * 1024


class WriteBehind:
    """Keeps at most two batches of what was written to a file in the page cache: one being gathered, one on its way.

    Whoever completes a batch waits for the one before it, so that writers go no faster than the disk and the last flush
    is short. Threads: may be called from several threads at once. Raises OSError for writes that failed in the
    background: the kernel tells of such once only, so the caller must not pass over it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._gathered: list[Extent] = []
        self._gathered_bytes = 0
        self._on_its_way: list[Extent] = []

    def wrote(self, offset: int, length: int) -> None:
        """Take note that a range was written."""
        with self._lock:
            last = self._gathered[-1] if self._gathered else None
            if last is not None and last.end == offset:
                self._gathered[-1] = Extent(last.offset, last.length + length)
            else:
                self._gathered.append(Extent(offset, length))
            self._gathered_bytes += length
            if self._gathered_bytes < _BATCH_BYTES:
                return
            started, finished = self._gathered, self._on_its_way
            self._gathered, self._gathered_bytes, self._on_its_way = [], 0, started
        for extent in started:
            linux.start_writing(self._fd, extent.offset, extent.length)
        self._finish(finished)

    def flushed(self) -> None:
        """Take note that all of the file was made durable: drop what is left of it."""
        with self._lock:
            rest = self._on_its_way + self._gathered
            self._gathered, self._gathered_bytes, self._on_its_way = [], 0, []
        for extent in rest:
            page_cache.drop(self._fd, extent.offset, extent.length)

    def _finish(self, extents: list[Extent]) -> None:
        for extent in extents:
            linux.finish_writing(self._fd, extent.offset, extent.length)
        for extent in extents:
            page_cache.drop(self._fd, extent.offset, extent.length)
