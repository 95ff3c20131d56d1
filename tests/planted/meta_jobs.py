"""Meta backends that break what is promised of jobs and their leases."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from backy2_core.contracts.meta_backend import Sweep
from backy2_core.errors import JobLostError, MetaBackendError, NotFoundError, RefusedError
from backy2_core.model.blob import BlobId, JobToken, NewBlob, StoreId
from backy2_core.model.job import Job, JobId, JobState, NewJob
from backy2_core.model.version import VersionState
from tests.planted.databases import Right
from tests.planted.meta_faults import plant

LEASE = "methods that take a job raise backy2_core.errors.JobLostError unless that job is live, in the same transaction"
BEGINNING = "Checks and names all versions of new.uses in the same transaction"


def _unleased(method: str) -> Any:
    def call(self: Right, job: Any, *args: Any, **more: Any) -> Any:
        return self.without_lease(job, lambda: getattr(Right, method)(self, job, *args, **more))

    return call


@plant(LEASE)
class AddsBlobsWithoutALease(Right):
    """Records blobs for a job that is not live."""

    add_blobs = _unleased("add_blobs")


@plant(LEASE)
class TakesOverWithoutALease(Right):
    """Takes blobs over for a job that is not live."""

    take_over_blobs = _unleased("take_over_blobs")


@plant(LEASE)
class AppendsWithoutALease(Right):
    """Appends to a map for a job that is not live."""

    append_segments = _unleased("append_segments")


@plant(LEASE)
class CreatesWithoutALease(Right):
    """Creates a version for a job that is not live."""

    create_version = _unleased("create_version")


@plant(LEASE)
class FinishesWithoutALease(Right):
    """Finishes a version for a job that is not live."""

    finish_version = _unleased("finish_version")


@plant(LEASE)
class HasAHorizonWithoutALease(Right):
    """Tells a horizon to a job that is not live."""

    horizon = _unleased("horizon")


@plant(
    "Raises JobLostError once the job is not live any more.", "and conflict with a transaction that makes it expired"
)
class RevivesWhatExpired(Right):
    """Renews a job that is expired, which lives again."""

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        self.sql("update #jobs set state = 1 where id = ?", job)
        super().renew_job(job, lease_s, progress)


@plant("Raises JobLostError once the job is not live any more.")
class RenewsNothing(Right):
    """Says nothing where there is no lease to renew."""

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        with contextlib.suppress(JobLostError):
            super().renew_job(job, lease_s, progress)


@plant("until then a lease that ran out still counts")
class LosesWhatRanOut(Right):
    """Refuses a job whose lease ran out, though nobody made it expired."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        if self.ids(
            "select id from #jobs where id = ? and lease_until < (julianday('now') - 2440587.5) * 86400e6", job
        ):
            raise JobLostError(f"job {job} has lost its lease")
        return super().add_blobs(job, store, blobs)


