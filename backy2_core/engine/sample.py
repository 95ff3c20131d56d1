"""A look at blocks that the hints call unchanged: are they?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.source import Source
from backy2_core.engine.checksums import Checksums
from backy2_core.engine.context import Engine
from backy2_core.engine.digest import ZeroTest
from backy2_core.engine.plan import Action, Run
from backy2_core.engine.stored_map import StoredMap
from backy2_core.errors import HintsError
from backy2_core.model.blob import SPARSE, BlobRecord
from backy2_core.model.block import Geometry
from backy2_core.model.segment import NO_LEAF, SEGMENT_BLOCKS, Entry, leaf_of, unpack


def check_sample(engine: Engine, source: Source, runs: Sequence[Run], base: StoredMap) -> None:
    """Compare some blocks that would be kept, drawn at random, with the base.

    Raises :class:`HintsError` at the first that differs: the hints then miss changes, and a backup by them would be wrong.
    """
    block = find_difference(engine, source, runs, base)
    if block is not None:
        raise HintsError(
            f"The hints are wrong: they call block {block} (offset {base.version.geometry.offset(block)}) unchanged, but it"
            f" differs from the base version {base.version.uid}. Were they made against another snapshot? Nothing was"
            " stored; make them again, or back up without them."
        )


def find_difference(engine: Engine, source: Source, runs: Sequence[Run], base: StoredMap) -> int | None:
    """The first of some blocks that would be kept, drawn at random, that is not as it is in the base; None if all are."""
    geometry = base.version.geometry
    is_zero = ZeroTest(geometry.block_size)
    blocks = list(_draw(runs, Action.KEEP, engine.options.sanity_check_blocks))
    for block, entry, record in _base_blocks(engine.meta, base, blocks):
        data = memoryview(bytearray(geometry.length(block)))
        source.read_into(geometry.offset(block), data)
        if not _same(data, entry, record, is_zero, engine.checksums):
            return block
    return None


def find_leftover(engine: Engine, source: Source, runs: Sequence[Run], geometry: Geometry) -> int | None:
    """The first of some blocks that would be recorded as zeros unread, drawn at random, that is not; None if all are."""
    is_zero = ZeroTest(geometry.block_size)
    for block in _draw(runs, Action.SPARSE, engine.options.sanity_check_blocks):
        data = memoryview(bytearray(geometry.length(block)))
        source.read_into(geometry.offset(block), data)
        if not is_zero(data):
            return block
    return None


def _draw(runs: Sequence[Run], action: Action, count: int) -> Iterator[int]:
    kept = [run for run in runs if run.action is action]
    total = sum(len(run) for run in kept)
    wanted = iter(sorted(random.sample(range(total), min(count, total))))
    at, want = 0, next(wanted, None)
    for run in kept:
        while want is not None and want < at + len(run):
            yield run.start + want - at
            want = next(wanted, None)
        at += len(run)


def _base_blocks(
    meta: MetaBackend, base: StoredMap, blocks: Sequence[int]
) -> Iterator[tuple[int, Entry, BlobRecord | None]]:
    segments = meta.read_segments({base.id(block // SEGMENT_BLOCKS) for block in blocks})
    entries: dict[int, Entry] = {}
    for block in blocks:
        index = block // SEGMENT_BLOCKS
        data = base.data(index, segments.get(base.id(index)))
        entries[block] = unpack(data)[block % SEGMENT_BLOCKS]
    records = meta.read_blobs({entry.blob for entry in entries.values() if entry.blob > 0})
    for block, entry in entries.items():
        yield block, entry, records.get(entry.blob)


def _same(data: memoryview, entry: Entry, record: BlobRecord | None, is_zero: ZeroTest, checksums: Checksums) -> bool:
    if entry == Entry(SPARSE, NO_LEAF):
        return is_zero(data)
    if record is None or leaf_of(record.checksum) != entry.leaf:
        return False
    return checksums.function(record.hash, record.key)(data) == record.checksum
