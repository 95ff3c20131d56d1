"""What may be expected of leases: a job that lost its own can do nothing any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import JobLostError
from backy2_core.model.blob import StoreId
from backy2_core.model.job import JobId, JobState
from backy2_core.model.version import Version, VersionFilter, VersionState
from backy2_core.testing.meta_backend_base import (
    DIGEST,
    LONG_S,
    PromiseBase,
    add,
    append,
    begin,
    create,
    expire,
    find,
    new_blobs,
    new_version,
    run_out,
    segment,
)

Lose = Callable[[MetaBackend, JobId], None]


def _end(meta: MetaBackend, job: JobId) -> None:
    meta.end_job(job)


class LeasePromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    @pytest.fixture(params=[expire, _end], ids=["expired", "ended"])
    def lose(self, request: pytest.FixtureRequest) -> Lose:
        """Takes the lease from a job."""
        taken: Lose = request.param
        return taken

    def test_a_lost_job_cannot_renew(self, meta: MetaBackend, job: JobId, lose: Lose) -> None:
        lose(meta, job)
        with pytest.raises(JobLostError):
            meta.renew_job(job, LONG_S, 0.5)
        assert meta.jobs({JobState.LIVE}) == []

    def test_a_lost_job_cannot_create_a_version(self, meta: MetaBackend, job: JobId, lose: Lose) -> None:
        lose(meta, job)
        with pytest.raises(JobLostError):
            meta.create_version(job, new_version())
        assert list(meta.versions(VersionFilter(states=frozenset(VersionState)))) == []

    def test_a_lost_job_cannot_record_blobs(self, meta: MetaBackend, job: JobId, store: StoreId, lose: Lose) -> None:
        lose(meta, job)
        (blob,) = new_blobs(1)
        with pytest.raises(JobLostError):
            meta.add_blobs(job, store, [blob])
        assert find(meta, store, blob) is None

    def test_a_lost_job_cannot_append(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version, lose: Lose
    ) -> None:
        ids = add(meta, job, store)
        lose(meta, job)
        with pytest.raises(JobLostError):
            append(meta, job, version, segment(ids))
        assert meta.map_length(version.id) == 0
        assert [rows for rows in meta.scan_segments(with_data=False) if rows] == []

    def test_a_lost_job_cannot_finish_a_version(
        self, meta: MetaBackend, job: JobId, store: StoreId, lose: Lose
    ) -> None:
        version = create(meta, job)
        append(meta, job, version, segment(add(meta, job, store)))
        lose(meta, job)
        with pytest.raises(JobLostError):
            meta.finish_version(job, version.id, DIGEST, None)
        assert [found.state for found in meta.versions(VersionFilter())] == [VersionState.INCOMPLETE]

    def test_a_lost_job_has_no_horizon(self, meta: MetaBackend, job: JobId, lose: Lose) -> None:
        lose(meta, job)
        with pytest.raises(JobLostError):
            meta.horizon(job)

    def test_a_job_that_never_was_is_lost(self, meta: MetaBackend, store: StoreId) -> None:
        with pytest.raises(JobLostError):
            add(meta, JobId(4711), store)
        with pytest.raises(JobLostError):
            meta.renew_job(JobId(4711), LONG_S, 0.0)

    def test_only_the_state_counts_until_somebody_expires_the_job(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        run_out(meta, job)
        assert len(add(meta, job, store)) == 1
        meta.renew_job(job, LONG_S, 0.0)
        assert meta.expire_jobs() == []

    def test_a_job_whose_lease_runs_on_does_not_expire(self, meta: MetaBackend, job: JobId) -> None:
        assert meta.expire_jobs() == []
        assert [found.id for found in meta.jobs({JobState.LIVE})] == [job]

    def test_expiring_tells_which_jobs_and_only_once(self, meta: MetaBackend, job: JobId) -> None:
        other = begin(meta)
        run_out(meta, other.id)
        expired = meta.expire_jobs()
        assert [(found.id, found.token, found.state) for found in expired] == [
            (other.id, other.token, JobState.EXPIRED)
        ]
        assert meta.expire_jobs() == []
        assert [found.id for found in meta.jobs({JobState.LIVE})] == [job]

    def test_all_that_ran_out_expire_at_once(self, meta: MetaBackend) -> None:
        jobs = [begin(meta).id for _ in range(3)]
        for job in jobs[:2]:
            meta.renew_job(job, 0.0, 0.0)
        assert sorted(found.id for found in meta.expire_jobs()) == jobs[:2]
        assert sorted(found.id for found in meta.jobs({JobState.EXPIRED})) == jobs[:2]

    def test_beginning_a_job_expires_what_has_run_out(self, meta: MetaBackend, job: JobId) -> None:
        run_out(meta, job)
        other = begin(meta)
        assert [found.id for found in meta.jobs({JobState.EXPIRED})] == [job]
        assert [found.id for found in meta.jobs({JobState.LIVE})] == [other.id]

    def test_a_job_begun_for_no_time_expires(self, meta: MetaBackend) -> None:
        job = begin(meta, lease_s=0.0)
        assert [found.id for found in meta.expire_jobs()] == [job.id]

    def test_working_does_not_extend_the_lease(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        run_out(meta, job)
        add(meta, job, store)
        assert [found.id for found in meta.expire_jobs()] == [job]

    def test_writing_a_map_does_not_extend_the_lease(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        run_out(meta, job)
        version = create(meta, job)
        append(meta, job, version, segment(add(meta, job, store)))
        meta.finish_version(job, version.id, DIGEST, None)
        assert [found.id for found in meta.expire_jobs()] == [job]
