"""A backup's own data: what it is of, when, how big, and what is known of its state."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from backy2_core.model.block import Geometry

VersionId = NewType("VersionId", int)
"""Number of a version's row in the meta backend; never used twice."""
VersionUid = NewType("VersionUid", str)
"""A UUID in its usual 36 characters; what people and scripts call a version by."""


class VersionState(enum.IntEnum):
    """What is known of a version."""

    INCOMPLETE = 1
    """Being written, or interrupted and still to be continued."""
    VALID = 2
    DAMAGED = 3
    """At least one block is proven missing or wrong."""
    REMOVED = 4
    """Given up by ``rm``; its map goes when no live job uses it."""
    PURGED = 5
    """Its map and its tags are gone. Only the row stays, so that what the store still says of it is never foreign."""
    ARRIVING = 6
    """Being imported; not there for anybody until it is whole. Given up as soon as no live job names it."""

    @property
    def is_gone(self) -> bool:
        """True for a version that was given up, whatever is left of it."""
        return self in (VersionState.REMOVED, VersionState.PURGED)


FINISHED = frozenset({VersionState.VALID, VersionState.DAMAGED})
"""States of versions that came to their end and can be read: whole, or but for some blocks."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is known of a version when its backup begins.

    ``hash`` names the function for blocks read by this backup; kept blocks keep theirs. ``source_identity`` is what the
    source says of itself and its state (empty: it cannot say); ``hints_digest`` and ``base`` tell a continued backup
    that it is continued with the same hints and base. ``date`` is None for now, by the database's clock. ``arriving`` is
    set for a version that is imported and not made here. ``key`` is as in :class:`Version`.
    """

    uid: VersionUid
    name: str
    snapshot_name: str
    geometry: Geometry
    hash: str
    source: str
    source_identity: str = ""
    base: VersionUid | None = None
    hints_digest: str = ""
    tags: frozenset[str] = frozenset()
    expire: datetime | None = None
    date: datetime | None = None
    protected: bool = False
    arriving: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A version as the meta backend knows it. Times are aware and in UTC. ``digest`` is empty until it was valid. ``key`` is
    the id of the key under which all its blocks are sealed; empty if some are not, or if that is not known."""

    id: VersionId
    uid: VersionUid
    name: str
    snapshot_name: str
    date: datetime
    geometry: Geometry
    hash: str
    source: str
    source_identity: str
    base: VersionUid | None
    hints_digest: str
    digest: bytes
    state: VersionState
    protected: bool
    expire: datetime | None
    tags: frozenset[str] = field(default_factory=frozenset)
    key: str = ""


@dataclass(frozen=True, slots=True)
class VersionFilter:
    """Which versions to list; every criterion that is set must hold. Removed ones show only where asked for by state."""

    name: str | None = None
    snapshot_name: str | None = None
    source_identity: str | None = None
    tag: str | None = None
    uid_prefix: str | None = None
    states: frozenset[VersionState] = frozenset({VersionState.INCOMPLETE, VersionState.VALID, VersionState.DAMAGED})


@dataclass(frozen=True, slots=True)
class Counts:
    """What a backup did with the device's blocks, in bytes and in blocks; each block counts once beside ``read``.

    Those of a continued backup are of its last run only: what was stored before it was interrupted is not counted again.

    read: read from the source. written: stored anew. dedup: read, and found stored already. sparse: all zero, whether
    read, hinted or never allocated. kept: taken over from the base version unread.
    """

    bytes_read: int = 0
    blocks_read: int = 0
    bytes_written: int = 0
    blocks_written: int = 0
    bytes_dedup: int = 0
    blocks_dedup: int = 0
    bytes_sparse: int = 0
    blocks_sparse: int = 0
    bytes_kept: int = 0
    blocks_kept: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """One finished backup, kept even when its version is removed."""

    uid: VersionUid
    name: str
    date: datetime
    size_bytes: int
    size_blocks: int
    counts: Counts
    duration_s: float
