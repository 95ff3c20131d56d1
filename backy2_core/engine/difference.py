"""What differs between two versions, block by block, told from the database alone."""

from __future__ import annotations

import enum
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.stored_map import StoredMap, batches, read_stored_map
from backy2_core.errors import UsageError
from backy2_core.model.blob import BlobId
from backy2_core.model.segment import DIGEST_BYTES, LOST_LEAF, SEGMENT_BLOCKS, Entry, segment_blocks, unpack
from backy2_core.model.version import Version, VersionState

log = logging.getLogger(__name__)

_MAP_BATCH = 2048
_SEGMENTS_A_BATCH = 64
_LONGEST_RUN = 8192


class Verdict(enum.Enum):
    """What a block is of two versions, the left and the right one; the value is what the original printed."""

    SAME = "SAME"
    DIFF = "DIFF"
    NEW_LEFT = "NEW LEFT"
    """Only the left version has this block."""
    NEW_RIGHT = "NEW RIGHT"
    """Only the right version has this block."""


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks ``start <= n < stop``, at most some thousands, share a verdict."""

    verdict: Verdict
    start: int
    stop: int


class Difference:
    """Compares two versions; serves for one pass over :meth:`runs`, which keeps the figures up to date.

    A segment that both versions have, or two of one digest, are the same without a look at their blocks. Takes 80 bytes for
    each pair of segments. The map of a finished version is checked against its digest: raises :class:`DamageError` where it
    does not fit, and :class:`UsageError` for two versions of different block sizes.
    """

    def __init__(self, meta: MetaBackend, left: Version, right: Version) -> None:
        if left.geometry.block_size != right.geometry.block_size:
            raise UsageError(
                f"Version {left.uid} has blocks of {left.geometry.block_size} bytes, version {right.uid} has blocks of"
                f" {right.geometry.block_size}; only versions of one block size can be compared block by block."
            )
        self._meta = meta
        self._left, self._right = _Side(meta, left), _Side(meta, right)
        self.counts: Counter[Verdict] = Counter()
        self.incomparable_blocks = 0
        """Blocks that count as different since their checksums are of different hash functions or keys."""

    @property
    def damaged_blocks(self) -> int:
        """Blocks that count as different since a segment with them is missing or was changed."""
        return self._left.damaged_blocks + self._right.damaged_blocks

    def runs(self) -> Iterator[Run]:
        """All blocks in order; neighbours may have the same verdict."""
        for run in self._runs():
            self.counts[run.verdict] += run.stop - run.start
            yield run

    def _runs(self) -> Iterator[Run]:
        left, right = self._left.blocks, self._right.blocks
        common = min(left, right)
        for indexes in batches(iter(range(-(-common // SEGMENT_BLOCKS))), _SEGMENTS_A_BATCH):
            yield from self._compare(indexes, common)
        only, end = (Verdict.NEW_LEFT, left) if left > right else (Verdict.NEW_RIGHT, right)
        for start in range(common, end, _LONGEST_RUN):
            yield Run(only, start, min(start + _LONGEST_RUN, end))

    def _compare(self, indexes: Sequence[int], common: int) -> Iterator[Run]:
        """Blocks of some segments, as far as both versions have them."""
        other = [index for index in indexes if not self._is_shared(index)]
        left, right = self._left.entries(other), self._right.entries(other)
        self._count_incomparable(left, right)
        for index in indexes:
            first = index * SEGMENT_BLOCKS
            stop = min(first + SEGMENT_BLOCKS, common)
            same = _alike(left[index], right[index], stop - first) if index in left else [True] * (stop - first)
            if stop == common and not self._same_length(common - 1):
                same[-1] = False
            at = first
            for is_same, group in groupby(same):
                start, at = at, at + len(list(group))
                yield Run(Verdict.SAME if is_same else Verdict.DIFF, start, at)

    def _is_shared(self, index: int) -> bool:
        """True if both versions surely have the same blocks in this segment.

        Of two versions that are not valid both may have lost a block there; lost ones are never known to be the same.
        """
        if VersionState.VALID not in (self._left.version.state, self._right.version.state):
            return False
        one, other = self._left.map, self._right.map
        return one.id(index) == other.id(index) or one.digest(index) == other.digest(index)

    def _same_length(self, block: int) -> bool:
        """False for the last block of the shorter version where that is a short one, or the other's is."""
        return self._left.version.geometry.length(block) == self._right.version.geometry.length(block)

    def _count_incomparable(self, left: Mapping[int, Sequence[Entry]], right: Mapping[int, Sequence[Entry]]) -> None:
        pairs = [
            (one.blob, other.blob)
            for index in left
            for one, other in zip(left[index], right[index], strict=False)
            if one.leaf != other.leaf and one.blob > 0 and other.blob > 0
        ]
        records = self._meta.read_blobs({blob for pair in pairs for blob in pair}) if pairs else {}
        made = {BlobId(number): (record.hash, record.key) for number, record in records.items()}
        for one, other in pairs:
            if one in made and other in made and made[one] != made[other]:
                self.incomparable_blocks += 1


class _Side:
    """One of the two versions."""

    def __init__(self, meta: MetaBackend, version: Version) -> None:
        self.version = version
        self.damaged_blocks = 0
        self._meta = meta
        if version.state is VersionState.INCOMPLETE:
            self.map = _read_unfinished_map(meta, version)
        else:
            self.map = read_stored_map(meta, version)
        self.blocks = min(len(self.map) * SEGMENT_BLOCKS, version.geometry.count)
        if self.blocks < version.geometry.count:
            log.warning(
                "Version %s is incomplete: it has %d blocks of %d so far, and the others count as absent",
                version.uid,
                self.blocks,
                version.geometry.count,
            )

    def entries(self, indexes: Sequence[int]) -> dict[int, Sequence[Entry]]:
        """The entries of some segments; none of one that is missing or was changed, which is logged."""
        stored = self._meta.read_segments({self.map.id(index) for index in indexes}) if indexes else {}
        found: dict[int, Sequence[Entry]] = {}
        for index in indexes:
            segment = stored.get(self.map.id(index))
            fault = self.map.fault(index, segment)
            found[index] = unpack(segment.data) if segment is not None and not fault else ()
            if fault:
                log.error("Version %s, from block %d on: %s", self.version.uid, index * SEGMENT_BLOCKS, fault)
                self.damaged_blocks += segment_blocks(self.version.geometry, index)
        return found


def _read_unfinished_map(meta: MetaBackend, version: Version) -> StoredMap:
    """The map of a version that has no digest yet that could vouch for it."""
    stored = StoredMap(version)
    for batch in batches(meta.read_map(version.id), _MAP_BATCH):
        found = meta.read_digests(set(batch))
        for segment in batch:
            stored.add(segment, found.get(segment, b"\0" * DIGEST_BYTES))
    return stored


def _alike(left: Sequence[Entry], right: Sequence[Entry], count: int) -> list[bool]:
    """For each of ``count`` blocks whether both sides have the same bytes; where a side is damaged, none has."""
    if not left or not right:
        return [False] * count
    return [one.leaf == other.leaf != LOST_LEAF for one, other in zip(left, right, strict=False)]
