"""The map of a finished version, read whole and checked against the version's digest before anything relies on it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from backy2_core.contracts.meta_backend import MetaBackend, StoredSegment
from backy2_core.engine.seals import content_digest
from backy2_core.errors import DamageError
from backy2_core.model.segment import (
    DIGEST_BYTES,
    ENTRY_BYTES,
    SEGMENT_BLOCKS,
    SegmentId,
    VersionDigest,
    digest_of,
    segment_blocks,
    segment_count,
)
from backy2_core.model.version import Version

_BATCH = 2048

T = TypeVar("T")


class StoredMap:
    """Segment ids and digests of one version, in order; 40 bytes a segment, so 15 MB for 200 TB.

    Made by :func:`read_stored_map`, which vouches that the digests are those that were backed up.
    """

    def __init__(self, version: Version) -> None:
        self.version = version
        self._ids = array("q")
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, segment: SegmentId, digest: bytes) -> None:
        """Take in the next segment."""
        self._ids.append(segment)
        self._digests += digest

    def ids(self) -> Iterator[SegmentId]:
        """Ids of all segments, in order."""
        return (SegmentId(segment) for segment in self._ids)

    def id(self, index: int) -> SegmentId:
        """Id of the ``index``-th segment (from 0)."""
        return SegmentId(self._ids[index])

    def digest(self, index: int) -> bytes:
        """Digest of the ``index``-th segment."""
        return bytes(self._digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES])

    def fault(self, index: int, stored: StoredSegment | None) -> str:
        """Why what is stored cannot be the ``index``-th segment that was backed up; empty if it is."""
        if stored is None:
            return "its segment of the block map is missing"
        if len(stored.data) != segment_blocks(self.version.geometry, index) * ENTRY_BYTES:
            return "its segment of the block map has a wrong length"
        if digest_of(stored.data) != self.digest(index):
            return "its segment of the block map was changed"
        return ""

    def data(self, index: int, stored: StoredSegment | None) -> bytes:
        """The packed entries of the ``index``-th segment, for a backup that builds upon this version.

        Raises :class:`DamageError` if what is stored is not what was backed up.
        """
        fault = self.fault(index, stored)
        if fault or stored is None:
            raise DamageError(
                f"The base version {self.version.uid} cannot be built upon: at block {index * SEGMENT_BLOCKS}, {fault}."
                " Scrub it, and back up without it."
            )
        return stored.data


def read_stored_map(meta: MetaBackend, version: Version) -> StoredMap:
    """The map of a version, with every segment that its geometry calls for.

    Raises :class:`DamageError` if segments are missing, surplus, in another order, or not those that were backed up.
    """
    stored, digest, missing = StoredMap(version), VersionDigest(version.geometry), 0
    for batch in batches(meta.read_map(version.id), _BATCH):
        found = meta.read_digests(set(batch))
        for segment in batch:
            known = found.get(segment, b"\0" * DIGEST_BYTES)
            missing += segment not in found
            digest.add(known)
            stored.add(segment, known)
    wanted = segment_count(version.geometry)
    if missing or len(stored) != wanted or digest.digest() != content_digest(version.digest):
        raise DamageError(
            f"The block map of version {version.uid} is damaged: it has {len(stored) - missing} segments of {wanted}, and"
            " its digest does not fit. Nothing was read or written. Restore the database from a copy, or use another"
            " version."
        )
    return stored


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Lists of up to ``size`` items, in order."""
    while batch := list(islice(items, size)):
        yield batch
