"""What one caller may expect of blobs: kept whole, seen at once, listed once, refused or reported with the right error."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.errors import BlobDamagedError, BlobExistsError, BlobNotFoundError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import (
    OpenStore,
    PromiseBase,
    content_of,
    listed,
    new_uid,
    put,
    put_new,
    read,
)

MIB = 1024 * 1024
MORE_THAN_A_PAGE = 1030
"""Many services list and delete at most a thousand at a time."""
PUTTING_THREADS = 8


class BlobPromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    @pytest.mark.parametrize("size", [0, 1, 511, 512, 4096, 65537, 4 * MIB, 64 * MIB])
    def test_every_size_is_kept(self, readable: DataBackend, size: int) -> None:
        if size > readable.capabilities.max_blob_bytes:
            pytest.skip(f"declares max_blob_bytes={readable.capabilities.max_blob_bytes}")
        uid = put_new(readable, size)
        readable.flush()
        assert readable.stored_size(uid) == size
        assert read(readable, uid, size) == content_of(uid, size), f"a blob of {size} bytes came back with other bytes"

    @pytest.mark.parametrize(
        "uid",
        [
            "0123456789abcdef0123456789abcdef",
            "7b6e36cdd0fZMVRvLbaJK9tyXkQeM4nH",
            "fcfc7c0e4cBACKYvUWJxQ2hPsTnLr8Ed",
            "ffffffffffffffffffffffffffffffff",
        ],
    )
    def test_uids_of_ours_and_of_the_original_name_blobs(self, readable: DataBackend, uid: str) -> None:
        readable.delete([BlobUid(uid)])
        put(readable, BlobUid(uid), uid.encode())
        readable.flush()
        assert read(readable, BlobUid(uid)) == uid.encode()
        assert BlobUid(uid) in listed(readable)

    def test_uids_that_differ_only_in_case_are_two_blobs(self, readable: DataBackend) -> None:
        lower = BlobUid("abcd" + new_uid()[4:])
        upper = BlobUid("ABCD" + lower[4:])
        put(readable, lower, b"lower")
        put(readable, upper, b"upper")
        readable.flush()
        assert (read(readable, lower), read(readable, upper)) == (b"lower", b"upper")

    def test_a_blob_is_read_before_the_flush(self, readable: DataBackend) -> None:
        uid = put_new(readable)
        assert read(readable, uid) == content_of(uid, 1000)
        assert readable.stored_size(uid) == 1000

    def test_a_blob_is_listed_before_the_flush(self, readable: DataBackend) -> None:
        uid = put_new(readable)
        assert listed(readable).get(uid) == 1000

    def test_a_flush_shows_blobs_to_a_second_object(self, persistent: DataBackend, open_store: OpenStore) -> None:
        with open_store() as second:
            uid = put_new(persistent)
            persistent.flush()
            assert read(second, uid) == content_of(uid, 1000)
            assert second.stored_size(uid) == 1000
            assert listed(second).get(uid) == 1000

    def test_flushed_blobs_are_there_after_closing(self, persistent: DataBackend, open_store: OpenStore) -> None:
        uids = [put_new(persistent, size) for size in (0, 10, 5000)]
        persistent.flush()
        persistent.close()
        with open_store() as second:
            assert [read(second, uid) for uid in uids] == [
                content_of(uid, size) for uid, size in zip(uids, (0, 10, 5000), strict=True)
            ]

    def test_a_uid_is_refused_the_second_time(self, readable: DataBackend, open_store: OpenStore) -> None:
        if not self.refuses_existing:
            pytest.skip("the suite says refuses_existing=False")
        uid = put_new(readable)
        readable.flush()
        with pytest.raises(BlobExistsError):
            _put_and_flush(uid, b"other", readable)
        assert read(readable, uid) == content_of(uid, 1000)

    def test_a_uid_put_by_two_objects_is_refused_to_one(self, persistent: DataBackend, open_store: OpenStore) -> None:
        if not self.refuses_existing:
            pytest.skip("the suite says refuses_existing=False")
        with open_store() as second:
            uid = put_new(persistent)
            with pytest.raises(BlobExistsError):
                _put_and_flush(uid, b"other", second, persistent)
            persistent.flush()
            assert read(second, uid) == content_of(uid, 1000)

    def test_after_a_refused_put_the_store_can_be_used(self, readable: DataBackend) -> None:
        if not self.refuses_existing:
            pytest.skip("the suite says refuses_existing=False")
        uid = put_new(readable)
        readable.flush()
        with pytest.raises(BlobExistsError):
            _put_and_flush(uid, b"other", readable)
        later = put_new(readable)
        readable.flush()
        assert read(readable, later) == content_of(later, 1000)

    def test_a_missing_blob_is_reported_as_such(self, store: DataBackend) -> None:
        uid = new_uid()
        with pytest.raises(BlobNotFoundError, match=uid):
            read(store, uid)
        with pytest.raises(BlobNotFoundError, match=uid):
            store.stored_size(uid)

    def test_a_missing_blob_will_be_missing_later_too(self, store: DataBackend) -> None:
        for call in (lambda: read(store, new_uid()), lambda: store.stored_size(new_uid())):
            with pytest.raises(BlobNotFoundError) as raised:
                call()
            assert not raised.value.retryable, "the store answered: not retryable"

    def test_a_blob_longer_than_the_buffer_is_damaged(self, readable: DataBackend) -> None:
        uid = put_new(readable, 1000)
        readable.flush()
        with pytest.raises(BlobDamagedError, match=uid):
            read(readable, uid, 999)

    def test_a_blob_above_the_largest_size_is_refused(self, readable: DataBackend) -> None:
        limit = readable.capabilities.max_blob_bytes
        if limit > 256 * MIB:
            pytest.skip(f"declares max_blob_bytes={limit}, too much to try")
        uid = new_uid()
        with mmap.mmap(-1, limit + 1) as zeros, memoryview(zeros) as view, pytest.raises(DataBackendError) as raised:
            readable.put(uid, view)
        assert not raised.value.retryable, "the same blob will be too large later, too: not retryable"
        assert uid not in listed(readable)

    def test_a_deleted_blob_is_gone_and_the_others_stay(self, readable: DataBackend) -> None:
        gone, stays = put_new(readable), put_new(readable)
        readable.flush()
        readable.delete([gone])
        with pytest.raises(BlobNotFoundError):
            read(readable, gone)
        assert gone not in listed(readable)
        assert read(readable, stays) == content_of(stays, 1000)

    def test_a_blob_that_was_read_is_gone_when_it_was_deleted(self, readable: DataBackend) -> None:
        uid = put_new(readable)
        readable.flush()
        assert (len(read(readable, uid)), readable.stored_size(uid)) == (1000, 1000)
        readable.delete([uid])
        for call in (lambda: read(readable, uid), lambda: readable.stored_size(uid)):
            with pytest.raises(BlobNotFoundError):
                call()

    def test_deleting_goes_on_behind_what_is_not_there(self, readable: DataBackend) -> None:
        uids = [put_new(readable) for _ in range(3)]
        readable.flush()
        readable.delete([new_uid(), uids[0], new_uid(), uids[1], uids[1], uids[2]])
        assert not set(uids) & listed(readable).keys(), "a blob stayed behind one that is not there"

    def test_a_blob_deleted_before_the_flush_does_not_come_back(self, readable: DataBackend) -> None:
        gone, stays = put_new(readable), put_new(readable)
        readable.delete([gone])
        readable.flush()
        assert gone not in listed(readable)
        assert stays in listed(readable)

    def test_deleting_what_is_not_there_is_no_error(self, store: DataBackend) -> None:
        uid = put_new(store)
        store.flush()
        store.delete([new_uid(), uid, new_uid()])
        store.delete([uid])
        store.delete([])

    def test_each_blob_is_listed_once(self, readable: DataBackend) -> None:
        sizes = {put_new(readable, size): size for size in range(100)}
        readable.flush()
        sizes |= {put_new(readable, size): size for size in range(100, 150)}
        found = listed(readable)
        assert {uid: found.get(uid) for uid in sizes} == sizes

    def test_blobs_beside_which_others_come_and_go_are_listed_once(self, readable: DataBackend) -> None:
        stay, go = {put_new(readable) for _ in range(60)}, [put_new(readable) for _ in range(60)]
        readable.flush()
        seen: list[BlobUid] = []
        for row in readable.list_blobs():
            seen.append(row.uid)
            if go:
                readable.delete([go.pop()])
                put_new(readable)
                readable.flush()
        assert sorted(uid for uid in seen if uid in stay) == sorted(stay)

    def test_a_blob_that_is_deleted_as_it_is_listed_hides_no_other(self, readable: DataBackend) -> None:
        mine = {put_new(readable) for _ in range(60)}
        readable.flush()
        seen: list[BlobUid] = []
        for row in readable.list_blobs():
            seen.append(row.uid)
            if row.uid in mine and len(seen) % 2:
                readable.delete([row.uid])
        assert sorted(uid for uid in seen if uid in mine) == sorted(mine)

    def test_more_blobs_than_a_page_are_listed_once_and_deleted_in_one_call(self, readable: DataBackend) -> None:
        uids = [new_uid() for _ in range(MORE_THAN_A_PAGE)]
        with ThreadPoolExecutor(PUTTING_THREADS) as pool:
            list(pool.map(lambda uid: put(readable, uid, b""), uids))
        readable.flush()
        found = listed(readable)
        assert set(uids) <= found.keys(), f"of {len(uids)} blobs not all were listed"
        readable.delete(uids)
        assert not set(uids) & listed(readable).keys(), f"of {len(uids)} blobs not all were deleted"

    def test_two_listings_do_not_disturb_each_other(self, readable: DataBackend) -> None:
        uids = {put_new(readable) for _ in range(30)}
        readable.flush()
        one, other = readable.list_blobs(), readable.list_blobs()
        next(one)
        assert uids <= {row.uid for row in other}
        abandoned = readable.list_blobs()
        next(abandoned)

    def test_a_flush_with_nothing_to_do_is_no_error(self, store: DataBackend) -> None:
        store.flush()
        put_new(store)
        store.flush()
        store.flush()

    def test_capabilities_and_location_say_something(self, store: DataBackend) -> None:
        before = store.capabilities
        assert before.threads >= 1, "capabilities.threads: expected at least 1"
        assert before.max_blob_bytes >= 64 * MIB, "capabilities.max_blob_bytes: expected at least 64 MiB"
        assert store.location, "location must say where the store is"
        put_new(store)
        store.flush()
        assert store.capabilities == before, "capabilities must not change"


def _put_and_flush(uid: BlobUid, data: bytes, store: DataBackend, first: DataBackend | None = None) -> None:
    """Put and flush, ``first`` before; a store may refuse a uid in any of the calls."""
    put(store, uid, data)
    if first is not None:
        first.flush()
    store.flush()
