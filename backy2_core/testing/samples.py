"""One event of each kind, with values that are easy to tell apart."""

from __future__ import annotations

from datetime import UTC, datetime

from backy2_core.model.block import Geometry
from backy2_core.model.event import (
    BackupFinished,
    CleanupFinished,
    DamageFound,
    Event,
    JobBegan,
    JobFailed,
    RestoreFinished,
    ScrubFinished,
    VersionRemoved,
)
from backy2_core.model.job import JobKind
from backy2_core.model.version import Counts, Statistics, Version, VersionId, VersionState, VersionUid

_DATE = datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC)
_MIB = 1024 * 1024

VERSION = Version(
    id=VersionId(17),
    uid=VersionUid("0d1f4e88-5a3c-11ee-9b1d-0242ac120002"),
    name="vm-ü 'quoted' | piped",
    snapshot_name="daily\nsecond line",
    date=_DATE,
    geometry=Geometry(10 * _MIB + 1, 4 * _MIB),
    hash="blake3",
    source="file:///dev/vg0/snap",
    source_identity="",
    base=None,
    hints_digest="",
    digest=bytes(range(32)),
    state=VersionState.VALID,
    protected=False,
    expire=None,
    tags=frozenset({"b_daily", "b_weekly"}),
)

STATISTICS = Statistics(
    uid=VERSION.uid,
    name=VERSION.name,
    date=_DATE,
    size_bytes=10 * _MIB + 1,
    size_blocks=3,
    counts=Counts(bytes_read=4 * _MIB, blocks_read=1, bytes_written=4 * _MIB, blocks_written=1),
    duration_s=1.5,
)

EVENTS: tuple[Event, ...] = (
    JobBegan(JobKind.BACKUP, "backup of vm"),
    JobFailed(JobKind.RESTORE, "restore of vm", "cannot write file:///tmp/x: No space left on device", name="vm"),
    BackupFinished(VERSION, STATISTICS),
    RestoreFinished(VERSION, "file:///dev/vg0/new", damaged_blocks=0, duration_s=2.5),
    ScrubFinished(VERSION, checked_blocks=3, damaged_blocks=1, different_blocks=0, duration_s=0.0),
    DamageFound(VERSION, 2, "000057c0ffee57c0ffee000000000001", "the blob is missing"),
    VersionRemoved(VERSION),
    CleanupFinished(removed_versions=1, deleted_segments=2, deleted_blobs=3, freed_bytes=12 * _MIB, full=False),
)
