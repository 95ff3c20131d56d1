"""Comparing a version with its source, block by block, while it is scrubbed."""

from __future__ import annotations

import logging
import operator
import threading

from backy2_core.contracts.source import Source
from backy2_core.engine.digest import ZeroTest
from backy2_core.engine.inventory import SparseBlocks, StoredBlock
from backy2_core.errors import SourceError
from backy2_core.model.version import Version

log = logging.getLogger(__name__)

_MOST_NAMED = 1000


class SourceComparison:
    """Counts blocks that differ from the source; without a source it compares nothing. Any thread may call it."""

    def __init__(self, source: Source | None, version: Version) -> None:
        self.count = 0
        self.named: list[int] = []
        self._source = source
        self._geometry = version.geometry
        self._is_zero = ZeroTest(version.geometry.block_size)
        self._lock = threading.Lock()
        self._buffers = threading.local()
        if source is not None and source.size_bytes != version.geometry.size_bytes:
            raise SourceError(
                f"The source has {source.size_bytes} bytes, version {version.uid} has {version.geometry.size_bytes};"
                " they cannot be compared. Is this the source, in the state that was backed up?"
            )

    def compare_stored(self, block: StoredBlock, data: memoryview) -> None:
        """Compare a checked block with the source."""
        if self._source is not None and operator.ne(self._read(block.number), data):
            self._differs(block.number)

    def compare_sparse(self, blocks: SparseBlocks) -> None:
        """Check that the source has zeros where the version is sparse."""
        if self._source is None:
            return
        for number in range(blocks.start, blocks.stop):
            if not self._is_zero(memoryview(self._read(number))):
                self._differs(number)

    def _read(self, number: int) -> bytes | bytearray:
        """The source's block. Not a memoryview: comparing one with ``==`` is ten times slower."""
        assert self._source is not None
        buffer: bytearray | None = getattr(self._buffers, "buffer", None)
        if buffer is None:
            buffer = self._buffers.buffer = bytearray(self._geometry.block_size)
        length = self._geometry.length(number)
        data = memoryview(buffer)[:length]
        self._source.read_into(self._geometry.offset(number), data)
        return buffer if length == len(buffer) else bytes(data)

    def _differs(self, number: int) -> None:
        with self._lock:
            self.count += 1
            if len(self.named) < _MOST_NAMED:
                self.named.append(number)
        log.error("Block %d (offset %d) differs from the source", number, self._geometry.offset(number))
