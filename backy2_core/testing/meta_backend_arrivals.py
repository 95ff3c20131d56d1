"""What may be expected of versions and blobs that come from elsewhere: imports, adoptions, recoveries."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, Sweep
from backy2_core.errors import BlobConflictError, JobLostError, MetaBackendError, VersionExistsError
from backy2_core.model.blob import UNKNOWN_SIZE, BlobId, BlobRecord, BlobState, StoreId
from backy2_core.model.job import JobId, JobKind, Use
from backy2_core.model.version import Counts, Statistics, Version, VersionFilter, VersionState, VersionUid
from backy2_core.testing.meta_backend_base import (
    DIGEST,
    PromiseBase,
    add,
    append,
    begin,
    create,
    expire,
    find,
    finished,
    new_blobs,
    new_version,
    removed_at_all,
    segment,
    state_of,
)

DATE = datetime(2017, 5, 2, 10, 26, 48, 123456, tzinfo=UTC)
UID = VersionUid("d91be794-2f21-11e7-b961-a44e314f9270")


class ArrivalPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_an_arriving_version_keeps_its_date_and_protection_and_is_not_listed(
        self, meta: MetaBackend, job: JobId
    ) -> None:
        version = create(meta, job, date=DATE, protected=True, arriving=True)
        assert (version.date, version.protected, version.state) == (DATE, True, VersionState.ARRIVING)
        assert list(meta.versions(VersionFilter())) == []
        append(meta, job, version, segment([BlobId(0)]))
        assert meta.finish_version(job, version.id, DIGEST, None).state is VersionState.VALID

    def test_a_version_known_to_be_damaged_is_finished_as_damaged(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job)
        append(meta, job, version, segment([BlobId(0)]))
        assert meta.finish_version(job, version.id, DIGEST, None, damaged=True).state is VersionState.DAMAGED

    def test_a_uid_that_is_there_is_refused(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job, uid=UID)
        for damaged in (False, True):
            if damaged:
                meta.set_version_state(version.id, VersionState.DAMAGED, ())
            with pytest.raises(VersionExistsError, match=UID):
                create(meta, job, uid=UID)
        assert [found.id for found in meta.versions(VersionFilter())] == [version.id]

    def test_an_incomplete_version_does_not_give_way(self, meta: MetaBackend, job: JobId) -> None:
        create(meta, job, uid=UID)
        expire(meta, job)
        with pytest.raises(VersionExistsError):
            create(meta, begin(meta).id, uid=UID)

    def test_a_purged_version_gives_way(self, meta: MetaBackend, job: JobId) -> None:
        old = finished(meta, job, uid=UID, tags=frozenset({"old"}))
        meta.end_job(job)
        removed_at_all(meta, old)
        self._replaced(meta, old)

    def test_a_removed_version_gives_way_with_its_map_and_its_tags(self, meta: MetaBackend, job: JobId) -> None:
        old = finished(meta, job, uid=UID, tags=frozenset({"old"}))
        meta.end_job(job)
        meta.remove_version(old.id)
        self._replaced(meta, old)

    def test_an_arriving_version_of_a_dead_job_gives_way(self, meta: MetaBackend, job: JobId) -> None:
        old = create(meta, job, uid=UID, arriving=True, tags=frozenset({"old"}))
        append(meta, job, old, segment([BlobId(0)]))
        expire(meta, job)
        self._replaced(meta, old)

    @staticmethod
    def _replaced(meta: MetaBackend, old: Version) -> None:
        new = create(meta, begin(meta).id, uid=UID, arriving=True)
        assert new.id > old.id
        assert new.tags == frozenset()
        assert meta.map_length(new.id) == 0
        assert meta.map_length(old.id) == 0
        gone = frozenset(VersionState)
        assert [found.id for found in meta.versions(VersionFilter(states=gone))] == [new.id]

    def test_what_a_live_job_names_does_not_give_way(self, meta: MetaBackend, job: JobId) -> None:
        create(meta, job, uid=UID, arriving=True)
        with pytest.raises(VersionExistsError):
            create(meta, begin(meta).id, uid=UID)
        removed = finished(meta, job)
        begin(meta, JobKind.RESTORE, uses=[Use(removed.uid)])
        meta.remove_version(removed.id)
        with pytest.raises(VersionExistsError):
            create(meta, job, uid=removed.uid)

    def test_an_arriving_version_is_given_up_at_once_when_its_job_is_dead(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job, arriving=True, protected=True)
        assert meta.abandon_versions(3600.0) == []
        assert self._state(meta, version) is VersionState.ARRIVING
        expire(meta, job)
        assert meta.abandon_versions(3600.0) == []
        self._left_no_trace(meta, version)

    def test_the_number_of_a_version_that_left_no_trace_is_not_given_out_again(
        self, meta: MetaBackend, job: JobId
    ) -> None:
        gone = create(meta, job, arriving=True)
        meta.remove_version(gone.id)
        assert create(meta, job).id > gone.id

    def test_an_arriving_version_that_is_removed_leaves_no_trace(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job, arriving=True, protected=True, tags=frozenset({"t"}))
        append(meta, job, version, segment([BlobId(0)]))
        meta.remove_version(version.id)
        self._left_no_trace(meta, version)

    @staticmethod
    def _state(meta: MetaBackend, version: Version) -> VersionState | None:
        everything = VersionFilter(states=frozenset(VersionState))
        return next((found.state for found in meta.versions(everything) if found.id == version.id), None)

    @classmethod
    def _left_no_trace(cls, meta: MetaBackend, version: Version) -> None:
        assert cls._state(meta, version) is None
        assert meta.map_length(version.id) == 0
        assert list(meta.versions(VersionFilter(tag="t", states=frozenset(VersionState)))) == []

    def test_a_blob_taken_over_is_unseen_and_not_offered(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (blob,) = new_blobs(1, stored_size=UNKNOWN_SIZE, envelope=b"key", date=DATE)
        (number,) = meta.take_over_blobs(job, store, [blob])
        record = meta.read_blobs([number])[number]
        assert (record.state, record.stored_size, record.envelope) == (BlobState.UNSEEN, UNKNOWN_SIZE, b"key")
        assert record.date == DATE
        assert find(meta, store, blob) is None

    def test_each_store_and_uid_has_one_record(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        first, second = new_blobs(2)
        other = meta.register_store("another store", "memory", "elsewhere")
        ids = meta.take_over_blobs(job, store, [first, second, first])
        assert ids[0] == ids[2] != ids[1]
        assert meta.take_over_blobs(job, store, [second, first]) == [ids[1], ids[0]]
        assert meta.take_over_blobs(job, other, [first])[0] not in ids

    def test_a_record_that_is_there_keeps_its_state(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(2)
        ids = meta.add_blobs(job, store, blobs)
        meta.set_blob_state(ids[1:], BlobState.DAMAGED, BlobState.STORED)
        assert meta.take_over_blobs(job, store, blobs) == ids
        assert [state_of(meta, number) for number in ids] == [BlobState.STORED, BlobState.DAMAGED]

    def test_a_condemned_record_is_revived_by_being_taken_over(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (blob,) = new_blobs(1)
        (number,) = meta.take_over_blobs(job, store, [blob])
        meta.sweep_blobs(Sweep(condemn=[number]), horizon=0)
        meta.take_over_blobs(job, store, [blob])
        assert [row.condemned for rows in meta.scan_blobs(store) for row in rows] == [None]
        assert state_of(meta, number) is BlobState.UNSEEN

    @pytest.mark.parametrize(
        "change", [{"size": 1}, {"hash": "sha512"}, {"checksum": b"x" * 32}, {"key": "k"}, {"transforms": "zstd"}]
    )
    def test_other_contents_of_a_uid_are_refused(
        self, meta: MetaBackend, job: JobId, store: StoreId, change: dict[str, Any]
    ) -> None:
        known, new = new_blobs(2)
        meta.take_over_blobs(job, store, [known])
        with pytest.raises(BlobConflictError) as raised:
            meta.take_over_blobs(job, store, [new, dataclasses.replace(known, **change)])
        assert raised.value.uids == (known.uid,)
        with pytest.raises(BlobConflictError):
            meta.take_over_blobs(job, store, [new, dataclasses.replace(new, **change)])
        assert meta.find_records(store, [new.uid]) == {}

    def test_a_blob_that_is_being_deleted_is_refused(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (blob,) = new_blobs(1)
        meta.doom_objects(store, [(blob.uid, blob.stored_size)])
        with pytest.raises(BlobConflictError):
            meta.take_over_blobs(job, store, [blob])

    def test_a_record_that_is_being_deleted_is_refused_and_stays(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (blob,) = new_blobs(1)
        (number,) = meta.take_over_blobs(job, store, [blob])
        meta.set_blob_state([number], BlobState.DELETING, BlobState.UNSEEN)
        with pytest.raises(BlobConflictError):
            meta.take_over_blobs(job, store, [blob])
        assert state_of(meta, number) is BlobState.DELETING

    def test_all_blobs_in_conflict_are_named(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        known = new_blobs(3)
        meta.take_over_blobs(job, store, known)
        with pytest.raises(BlobConflictError) as raised:
            meta.take_over_blobs(job, store, [known[0], *(dataclasses.replace(blob, size=1) for blob in known[1:])])
        assert sorted(raised.value.uids) == sorted(blob.uid for blob in known[1:])

    def test_taking_over_needs_the_lease(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (blob,) = new_blobs(1)
        expire(meta, job)
        with pytest.raises(JobLostError):
            meta.take_over_blobs(job, store, [blob])
        assert meta.find_records(store, [blob.uid]) == {}

    def test_only_an_unseen_blob_becomes_stored_by_being_seen(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        blobs = new_blobs(3, stored_size=UNKNOWN_SIZE)
        unseen, damaged, other = meta.take_over_blobs(job, store, blobs)
        meta.set_blob_state([damaged], BlobState.DAMAGED, BlobState.UNSEEN)
        assert meta.mark_seen([(unseen, 77), (damaged, 88)]) == 1
        records = meta.read_blobs([unseen, damaged, other])
        assert [(records[number].state, records[number].stored_size) for number in (unseen, damaged, other)] == [
            (BlobState.STORED, 77),
            (BlobState.DAMAGED, UNKNOWN_SIZE),
            (BlobState.UNSEEN, UNKNOWN_SIZE),
        ]
        assert find(meta, store, blobs[0]) == unseen

    @pytest.mark.parametrize("damaged", [False, True])
    def test_a_cleanup_that_saw_a_blob_unseen_does_not_drop_it_any_more(
        self, meta: MetaBackend, job: JobId, store: StoreId, damaged: bool
    ) -> None:
        (number,) = meta.take_over_blobs(job, store, new_blobs(1))
        meta.sweep_blobs(Sweep(condemn=[number]), horizon=0)
        if damaged:
            meta.set_blob_state([number], BlobState.DAMAGED, BlobState.UNSEEN)
        else:
            meta.mark_seen([(number, 77)])
        assert meta.sweep_blobs(Sweep(drop=[(number, 1)]), horizon=2**62) == 0
        assert state_of(meta, number) is (BlobState.DAMAGED if damaged else BlobState.STORED)

    def test_records_are_found_in_every_state(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(3)
        ids = meta.add_blobs(job, store, blobs)
        meta.set_blob_state(ids[1:2], BlobState.DAMAGED, BlobState.STORED)
        meta.set_blob_state(ids[2:], BlobState.DELETING, BlobState.STORED)
        found = meta.find_records(store, [blob.uid for blob in blobs])
        states = [BlobState.STORED, BlobState.DAMAGED, BlobState.DELETING]
        assert [found[blob.uid].state for blob in blobs] == states

    def test_records_are_found_by_store_and_uid(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(2)
        ids = meta.add_blobs(job, store, blobs)
        other = meta.register_store("another store", "memory", "elsewhere")
        found = meta.find_records(store, [blobs[0].uid, new_blobs(1)[0].uid])
        assert found == {blobs[0].uid: meta.read_blobs(ids)[ids[0]]}
        assert isinstance(found[blobs[0].uid], BlobRecord)
        assert meta.find_records(other, [blobs[0].uid]) == {}
        assert meta.find_records(store, []) == {}

    def test_an_unseen_blob_is_dropped_whole_and_its_uid_may_come_again(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (blob,) = new_blobs(1)
        (number,) = meta.take_over_blobs(job, store, [blob])
        meta.sweep_blobs(Sweep(condemn=[number]), horizon=0)
        assert meta.sweep_blobs(Sweep(drop=[(number, 1)]), horizon=2**62) == 1
        assert meta.doomed_blobs(store, 0, 10) == []
        assert meta.find_records(store, [blob.uid]) == {}
        assert meta.take_over_blobs(job, store, [blob])[0] > number

    def test_a_segment_cannot_refer_to_what_was_dropped_whole(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (number,) = meta.take_over_blobs(job, store, new_blobs(1))
        version = create(meta, job)
        meta.sweep_blobs(Sweep(condemn=[number]), horizon=0)
        meta.sweep_blobs(Sweep(drop=[(number, 1)]), horizon=2**62)
        with pytest.raises(MetaBackendError):
            append(meta, job, version, segment([number]))

    def test_statistics_from_elsewhere_are_kept_once(self, meta: MetaBackend) -> None:
        entries = [
            Statistics(UID, "vm", DATE + timedelta(days=day), 4096, 1, Counts(bytes_read=4096, blocks_read=1), 1.5)
            for day in range(3)
        ]
        assert meta.add_statistics(entries[:2]) == 2
        assert meta.add_statistics([*entries, entries[2]]) == 1
        assert meta.statistics(UID) == entries
        assert meta.add_statistics([]) == 0

    def test_a_version_made_here_is_of_now(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        add(meta, job, store)
        version = meta.create_version(job, new_version())
        assert abs((version.date - datetime.now(UTC)).total_seconds()) < 60
