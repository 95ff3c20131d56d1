"""Checks the block map of every finished version against the records, without looking at the store.

Segments are shared, so each is looked at once: its digest, and for every entry the blob's record. What a version asks of a
segment beyond that (how many blocks, of which size) is kept as a small number for each segment, and compared while the maps
are read. So the time goes with the number of distinct segments, and the maps; memory takes four bytes for each segment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from backy2_core.contracts.meta_backend import SegmentRow
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import MOST_NAMED, UNMARKED
from backy2_core.engine.health_lines import Faults
from backy2_core.engine.idset import IdSet
from backy2_core.engine.idtable import IdTable
from backy2_core.engine.lease import Lease
from backy2_core.engine.pace import Paced
from backy2_core.engine.seals import UnsealedError
from backy2_core.engine.stored_map import StoredMap, batches, read_stored_map
from backy2_core.errors import DamageError
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord, BlobState, StoreId
from backy2_core.model.segment import (
    ENTRY_BYTES,
    LEAF_BYTES,
    LOST_LEAF,
    NO_LEAF,
    SEGMENT_BLOCKS,
    SegmentId,
    block_ids,
    digest_of,
    segment_blocks,
)
from backy2_core.model.version import FINISHED, Version, VersionFilter, VersionState, VersionUid

_SEGMENTS_A_BATCH = 64
_ENTRY = struct.Struct(f"<q{LEAF_BYTES}s")


class _Facts(NamedTuple):
    """What was found of a segment.

    ``size`` is that of all its blobs but the last block's, ``last`` that of the last block's, both 0 where nothing is
    stored. ``store`` is where its blobs are, None if it has none. ``fault`` is why it cannot be trusted, if it cannot.
    """

    blocks: int
    size: int
    last: int
    store: StoreId | None
    fault: str

    def misfit(self, blocks: int, size: int, last: int) -> str:
        """Why this is no segment of so many blocks of this size with a last one of that; empty if it is."""
        if self.fault:
            return self.fault
        if self.blocks != blocks:
            return "a segment of its block map has a wrong length"
        if self.size not in (0, size) or self.last not in (0, last):
            return "a segment of its block map has blobs of another size than the version's blocks"
        return ""


_HARMED = "it uses a blob that is damaged or missing"
_LOST = "the backup never had a block"
_OF_BLOCKS = ("", _HARMED, _LOST)
"""Faults of the blocks alone: the segment is as it was written, and no copy of the database has a better one."""
_ABSENT = _Facts(0, 0, 0, None, "a segment of its block map is missing")


@dataclass(slots=True)
class MapsHealth:
    """What the check of all maps found. ``elsewhere`` are versions whose blobs are in another store, and ``nowhere`` those
    that have none, so that their store cannot be told."""

    versions: int = 0
    segments: int = 0
    damaged_versions: Faults = field(default_factory=Faults)
    broken_segments: Faults = field(default_factory=Faults)
    elsewhere: set[VersionUid] = field(default_factory=set)
    nowhere: set[VersionUid] = field(default_factory=set)


def check_maps(
    engine: Engine, broken: IdSet, lease: Lease | None, *, mark: bool, share: tuple[float, float] = (0.0, 1.0)
) -> MapsHealth:
    """Check every valid or damaged version: its map, its digest, its segments, and the records that they refer to.

    ``broken`` are blobs that were just proven to be missing or wrong. With ``mark``, versions at fault become damaged. A
    version that is removed meanwhile is at no fault, and one that becomes valid meanwhile is left out.
    """
    checking = _Checking(engine, broken, lease, mark)
    checking.read_maps()
    checking.check_segments(share)
    checking.check_versions()
    return checking.health


def is_finished(engine: Engine, version: Version) -> bool:
    """True if the version is still valid or damaged, in the database as it is now."""
    same = engine.meta.versions(VersionFilter(uid_prefix=version.uid, states=FINISHED))
    return any(found.id == version.id for found in same)


class _Checking:
    """One check under way."""

    def __init__(self, engine: Engine, broken: IdSet, lease: Lease | None, mark: bool) -> None:
        self.health = MapsHealth()
        self._engine = engine
        self._broken = broken
        self._lease = lease
        self._mark = mark
        # Versions before segments: all that a finished version refers to was committed before it was.
        self._versions = list(engine.meta.versions(VersionFilter(states=FINISHED)))
        self._used = IdSet()
        self._facts: list[_Facts] = [_ABSENT]
        self._numbers: dict[_Facts, int] = {_ABSENT: 0}
        self._table = IdTable("I")
        self._reasons: dict[SegmentId, str] = {}
        self._counted = IdSet()

    def read_maps(self) -> None:
        """Learn which segments are used."""
        for version in self._versions:
            self._used.add_all(self._engine.meta.read_map(version.id))

    def check_segments(self, share: tuple[float, float]) -> None:
        """Look at each segment that is used, once."""
        progress, count = self._engine.progress, len(self._used)
        with Paced(progress, "Checking block maps", count, "segments", self._lease, share) as paced:
            for rows in batches(self._used_rows(), _SEGMENTS_A_BATCH):
                self._look_at(rows)
                self.health.segments += len(rows)
                paced.advance(len(rows))

    def check_versions(self) -> None:
        """Hold the map of each version against what was found of its segments."""
        for version in self._versions:
            self.health.versions += 1
            try:
                bad, reason = self._check_map(read_stored_map(self._engine.meta, version))
                if not reason and version.uid not in self.health.elsewhere | self.health.nowhere:
                    self._engine.seals.check(version)
            except UnsealedError:
                self.health.damaged_versions.add(
                    version.uid, "it is not sealed: nobody can tell whether it was changed"
                )
                continue
            except DamageError:
                bad, reason = (
                    self._check_pieces(version),
                    "its row or its block map is not complete, or not the one that was backed up",
                )
            if reason:
                self._report(version, bad, reason)
            elif version.state is VersionState.DAMAGED:
                self.health.damaged_versions.add(version.uid, "was marked as damaged")

    def _used_rows(self) -> Iterator[SegmentRow]:
        for rows in self._engine.meta.scan_segments(with_data=True):
            yield from (row for row in rows if row.id in self._used)

    def _look_at(self, rows: list[SegmentRow]) -> None:
        meta = self._engine.meta
        digests = meta.read_digests([row.id for row in rows])
        whole = [row for row in rows if len(row.data) % ENTRY_BYTES == 0]
        wanted = {BlobId(blob) for row in whole for blob in block_ids(row.data) if blob > 0}
        records = meta.read_blobs(wanted) if wanted else {}
        for row in rows:
            facts, at = _look(row.data, records, self._broken)
            if facts.fault in _OF_BLOCKS and digests.get(row.id) != digest_of(row.data):
                facts, at = facts._replace(fault="a segment of its block map was changed"), ""
            self._table[row.id] = self._numbers.setdefault(facts, len(self._facts))
            if self._table[row.id] == len(self._facts):
                self._facts.append(facts)
            if facts.fault and len(self._reasons) < MOST_NAMED:
                self._reasons[row.id] = f"{facts.fault} ({at})" if at else facts.fault

    def _check_map(self, stored_map: StoredMap) -> tuple[dict[SegmentId, str], str]:
        """The segments at fault, each with its reason, and the reason in a sentence; both empty for a sound map."""
        version, last = stored_map.version, len(stored_map) - 1
        size = version.geometry.block_size
        inner: dict[int, str] = {}
        bad: dict[SegmentId, str] = {}
        stores, first = set(), None
        for index, segment in enumerate(stored_map.ids()):
            number = self._table[segment]
            reason = inner.get(number)
            if reason is None or index == last:
                facts = self._facts[number]
                stores.add(facts.store)
                length = version.geometry.length(version.geometry.count - 1) if index == last else size
                reason = facts.misfit(segment_blocks(version.geometry, index), size, length)
                if index != last:
                    inner[number] = reason
            if reason:
                first = index if first is None else first
                bad[segment] = reason
        self._place(version, stores)
        if first is None:
            return {}, ""
        named = self._reasons.get(stored_map.id(first)) or bad[stored_map.id(first)]
        return bad, f"{named}; {len(bad)} segments are at fault, first the one at block {first * SEGMENT_BLOCKS}"

    def _check_pieces(self, version: Version) -> dict[SegmentId, str]:
        """The segments at fault in a map that is at fault as a whole."""
        self.health.nowhere.add(version.uid)
        facts = ((segment, self._facts[self._table[segment]]) for segment in self._engine.meta.read_map(version.id))
        return {segment: found.fault for segment, found in facts if found.fault}

    def _place(self, version: Version, stores: set[StoreId | None]) -> None:
        known = stores - {None}
        if not known:
            self.health.nowhere.add(version.uid)
        elif self._engine.store not in known:
            self.health.elsewhere.add(version.uid)

    def _report(self, version: Version, bad: dict[SegmentId, str], reason: str) -> None:
        """A version is at fault, unless it was removed meanwhile: then a cleanup may have taken its map, rightly."""
        if self._lease is not None:
            self._lease.confirm()
        if not is_finished(self._engine, version):
            return
        self.health.damaged_versions.add(version.uid, reason)
        new = [segment for segment, why in bad.items() if why not in _OF_BLOCKS and segment not in self._counted]
        for segment in new:
            self.health.broken_segments.add(str(segment), self._reasons.get(segment) or bad[segment])
        self._counted.add_all(new)
        if self._mark:
            self._engine.meta.set_version_state(version.id, VersionState.DAMAGED, UNMARKED)


def _look(data: bytes, records: Mapping[BlobId, BlobRecord], broken: IdSet) -> tuple[_Facts, str]:
    """What a packed segment and the records of its blobs tell; and, of the first fault, at which blob."""
    blocks, rest = divmod(len(data), ENTRY_BYTES)
    if rest:
        return _Facts(blocks, 0, 0, None, "a segment of its block map has a wrong length"), ""
    size = last = 0
    store, fault, at = None, "", ""
    for number, (blob, leaf) in enumerate(_ENTRY.iter_unpack(data), 1):
        if blob == SPARSE and leaf == NO_LEAF:
            continue
        record = records.get(blob)
        reason = _fault(blob, leaf, record, broken)
        if record is not None and not reason:
            store = record.store
            if number == blocks:
                last = record.size
            elif size not in (0, record.size):
                reason = "the blobs of a segment differ in size"
            else:
                size = record.size
        if reason and fault in _OF_BLOCKS:
            fault, at = reason, f"blob {blob}" if record is None else f"blob {record.uid}"
    return _Facts(blocks, size, last, store, fault), at


def _fault(blob: int, leaf: bytes, record: BlobRecord | None, broken: IdSet) -> str:
    """Why a block cannot be had that is no sparse one; empty if it can, as far as the records tell."""
    if blob == LOST and leaf == LOST_LEAF:
        return _LOST
    if blob <= SPARSE:
        return "an entry of its block map was changed"
    if record is None:
        return "the record of a blob is missing"
    if blob in broken or record.state is BlobState.DAMAGED:
        return _HARMED
    if record.state is BlobState.DELETING:
        return "a blob of it is being deleted"
    if record.checksum[:LEAF_BYTES] != leaf:
        return "the record of a blob is not the one that was backed up"
    return ""
