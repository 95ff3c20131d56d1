"""What a command asks of the engine, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backy2_core.engine.hints import Hints
from backy2_core.model.version import Statistics, Version, VersionUid


@dataclass(frozen=True, slots=True)
class BackupRequest:
    """Back up ``source`` (a URL) as a new version of ``name``.

    ``hints`` are the changed ranges. ``base`` is the uid of the version that unhinted blocks are taken from. ``resume`` is
    the uid of an incomplete version to be continued. ``full`` asks for a backup of a source with snapshots that takes
    nothing from an earlier version.
    """

    source: str
    name: str
    snapshot_name: str = ""
    tags: frozenset[str] = frozenset()
    hints: Hints | None = None
    base: VersionUid | None = None
    resume: VersionUid | None = None
    expire: datetime | None = None
    full: bool = False

    @property
    def by_hand(self) -> bool:
        """True where the caller says what changed, or since when: the source is then read as it stands."""
        return self.hints is not None or self.base is not None


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A finished backup."""

    version: Version
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """Write version ``uid`` to ``target`` (a URL)."""

    uid: VersionUid
    target: str
    sparse: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class BlockDamage:
    """One block that could not be had as it was backed up."""

    block: int
    blob_uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """A restore that came to its end; whole only if ``damage`` is empty. The first 1000 damaged blocks are named."""

    version: Version
    restored_bytes: int
    damaged_blocks: int
    damage: tuple[BlockDamage, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class ScrubRequest:
    """Check version ``uid``: ``percent`` of its blocks, drawn at random; against ``source`` too where one is given."""

    uid: VersionUid
    source: str | None = None
    percent: int = 100


@dataclass(frozen=True, slots=True)
class ScrubResult:
    """A scrub that came to its end. The first 1000 damaged and differing blocks are named."""

    version: Version
    checked_blocks: int
    damaged_blocks: int
    different_blocks: int
    damage: tuple[BlockDamage, ...]
    differences: tuple[int, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class CleanupRequest:
    """Delete what nothing refers to any more. ``full`` looks for objects without a record too.

    With a ``prefix`` it looks only at objects whose uid begins with that.
    """

    full: bool = False
    dry_run: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class CleanupResult:
    """What a cleanup did, or would do (``dry_run``).

    ``condemned_*`` wait for the next cleanup; ``foreign_objects`` were left alone since no job of this database, or one
    that still runs, put them there. ``spared_blobs`` are needed by no version, but stay since another program may still use
    them, until its installation was taken over for good. ``written_copies`` of versions' metadata were missing or out of date;
    ``deleted_packs`` of such copies were needed by none any more. ``undeleted_blobs`` are needed by no version, but the store
    keeps them (an object lock, a missing right); each cleanup tries again.
    """

    dry_run: bool
    abandoned_versions: int = 0
    purged_versions: int = 0
    deleted_segments: int = 0
    deleted_blobs: int = 0
    freed_bytes: int = 0
    condemned_segments: int = 0
    condemned_blobs: int = 0
    orphaned_objects: int = 0
    foreign_objects: int = 0
    spared_blobs: int = 0
    written_copies: int = 0
    deleted_packs: int = 0
    undeleted_blobs: int = 0
