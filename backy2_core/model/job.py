"""A running piece of work, and the lease that keeps what it uses from being cleaned up."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from backy2_core.model.blob import JobToken
from backy2_core.model.version import VersionId, VersionState, VersionUid

JobId = NewType("JobId", int)
"""Ascends in the order in which jobs began; never used twice."""


class JobKind(enum.StrEnum):
    """What a job does."""

    BACKUP = "backup"
    RESTORE = "restore"
    SCRUB = "scrub"
    IMPORT = "import"
    CLEANUP = "cleanup"
    KEYS = "keys"


class JobState(enum.IntEnum):
    """A live job ends in order, or its lease runs out and it is expired; neither ever becomes live again."""

    LIVE = 1
    ENDED = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True)
class Use:
    """A version that a job names, so that its rows stay while the job lives.

    The job is refused unless the version is in one of ``states``. ``exclusive`` refuses too if another live job names
    the same version exclusively (two jobs must not continue one version).
    """

    version: VersionUid
    states: frozenset[VersionState] = frozenset({VersionState.VALID})
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job about to begin. ``lease_s`` is how long it may be silent before it counts as dead.

    ``alone`` is a text of at most 512 characters that no two live jobs have: the job is refused as long as another one has
    it. Empty for a job that minds nobody.
    """

    kind: JobKind
    host: str
    pid: int
    description: str
    lease_s: float
    uses: tuple[Use, ...] = ()
    alone: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the meta backend knows it. ``versions`` are the versions it names; ``progress`` is 0.0 to 1.0; ``alone`` is as
    in :class:`NewJob`."""

    id: JobId
    token: JobToken
    kind: JobKind
    state: JobState
    host: str
    pid: int
    description: str
    began: datetime
    renewed: datetime
    lease_until: datetime
    progress: float
    versions: tuple[VersionId, ...] = ()
    alone: str = ""
