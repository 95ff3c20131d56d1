"""What may be expected where several threads, or several objects on one database, work at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, SchemaState, Sweep
from backy2_core.errors import BlobGoneError, JobLostError, RefusedError
from backy2_core.model.blob import BlobId, BlobState, BlobUid, DedupKey, NewBlob, StoreId
from backy2_core.model.job import JobId, JobKind, JobState, NewJob, Use
from backy2_core.model.version import Version, VersionFilter, VersionState
from backy2_core.testing.meta_backend_base import (
    HASH,
    LONG_S,
    OpenDatabase,
    PromiseBase,
    add,
    append,
    begin,
    create,
    find,
    finished,
    new_blobs,
    run_out,
    segment,
)

T = TypeVar("T")

THREADS = 8
ROUNDS = 20


def together(*calls: Callable[[], T]) -> list[T]:
    """Make these calls at one moment, each in a thread of its own; their results in order."""
    barrier = threading.Barrier(len(calls))

    def wait_and(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(wait_and, calls))


def accepted(call: Callable[[], object], refusal: type[Exception]) -> bool:
    """Whether a call went through, or was refused in the expected way."""
    try:
        call()
    except refusal:
        return False
    return True


class ThreadPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    @pytest.fixture
    def other(self, meta: MetaBackend, open_database: OpenDatabase) -> Iterator[MetaBackend]:
        """A second object on the same database."""
        with open_database() as opened:
            yield opened

    def test_one_of_many_begins_what_it_is_at_alone(self, meta: MetaBackend, other: MetaBackend) -> None:
        for round_number in range(5):
            new = NewJob(JobKind.BACKUP, "host", 1, "backup", LONG_S, alone=f"vm{round_number}")
            calls = [partial(backend.begin_job, new) for backend in (meta, other) * (THREADS // 2)]
            begun = together(*(partial(accepted, call, RefusedError) for call in calls))
            assert begun.count(True) == 1

    def test_many_threads_read_records_at_once(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        numbers = add(meta, job, store, THREADS)
        for _ in range(5):
            found = together(*(partial(meta.read_blobs, [number]) for number in numbers))
            assert [list(records) for records in found] == [[number] for number in numbers]

    def test_what_another_object_did_to_versions_is_seen(
        self, meta: MetaBackend, other: MetaBackend, job: JobId
    ) -> None:
        assert list(meta.versions(VersionFilter())) == []
        version = create(other, job)
        assert [row.id for row in meta.versions(VersionFilter())] == [version.id]
        other.set_protected(version.id, True)
        assert [row.protected for row in meta.versions(VersionFilter())] == [True]

    def test_blobs_recorded_by_many_threads_are_all_there(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        batches = [[new_blobs(25) for _ in range(ROUNDS)] for _ in range(THREADS)]

        def record(mine: list[list[NewBlob]]) -> list[BlobId]:
            return [number for batch in mine for number in meta.add_blobs(job, store, batch)]

        ids = together(*[partial(record, mine) for mine in batches])
        blobs = [blob for mine in batches for batch in mine for blob in batch]
        numbers = [number for mine in ids for number in mine]
        assert len(set(numbers)) == len(blobs) == THREADS * ROUNDS * 25
        keys = [DedupKey(blob.checksum, blob.size) for blob in blobs]
        assert meta.find_blobs(store, HASH, "", keys) == dict(zip(keys, numbers, strict=True))

    def test_equal_segments_appended_at_once_are_stored_once(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        new = segment(add(meta, job, store))
        made = [create(meta, job) for _ in range(THREADS)]
        numbers = together(*[partial(append, meta, job, version, new) for version in made])
        assert len({tuple(mine) for mine in numbers}) == 1

    def test_jobs_begun_at_once_get_different_numbers_and_tokens(self, meta: MetaBackend) -> None:
        jobs = together(*[lambda: begin(meta)] * THREADS)
        assert len({job.id for job in jobs}) == len({job.token for job in jobs}) == THREADS

    def test_one_of_many_gets_the_exclusive_use(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        meta.end_job(job)
        use = Use(version.uid, frozenset({VersionState.INCOMPLETE}), exclusive=True)
        begun = together(*[lambda: accepted(lambda: begin(meta, uses=[use]), RefusedError)] * THREADS)
        assert begun.count(True) == 1
        assert [found.versions for found in meta.jobs({JobState.LIVE})] == [(version.id,)]

    def test_a_job_is_either_renewed_or_expired(self, meta: MetaBackend) -> None:
        def renews(job: JobId) -> bool:
            return accepted(lambda: meta.renew_job(job, LONG_S, 0.0), JobLostError)

        def expires(job: JobId) -> bool:
            return job in [found.id for found in meta.expire_jobs()]

        for _ in range(ROUNDS):
            job = begin(meta).id
            run_out(meta, job)
            *renewed, first, second = together(*[partial(renews, job)] * 2, *[partial(expires, job)] * 2)
            live = job in [found.id for found in meta.jobs({JobState.LIVE})]
            assert [first, second].count(True) == (0 if live else 1)
            assert renews(job) == live
            assert all(renewed) or not live

    def test_a_blob_is_either_referred_to_or_dropped(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        def commits(version: Version, blob: BlobId) -> bool:
            return accepted(lambda: append(meta, job, version, segment([blob])), BlobGoneError)

        def drops(blob: BlobId, horizon: int) -> bool:
            return meta.sweep_blobs(Sweep(drop=[(blob, 1)]), horizon) == 1

        for _ in range(ROUNDS):
            (blob,) = add(meta, job, store)
            version = create(meta, job)
            meta.sweep_blobs(Sweep(condemn=[blob]), horizon=0)
            horizon = begin(meta).id
            committed, dropped = together(partial(commits, version, blob), partial(drops, blob, horizon))
            assert committed is not dropped

    def test_scans_go_on_while_others_write(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        before = add(meta, job, store, 15_000)

        def scan() -> list[int]:
            return [row.id for rows in meta.scan_blobs(store) for row in rows]

        def write() -> list[int]:
            return [number for _ in range(ROUNDS) for number in add(meta, job, store)]

        written, *scans = together(write, scan, scan)
        for seen in scans:
            assert seen == sorted(seen)
            assert seen[: len(before)] == before
            assert set(seen) <= {*before, *written}

    def test_a_list_may_be_left_unread_while_others_write(self, meta: MetaBackend, job: JobId) -> None:
        made = [create(meta, job, name=f"vm{number:04}") for number in range(600)]
        listing = meta.versions(VersionFilter())
        assert next(listing) == made[0]
        meta.remove_version(made[599].id)
        assert [version.id for version in listing][:598] == [version.id for version in made[1:599]]

    def test_scans_may_be_left_unfinished_while_others_write(
        self, meta: MetaBackend, other: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        version = finished(meta, job, add(meta, job, store))
        unfinished = [
            meta.scan_blobs(store),
            meta.scan_maps(),
            meta.scan_segments(with_data=True),
            meta.read_map(version.id),
            meta.versions(VersionFilter()),
        ]
        for scan in unfinished:
            next(scan)
        for through in (meta, other):
            assert add(through, job, store)
        del unfinished

    def test_objects_to_be_doomed_may_come_slowly_while_others_write(
        self, meta: MetaBackend, other: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        def listing() -> Iterator[tuple[BlobUid, int]]:
            for number in range(3):
                assert add(other, job, store), "nobody could write while the listing went on"
                yield BlobUid(f"object {number}"), 1

        assert meta.doom_objects(store, listing()) == 3

    def test_a_store_registered_at_once_has_one_number(self, meta: MetaBackend, other: MetaBackend) -> None:
        calls = [lambda through=through: through.register_store("one", "file", "/a") for through in (meta, other) * 4]
        assert len(set(together(*calls))) == 1

    def test_two_objects_on_one_database_see_each_others_commits(
        self, meta: MetaBackend, other: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        assert other.schema_state() is SchemaState.CURRENT
        (blob,) = new_blobs(1)
        (number,) = meta.add_blobs(job, store, [blob])
        assert find(other, store, blob) == number
        version = finished(other, job, [number])
        assert list(meta.versions(VersionFilter())) == [version]
        assert other.set_blob_state([number], BlobState.DAMAGED, BlobState.STORED) == 1
        assert find(meta, store, blob) is None

    def test_a_lease_taken_through_one_object_is_lost_to_the_other(
        self, meta: MetaBackend, other: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        run_out(meta, job)
        assert [found.id for found in other.expire_jobs()] == [job]
        with pytest.raises(JobLostError):
            add(meta, job, store)

    def test_two_objects_never_give_out_one_id(
        self, meta: MetaBackend, other: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        def record(through: MetaBackend) -> list[int]:
            return [number for _ in range(ROUNDS) for number in add(through, job, store, 3)]

        numbers = together(*[partial(record, through) for through in (meta, other) * 2])
        assert len({number for mine in numbers for number in mine}) == 4 * ROUNDS * 3

    def test_initialising_at_once_is_safe(self, open_database: OpenDatabase) -> None:
        opened = [open_database() for _ in range(4)]
        together(*[meta.initialise for meta in opened])
        assert {meta.schema_state() for meta in opened} == {SchemaState.CURRENT}
        for meta in opened:
            begin(meta)
            meta.close()
