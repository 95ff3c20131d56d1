"""What a cleanup would do, found out without changing anything."""

from __future__ import annotations

from backy2_core.engine.context import Engine
from backy2_core.engine.foreign import ForeignBlobs
from backy2_core.engine.idset import IdSet
from backy2_core.engine.orphans import find_orphans
from backy2_core.engine.requests import CleanupResult
from backy2_core.model.blob import BlobState
from backy2_core.model.segment import block_ids
from backy2_core.model.version import VersionFilter, VersionState

_DELETABLE = (BlobState.STORED, BlobState.DAMAGED)
"""States in which a blob's object goes with its record."""
_KEPT = frozenset(VersionState) - {VersionState.REMOVED, VersionState.PURGED}


def foresee(engine: Engine, *, full: bool, prefix: str = "") -> CleanupResult:
    """What would be deleted if no job were running; while jobs run, some of it stays for a later cleanup.

    Versions that a cleanup would give up as abandoned are not foreseen.
    """
    in_maps = IdSet()
    for version in engine.meta.versions(VersionFilter(states=_KEPT)):
        in_maps.add_all(engine.meta.read_map(version.id))
    in_use, segments = _segments(engine, in_maps)
    blobs, freed, spared = _blobs(engine, in_use)
    orphaned = foreign = 0
    if full:
        for orphans, others in find_orphans(engine, None, prefix):
            orphaned += len(orphans)
            foreign += others
            freed += sum(blob.stored_size for blob in orphans)
    return CleanupResult(
        dry_run=True,
        purged_versions=sum(1 for _ in engine.meta.versions(VersionFilter(states=frozenset({VersionState.REMOVED})))),
        deleted_segments=segments,
        deleted_blobs=blobs + orphaned,
        freed_bytes=freed,
        orphaned_objects=orphaned,
        foreign_objects=foreign,
        spared_blobs=spared,
    )


def _segments(engine: Engine, in_maps: IdSet) -> tuple[IdSet, int]:
    in_use, unused = IdSet(), 0
    for rows in engine.meta.scan_segments(with_data=True):
        for row in rows:
            if row.id in in_maps:
                in_use.add_all(blob for blob in block_ids(row.data) if blob > 0)
            else:
                unused += 1
    return in_use, unused


def _blobs(engine: Engine, in_use: IdSet) -> tuple[int, int, int]:
    """Blobs that would go, their bytes, and those that would stay for another program's sake."""
    count = freed = spared = 0
    foreign = ForeignBlobs(engine)
    for rows in engine.meta.scan_blobs(engine.store):
        doomed = [row.id for row in rows if row.state is BlobState.DELETING]
        unused = [row.id for row in rows if row.state in _DELETABLE and row.id not in in_use]
        staying = foreign.among(rows, unused)
        spared += len(staying)
        going = [*doomed, *(number for number in unused if number not in staying)]
        count += len(going)
        freed += sum(max(0, record.stored_size) for record in engine.meta.read_blobs(going).values())
    return count, freed, spared
