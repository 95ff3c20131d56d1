"""The wrapper that retries: what may pass is tried again, for a limited time, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import (
    BlobDamagedError,
    BlobExistsError,
    BlobNotFoundError,
    BlobsKeptError,
    DataBackendError,
)
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import content_of, listed, new_uid, put, put_new, read
from backy2_core.testing.faults import FaultyDataBackend
from backy2_core.testing.memory import MemoryDataBackend
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def inner() -> FaultyDataBackend:
    return FaultyDataBackend(MemoryDataBackend())


@pytest.fixture
def store(inner: FaultyDataBackend, clock: Clock) -> RetryingDataBackend:
    return RetryingDataBackend(
        inner,
        Patience(
            limit_s=10,
            first_wait_s=1,
            longest_wait_s=4,
            sleep=clock.sleep,
            clock=lambda: clock.now,
            draw=lambda: 1.0,
        ),
    )


def _passing() -> DataBackendError:
    return DataBackendError("out of reach", retryable=True)


def _get_missing(store: DataBackend) -> None:
    with pytest.raises(BlobNotFoundError):
        read(store, new_uid())


def _size_missing(store: DataBackend) -> None:
    with pytest.raises(BlobNotFoundError):
        store.stored_size(new_uid())


CALLS: dict[str, Callable[[DataBackend], object]] = {
    "put": put_new,
    "get": _get_missing,
    "stored_size": _size_missing,
    "delete": lambda store: store.delete([new_uid()]),
    "list_blobs": listed,
    "write_document": lambda store: store.write_document("a", b""),
    "create_document": lambda store: store.create_document("a", b""),
    "read_document": lambda store: store.read_document("a"),
    "list_documents": lambda store: list(store.list_documents("")),
    "delete_document": lambda store: store.delete_document("a"),
}


@pytest.mark.parametrize("method", CALLS)
def test_what_may_pass_is_tried_again(
    method: str, store: RetryingDataBackend, inner: FaultyDataBackend, clock: Clock
) -> None:
    inner.fail(method, _passing(), times=2)
    CALLS[method](store)
    assert inner.calls[method] == 3
    assert clock.slept == [1, 2]


@pytest.mark.parametrize("method", CALLS)
def test_what_does_not_pass_is_reported_at_once(
    method: str, store: RetryingDataBackend, inner: FaultyDataBackend, clock: Clock
) -> None:
    error = DataBackendError("no such bucket")
    inner.fail(method, error, times=2)
    with pytest.raises(DataBackendError) as caught:
        CALLS[method](store)
    assert caught.value is error
    assert clock.slept == []


def test_waits_grow_up_to_the_longest_and_end_within_the_limit(
    store: RetryingDataBackend, inner: FaultyDataBackend, clock: Clock
) -> None:
    inner.fail("read_document", _passing(), times=100)
    with pytest.raises(DataBackendError, match="out of reach"):
        store.read_document("a")
    assert clock.slept == [1, 2, 4]


def test_waits_are_drawn_from_their_upper_half(inner: FaultyDataBackend, clock: Clock) -> None:
    draws = iter([0.0, 0.5])
    store = RetryingDataBackend(
        inner, Patience(first_wait_s=1, sleep=clock.sleep, clock=lambda: clock.now, draw=lambda: next(draws))
    )
    inner.fail("read_document", _passing(), times=2)
    store.read_document("a")
    assert clock.slept == [0.5, 1.5]


def test_a_flush_is_never_tried_again(store: RetryingDataBackend, inner: FaultyDataBackend, clock: Clock) -> None:
    inner.fail("flush", _passing())
    put_new(store)
    with pytest.raises(DataBackendError, match="out of reach"):
        store.flush()
    assert (inner.calls["flush"], clock.slept) == (1, [])


def test_a_put_that_was_carried_out_though_it_failed_is_no_error(
    store: RetryingDataBackend, inner: FaultyDataBackend
) -> None:
    inner.fail("put", _passing(), after=True)
    uid = put_new(store)
    assert inner.calls["put"] == 2
    assert read(store, uid) == content_of(uid, 1000)


def test_a_uid_that_was_there_before_is_refused(store: RetryingDataBackend, inner: FaultyDataBackend) -> None:
    uid = put_new(store)
    with pytest.raises(BlobExistsError):
        put(store, uid, content_of(uid, 1000))
    inner.fail("put", _passing())
    with pytest.raises(BlobExistsError):
        put(store, uid, b"of another length")


def test_a_document_that_was_created_though_it_failed_was_created_by_this_call(
    store: RetryingDataBackend, inner: FaultyDataBackend
) -> None:
    inner.fail("create_document", _passing(), after=True)
    assert store.create_document("a", b"mine")
    inner.fail("create_document", _passing())
    assert not store.create_document("a", b"of another")


def test_a_listing_that_breaks_off_is_not_begun_anew(store: RetryingDataBackend, inner: FaultyDataBackend) -> None:
    class BreaksOff(MemoryDataBackend):
        def list_blobs(self):
            yield from list(super().list_blobs())[:2]
            raise _passing()

    inner.inner = BreaksOff()
    for _ in range(4):
        put_new(store)
    rows = store.list_blobs()
    assert len([next(rows), next(rows)]) == 2
    with pytest.raises(DataBackendError, match="out of reach"):
        next(rows)
    assert inner.calls["list_blobs"] == 1


def test_a_listing_that_can_be_resumed_is_and_names_each_blob_once(
    store: RetryingDataBackend, inner: FaultyDataBackend, clock: Clock
) -> None:
    class Resuming(MemoryDataBackend):
        """Fails twice before each third row, and goes on where it failed."""

        @property
        def capabilities(self) -> DataCapabilities:
            return DataCapabilities(resumes_listings=True)

        def list_blobs(self) -> Iterator[StoredBlob]:
            return Stumbling(super().list_blobs())

    class Stumbling(Iterator[StoredBlob]):
        def __init__(self, rows: Iterator[StoredBlob]) -> None:
            self.rows = rows
            self.calls = 0

        def __next__(self) -> StoredBlob:
            self.calls += 1
            if self.calls % 5 in (3, 4):
                raise _passing()
            return next(self.rows)

    memory = Resuming()
    store.inner = memory
    uids = {put_new(store) for _ in range(7)}
    assert listed(store).keys() == uids
    assert clock.slept
    memory.list_blobs = lambda: Stumbling(iter([]))  # type: ignore[method-assign]
    assert listed(store) == {}


def test_a_listing_that_stays_broken_is_an_error_and_no_end(store: RetryingDataBackend, clock: Clock) -> None:
    class Broken(MemoryDataBackend):
        @property
        def capabilities(self) -> DataCapabilities:
            return DataCapabilities(resumes_listings=True)

        def list_blobs(self) -> Iterator[StoredBlob]:
            return iter(broken, None)

    def broken() -> StoredBlob:
        raise DataBackendError("out of reach", retryable=next(answers))

    store.inner = Broken()
    for pattern in ([True] * 50, [False]):
        answers = iter(pattern)
        with pytest.raises(DataBackendError, match="out of reach"):
            list(store.list_blobs())


def test_a_blob_that_comes_damaged_three_times_is_damaged(
    store: RetryingDataBackend, inner: FaultyDataBackend, clock: Clock
) -> None:
    uid = put_new(store)
    inner.fail("get", BlobDamagedError("wrong checksum", retryable=True), times=2)
    assert read(store, uid) == content_of(uid, 1000)
    inner.fail("get", BlobDamagedError("wrong checksum", retryable=True), times=3)
    with pytest.raises(BlobDamagedError):
        read(store, uid)
    assert clock.slept == [1, 2, 1, 2]
    inner.fail("get", BlobDamagedError("too long"))
    with pytest.raises(BlobDamagedError):
        read(store, uid)
    assert clock.slept == [1, 2, 1, 2]


def test_what_the_store_kept_for_a_passing_reason_is_tried_again_and_nothing_else(
    store: RetryingDataBackend, inner: FaultyDataBackend
) -> None:
    asked: list[list[str]] = []

    class Keeping(MemoryDataBackend):
        def delete(self, uids: Sequence[BlobUid]) -> None:
            asked.append(list(uids))
            kept = [uid for uid in uids if uid in busy]
            if kept:
                busy.remove(kept[0])
                raise BlobsKeptError("busy", kept, retryable=True)

    store.inner = Keeping()
    one, two, three = (new_uid() for _ in range(3))
    busy = [one, two]
    store.delete([one, two, three])
    assert asked == [[one, two, three], [one, two], [two]]
    asked.clear()
    store.inner = FaultyDataBackend(MemoryDataBackend())
    store.inner.fail("delete", BlobsKeptError("locked", [one]))
    with pytest.raises(BlobsKeptError):
        store.delete([one])
    assert store.inner.calls["delete"] == 1
