"""The blocks of a stored version, in order, with what must be known to fetch and to check each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backy2_core.contracts.meta_backend import MetaBackend, StoredSegment
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord, BlobState
from backy2_core.model.segment import NO_LEAF, SEGMENT_BLOCKS, Entry, leaf_of, segment_blocks, unpack
from backy2_core.model.version import Version

_SEGMENTS_A_BATCH = 16
_SPARSE = Entry(SPARSE, NO_LEAF)


@dataclass(frozen=True, slots=True)
class SparseBlocks:
    """Blocks ``start <= n < stop`` are all zero."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Block ``number`` is in the store as ``record`` says."""

    number: int
    record: BlobRecord


@dataclass(frozen=True, slots=True)
class BrokenBlock:
    """Block ``number`` cannot be had, for a reason that the database alone shows."""

    number: int
    blob: BlobId
    reason: str


Item = SparseBlocks | StoredBlock | BrokenBlock


def inventory(meta: MetaBackend, stored_map: StoredMap) -> Iterator[Item]:
    """Every block of the version in order; sparse ones joined within a segment. Bounded memory at any size."""
    version = stored_map.version
    for indexes in batches(iter(range(len(stored_map))), _SEGMENTS_A_BATCH):
        segments = meta.read_segments({stored_map.id(index) for index in indexes})
        found = {index: _entries(stored_map, index, segments.get(stored_map.id(index))) for index in indexes}
        wanted = {entry.blob for entries in found.values() for entry in entries if isinstance(entry, Entry)}
        records = meta.read_blobs({blob for blob in wanted if blob > 0})
        for index, entries in found.items():
            yield from _items(version, index, entries, records)


def _entries(stored_map: StoredMap, index: int, stored: StoredSegment | None) -> Sequence[Entry | str]:
    """The entries of a segment, or for each block why its segment cannot be trusted."""
    fault = stored_map.fault(index, stored)
    if fault or stored is None:
        return [fault] * segment_blocks(stored_map.version.geometry, index)
    return unpack(stored.data)


def _items(
    version: Version, index: int, entries: Sequence[Entry | str], records: Mapping[BlobId, BlobRecord]
) -> Iterator[Item]:
    first = index * SEGMENT_BLOCKS
    sparse_from: int | None = None
    for number, entry in enumerate(entries, first):
        if entry == _SPARSE:
            sparse_from = number if sparse_from is None else sparse_from
            continue
        if sparse_from is not None:
            yield SparseBlocks(sparse_from, number)
            sparse_from = None
        if isinstance(entry, str):
            yield BrokenBlock(number, LOST, entry)
        else:
            yield _item(number, entry, version.geometry.length(number), records.get(entry.blob))
    if sparse_from is not None:
        yield SparseBlocks(sparse_from, first + len(entries))


def _item(number: int, entry: Entry, length: int, record: BlobRecord | None) -> StoredBlock | BrokenBlock:
    if entry.blob == LOST:
        return BrokenBlock(number, LOST, "the backup never had it")
    if entry.blob == SPARSE:
        return BrokenBlock(number, LOST, "its entry in the block map was changed")
    if record is None:
        return BrokenBlock(number, entry.blob, f"the record of its blob {entry.blob} is missing")
    if record.state is BlobState.DELETING:
        return BrokenBlock(number, entry.blob, f"its blob {record.uid} is being deleted")
    if leaf_of(record.checksum) != entry.leaf or record.size != length:
        return BrokenBlock(number, entry.blob, f"the record of its blob {record.uid} is not the one that was backed up")
    return StoredBlock(number, record)
