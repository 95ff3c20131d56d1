"""Deleting what nothing refers to, beside everything else that runs. INVARIANT 4 and 6 live here.

A round goes in the order of the cleanup protocol (``docs/decisions``): drop removed versions; fix the horizon; only then scan
the maps, sweep segments, scan segments, sweep blobs. What is found unreferenced is condemned; what was condemned before every
live job began, and is still unreferenced, goes. So a second round, at once, deletes what the first condemned, unless a job
runs; then it stays for the next cleanup.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from backy2_core.engine.context import Engine
from backy2_core.engine.copies import read_copy
from backy2_core.engine.copy_files import delete_head, marked_versions
from backy2_core.engine.copy_tidy import tidy_copies
from backy2_core.engine.doomed import delete_doomed
from backy2_core.engine.foresight import foresee
from backy2_core.engine.lease import running_job
from backy2_core.engine.orphans import doom_orphans
from backy2_core.engine.requests import CleanupRequest, CleanupResult
from backy2_core.engine.seals import content_digest
from backy2_core.engine.stored_map import batches
from backy2_core.engine.sweep import sweep_round
from backy2_core.errors import StoreIdentityError, UsageError
from backy2_core.model.event import CleanupFinished, VersionRemoved
from backy2_core.model.job import JobId, JobKind, JobState
from backy2_core.model.segment import VersionDigest
from backy2_core.model.version import Version, VersionFilter, VersionId, VersionState, VersionUid

log = logging.getLogger(__name__)

_ALL = 1_000_000_000
_BATCH = 2048


def cleanup(engine: Engine, request: CleanupRequest) -> CleanupResult:
    """Delete what nothing refers to any more; safe beside every other job, on any number of hosts.

    ``full`` also lists the store and deletes objects without a record, where a job of this database that is over put them
    there. ``dry_run`` changes nothing and says what would be condemned or deleted.

    Raises :class:`UsageError` for a prefix without ``full``, and :class:`StoreIdentityError` if the store knows versions
    that the database does not: the database is then empty, foreign or out of date, and nothing may be deleted on its word.
    """
    if request.prefix and not request.full:
        raise UsageError("A prefix says which objects of the store a full cleanup looks at; give --full too.")
    if request.dry_run:
        _check_markers(engine)
        return foresee(engine, full=request.full, prefix=request.prefix)
    with running_job(engine, JobKind.CLEANUP, "full" if request.full else "incremental") as lease:
        _check_markers(engine)  # first: not even a version may be given up on the word of an old database
        result = _abandon(engine)
        result = _round(engine, lease.id, result)
        if request.full:
            orphaned, foreign = doom_orphans(engine, lease, request.prefix)
            result = replace(result, orphaned_objects=orphaned, foreign_objects=foreign)
            result = _delete(engine, result)
        result = tidy_copies(engine, lease, result, thorough=request.full or result.purged_versions > 0)
    if result.condemned_segments or result.condemned_blobs:
        with running_job(engine, JobKind.CLEANUP, "second round") as lease:
            result = _round(engine, lease.id, replace(result, condemned_segments=0, condemned_blobs=0))
    engine.notify(
        CleanupFinished(
            result.purged_versions, result.deleted_segments, result.deleted_blobs, result.freed_bytes, request.full
        )
    )
    return result


def _abandon(engine: Engine) -> CleanupResult:
    abandoned = engine.meta.abandon_versions(engine.options.abandon_incomplete_s)
    for version in abandoned:
        log.info("Version %s was never finished and is given up", version.uid)
        engine.notify(VersionRemoved(version))
    return CleanupResult(dry_run=False, abandoned_versions=len(abandoned))


def _round(engine: Engine, job: JobId, result: CleanupResult) -> CleanupResult:
    for uid in _check_markers(engine):
        delete_head(engine.data, uid)
    result = _purge(engine, result)
    result = sweep_round(engine, engine.meta.horizon(job), result)
    return _delete(engine, result)


def _check_markers(engine: Engine) -> list[VersionUid]:
    """INVARIANT 6: the store must not know a version that the database does not, nor know it finished with another map.

    The store is asked first: a version has a row before it has a marker, and keeps the row for good. A marker that a job
    wrote late, when its version was purged already, is therefore known for what it is; those are returned. Then it is
    asked which jobs live, and the versions come last: whoever made a marker before it finished its version is among them.
    """
    marked = list(marked_versions(engine.data))
    in_use = {number for job in engine.meta.jobs({JobState.LIVE}, limit=_ALL) for number in job.versions}
    known = {version.uid: version for version in engine.meta.versions(VersionFilter(states=frozenset(VersionState)))}
    unknown = [uid for uid in marked if uid not in known or _was_finished(engine, known[uid], in_use)]
    if unknown:
        raise StoreIdentityError(
            f"The store at {engine.data.location} holds {len(unknown)} versions that the database does not know, such as"
            f" {unknown[0]}: this database is empty, another one's, or older than the store. Nothing was deleted. Use the"
            " right database; if this is it, `backy2 recover` takes in what the store knows."
        )
    return [uid for uid in marked if known[uid].state is VersionState.PURGED]


def _was_finished(engine: Engine, version: Version, in_use: Collection[VersionId]) -> bool:
    """True if a version that is incomplete here has a copy of another map than the one here: it was finished since.

    So is a database that was copied while a backup ran. One whose backup was killed between copy and finish has that map.
    """
    if version.state is not VersionState.INCOMPLETE or version.id in in_use:
        return False
    copy, digest = read_copy(engine.data, version.uid), VersionDigest(version.geometry)
    for segments in batches(engine.meta.read_map(version.id), _BATCH):
        digests = engine.meta.read_digests(set(segments))
        for segment in segments:
            digest.add(digests.get(segment, b""))
    return copy is not None and content_digest(copy.version.digest) != digest.digest()


def _purge(engine: Engine, result: CleanupResult) -> CleanupResult:
    """Drop the maps of removed versions. Their markers go first, so that none outlives what it speaks of."""
    removed = list(engine.meta.versions(VersionFilter(states=frozenset({VersionState.REMOVED}))))
    for version in removed:
        delete_head(engine.data, version.uid)
    purged = engine.meta.purge_versions([version.id for version in removed])
    return replace(result, purged_versions=result.purged_versions + purged)


def _delete(engine: Engine, result: CleanupResult) -> CleanupResult:
    deletion = delete_doomed(engine)
    if deletion.kept not in (0, result.undeleted_blobs):
        log.warning(
            "%d blobs that no version needs were not deleted, and each cleanup tries again: %s",
            deletion.kept,
            deletion.reason,
        )
    return replace(
        result,
        deleted_blobs=result.deleted_blobs + deletion.gone,
        freed_bytes=result.freed_bytes + deletion.freed_bytes,
        undeleted_blobs=deletion.kept,
    )
