"""Fault injection does what it was told, when it was told, and nothing else."""

from __future__ import annotations

import pytest

from backy2_core.errors import BlobNotFoundError, DataBackendError
from backy2_core.testing.data_backend_base import content_of, listed, put_new, read
from backy2_core.testing.faults import FaultyDataBackend
from backy2_core.testing.memory import MemoryDataBackend, MemoryStore


@pytest.fixture
def store() -> FaultyDataBackend:
    return FaultyDataBackend(MemoryDataBackend())


def test_the_nth_call_fails_before_it_is_carried_out(store: FaultyDataBackend) -> None:
    put_new(store)
    store.fail("put", DataBackendError("now"), call=2, times=2)
    put_new(store)
    for _ in range(2):
        with pytest.raises(DataBackendError, match="now"):
            put_new(store)
    put_new(store)
    assert len(listed(store)) == 3


def test_a_call_may_fail_after_it_was_carried_out(store: FaultyDataBackend) -> None:
    store.fail("put", DataBackendError("late"), after=True)
    with pytest.raises(DataBackendError, match="late"):
        put_new(store)
    assert len(listed(store)) == 1


def test_anything_may_be_done_at_a_call(store: FaultyDataBackend) -> None:
    sizes = []
    store.run("flush", lambda: sizes.append(len(listed(store))), times=2)
    for _ in range(3):
        put_new(store)
        store.flush()
    assert sizes == [1, 2]


def test_a_method_that_does_not_exist_is_refused(store: FaultyDataBackend) -> None:
    with pytest.raises(ValueError, match="no method puts"):
        store.fail("puts", DataBackendError(""))


def test_damage_is_seen_by_reading_and_can_be_healed(store: FaultyDataBackend) -> None:
    lost, flipped, cut, one, other = uids = [put_new(store) for _ in range(5)]
    store.flush()
    store.lose(lost)
    store.corrupt(flipped, 7)
    store.truncate(cut, 10)
    store.swap(one, other)
    with pytest.raises(BlobNotFoundError, match=lost):
        read(store, lost)
    with pytest.raises(BlobNotFoundError, match=lost):
        store.stored_size(lost)
    assert [
        i for i, (a, b) in enumerate(zip(read(store, flipped), content_of(flipped, 1000), strict=True)) if a != b
    ] == [7]
    assert read(store, cut) == content_of(cut, 10)
    assert (read(store, one), read(store, other)) == (content_of(other, 1000), content_of(one, 1000))
    assert listed(store) == {flipped: 1000, cut: 10, one: 1000, other: 1000}
    store.heal()
    assert [read(store, uid) for uid in uids] == [content_of(uid, 1000) for uid in uids]


def test_a_crash_loses_what_was_not_flushed_and_nothing_else() -> None:
    durable = MemoryStore()
    store = MemoryDataBackend(durable)
    kept = put_new(store)
    store.flush()
    store.write_document("a", b"1")
    put_new(store)
    store.crash()
    with pytest.raises(DataBackendError, match="closed"):
        put_new(store)
    with MemoryDataBackend(durable) as after:
        assert listed(after).keys() == {kept}
        assert after.read_document("a") == b"1"
