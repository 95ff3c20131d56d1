"""A job's lease: begun, kept alive beside the work, and ended."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.errors import BackyError, JobLostError
from backy2_core.model.event import JobBegan, JobFailed
from backy2_core.model.job import Job, JobId, JobKind, NewJob, Use

log = logging.getLogger(__name__)

_RENEWALS_A_LEASE = 4


class Lease:
    """A live job. :attr:`progress` (0.0 to 1.0) is shown by ``backy2 jobs``; set it from any thread."""

    def __init__(self, meta: MetaBackend, job: Job, lease_s: float) -> None:
        self.job = job
        self.progress = 0.0
        self._meta = meta
        self._lease_s = lease_s
        self._stop = threading.Event()
        self._lost: JobLostError | None = None
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    @property
    def id(self) -> JobId:
        """The job's number."""
        return self.job.id

    def check(self) -> None:
        """Raise :class:`JobLostError` if a renewal found that the lease had run out."""
        if self._lost is not None:
            raise self._lost

    def confirm(self) -> None:
        """Renew the lease now; raises :class:`JobLostError` if it had run out.

        What a job found before this returns was found while all that it uses was protected.
        """
        self._meta.renew_job(self.id, self._lease_s, self.progress)

    def start(self) -> None:
        """Begin to renew the lease, in a thread of its own."""
        self._thread.start()

    def end(self) -> None:
        """Stop renewing, and end the job as far as the database can be reached."""
        self._stop.set()
        self._thread.join()
        try:
            self._meta.end_job(self.id)
        except BackyError as error:
            log.warning("Job %d could not be ended; its lease runs out by itself: %s", self.id, error)

    def _renew(self) -> None:
        while not self._stop.wait(self._lease_s / _RENEWALS_A_LEASE):
            try:
                self._meta.renew_job(self.id, self._lease_s, self.progress)
            except JobLostError as error:
                self._lost = error
                return
            except BackyError as error:
                log.warning("The lease of job %d could not be renewed, trying again: %s", self.id, error)


@contextmanager
def running_job(
    engine: Engine, kind: JobKind, description: str, uses: tuple[Use, ...] = (), *, name: str = "", alone: str = ""
) -> Iterator[Lease]:
    """A job around a block of code: checks and names the versions it uses, tells the listeners, ends it in any case.

    ``name`` is that of the version that the job is of, for the listeners; ``alone`` is as in :class:`NewJob`.
    """
    options = engine.options
    new = NewJob(kind, options.host, os.getpid(), description, options.lease_s, uses, alone)
    lease = Lease(engine.meta, engine.meta.begin_job(new), options.lease_s)
    lease.start()
    try:
        engine.notify(JobBegan(kind, description))
        yield lease
    except BaseException as error:
        engine.notify(JobFailed(kind, description, str(error) or type(error).__name__, name))
        raise
    finally:
        lease.end()
