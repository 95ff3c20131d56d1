"""Changing the wrapped keys of a store: one change at a time on all hosts, decided by one atomic write.

A change reads the document, makes another of it, and writes that. Two at once would lose one, so a change holds a job of its
own kind in the database, and waits for those that began before it. It renews its lease before it writes, so that it does not
write where it slept for too long, and after it, so that it notices where it slept in between. The copy in the database follows;
where a change was killed before that, it is mended when the store is opened next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.key_document import DOCUMENT, KeyDocument
from backy2_core.engine.key_place import KeyPlace
from backy2_core.engine.lease import Lease
from backy2_core.errors import JobLostError, RefusedError
from backy2_core.model.job import Job, JobKind, JobState, NewJob

LEASE_S = 20.0
PATIENCE_S = 30.0
"""How long a change waits for others: longer than the lease of one that was killed."""

_PAUSE_S = 0.05


class KeyChange:
    """The right to change the wrapped keys; made by :func:`changing_keys`."""

    def __init__(self, place: KeyPlace, lease: Lease) -> None:
        self._place = place
        self._lease = lease

    def write(self, document: KeyDocument) -> None:
        """Let this document count.

        Raises :class:`JobLostError` where the lease ran out: before anything was written, or so that another change may have
        been written over.
        """
        self._lease.confirm()
        self._place.replace(document)
        try:
            self._lease.confirm()
        except JobLostError as error:
            raise JobLostError(
                f"{DOCUMENT} was written, but the lease had run out meanwhile, so that a change of another host may have been "
                "written over. Look at `backy2 key list`, and repeat what is missing."
            ) from error
        self._place.copy(document)


@contextmanager
def changing_keys(place: KeyPlace, description: str) -> Iterator[KeyChange]:
    """Nobody else changes the wrapped keys of this store while the ``with`` lasts. Read them within it.

    Raises :class:`RefusedError` where another change does not end.
    """
    new = NewJob(JobKind.KEYS, place.host, os.getpid(), description, LEASE_S)
    lease = Lease(place.meta, place.meta.begin_job(new), LEASE_S)
    lease.start()
    try:
        _wait_for_others(place.meta, lease)
        yield KeyChange(place, lease)
    finally:
        lease.end()


def _wait_for_others(meta: MetaBackend, lease: Lease) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while other := _earlier_change(meta, lease.job):
        lease.check()
        if time.monotonic() > deadline:
            raise RefusedError(
                f"Keys are being changed by job {other.id} on {other.host} (process {other.pid}), which does not end. Nothing "
                "was changed. `backy2 jobs` shows it."
            )
        time.sleep(_PAUSE_S)


def _earlier_change(meta: MetaBackend, mine: Job) -> Job | None:
    meta.expire_jobs()
    live = meta.jobs([JobState.LIVE])
    return next((job for job in live if job.kind is JobKind.KEYS and job.id < mine.id), None)
