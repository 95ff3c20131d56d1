"""What space each version takes, and how much of it is shared, told from the database alone.

Versions share segments: references are counted for each segment first, and for each blob through the segments. So the time
is in proportion to the maps (a number for 128 blocks), the stored segments and the blobs, not to versions times blocks.
Blobs are counted in windows of their ids, so that memory is bounded whatever their number.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.idset import IdSet
from backy2_core.engine.idtable import MANY, IdTable, UseTable
from backy2_core.engine.stored_map import batches
from backy2_core.model.blob import SPARSE, UNKNOWN_SIZE, BlobId
from backy2_core.model.segment import SegmentId, block_ids, segment_count
from backy2_core.model.version import Version, VersionFilter, VersionState

log = logging.getLogger(__name__)

WINDOW = 1 << 25
"""So many blobs are counted at a time; they take up to 400 MB."""
_FIRST = 1
_BATCH = 4096
_USING = frozenset({VersionState.INCOMPLETE, VersionState.VALID, VersionState.DAMAGED, VersionState.ARRIVING})
_STORED_LAST, _SPARSE_LAST, _LOST_LAST = 1, 2, 3


@dataclass(slots=True)
class VersionUsage:
    """What one version takes, in bytes: of the clear blocks, but for the last two figures, which are bytes in the store.

    real: stored blocks. null: sparse blocks. own: repeats of blocks that no other version has. others: blocks that other
    versions have too. individual: blocks that occur once in all versions. space: the version's share of the store, where
    each blob's size is divided by the references to it. freed: what a cleanup gains once this version alone was removed.
    """

    version: Version
    real_bytes: int = 0
    null_bytes: int = 0
    own_bytes: int = 0
    others_bytes: int = 0
    individual_bytes: int = 0
    space_bytes: int = 0
    freed_bytes: int = 0


def measure_usage(meta: MetaBackend, only: Version | None = None, window: int = WINDOW) -> list[VersionUsage]:
    """What each version takes, by name, then date; or ``only`` the given one.

    Locks nothing. A version that is removed meanwhile is left out; one that is made meanwhile does not count yet. Removed
    versions do not count as users, even before a cleanup; those that are being imported do.
    """
    count = _Count(meta, list(meta.versions(VersionFilter(states=_USING))), only)
    count.count_segments()
    start: int | None = _FIRST
    while start is not None:
        start = count.count_blobs(start, start + window)
    return list(count.results())


class _Count:
    """The tables of one run: on segments for all of it, on blobs for a window at a time."""

    def __init__(self, meta: MetaBackend, versions: Sequence[Version], only: Version | None) -> None:
        self._meta = meta
        self._only = only
        self._usages = [VersionUsage(version) for version in versions]
        self._lengths = [0] * len(versions)
        self._exclusive = [0] * len(versions)
        self._uses = UseTable()
        self._shown = IdSet()
        self._stored, self._sparse, self._last = IdTable("H"), IdTable("H"), IdTable("B")
        self._shares = IdTable("d")
        self._missing_segments = self._missing_blobs = 0

    def count_segments(self) -> None:
        """Which segments are used how often, and by which version."""
        for number, usage in enumerate(self._usages):
            for ids in batches(self._meta.read_map(usage.version.id), _BATCH):
                self._uses.use_all(ids, 1, number + 1)
                self._lengths[number] += len(ids)
                if self._is_shown(usage.version):
                    self._shown.add_all(ids)

    def count_blobs(self, start: int, stop: int) -> int | None:
        """Count the blobs ``start <= id < stop``: what each is to its only user, and what share of them a segment is.

        Returns the lowest id that is left to be counted, None if there is none.
        """
        uses, wanted, left = UseTable(start, stop), None if self._only is None else IdSet(), None
        for segment, data, times, user in self._used_segments():
            ids = block_ids(data)
            uses.use_all(ids, times, user)
            if wanted is not None and segment in self._shown:
                wanted.add_all(blob for blob in ids if start <= blob < stop)
            if start == _FIRST and ids:
                self._look_at(segment, ids)
            if max(ids, default=0) >= stop:
                left = min(blob for blob in (*ids, left or max(ids)) if blob >= stop)
        shares = self._weigh(uses, wanted)
        for segment, data, _, _ in self._used_segments():
            self._shares[segment] += sum(shares[blob] for blob in block_ids(data) if start <= blob < stop)
        return left

    def results(self) -> Iterator[VersionUsage]:
        """The figures of every version to be shown that is still there."""
        for number, usage in enumerate(self._usages):
            if self._is_shown(usage.version) and usage.version.state is not VersionState.ARRIVING:
                if self._add_up(number):
                    yield usage
                else:
                    log.warning("Version %s was removed meanwhile, and is left out", usage.version.uid)
        if self._missing_segments or self._missing_blobs:
            log.warning(
                "The figures are not exact: the database lacks %d segments and the records of %d blobs; scrub the versions",
                self._missing_segments,
                self._missing_blobs,
            )

    def _is_shown(self, version: Version) -> bool:
        return self._only is None or version.id == self._only.id

    def _used_segments(self) -> Iterator[tuple[SegmentId, bytes, int, int]]:
        """(id, data, times, user) of the segments in any map."""
        for rows in self._meta.scan_segments(with_data=True):
            for row in rows:
                times, user = self._uses[row.id]
                if times:
                    yield row.id, row.data, times, user

    def _look_at(self, segment: SegmentId, ids: Sequence[int]) -> None:
        """Remember how many blocks of a segment are stored and sparse, and what the last one is."""
        self._sparse[segment] = ids.count(SPARSE)
        self._stored[segment] = sum(blob > 0 for blob in ids)
        self._last[segment] = _STORED_LAST if ids[-1] > 0 else _SPARSE_LAST if ids[-1] == SPARSE else _LOST_LAST

    def _weigh(self, uses: UseTable, wanted: IdSet | None) -> IdTable:
        """What one reference to each blob stands for, in bytes in the store."""
        shares = IdTable("f")
        used = (use for use in uses.drain() if wanted is None or use[0] in wanted)
        for batch in batches(used, _BATCH):
            records = self._meta.read_blobs([BlobId(blob) for blob, _, _ in batch])
            for blob, times, user in batch:
                record = records.get(BlobId(blob))
                if record is None:
                    self._missing_blobs += 1
                    continue
                stored = record.size if record.stored_size == UNKNOWN_SIZE else record.stored_size
                shares[blob] = stored / times
                if user != MANY:
                    self._add_exclusive(user - 1, record.size, stored, times)
        return shares

    def _add_exclusive(self, number: int, size: int, stored: int, times: int) -> None:
        """A blob that only one version uses."""
        usage = self._usages[number]
        usage.freed_bytes += stored
        self._exclusive[number] += size * times
        if times == 1:
            usage.individual_bytes += size
        else:
            usage.own_bytes += size * (times - 1)

    def _add_up(self, number: int) -> bool:
        """Complete the figures of a version from those of its segments; False if its map is not there any more."""
        usage, length = self._usages[number], self._lengths[number]
        geometry = usage.version.geometry
        stored = sparse = last = found = 0
        share = 0.0
        for segment in islice(self._meta.read_map(usage.version.id), length):
            stored += self._stored[segment]
            sparse += self._sparse[segment]
            share += self._shares[segment]
            last = self._last[segment]
            self._missing_segments += not last
            found += 1
        # The last block may be shorter than the others.
        cut = geometry.block_size * geometry.count - geometry.size_bytes
        whole = found == segment_count(geometry)
        usage.real_bytes = stored * geometry.block_size - (cut if whole and last == _STORED_LAST else 0)
        usage.null_bytes = sparse * geometry.block_size - (cut if whole and last == _SPARSE_LAST else 0)
        usage.others_bytes = usage.real_bytes - self._exclusive[number]
        usage.space_bytes = round(share)
        return found == length
