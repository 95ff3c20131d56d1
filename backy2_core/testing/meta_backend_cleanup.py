"""What may be expected of the steps around a cleanup's sweeps: giving up versions, horizons, scans, the last steps of blobs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend, Sweep
from backy2_core.errors import MetaBackendError
from backy2_core.model.blob import SPARSE, BlobId, BlobState, BlobUid, StoreId
from backy2_core.model.job import JobId, JobKind, Use
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import Version, VersionFilter, VersionId, VersionState
from backy2_core.testing.meta_backend_base import (
    OpenDatabase,
    PromiseBase,
    add,
    append,
    begin,
    create,
    expire,
    find,
    finished,
    new_blobs,
    segment,
    state_of,
)

INCOMPLETE = frozenset({VersionState.INCOMPLETE})
EVERY = VersionFilter(states=frozenset(VersionState))


def states(meta: MetaBackend) -> dict[VersionId, VersionState]:
    """The states of all versions."""
    return {version.id: version.state for version in meta.versions(EVERY)}


class CleanupPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_an_incomplete_version_that_nobody_holds_is_abandoned(
        self, meta: MetaBackend, job: JobId, version: Version
    ) -> None:
        meta.end_job(job)
        abandoned = meta.abandon_versions(0.0)
        assert [(found.id, found.state) for found in abandoned] == [(version.id, VersionState.REMOVED)]
        assert states(meta) == {version.id: VersionState.REMOVED}
        assert meta.abandon_versions(0.0) == []

    def test_a_young_incomplete_version_is_not_abandoned(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        meta.end_job(job)
        assert meta.abandon_versions(3600.0) == []
        assert states(meta) == {version.id: VersionState.INCOMPLETE}

    def test_appending_makes_a_version_young_again(self, meta: MetaBackend) -> None:
        abandoned = True
        for wait_s in (0.02, 0.2, 2.0):  # longer where the machine is too busy to tell the two moments apart
            job = begin(meta).id
            version = create(meta, job)
            created = time.monotonic()
            time.sleep(wait_s)
            append(meta, job, version, segment([SPARSE]))
            meta.end_job(job)
            abandoned = bool(meta.abandon_versions(time.monotonic() - created))
            if not abandoned:
                break
        assert not abandoned

    def test_an_incomplete_version_that_a_live_job_names_is_not_abandoned(
        self, meta: MetaBackend, job: JobId, version: Version
    ) -> None:
        assert meta.abandon_versions(0.0) == []
        meta.end_job(job)
        begin(meta, uses=[Use(version.uid, INCOMPLETE, exclusive=True)])
        assert meta.abandon_versions(0.0) == []
        assert states(meta) == {version.id: VersionState.INCOMPLETE}

    def test_only_incomplete_and_unprotected_versions_are_abandoned(self, meta: MetaBackend, job: JobId) -> None:
        valid, damaged, protected = finished(meta, job), finished(meta, job), create(meta, job)
        meta.set_version_state(damaged.id, VersionState.DAMAGED, ())
        meta.set_protected(protected.id, True)
        meta.end_job(job)
        assert meta.abandon_versions(0.0) == []
        assert states(meta)[valid.id] is VersionState.VALID

    def test_a_removed_version_is_purged_with_its_map(self, meta: MetaBackend, job: JobId) -> None:
        gone, kept = finished(meta, job, tags=frozenset({"a"})), finished(meta, job, tags=frozenset({"a"}))
        meta.end_job(job)
        meta.remove_version(gone.id)
        assert meta.purge_versions([gone.id, kept.id, VersionId(4711)]) == 1
        assert states(meta) == {gone.id: VersionState.PURGED, kept.id: VersionState.VALID}
        assert [version.tags for version in meta.versions(EVERY)] == [frozenset(), kept.tags]
        assert (meta.map_length(gone.id), meta.map_length(kept.id)) == (0, 1)

    def test_only_the_versions_that_were_named_are_purged(self, meta: MetaBackend, job: JobId) -> None:
        made = [finished(meta, job) for _ in range(50)]
        meta.end_job(job)
        for version in made:
            meta.remove_version(version.id)
        assert meta.purge_versions([]) == 0
        assert meta.purge_versions([version.id for version in made[1:]]) == 49
        assert [number for number, state in states(meta).items() if state is VersionState.REMOVED] == [made[0].id]

    @pytest.mark.parametrize("leave", ["end", "expire"])
    def test_a_version_is_purged_only_when_no_live_job_names_it(
        self, meta: MetaBackend, job: JobId, leave: str
    ) -> None:
        version = finished(meta, job)
        meta.end_job(job)
        reader = begin(meta, JobKind.RESTORE, uses=[Use(version.uid)])
        meta.remove_version(version.id)
        assert meta.purge_versions([version.id]) == 0
        assert meta.map_length(version.id) == 1
        if leave == "end":
            meta.end_job(reader.id)
        else:
            expire(meta, reader.id)
        assert meta.purge_versions([version.id]) == 1

    def test_the_horizon_is_the_oldest_live_job_that_is_no_cleanup(self, meta: MetaBackend) -> None:
        first, second = begin(meta).id, begin(meta, JobKind.RESTORE).id
        cleaner = begin(meta, JobKind.CLEANUP).id
        later = begin(meta).id
        assert meta.horizon(cleaner) == first
        meta.end_job(first)
        assert meta.horizon(cleaner) == second
        expire(meta, second)
        assert meta.horizon(cleaner) == cleaner
        assert later > cleaner

    def test_other_cleanups_do_not_lower_the_horizon(self, meta: MetaBackend) -> None:
        begin(meta, JobKind.CLEANUP)
        cleaner = begin(meta, JobKind.CLEANUP).id
        assert meta.horizon(cleaner) == cleaner

    def test_maps_of_versions_in_every_state_are_scanned_oldest_first(self, meta: MetaBackend, job: JobId) -> None:
        made = [create(meta, job, blocks=128 * 2500, name=name) for name in ("z", "y", "x")]
        (number,) = append(meta, job, made[1], segment([SPARSE]))
        for version in (made[2], made[0]):
            append(meta, job, version, *[KeptSegment(SegmentId(number + step)) for step in range(2500)])
        meta.remove_version(made[0].id)
        scanned = [found for batch in meta.scan_maps() for found in batch]
        whole = list(range(number, number + 2500))
        assert scanned == [*whole, number, *whole]

    def test_segments_are_scanned_by_id_with_and_without_data(self, meta: MetaBackend, job: JobId) -> None:
        new = [segment([BlobId(number)], fresh=()) for number in range(1, 2502)]
        numbers = append(meta, job, create(meta, job), *new)
        meta.sweep_segments(Sweep(condemn=numbers[:1]), horizon=0)
        full = [row for rows in meta.scan_segments(with_data=True) for row in rows]
        bare = [row for rows in meta.scan_segments(with_data=False) for row in rows]
        assert [row.id for row in full] == numbers == [row.id for row in bare]
        assert [row.data for row in full] == [one.data for one in new]
        assert {row.data for row in bare} == {b""}
        assert (full[0].condemned, full[0].generation) == (job, 1) == (bare[0].condemned, bare[0].generation)
        assert {(row.condemned, row.generation) for row in full[1:]} == {(None, 0)}

    def test_blobs_of_a_store_are_scanned_by_id(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        other = meta.register_store("another store", "memory", "elsewhere")
        numbers = [*add(meta, job, store, 10_001)]
        add(meta, job, other, 5)
        numbers += add(meta, job, store, 5)
        meta.set_blob_state(numbers[1:2], BlobState.DAMAGED, BlobState.STORED)
        rows = [row for batch in meta.scan_blobs(store) for row in batch]
        assert [row.id for row in rows] == numbers
        assert rows[0] == (numbers[0], BlobState.STORED, None, 0)
        assert rows[1].state is BlobState.DAMAGED

    def test_a_scan_of_nothing_ends(self, meta: MetaBackend, store: StoreId) -> None:
        assert list(meta.scan_maps()) == []
        assert list(meta.scan_segments(with_data=True)) == []
        assert list(meta.scan_blobs(store)) == []

    def test_doomed_blobs_come_in_order_by_pages(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        other = meta.register_store("another store", "memory", "elsewhere")
        blobs = new_blobs(5, stored_size=77)
        numbers = meta.add_blobs(job, store, blobs)
        elsewhere = add(meta, job, other)
        meta.set_blob_state([*numbers[1:], *elsewhere], BlobState.DELETING, BlobState.STORED)
        first = meta.doomed_blobs(store, 0, 3)
        assert first == [(numbers[place], blobs[place].uid, 77) for place in (1, 2, 3)]
        assert [blob.id for blob in meta.doomed_blobs(store, first[-1].id, 3)] == [numbers[4]]
        assert meta.doomed_blobs(store, numbers[4], 3) == []

    def test_a_condemned_blob_is_not_doomed_yet(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (blob,) = add(meta, job, store)
        meta.sweep_blobs(Sweep(condemn=[blob]), job)
        assert meta.doomed_blobs(store, 0, 10) == []

    def test_a_doomed_record_is_not_condemned(self, meta: MetaBackend, store: StoreId) -> None:
        meta.doom_objects(store, [(BlobUid("one"), 11)])
        before = [row for batch in meta.scan_blobs(store) for row in batch]
        meta.sweep_blobs(Sweep(condemn=[before[0].id]), begin(meta).id)
        assert [row for batch in meta.scan_blobs(store) for row in batch] == before

    def test_others_write_while_objects_are_listed(self, meta: MetaBackend, open_database: OpenDatabase) -> None:
        store = meta.register_store("slowly listed", "memory", "somewhere")

        def listing() -> Iterator[tuple[BlobUid, int]]:
            for number in range(3):
                begin(meta)
                with open_database() as other:
                    begin(other)
                yield BlobUid(f"object{number}"), number

        assert meta.doom_objects(store, listing()) == 3

    def test_only_doomed_records_are_forgotten(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        stored, doomed, damaged = add(meta, job, store, 3)
        meta.set_blob_state([doomed], BlobState.DELETING, BlobState.STORED)
        meta.set_blob_state([damaged], BlobState.DAMAGED, BlobState.STORED)
        assert meta.forget_blobs([stored, doomed, damaged]) == 1
        assert meta.forget_blobs([doomed]) == 0
        assert state_of(meta, doomed) is None
        assert (state_of(meta, stored), state_of(meta, damaged)) == (BlobState.STORED, BlobState.DAMAGED)

    def test_recorded_uids_are_those_of_the_store_in_any_state(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        other = meta.register_store("another store", "memory", "elsewhere")
        blobs = new_blobs(3)
        numbers = meta.add_blobs(job, store, blobs[:2])
        meta.add_blobs(job, other, blobs[2:])
        meta.set_blob_state(numbers[:1], BlobState.DELETING, BlobState.STORED)
        (unseen,) = new_blobs(1)
        meta.take_over_blobs(job, store, [unseen])
        uids = [blob.uid for blob in blobs]
        assert meta.recorded_uids(store, [*uids, unseen.uid, BlobUid("unknown")]) == {*uids[:2], unseen.uid}
        assert meta.recorded_uids(store, []) == set()

    def test_an_unrecorded_object_is_doomed_once(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (known,) = new_blobs(1)
        (number,) = meta.add_blobs(job, store, [known])
        objects = [(BlobUid("one"), 11), (known.uid, 12), (BlobUid("two"), 13), (BlobUid("one"), 11)]
        assert meta.doom_objects(store, iter(objects)) == 2
        assert meta.doom_objects(store, objects) == 0
        assert {(blob.uid, blob.stored_size) for blob in meta.doomed_blobs(store, 0, 10)} == {("one", 11), ("two", 13)}
        assert state_of(meta, number) is BlobState.STORED

    def test_a_doomed_object_is_never_found_and_never_recorded_again(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (blob,) = new_blobs(1)
        assert meta.doom_objects(store, [(blob.uid, 5)]) == 1
        (doomed,) = meta.doomed_blobs(store, 0, 10)
        assert meta.sweep_blobs(Sweep(condemn=[doomed.id], revive=[(doomed.id, 0)]), begin(meta).id) == 0
        assert state_of(meta, doomed.id) is BlobState.DELETING
        with pytest.raises(MetaBackendError):
            meta.add_blobs(job, store, [blob])
        assert find(meta, store, blob) is None
