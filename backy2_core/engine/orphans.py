"""Objects in the store that no record speaks of. Rule 9 of the cleanup protocol.

A job that was killed between putting a blob and recording it leaves one. The uid of each blob carries the token of the job
that put it, so it is known when nobody can be about to record it: when that job is over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

from backy2_core.contracts.data_backend import StoredBlob
from backy2_core.engine.context import Engine
from backy2_core.engine.lease import Lease
from backy2_core.model.blob import JobToken, job_token_of
from backy2_core.model.job import JobId, JobState

log = logging.getLogger(__name__)

_BATCH = 1000
_ALL = 1_000_000_000


def doom_orphans(engine: Engine, lease: Lease) -> tuple[int, int]:
    """Record orphaned objects as ``deleting``; return how many, and how many unrecorded ones were left alone."""
    doomed = foreign = 0
    for orphans, others in find_orphans(engine, lease.id):
        doomed += engine.meta.doom_objects(engine.store, ((blob.uid, blob.stored_size) for blob in orphans))
        foreign += others
    if foreign:
        log.info("%d objects without a record were left alone: no job that is over put them there", foreign)
    return doomed, foreign


def find_orphans(engine: Engine, before: JobId | None) -> Iterator[tuple[list[StoredBlob], int]]:
    """Orphaned objects in batches, each with the number of other unrecorded objects.

    The order matters: which jobs are over is fixed first, then the store is listed, then the records are read. Jobs that
    began after the job ``before`` are not over, whatever became of them since.
    """
    live = {job.token for job in engine.meta.jobs({JobState.LIVE}, limit=_ALL)}
    for listed in _batches(engine.data.list_blobs()):
        recorded = engine.meta.recorded_uids(engine.store, [blob.uid for blob in listed])
        unrecorded = [blob for blob in listed if blob.uid not in recorded]
        orphans = _orphans(engine, unrecorded, live, before)
        yield orphans, len(unrecorded) - len(orphans)


def _orphans(
    engine: Engine, unrecorded: list[StoredBlob], live: set[JobToken], before: JobId | None
) -> list[StoredBlob]:
    tokens = {blob.uid: job_token_of(blob.uid) for blob in unrecorded}
    ours = engine.meta.find_jobs({token for token in tokens.values() if token is not None and token not in live})
    over = {token for token, (number, _) in ours.items() if before is None or number < before}
    return [blob for blob in unrecorded if tokens[blob.uid] in over]


def _batches(blobs: Iterator[StoredBlob]) -> Iterator[list[StoredBlob]]:
    while batch := list(islice(blobs, _BATCH)):
        yield batch
