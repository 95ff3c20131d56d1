"""A fixed number of reusable, page-aligned buffers: what bounds the memory of a job."""

from __future__ import annotations

import mmap


class BufferPool:
    """Lends ``count`` buffers of ``size`` bytes. Used by the one thread that hands out work; needs no lock."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        # Anonymous maps are page-aligned, take no memory until used, and go back to the system when closed.
        self._maps = [mmap.mmap(-1, size) for _ in range(count)]
        self._free = [memoryview(m) for m in self._maps]

    @property
    def available(self) -> int:
        """Number of buffers that can be lent now."""
        return len(self._free)

    def take(self) -> memoryview:
        """Borrow the buffer that was returned last, which the processor's cache may still hold; see :attr:`available`."""
        return self._free.pop()

    def give(self, buffer: memoryview) -> None:
        """Return a borrowed buffer, whole (not a slice of it)."""
        self._free.append(buffer)


def buffer_count(buffer_bytes: int, size: int, threads: int) -> int:
    """How many buffers of ``size`` fit into ``buffer_bytes``: at least one a thread and one to spare, at most 64."""
    return max(threads + 1, min(64, buffer_bytes // size))
