"""Objects in the store that no record speaks of. Rule 9 of the cleanup protocol.

A job that was killed between putting a blob and recording it leaves one. The uid of each blob carries the token of the job
that put it, so it is known when nobody can be about to record it: when that job is over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backy2_core.contracts.data_backend import StoredBlob
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.engine.lease import Lease
from backy2_core.engine.stored_map import batches
from backy2_core.model.blob import job_token_of
from backy2_core.model.job import JobId, JobState

log = logging.getLogger(__name__)

_BATCH = 1000
_ALL = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Objects without a record, by what became of the job that put them.

    ``orphans``: it is over, so nobody will ever record them. ``on_the_way``: it lives, or began later. ``foreign``: no job
    of this database put them there.
    """

    orphans: list[StoredBlob]
    on_the_way: list[StoredBlob]
    foreign: list[StoredBlob]


class Sorting:
    """Sorts objects without a record. Make it before the store is listed: that fixes which jobs are over.

    Jobs that began after the job ``before`` are not over, whatever became of them since; with None, all that do not live
    are.
    """

    def __init__(self, meta: MetaBackend, before: int | None) -> None:
        self._meta = meta
        self._before = before
        self._live = {job.token for job in meta.jobs({JobState.LIVE}, limit=_ALL)}

    def sort(self, unrecorded: Sequence[StoredBlob]) -> Unrecorded:
        """Sort objects that were listed, and of which no record was found after that."""
        tokens = [job_token_of(blob.uid) for blob in unrecorded]
        ours = self._meta.find_jobs({token for token in tokens if token is not None and token not in self._live})
        sorted_out = Unrecorded([], [], [])
        for blob, token in zip(unrecorded, tokens, strict=True):
            if token in self._live:
                sorted_out.on_the_way.append(blob)
            elif token is None or token not in ours:
                sorted_out.foreign.append(blob)
            else:
                over = self._before is None or ours[token][0] < self._before
                (sorted_out.orphans if over else sorted_out.on_the_way).append(blob)
        return sorted_out


def doom_orphans(engine: Engine, lease: Lease, prefix: str = "") -> tuple[int, int]:
    """Record orphaned objects as ``deleting``; return how many, and how many unrecorded ones were left alone."""
    doomed = foreign = 0
    for orphans, others in find_orphans(engine, lease.id, prefix):
        doomed += engine.meta.doom_objects(engine.store, ((blob.uid, blob.stored_size) for blob in orphans))
        foreign += others
    if foreign:
        log.info("%d objects without a record were left alone: no job that is over put them there", foreign)
    return doomed, foreign


def find_orphans(engine: Engine, before: JobId | None, prefix: str = "") -> Iterator[tuple[list[StoredBlob], int]]:
    """Orphaned objects in batches, each with the number of other unrecorded objects.

    The order matters: which jobs are over is fixed first, then the store is listed, then the records are read. Jobs that
    began after the job ``before`` are not over, whatever became of them since. Objects whose uid does not begin with
    ``prefix`` are passed over.
    """
    sorting = Sorting(engine.meta, before)
    looked_at = (blob for blob in engine.data.list_blobs() if blob.uid.startswith(prefix))
    for listed in batches(looked_at, _BATCH):
        recorded = engine.meta.recorded_uids(engine.store, [blob.uid for blob in listed])
        unrecorded = [blob for blob in listed if blob.uid not in recorded]
        orphans = sorting.sort(unrecorded).orphans
        yield orphans, len(unrecorded) - len(orphans)
