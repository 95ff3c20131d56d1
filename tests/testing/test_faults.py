"""Fault injection does what it was told, when it was told, and nothing else; other reference objects do the least."""

from __future__ import annotations

import inspect

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.source import TargetRequest
from backy2_core.errors import BlobNotFoundError, DataBackendError, MetaBackendError, SourceError, TargetError
from backy2_core.model.job import JobState
from backy2_core.testing.data_backend_base import content_of, listed, put_new, read
from backy2_core.testing.faults import FaultyDataBackend
from backy2_core.testing.faulty_devices import FaultySource, FaultyTarget
from backy2_core.testing.faulty_meta_backend import FaultyMetaBackend
from backy2_core.testing.memory import MemoryDataBackend, MemorySource, MemoryStore, MemoryTarget
from backy2_core.testing.meta_backend_base import begin
from tests.meta_backends.test_sql import open_sqlite


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


def test_a_store_that_is_broken_down_fails_at_every_call_until_that_is_forgotten(store: FaultyDataBackend) -> None:
    uid = put_new(store)
    store.break_down(DataBackendError("out of reach", retryable=True))
    for _ in range(2):
        with pytest.raises(DataBackendError, match="out of reach"):
            read(store, uid)
    store.heal()
    assert read(store, uid) == content_of(uid, 1000)


def test_a_source_fails_and_changes_as_it_was_told() -> None:
    source = FaultySource(MemorySource(bytes(1000), identity="same"))
    source.fail("read_into", SourceError("bad sector"), call=2)
    source.change(7)
    buffer = bytearray(10)
    source.read_into(0, memoryview(buffer))
    assert buffer == bytes(7) + b"\xff" + bytes(2)
    with pytest.raises(SourceError, match="bad sector"):
        source.read_into(0, memoryview(buffer))
    assert (source.size_bytes, source.identity, len(list(source.allocated()))) == (1000, "same", 1)
    source.close()
    assert source.calls == {"read_into": 2, "allocated": 1, "close": 1}


def test_a_target_fails_as_it_was_told() -> None:
    inner = MemoryTarget(TargetRequest(100, force=False, sparse=True))
    target = FaultyTarget(inner)
    target.fail("flush", TargetError("full"), after=True)
    target.write(3, memoryview(b"abc"))
    target.zero(4, 1)
    with pytest.raises(TargetError, match="full"):
        target.flush()
    assert inner.durable == bytes(3) + b"a\0c" + bytes(94)


def test_a_database_fails_as_it_was_told_and_passes_everything_on(tmp_path) -> None:
    with FaultyMetaBackend(open_sqlite(tmp_path / "meta.sqlite")) as meta:
        meta.initialise()
        meta.fail("begin_job", MetaBackendError("the answer was lost", retryable=True), after=True)
        with pytest.raises(MetaBackendError, match="lost"):
            begin(meta)
        assert [job.state for job in meta.jobs(set(JobState))] == [JobState.LIVE]
        assert meta.location == meta.inner.location
    contract, faulty = (dict(inspect.getmembers(kind, inspect.isfunction)) for kind in (MetaBackend, FaultyMetaBackend))
    methods = [name for name in contract if not name.startswith("__")]
    assert [name for name in methods if faulty[name] is contract[name]] == [], "not passed on"
    assert [name for name in methods if inspect.signature(faulty[name]) != inspect.signature(contract[name])] == []