@plant("only renew_job extends one")
class ExtendsLeases(Right):
    """Extends the lease of a job that does something."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        ids = super().add_blobs(job, store, blobs)
        self.sql("update #jobs set lease_until = lease_until + 3600000000 where id = ?", job)
        return ids


@plant("only renew_job extends one")
class ExtendsLeasesWhileAppending(Right):
    """Extends the lease of a job that appends."""

    def append_segments(self, job: JobId, version: Any, segments: Any) -> Any:
        ids = super().append_segments(job, version, segments)
        self.sql("update #jobs set lease_until = lease_until + 3600000000 where id = ?", job)
        return ids


# -- beginning


@plant("Give out a lease. Expires what has run out first.", "Expires what has run out first.")
class BeginsBesideTheDead(Right):
    """Leaves jobs live whose lease ran out."""

    def begin_job(self, new: NewJob) -> Job:
        live = self.ids("select id from #jobs where state = 1")
        self.sql("update #jobs set lease_until = lease_until + 1000000000000 where state = 1")
        try:
            return super().begin_job(new)
        finally:
            for job in live:
                self.sql("update #jobs set lease_until = lease_until - 1000000000000 where id = ?", job)


@plant("Give out a lease.")
class GivesNoLease(Right):
    """Gives out a lease that has run out already."""

    def begin_job(self, new: NewJob) -> Job:
        return super().begin_job(replace(new, lease_s=0.0))


@plant(BEGINNING)
class NamesNothing(Right):
    """Checks the versions, but does not name them."""

    def begin_job(self, new: NewJob) -> Job:
        job = super().begin_job(new)
        self.sql("delete from #uses where job = ?", job.id)
        return job


@plant(BEGINNING)
class NamesTheFirst(Right):
    """Names the first of several versions."""

    def begin_job(self, new: NewJob) -> Job:
        job = super().begin_job(new)
        for version in job.versions[1:]:
            self.sql("delete from #uses where job = ? and version = ?", job.id, version)
        return job


@plant(BEGINNING, "in the same transaction")
class LeavesARefusedJob(Right):
    """Leaves the job behind where it refuses."""

    def begin_job(self, new: NewJob) -> Job:
        try:
            return super().begin_job(new)
        except (NotFoundError, RefusedError):
            super().begin_job(replace(new, uses=(), alone=""))
            raise


@plant("NotFoundError where there is none of that uid")
class BeginsWithoutItsVersions(Right):
    """Passes over a version that is not there."""

    def begin_job(self, new: NewJob) -> Job:
        known = {row[0] for row in self.sql("select uid from #versions")} if new.uses else set()
        return super().begin_job(replace(new, uses=tuple(use for use in new.uses if use.version in known)))


@plant("NotFoundError where there is none of that uid")
class RefusesWhatIsNotThere(Right):
    """Says of a version that is not there that it may not be used."""

    def begin_job(self, new: NewJob) -> Job:
        try:
            return super().begin_job(new)
        except NotFoundError as error:
            raise RefusedError(str(error)) from error


@plant("RefusedError where it is not in an accepted state")
class AcceptsAnyState(Right):
    """Uses a version in whatever state."""

    def begin_job(self, new: NewJob) -> Job:
        uses = tuple(replace(use, states=frozenset(VersionState)) for use in new.uses)
        return super().begin_job(replace(new, uses=uses))


@plant("or is used exclusively by another live job")
class SharesWhatIsExclusive(Right):
    """Lets two jobs continue one version."""

    def begin_job(self, new: NewJob) -> Job:
        uses = tuple(replace(use, exclusive=False) for use in new.uses)
        return super().begin_job(replace(new, uses=uses))


@plant("or is used exclusively by another live job")
class ExclusiveForEver(Right):
    """Refuses what a job used exclusively that is not live any more."""

    def begin_job(self, new: NewJob) -> Job:
        for use in new.uses:
            if use.exclusive and self.sql(
                "select 1 from #uses u join #versions v on v.id = u.version where v.uid = ? and u.exclusive",
                use.version,
            ):
                raise RefusedError(f"version {use.version} is in use")
        return super().begin_job(new)

    def end_job(self, job: JobId) -> None:
        self.sql("update #jobs set state = 2 where id = ? and state = 1", job)


@plant("With a text in new.alone: a retryable RefusedError as long as another live job has the same.")
class IsNeverAlone(Right):
    """Minds nobody."""

    def begin_job(self, new: NewJob) -> Job:
        job = super().begin_job(replace(new, alone=""))
        self.sql("update #jobs set alone = ? where id = ?", new.alone, job.id)
        return replace(job, alone=new.alone)


@plant("a retryable RefusedError as long as another live job has the same")
class IsAloneForGood(Right):
    """Says that waiting will not help."""

    def begin_job(self, new: NewJob) -> Job:
        try:
            return super().begin_job(new)
        except RefusedError as error:
            raise RefusedError(str(error)) from error


@plant("as long as another live job has the same")
class IsAloneAfterItsEnd(Right):
    """Minds jobs that are over."""

    def begin_job(self, new: NewJob) -> Job:
        if new.alone and self.sql("select 1 from #jobs where alone = ?", new.alone):
            raise RefusedError(f"{new.alone}: another job is at it", retryable=True)
        return super().begin_job(new)


@plant("as long as another live job has the same")
class MindsAnyText(Right):
    """Minds every job that has some text."""

    def begin_job(self, new: NewJob) -> Job:
        if new.alone and self.sql("select 1 from #jobs where state = 1 and alone <> ''"):
            raise RefusedError(f"{new.alone}: another job is at it", retryable=True)
        return super().begin_job(new)


@plant("as long as another live job has the same")
class LooksThenBegins(Right):
    """Looks whether it is alone before it begins."""

    def begin_job(self, new: NewJob) -> Job:
        if new.alone and self.sql("select 1 from #jobs where state = 1 and alone = ?", new.alone):
            self.inner.expire_jobs()
            return super().begin_job(new)
        job = super().begin_job(replace(new, alone=""))
        self.sql("update #jobs set alone = ? where id = ?", new.alone, job.id)
        return replace(job, alone=new.alone)


# -- renewing and ending


@plant("Extend the lease to lease_s from now.")
class RenewsNoLease(Right):
    """Notes the progress, and leaves the lease as it is."""

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        held = self.ids("select lease_until from #jobs where id = ?", job)
        super().renew_job(job, lease_s, progress)
        self.sql("update #jobs set lease_until = ? where id = ?", held[0], job)


@plant("Extend the lease to lease_s from now.")
class AddsToLeases(Right):
    """Adds to what is left of the lease."""

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        held = self.ids("select lease_until from #jobs where id = ?", job)
        super().renew_job(job, lease_s, progress)
        self.sql("update #jobs set lease_until = ? where id = ?", held[0] + int(lease_s * 1_000_000), job)


@plant("Extend the lease to lease_s from now.")
class NotesNoProgress(Right):
    """Forgets the progress."""

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        super().renew_job(job, lease_s, 0.0)


@plant("The job is over, and names nothing any more.")
class EndsNothing(Right):
    """Leaves a job live."""

    def end_job(self, job: JobId) -> None:
        pass


@plant("and names nothing any more")
class NamesOn(Right):
    """Says of a job that is over what it named."""

    def end_job(self, job: JobId) -> None:
        named = self.sql("select job, version, exclusive from #uses where job = ?", job)
        super().end_job(job)
        for row in named:
            self.sql("insert into #uses (job, version, exclusive) values (?, ?, ?)", *row)


@plant("Does nothing to one that is not live.")
class EndsWhatExpired(Right):
    """Says of an expired job that it ended in order."""

    def end_job(self, job: JobId) -> None:
        super().end_job(job)
        self.sql("update #jobs set state = 2 where id = ?", job)


@plant("Does nothing to one that is not live.")
class MissesWhatEnded(Right):
    """Complains of a job that is not live."""

    def end_job(self, job: JobId) -> None:
        if not self.sql("select 1 from #jobs where id = ? and state = 1", job):
            raise JobLostError(f"job {job} is not live")
        super().end_job(job)


@plant("Make every live job whose lease ran out expired, for good; return those.")
class ExpiresAll(Right):
    """Expires every live job."""

    def expire_jobs(self) -> list[Job]:
        self.sql("update #jobs set lease_until = 0 where state = 1")
        return super().expire_jobs()


@plant("Make every live job whose lease ran out expired, for good; return those.")
class ExpiresOne(Right):
    """Expires the oldest of those that ran out."""

    def expire_jobs(self) -> list[Job]:
        expired = super().expire_jobs()
        for job in expired[1:]:
            self.sql("update #jobs set state = 1 where id = ?", job.id)
        return expired[:1]


@plant("return those")
class ReturnsNobody(Right):
    """Does not say whom it expired."""

    def expire_jobs(self) -> list[Job]:
        super().expire_jobs()
        return []


@plant("return those")
class ReturnsAllExpired(Right):
    """Returns those too that were expired before."""

    def expire_jobs(self) -> list[Job]:
        super().expire_jobs()
        return super().jobs([JobState.EXPIRED])


@plant("Jobs in these states, newest first.")
class ListsOldestFirst(Right):
    """Lists the oldest job first."""

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        return super().jobs(states, limit)[::-1]


@plant("Jobs in these states, newest first.")
class ListsJobsOfAllStates(Right):
    """Lists jobs in other states too."""

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        return super().jobs(list(JobState), limit)


@plant("Jobs in these states, newest first.")
class ListsBeyondTheLimit(Right):
    """Lists more than it was asked for."""

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        return super().jobs(states)


@plant("Jobs in these states, newest first.")
class ListsTheOldest(Right):
    """Keeps the oldest where there are more than were asked for."""

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        return super().jobs(states)[-limit:]


@plant("Number and state of the jobs with these tokens; unknown tokens are left out.")
class MissesTokens(Right):
    """Complains of a token that it does not know."""

    def find_jobs(self, tokens: Collection[JobToken]) -> Any:
        found = super().find_jobs(tokens)
        if len(found) < len(set(tokens)):
            raise MetaBackendError(f"{self.location}: an unknown token")
        return found


@plant("Number and state of the jobs with these tokens; unknown tokens are left out.")
class FindsAllLive(Right):
    """Says of every job that it is live."""

    def find_jobs(self, tokens: Collection[JobToken]) -> Any:
        return {token: (job, JobState.LIVE) for token, (job, _) in super().find_jobs(tokens).items()}


# -- horizons and stamps


@plant("The smaller of job (a cleanup) and the oldest live job that is not a cleanup.")
class SeesNobody(Right):
    """Takes the cleanup itself for the oldest job."""

    def horizon(self, job: JobId) -> int:
        super().horizon(job)
        return job


@plant("the oldest live job that is not a cleanup")
class MindsCleanups(Right):
    """Minds other cleanups."""

    def horizon(self, job: JobId) -> int:
        return min([super().horizon(job), *self.ids("select min(id) from #jobs where state = 1 having count(*) > 0")])


@plant("the oldest live job that is not a cleanup")
class MindsTheDead(Right):
    """Minds jobs that are not live any more."""

    def horizon(self, job: JobId) -> int:
        return min([super().horizon(job), *self.ids("select id from #jobs where kind <> 'cleanup'")])


@plant("The smaller of job (a cleanup) and the oldest live job that is not a cleanup.")
class LooksBeyondItself(Right):
    """Takes the oldest other job, though it began after the cleanup."""

    def horizon(self, job: JobId) -> int:
        found = super().horizon(job)
        others = self.ids("select id from #jobs where state = 1 and kind <> 'cleanup'")
        return min(others) if others else found


@plant(
    "a stamp (the highest job id given out so far, so that a job began before the mark exactly if its id "
    "is not above the stamp)"
)
class StampsWithNothing(Right):
    """Marks with the stamp 0, as if condemned before every job."""

    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_segments(sweep, horizon)
        for number in sweep.condemn:
            self.sql("update #segments set condemned = 0 where id = ? and condemned is not null", number)
        return dropped

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_blobs(sweep, horizon)
        for number in sweep.condemn:
            self.sql("update #blobs set condemned = 0 where id = ? and condemned is not null", number)
        return dropped


@plant("the highest job id given out so far")
class StampsWithLiveJobs(Right):
    """Marks with the highest live job, though others were begun and ended since."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_blobs(sweep, horizon)
        for number in sweep.condemn:
            self.sql(
                "update #blobs set condemned = (select coalesce(max(id), 0) from #jobs where state = 1)"
                " where id = ? and condemned is not null",
                number,
            )
        return dropped


@plant("a generation that grows with every mark")
class CountsNoMarks(Right):
    """Leaves the generation as it is."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_blobs(sweep, horizon)
        for number in sweep.condemn:
            self.sql("update #blobs set generation = 0 where id = ?", number)
        return dropped


@plant("a generation that grows with every mark")
class CountsNoMarksOfSegments(Right):
    """Leaves the generation of segments as it is."""

    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_segments(sweep, horizon)
        for number in sweep.condemn:
            self.sql("update #segments set generation = 0 where id = ?", number)
        return dropped
