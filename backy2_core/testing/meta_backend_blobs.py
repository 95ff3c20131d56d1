"""What may be expected of blob records: recorded in order, found by checksum, changed by state."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, Sweep
from backy2_core.errors import MetaBackendError
from backy2_core.model.blob import BlobId, BlobRecord, BlobState, BlobUid, DedupKey, StoreId
from backy2_core.model.job import JobId
from backy2_core.testing.meta_backend_base import (
    BLOCK_SIZE,
    HASH,
    LONG_S,
    PromiseBase,
    add,
    begin,
    checksum_of,
    find,
    new_blobs,
    state_of,
)

UNKNOWN = BlobId(10**15)
MANY = 100_000


class BlobPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_a_record_keeps_all_it_was_told(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (blob,) = new_blobs(
            1,
            size=4194304,
            stored_size=4000000,
            key="k1",
            transforms="zstd,aes_gcm",
            envelope=b"\0nonce\xff",
            date=datetime(2017, 5, 2, 10, 26, 51, tzinfo=UTC),
        )
        (number,) = meta.add_blobs(job, store, [blob])
        assert meta.read_blobs([number]) == {
            number: BlobRecord(
                id=number,
                store=store,
                uid=blob.uid,
                size=4194304,
                stored_size=4000000,
                hash=HASH,
                checksum=blob.checksum,
                key="k1",
                transforms="zstd,aes_gcm",
                envelope=b"\0nonce\xff",
                state=BlobState.STORED,
                date=datetime(2017, 5, 2, 10, 26, 51, tzinfo=UTC),
            )
        }

    def test_a_blob_without_a_date_is_of_now(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (number,) = add(meta, job, store)
        assert abs((meta.read_blobs([number])[number].date - datetime.now(UTC)).total_seconds()) < 60

    def test_plain_and_sealed_blobs_are_recorded_in_one_call(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        chains = ["", "zstd", "", "aes_gcm", "zstd"]
        ids = meta.add_blobs(job, store, [new_blobs(1, transforms=chain)[0] for chain in chains])
        records = meta.read_blobs(ids)
        assert [records[number].transforms for number in ids] == chains

    @pytest.mark.parametrize("length", [16, 32, 64])
    def test_checksums_of_every_length_are_kept_and_found(
        self, meta: MetaBackend, job: JobId, store: StoreId, length: int
    ) -> None:
        (blob,) = new_blobs(1, checksum=(checksum_of(1) + checksum_of(2))[:length])
        (number,) = meta.add_blobs(job, store, [blob])
        assert meta.read_blobs([number])[number].checksum == blob.checksum
        assert find(meta, store, blob) == number

    def test_ids_come_back_in_order_ascend_and_are_never_zero(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        blobs = new_blobs(50)
        ids = meta.add_blobs(job, store, blobs)
        assert ids == sorted(set(ids))
        assert ids[0] > 0
        records = meta.read_blobs(ids)
        assert [records[number].uid for number in ids] == [blob.uid for blob in blobs]
        assert meta.add_blobs(job, store, new_blobs(1))[0] > ids[-1]

    def test_nothing_is_recorded_for_no_blobs(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        assert meta.add_blobs(job, store, []) == []

    def test_a_uid_is_recorded_once_a_store(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        known, new, late = new_blobs(3)
        meta.add_blobs(job, store, [known])
        with pytest.raises(MetaBackendError):
            meta.add_blobs(job, store, [new, known, late])
        assert find(meta, store, new) is None
        assert find(meta, store, late) is None

    def test_one_uid_may_be_in_two_stores(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(1)
        other = meta.register_store("another store", "memory", "elsewhere")
        (here,) = meta.add_blobs(job, store, blobs)
        (there,) = meta.add_blobs(job, other, blobs)
        assert here != there
        assert (find(meta, store, blobs[0]), find(meta, other, blobs[0])) == (here, there)

    def test_unknown_ids_are_left_out(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (number,) = add(meta, job, store)
        assert set(meta.read_blobs([UNKNOWN, number, number])) == {number}
        assert meta.read_blobs([]) == {}

    def test_a_look_up_finds_the_lowest_id(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(3, checksum=checksum_of(0))
        ids = meta.add_blobs(job, store, blobs)
        assert find(meta, store, blobs[0]) == min(ids)

    def test_a_look_up_finds_only_what_is_the_same_in_everything(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (blob,) = new_blobs(1, key="k1")
        (number,) = meta.add_blobs(job, store, [blob])
        other = meta.register_store("another store", "memory", "elsewhere")
        key = DedupKey(blob.checksum, blob.size)
        near = blob.checksum[:-1] + bytes([blob.checksum[-1] ^ 1])
        assert meta.find_blobs(store, HASH, "k1", [key]) == {key: number}
        assert meta.find_blobs(other, HASH, "k1", [key]) == {}
        assert meta.find_blobs(store, "sha512", "k1", [key]) == {}
        assert meta.find_blobs(store, HASH, "", [key]) == {}
        assert meta.find_blobs(store, HASH, "k1", [DedupKey(blob.checksum, BLOCK_SIZE - 1)]) == {}
        assert meta.find_blobs(store, HASH, "k1", [DedupKey(near, blob.size)]) == {}
        assert meta.find_blobs(store, HASH, "k1", []) == {}

    @pytest.mark.parametrize("state", [BlobState.UNSEEN, BlobState.DAMAGED, BlobState.DELETING])
    def test_a_look_up_finds_only_what_is_stored(
        self, meta: MetaBackend, job: JobId, store: StoreId, state: BlobState
    ) -> None:
        first, second = new_blobs(2, checksum=checksum_of(0))
        ids = meta.add_blobs(job, store, [first, second])
        assert meta.set_blob_state([ids[0]], state, BlobState.STORED) == 1
        assert find(meta, store, first) == ids[1]

    def test_a_look_up_does_not_find_what_is_condemned(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(2, checksum=checksum_of(0))
        ids = meta.add_blobs(job, store, blobs)
        meta.sweep_blobs(Sweep(condemn=[ids[0]]), horizon=0)
        assert find(meta, store, blobs[0]) == ids[1]

    def test_states_change_only_from_the_state_that_was_said(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        ids = add(meta, job, store, 3)
        assert meta.set_blob_state(ids[:1], BlobState.DAMAGED, BlobState.STORED) == 1
        assert meta.set_blob_state([*ids, UNKNOWN], BlobState.UNSEEN, BlobState.STORED) == 2
        assert meta.set_blob_state(ids, BlobState.STORED, BlobState.DAMAGED) == 1
        assert [state_of(meta, number) for number in ids] == [BlobState.STORED, BlobState.UNSEEN, BlobState.UNSEEN]
        assert meta.set_blob_state([], BlobState.DAMAGED, BlobState.STORED) == 0

    def test_ids_are_never_used_twice(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        ids = add(meta, job, store, 3)
        meta.set_blob_state(ids, BlobState.DELETING, BlobState.STORED)
        assert meta.forget_blobs(ids) == 3
        assert min(add(meta, job, store, 3)) > max(ids)

    def test_a_refused_batch_leaves_no_trace(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (known,) = new_blobs(1)
        meta.add_blobs(job, store, [known])
        with pytest.raises(MetaBackendError):
            meta.add_blobs(job, store, [*new_blobs(2, transforms="new chain"), known])
        assert [len(rows) for rows in meta.scan_blobs(store)] == [1]

    def test_batches_of_a_hundred_thousand(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        blobs = new_blobs(MANY)
        ids = meta.add_blobs(job, store, blobs)
        keys = [DedupKey(blob.checksum, blob.size) for blob in blobs]
        assert meta.find_blobs(store, HASH, "", keys) == dict(zip(keys, ids, strict=True))
        assert len(meta.read_blobs(ids)) == MANY
        assert meta.recorded_uids(store, [blob.uid for blob in blobs]) == {blob.uid for blob in blobs}
        meta.sweep_blobs(Sweep(condemn=ids), horizon=0)
        meta.end_job(job)
        cleaner = begin(meta, lease_s=LONG_S).id
        assert meta.sweep_blobs(Sweep(drop=[(number, 1) for number in ids]), cleaner) == MANY
        assert meta.doom_objects(store, ((BlobUid(f"object {number}"), number) for number in range(MANY))) == MANY
        doomed = meta.doomed_blobs(store, 0, 3 * MANY)
        assert len(doomed) == 2 * MANY
        assert meta.forget_blobs([blob.id for blob in doomed]) == 2 * MANY
        assert list(meta.scan_blobs(store)) == []
