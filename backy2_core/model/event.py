"""What listeners are told."""

from __future__ import annotations

from dataclasses import dataclass

from backy2_core.model.job import JobKind
from backy2_core.model.version import Statistics, Version


@dataclass(frozen=True, slots=True)
class JobBegan:
    """A job was given its lease and starts work."""

    kind: JobKind
    description: str


@dataclass(frozen=True, slots=True)
class JobFailed:
    """A job ended with an error; ``message`` is the one that the user sees.

    ``name`` is that of the version that was backed up, restored or scrubbed; empty for a job that is not of one name.
    """

    kind: JobKind
    description: str
    message: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class BackupFinished:
    """A backup is complete and its version valid (or damaged, where a kept block turned out to be)."""

    version: Version
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class RestoreFinished:
    """A restore came to its end; ``damaged_blocks`` could not be written."""

    version: Version
    target: str
    damaged_blocks: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class ScrubFinished:
    """A scrub came to its end. ``different_blocks`` counts those that differ from the source, where one was given."""

    version: Version
    checked_blocks: int
    damaged_blocks: int
    different_blocks: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class DamageFound:
    """A block could not be read as it was stored; ``reason`` says what is wrong with it."""

    version: Version
    block: int
    blob_uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionRemoved:
    """A version was given up by ``rm``, or an abandoned one by a cleanup."""

    version: Version


@dataclass(frozen=True, slots=True)
class CleanupFinished:
    """A cleanup came to its end."""

    removed_versions: int
    deleted_segments: int
    deleted_blobs: int
    freed_bytes: int
    full: bool


Event = (
    JobBegan
    | JobFailed
    | BackupFinished
    | RestoreFinished
    | ScrubFinished
    | DamageFound
    | VersionRemoved
    | CleanupFinished
)
"""What a listener is told: one of these, and in later releases others."""
