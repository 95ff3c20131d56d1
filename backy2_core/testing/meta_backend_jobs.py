"""What may be expected of jobs: how they begin and end, and what they name."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import NotFoundError, RefusedError
from backy2_core.model.blob import JobToken, StoreId
from backy2_core.model.job import JobId, JobKind, JobState, NewJob, Use
from backy2_core.model.version import Version, VersionState, VersionUid
from backy2_core.testing.meta_backend_base import PromiseBase, add, begin, create, expire, finished, new_version

INCOMPLETE = frozenset({VersionState.INCOMPLETE})
NOWHERE = VersionUid("00000000-0000-0000-0000-000000000000")


class JobPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_a_new_job_is_live_and_says_what_it_was_told(self, meta: MetaBackend) -> None:
        job = meta.begin_job(NewJob(JobKind.SCRUB, "höst", 4711, "scrub of 'vm'", 60.0))
        assert (job.kind, job.host, job.pid, job.description) == (JobKind.SCRUB, "höst", 4711, "scrub of 'vm'")
        assert (job.state, job.progress, job.versions) == (JobState.LIVE, 0.0, ())
        assert job.lease_until - job.began == timedelta(seconds=60)
        assert job.began.tzinfo is UTC
        assert meta.jobs({JobState.LIVE}) == [job]

    def test_tokens_are_sixteen_hex_digits_and_differ(self, meta: MetaBackend) -> None:
        tokens = {begin(meta).token for _ in range(20)}
        assert len(tokens) == 20
        assert all(len(token) == 16 and set(token) <= set("0123456789abcdef") for token in tokens)

    def test_job_numbers_ascend(self, meta: MetaBackend) -> None:
        first = begin(meta)
        meta.end_job(first.id)
        second = begin(meta)
        expire(meta, second.id)
        third = begin(meta)
        assert first.id < second.id < third.id

    def test_jobs_are_listed_newest_first_by_state_up_to_the_limit(self, meta: MetaBackend) -> None:
        jobs = [begin(meta).id for _ in range(5)]
        meta.end_job(jobs[1])
        expire(meta, jobs[3])
        assert [job.id for job in meta.jobs({JobState.LIVE})] == [jobs[4], jobs[2], jobs[0]]
        assert [job.id for job in meta.jobs({JobState.ENDED, JobState.EXPIRED})] == [jobs[3], jobs[1]]
        assert [job.id for job in meta.jobs(set(JobState), limit=2)] == [jobs[4], jobs[3]]
        assert meta.jobs(()) == []

    def test_jobs_are_found_by_token(self, meta: MetaBackend) -> None:
        live, ended, expired = begin(meta), begin(meta), begin(meta)
        meta.end_job(ended.id)
        expire(meta, expired.id)
        tokens = [live.token, ended.token, expired.token, JobToken("f" * 16)]
        assert meta.find_jobs(tokens) == {
            live.token: (live.id, JobState.LIVE),
            ended.token: (ended.id, JobState.ENDED),
            expired.token: (expired.id, JobState.EXPIRED),
        }
        assert meta.find_jobs([]) == {}

    def test_what_a_live_job_is_at_alone_nobody_else_begins(self, meta: MetaBackend) -> None:
        def new(alone: str) -> NewJob:
            return NewJob(JobKind.BACKUP, "host", 1, "backup of vm", 60.0, alone=alone)

        first = meta.begin_job(new("vm"))
        others = [meta.begin_job(new("")), meta.begin_job(new("")), meta.begin_job(new("VM"))]
        with pytest.raises(RefusedError, match=rf"job {first.id} .*backup of vm") as caught:
            meta.begin_job(new("vm"))
        assert caught.value.retryable
        assert [job.id for job in meta.jobs({JobState.LIVE})] == [job.id for job in reversed([first, *others])]
        meta.end_job(first.id)
        second = meta.begin_job(new("vm"))
        expire(meta, second.id)
        meta.begin_job(new("vm"))

    def test_ending_a_job_twice_does_nothing(self, meta: MetaBackend) -> None:
        job = begin(meta)
        meta.end_job(job.id)
        meta.end_job(job.id)
        assert meta.find_jobs([job.token])[job.token] == (job.id, JobState.ENDED)

    def test_an_expired_job_cannot_end(self, meta: MetaBackend) -> None:
        job = begin(meta)
        expire(meta, job.id)
        meta.end_job(job.id)
        assert meta.find_jobs([job.token])[job.token] == (job.id, JobState.EXPIRED)

    def test_renewing_tells_how_far_the_job_is(self, meta: MetaBackend) -> None:
        job = begin(meta, lease_s=5)
        meta.renew_job(job.id, 600.0, 0.25)
        (renewed,) = meta.jobs({JobState.LIVE})
        assert renewed.progress == 0.25
        assert renewed.lease_until - renewed.renewed == timedelta(seconds=600)
        assert renewed.began == job.began <= renewed.renewed

    def test_a_job_names_the_versions_it_uses(self, meta: MetaBackend, job: JobId) -> None:
        first, second = finished(meta, job), finished(meta, job)
        user = begin(meta, JobKind.RESTORE, uses=[Use(second.uid), Use(first.uid)])
        assert sorted(user.versions) == sorted([first.id, second.id])
        assert meta.jobs({JobState.LIVE})[0] == user

    def test_a_job_that_is_over_names_nothing(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        user = begin(meta, JobKind.RESTORE, uses=[Use(version.uid)])
        meta.end_job(user.id)
        assert [found.versions for found in meta.jobs({JobState.ENDED})] == [()]

    def test_the_job_that_made_a_version_names_it(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job)
        assert [found.versions for found in meta.jobs({JobState.LIVE})] == [(version.id,)]

    def test_naming_an_unknown_version_begins_no_job(self, meta: MetaBackend, job: JobId) -> None:
        with pytest.raises(NotFoundError, match=NOWHERE):
            begin(meta, uses=[Use(finished(meta, job).uid), Use(NOWHERE)])
        assert [found.id for found in meta.jobs(set(JobState))] == [job]

    @pytest.mark.parametrize("state", [VersionState.DAMAGED, VersionState.REMOVED])
    def test_naming_a_version_in_another_state_begins_no_job(
        self, meta: MetaBackend, job: JobId, state: VersionState
    ) -> None:
        version = finished(meta, job)
        meta.set_version_state(version.id, state, ())
        with pytest.raises(RefusedError, match=version.uid):
            begin(meta, uses=[Use(version.uid)])
        assert [found.id for found in meta.jobs(set(JobState))] == [job]

    def test_every_accepted_state_is_accepted(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        both = frozenset({VersionState.VALID, VersionState.DAMAGED})
        assert begin(meta, uses=[Use(version.uid, both)]).versions == (version.id,)
        meta.set_version_state(version.id, VersionState.DAMAGED, ())
        assert begin(meta, uses=[Use(version.uid, both)]).versions == (version.id,)

    def test_a_version_is_used_exclusively_by_one_live_job(self, meta: MetaBackend, version: Version) -> None:
        with pytest.raises(RefusedError, match=version.uid):
            begin(meta, uses=[Use(version.uid, INCOMPLETE, exclusive=True)])

    @pytest.mark.parametrize("leave", ["end", "expire"])
    def test_a_version_is_free_when_its_job_is_over(self, meta: MetaBackend, version: Version, leave: str) -> None:
        (job,) = meta.jobs({JobState.LIVE})
        if leave == "end":
            meta.end_job(job.id)
        else:
            expire(meta, job.id)
        taken = begin(meta, uses=[Use(version.uid, INCOMPLETE, exclusive=True)])
        assert taken.versions == (version.id,)

    def test_many_jobs_may_use_one_version_beside_each_other(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        assert {begin(meta, uses=[Use(version.uid)]).versions for _ in range(3)} == {(version.id,)}

    def test_a_version_may_be_named_twice(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        assert begin(meta, uses=[Use(version.uid), Use(version.uid)]).versions == (version.id,)

    def test_a_refused_job_changes_nothing_for_others(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        with pytest.raises(NotFoundError):
            begin(meta, uses=[Use(NOWHERE)])
        assert add(meta, job, store)
        assert meta.create_version(job, new_version()).state is VersionState.INCOMPLETE
