"""A scratch area in a live database: versions that nobody else has or sees, under leases of the check's own."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from backy2_core.contracts.meta_backend import MetaBackend, NewSegment
from backy2_core.errors import VersionExistsError
from backy2_core.model.block import Geometry
from backy2_core.model.job import Job, JobKind, JobState, NewJob
from backy2_core.model.segment import LOST_ENTRY, SEGMENT_BLOCKS, SPARSE_ENTRY, VersionDigest, digest_of
from backy2_core.model.version import NewVersion, Version, VersionFilter, VersionId, VersionState, VersionUid
from backy2_core.testing.live import Skipped

log = logging.getLogger(__name__)

NAME = "backy2 plugins check"
"""The name of every version that a check makes."""
UID_PREFIX = "c4ecc4ec-c4ec-4000-8000-"
ONE_UID = VersionUid(f"{UID_PREFIX}000000000000")
"""The version that is finished, again and again the same: its row stays when it is purged, and gives way to the next."""
BLOCKS = 2 * SEGMENT_BLOCKS + 1
GEOMETRY = Geometry(BLOCKS * 4096, 4096)
LEASE_S = 300.0

_EVERY_STATE = frozenset(VersionState)


class DatabaseScratch:
    """The database, open, and what a check makes in it. Leaving it removes that."""

    def __init__(self, open_database: Callable[[], MetaBackend]) -> None:
        self.open_database = open_database
        self.meta = open_database()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.meta.close()

    @contextmanager
    def job(self) -> Iterator[Job]:
        """A job of the check, live until the end of the ``with``."""
        job = self.meta.begin_job(NewJob(JobKind.SCRUB, socket.gethostname(), os.getpid(), NAME, LEASE_S))
        try:
            yield job
        finally:
            self.meta.end_job(job.id)

    @contextmanager
    def arriving(self) -> Iterator[tuple[Job, Version]]:
        """A version that is there for nobody else, and its job; dropped whole at the end, or by the next cleanup."""
        with self.job() as job:
            uid = VersionUid(UID_PREFIX + secrets.token_hex(6))
            version = self.meta.create_version(job.id, new_version(uid))
            try:
                yield job, version
            finally:
                self.meta.remove_version(version.id, protected_too=True)

    @contextmanager
    def finished(self) -> Iterator[Version]:
        """A valid version without a block that is stored; removed and purged at the end."""
        self._give_way()
        made: VersionId | None = None
        try:
            with self.job() as job:
                try:
                    version = self.meta.create_version(job.id, new_version(ONE_UID))
                except VersionExistsError as error:
                    raise Skipped("another check uses the version that this needs") from error
                made = version.id
                self.meta.append_segments(job.id, version.id, segments())
                yield self.meta.finish_version(job.id, version.id, version_digest(), None)
        finally:
            if made is not None:
                self._drop(made)

    def listed(self, prefix: str, states: frozenset[VersionState] = _EVERY_STATE) -> list[Version]:
        """Versions of a uid that begins so."""
        return list(self.meta.versions(VersionFilter(uid_prefix=prefix, states=states)))

    def _give_way(self) -> None:
        """Remove what an interrupted check has left, unless another is at work with it."""
        for version in self.listed(ONE_UID):
            if any(version.id in job.versions for job in self.meta.jobs({JobState.LIVE})):
                raise Skipped("another check uses the version that this needs")
            if version.state is not VersionState.PURGED:
                self._drop(version.id)

    def _drop(self, version: VersionId) -> None:
        self.meta.remove_version(version, protected_too=True)
        self.meta.purge_versions([version])


def new_version(uid: VersionUid) -> NewVersion:
    """An arriving version of three segments; the last segment is of one block."""
    return NewVersion(uid, NAME, "", GEOMETRY, "blake3", "", arriving=True)


def segments() -> list[NewSegment]:
    """Its segments, of sparse blocks only, so that no blob is referred to."""
    return [segment(SEGMENT_BLOCKS), segment(SEGMENT_BLOCKS), segment(BLOCKS - 2 * SEGMENT_BLOCKS)]


def different_segments() -> list[NewSegment]:
    """As many, no two alike: one is of lost blocks. For versions that are never finished."""
    return [segment(SEGMENT_BLOCKS), segment(SEGMENT_BLOCKS, LOST_ENTRY), segment(BLOCKS - 2 * SEGMENT_BLOCKS)]


def segment(blocks: int, entry: bytes = SPARSE_ENTRY) -> NewSegment:
    """A segment of this many blocks, none of which is stored."""
    data = entry * blocks
    return NewSegment(data, digest_of(data), ())


def version_digest() -> bytes:
    """The digest of a version of these segments."""
    digest = VersionDigest(GEOMETRY)
    for each in segments():
        digest.add(each.digest)
    return digest.digest()
