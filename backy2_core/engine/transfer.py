"""The pipeline of a backup: hands out reads and puts to workers, settles what they bring, appends finished segments.

One thread runs it and is the only one that talks to the meta backend. Back pressure: a unit of blocks is read only into a
free buffer, and its buffer is free again when its new blocks were put; drafts of segments are bounded by a window.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backy2_core.engine.appender import Appender
from backy2_core.engine.buffers import BufferPool
from backy2_core.engine.context import Engine
from backy2_core.engine.draft import Draft
from backy2_core.engine.drafting import Drafted, split_runs
from backy2_core.engine.intake import MAX_BATCH, Batch, Intake
from backy2_core.engine.lease import Lease
from backy2_core.engine.plan import Action, Run
from backy2_core.engine.pool import WorkerPool
from backy2_core.engine.stages import Reader, Storer, ToStore
from backy2_core.engine.tally import Tally
from backy2_core.model.blob import BlobId, DedupKey, NewBlob
from backy2_core.model.block import Geometry

_WINDOW = 4096
_NEW_WINDOW = 1024
"""Most drafts that are open at a time, and most of them that are new: those take memory."""
_NEW_BATCH = 256
"""New segments that are appended together; each may hold 128 ids that are checked in that transaction."""
_APPEND_EVERY_S = 5.0
_FLUSH_EVERY_S = 30.0
_SHOW_EVERY_S = 0.2
_SETTLE_TOGETHER = 6
"""Units that share one look-up, unless nobody is reading meanwhile."""
_READ_AHEAD = 8
"""Reads that wait for a worker. More would only spread the work over more memory than the processor's cache holds."""
_PIECES = 32
"""Most runs in one unit: scattered small blocks go to a worker together."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Runs of blocks that a worker reads at a time, each of one draft; together they fit into a buffer.

    ``anew``: store them whatever the look-up would say.
    """

    pieces: tuple[tuple[Draft, Run], ...]
    anew: bool = False

    def blocks(self) -> Iterator[tuple[Draft, int]]:
        """The blocks in order, each with its draft."""
        for draft, run in self.pieces:
            for block in range(run.start, run.stop):
                yield draft, block


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work: the workers and their buffers, and the functions that they run."""

    pool: WorkerPool
    buffers: BufferPool
    reader: Reader
    storer: Storer


class Transfer:
    """One backup under way."""

    def __init__(
        self, engine: Engine, lease: Lease, geometry: Geometry, crew: Crew, intake: Intake, appender: Appender
    ) -> None:
        self.tally = Tally()
        self._engine = engine
        self._lease = lease
        self._crew = crew
        self._intake = intake
        self._appender = appender
        self._geometry = geometry
        self._blocks_a_unit = max(1, crew.buffers.size // geometry.block_size)
        self._open: deque[Draft] = deque()
        self._ready: list[Draft] = []
        self._again: deque[Unit] = deque()
        self._brought: list[tuple[Unit, memoryview, list[bytes | None]]] = []
        self._pieces: Iterator[tuple[Draft, Run]] = iter(())
        self._held: tuple[Draft, Run] | None = None
        self._more = True
        self._reading = self._new_open = self._new_ready = 0
        self._appended_at = self._flushed_at = self._shown_at = time.monotonic()

    def run(self, drafted: Iterator[Drafted]) -> None:
        """Bring every block of the drafts to its end; all segments are in the version's map when it returns."""
        while True:
            self._lease.check()
            self._hand_out(drafted)
            self._flush_if_due()
            self._append_if_due()
            if not (self._more or self._open or self._ready or self._crew.pool.in_flight):
                self._engine.progress.advance(self._geometry.size_bytes)
                return
            self._crew.pool.wait()
            self._settle()
            self._show()

    # -- handing out work

    def _hand_out(self, drafted: Iterator[Drafted]) -> None:
        buffers = self._crew.buffers
        most = self._crew.pool.threads + _READ_AHEAD
        while buffers.available and self._reading < most and not self._intake.is_full:
            unit = self._next_unit(drafted)
            if unit is None:
                return
            buffer = buffers.take()
            self._reading += 1
            runs = [run for _, run in unit.pieces]
            self._crew.pool.submit(self._bring(unit, buffer), self._crew.reader.read, runs, buffer)

    def _next_unit(self, drafted: Iterator[Drafted]) -> Unit | None:
        if self._again:
            return self._again.popleft()
        pieces: list[tuple[Draft, Run]] = []
        room = self._blocks_a_unit
        while len(pieces) < _PIECES:
            piece = self._held or self._next_piece(drafted)
            self._held = None
            if piece is None:
                break
            if len(piece[1]) > room:
                self._held = piece
                break
            pieces.append(piece)
            room -= len(piece[1])
        return Unit(tuple(pieces)) if pieces else None

    def _next_piece(self, drafted: Iterator[Drafted]) -> tuple[Draft, Run] | None:
        while True:
            piece = next(self._pieces, None)
            if piece is not None:
                return piece
            full = len(self._open) >= _WINDOW or self._new_open >= _NEW_WINDOW
            if full or not self._begin_draft(drafted):
                return None

    def _begin_draft(self, drafted: Iterator[Drafted]) -> bool:
        following = next(drafted, None)
        if following is None:
            self._more = False
            return False
        self._open.append(following.draft)
        self._new_open += following.draft.is_new
        self.tally.add_planned(following.runs, self._geometry)
        self._pieces = ((following.draft, run) for run in split_runs(following.runs, self._blocks_a_unit))
        return True

    # -- settling what was read

    def _bring(self, unit: Unit, buffer: memoryview) -> Callable[[list[bytes | None]], None]:
        def then(checksums: list[bytes | None]) -> None:
            self._reading -= 1
            self._brought.append((unit, buffer, checksums))

        return then

    def _settle(self) -> None:
        # One look-up for several units, unless nobody is reading meanwhile.
        if not self._brought or (self._reading and len(self._brought) < _SETTLE_TOGETHER):
            return
        brought, self._brought = self._brought, []
        length = self._geometry.length
        keys = [
            DedupKey(checksum, length(block))
            for unit, _, checksums in brought
            if not unit.anew
            for (_, block), checksum in zip(unit.blocks(), checksums, strict=True)
            if checksum is not None
        ]
        known = self._intake.look_up(keys)
        for unit, buffer, checksums in brought:
            new = self._sort_out(unit, checksums, known)
            if new:
                self._crew.pool.submit(self._put_done(buffer), self._crew.storer.store, new, buffer)
            else:
                self._crew.buffers.give(buffer)

    def _sort_out(self, unit: Unit, checksums: Sequence[bytes | None], known: dict[DedupKey, BlobId]) -> list[ToStore]:
        new: list[ToStore] = []
        at = 0
        for (draft, block), checksum in zip(unit.blocks(), checksums, strict=True):
            length = self._geometry.length(block)
            self.tally.add("read", length)
            if checksum is None:
                self.tally.add("sparse", length)
                draft.clear(block)
            else:
                key = DedupKey(checksum, length)
                blob = None if unit.anew else known.get(key)
                if blob is not None:
                    self.tally.add("dedup", length)
                    draft.settle(block, blob, checksum)
                elif not unit.anew and self._intake.join(key, draft, block):
                    self.tally.add("dedup", length)
                else:
                    self.tally.add("written", length)
                    new.append(ToStore(self._intake.admit(key, draft, block).uid, at, length, checksum))
            at += length
        return new

    def _put_done(self, buffer: memoryview) -> Callable[[list[NewBlob]], None]:
        def then(blobs: list[NewBlob]) -> None:
            self._crew.buffers.give(buffer)
            self._intake.stored(blobs)

        return then

    # -- making durable, recording, appending

    def _flush_if_due(self) -> None:
        batch = self._intake.batch
        if not batch.blobs:
            self._flushed_at = time.monotonic()
            return
        full = batch.stored_bytes >= self._engine.options.flush_bytes or len(batch.blobs) >= MAX_BATCH
        late = time.monotonic() - self._flushed_at >= _FLUSH_EVERY_S
        if full or late or not self._crew.pool.in_flight:
            self._flushed_at = time.monotonic()
            taken = self._intake.take_batch()
            self._crew.pool.submit_flush(self._record(taken), self._engine.data.flush)

    def _record(self, batch: Batch) -> Callable[[None], None]:
        def then(_: None) -> None:
            self._intake.record(batch)

        return then

    def _append_if_due(self) -> None:
        while self._open and self._open[0].waiting == 0:
            draft = self._open.popleft()
            self._ready.append(draft)
            self._new_open -= draft.is_new
            self._new_ready += draft.is_new
        late = time.monotonic() - self._appended_at >= _APPEND_EVERY_S
        last = not (self._more or self._open or self._crew.pool.in_flight)
        many = self._new_ready >= _NEW_BATCH or len(self._ready) >= _WINDOW
        if self._ready and (many or late or last):
            self._append()

    def _append(self) -> None:
        ready, self._ready, new = self._ready, [], self._new_ready
        self._new_ready = 0
        lost = self._appender.append(ready)
        if lost:
            self._open.extendleft(reversed(ready))
            self._new_open += new
            for _, block in lost:
                # They were found by look-up, and are read and counted anew.
                self.tally.add("read", -self._geometry.length(block), -1)
                self.tally.add("dedup", -self._geometry.length(block), -1)
            self._again.extend(Unit(((draft, Run(Action.READ, block, block + 1)),), anew=True) for draft, block in lost)
        self._appended_at = time.monotonic()

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _SHOW_EVERY_S:
            self._shown_at = now
            done = self.tally.settled_bytes
            self._lease.progress = done / max(1, self._geometry.size_bytes)
            self._engine.progress.advance(done)
