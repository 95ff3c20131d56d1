"""The blocks of a stored version, in order, with what must be known to fetch and to check each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from backy2_core.contracts.meta_backend import MetaBackend, StoredSegment
from backy2_core.errors import DamageError
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord, BlobState
from backy2_core.model.segment import (
    SEGMENT_BLOCKS,
    Entry,
    VersionDigest,
    digest_of,
    leaf_of,
    segment_blocks,
    segment_count,
    unpack,
)
from backy2_core.model.version import Version

_SEGMENTS_A_BATCH = 16
_DIGESTS_A_BATCH = 512

T = TypeVar("T")


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


def check_map(meta: MetaBackend, version: Version) -> None:
    """Check the whole map against the version's digest, before any block is handled.

    Raises :class:`DamageError` if segments are missing, surplus, in another order, or not those that were backed up.
    """
    digest, length = VersionDigest(version.geometry), 0
    for batch in _batches(meta.read_map(version.id), _DIGESTS_A_BATCH):
        found = meta.read_digests(set(batch))
        for segment in batch:
            digest.add(found.get(segment, b""))
        length += len(batch)
    wanted = segment_count(version.geometry)
    if length != wanted or digest.digest() != version.digest:
        raise DamageError(
            f"The block map of version {version.uid} is damaged: it has {length} segments of {wanted}, and its digest"
            " does not fit. Nothing was read or written. Restore the database from a copy, or use another version."
        )


def inventory(meta: MetaBackend, version: Version) -> Iterator[Item]:
    """Every block of the version in order; sparse ones joined within a segment. Bounded memory at any size."""
    numbered = enumerate(meta.read_map(version.id))
    for batch in _batches(numbered, _SEGMENTS_A_BATCH):
        segments = meta.read_segments({segment for _, segment in batch})
        entries = [(index, _entries(version, index, segments.get(segment))) for index, segment in batch]
        wanted = {entry.blob for _, found in entries if isinstance(found, list) for entry in found if entry.blob > 0}
        records = meta.read_blobs(wanted)
        for index, found in entries:
            yield from _items(version, index, found, records)


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch


def _entries(version: Version, index: int, stored: StoredSegment | None) -> list[Entry] | str:
    """The entries of a segment, or why it cannot be trusted."""
    if stored is None:
        return "its segment of the block map is missing"
    if digest_of(stored.data) != stored.digest:
        return "its segment of the block map was changed"
    entries = unpack(stored.data)
    if len(entries) != segment_blocks(version.geometry, index):
        return "its segment of the block map has a wrong length"
    return entries


def _items(
    version: Version, index: int, found: Sequence[Entry] | str, records: Mapping[BlobId, BlobRecord]
) -> Iterator[Item]:
    first = index * SEGMENT_BLOCKS
    if isinstance(found, str):
        for number in range(first, first + segment_blocks(version.geometry, index)):
            yield BrokenBlock(number, LOST, found)
        return
    sparse_from: int | None = None
    for number, entry in enumerate(found, first):
        if entry.blob == SPARSE:
            sparse_from = number if sparse_from is None else sparse_from
            continue
        if sparse_from is not None:
            yield SparseBlocks(sparse_from, number)
            sparse_from = None
        yield _item(number, entry, version.geometry.length(number), records.get(entry.blob))
    if sparse_from is not None:
        yield SparseBlocks(sparse_from, first + len(found))


def _item(number: int, entry: Entry, length: int, record: BlobRecord | None) -> StoredBlock | BrokenBlock:
    if entry.blob == LOST:
        return BrokenBlock(number, LOST, "the backup never had it")
    if record is None:
        return BrokenBlock(number, entry.blob, f"the record of its blob {entry.blob} is missing")
    if record.state is BlobState.DELETING:
        return BrokenBlock(number, entry.blob, f"its blob {record.uid} is being deleted")
    if leaf_of(record.checksum) != entry.leaf or record.size != length:
        return BrokenBlock(number, entry.blob, f"the record of its blob {record.uid} is not the one that was backed up")
    return StoredBlock(number, record)
