"""The pipeline of restore and scrub: fetches the blocks of a version on workers, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from backy2_core.engine.buffers import BufferPool, buffer_count
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import DamageReport
from backy2_core.engine.fetch import MOST_SWELLING, Fetched, Fetcher, room_for
from backy2_core.engine.inventory import BrokenBlock, Item, SparseBlocks, StoredBlock
from backy2_core.engine.lease import Lease
from backy2_core.engine.pool import WorkerPool
from backy2_core.model.blob import BlobRecord
from backy2_core.model.block import Geometry

_SHOW_EVERY_S = 0.2
_ROOM_FOR_TRANSFORMS = 4096
_MOST_SUSPECTS = 100
_UNIT_BYTES = 512 * 1024
_BLOBS_A_UNIT = 128
_FETCH_AHEAD = 2
"""Units that wait for a worker. More would only spread the work over more memory than the processor's cache holds."""


class Retrieval:
    """Fetches the stored blocks among ``items``; sparse ones go to ``sparse`` and broken ones to the report.

    ``on_whole`` is called for each block that was fetched and used, on the thread that runs :meth:`run`; so is ``sparse``.
    """

    def __init__(
        self, engine: Engine, lease: Lease, geometry: Geometry, fetcher: Fetcher, report: DamageReport
    ) -> None:
        self.bytes_done = 0
        self.bytes_whole = 0
        self.on_sparse: Callable[[SparseBlocks], None] = lambda blocks: None
        self.on_whole: Callable[[StoredBlock, int], None] = lambda block, stored_size: None
        self._engine = engine
        self._lease = lease
        self._geometry = geometry
        self._fetcher = fetcher
        self._report = report
        self._unit: list[StoredBlock] = []
        self._unit_bytes = 0
        self._suspects: list[tuple[int, BlobRecord | None, str]] = []
        self._shown_at = 0.0

    def run(self, items: Iterable[Item], threads: int) -> None:
        """Handle all items; the first error of a worker that is not damage ends it."""
        # Sealed bytes may be a little longer than the block, so buffers have room to spare.
        size = max(self._geometry.block_size + _ROOM_FOR_TRANSFORMS, _UNIT_BYTES)
        buffers = BufferPool(buffer_count(self._engine.options.buffer_bytes, size, threads), size)
        with WorkerPool(threads) as pool:
            self._feed(iter(items), pool, buffers)
            while pool.in_flight:
                self._lease.check()
                pool.wait()
        self._report_suspects()
        self._engine.progress.advance(self.bytes_done)

    def _feed(self, items: Iterator[Item], pool: WorkerPool, buffers: BufferPool) -> None:
        for item in items:
            if isinstance(item, SparseBlocks):
                self.on_sparse(item)
                length = self._geometry.span_length(item.start, item.stop - item.start)
                self.bytes_whole += length
                self._advance(length)
            elif isinstance(item, BrokenBlock):
                self._suspect(item.number, None, item.reason)
                self._advance(self._geometry.length(item.number))
            else:
                self._gather(item, pool, buffers)
        self._send(pool, buffers)

    def _gather(self, block: StoredBlock, pool: WorkerPool, buffers: BufferPool) -> None:
        """Put a block into the unit that a worker fetches next: one large blob, or many small ones."""
        size = room_for(block.record)
        if size > self._geometry.block_size * MOST_SWELLING:
            self._suspect(block.number, block.record, "its record claims an impossible size")
            return
        if self._unit_bytes + size > buffers.size or len(self._unit) >= _BLOBS_A_UNIT:
            self._send(pool, buffers)
        self._unit.append(block)
        self._unit_bytes += size

    def _send(self, pool: WorkerPool, buffers: BufferPool) -> None:
        """Hand the unit to a worker, once a buffer is free and few units wait."""
        if not self._unit:
            return
        while not buffers.available or pool.in_flight > pool.threads + _FETCH_AHEAD:
            self._lease.check()
            pool.wait()
        lent, size = buffers.take(), self._unit_bytes
        unit, self._unit, self._unit_bytes = self._unit, [], 0

        def then(fetched: list[Fetched]) -> None:
            buffers.give(lent)
            for each in fetched:
                self._done(each)

        # A chain of transforms may have made a block longer; such a blob is rare and gets a buffer of its own.
        pool.submit(then, self._fetcher.fetch, unit, lent if size <= len(lent) else memoryview(bytearray(size)))

    def _done(self, fetched: Fetched) -> None:
        block = fetched.block
        if fetched.reason:
            self._suspect(block.number, block.record, fetched.reason)
        else:
            self.on_whole(block, fetched.stored_size)
            self.bytes_whole += self._geometry.length(block.number)
        self._advance(self._geometry.length(block.number))

    def _suspect(self, block: int, record: BlobRecord | None, reason: str) -> None:
        self._suspects.append((block, record, reason))
        if len(self._suspects) >= _MOST_SUSPECTS:
            self._report_suspects()

    def _report_suspects(self) -> None:
        """Report what could not be had, once the lease is known to have held: else a cleanup may have taken it rightly."""
        if self._suspects:
            self._lease.confirm()
        for block, record, reason in self._suspects:
            self._report.add(block, record, reason)
        self._suspects.clear()

    def _advance(self, length: int) -> None:
        self.bytes_done += length
        now = time.monotonic()
        if now - self._shown_at >= _SHOW_EVERY_S:
            self._shown_at = now
            self._lease.progress = self.bytes_done / max(1, self._geometry.size_bytes)
            self._engine.progress.advance(self.bytes_done)
