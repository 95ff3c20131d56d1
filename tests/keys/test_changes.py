"""One change of keys at a time: what becomes of one that slept, and of one that was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine import key_change
from backy2_core.engine.key_change import changing_keys
from backy2_core.engine.key_document import KeyDocument, new_document, parse
from backy2_core.engine.key_master import MasterKey
from backy2_core.engine.key_place import KeyPlace
from backy2_core.engine.keyring import StoreKeyring
from backy2_core.engine.store import open_store
from backy2_core.errors import JobLostError, RefusedError
from backy2_core.model.job import JobKind, JobState, NewJob
from backy2_core.wrappers.forwarding import ForwardingDataBackend
from tests.support.engines import open_database, open_folder_store

RING = StoreKeyring(bytes(range(32)))
ONE, TWO = MasterKey("one", b"1" * 32), MasterKey("two", b"2" * 32)


class Sleepy(ForwardingDataBackend):
    """A store in which writing takes longer than the lease of the change."""

    def __init__(self, inner: DataBackend, meta: MetaBackend) -> None:
        super().__init__(inner)
        self._meta = meta

    def write_document(self, name: str, data: bytes) -> None:
        self.inner.write_document(name, data)
        lose_leases(self._meta)


def lose_leases(meta: MetaBackend) -> None:
    """Let the lease of each live job run out, as if its process had slept."""
    for job in meta.jobs([JobState.LIVE]):
        meta.renew_job(job.id, 0.0, 0.0)
    while meta.jobs([JobState.LIVE]):
        meta.expire_jobs()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[KeyPlace]:
    with open_database(tmp_path) as meta, open_folder_store(tmp_path) as data:
        made = KeyPlace(meta, data, open_store(meta, data, "file"))
        assert made.create(new_document(RING, [ONE]))
        yield made


def document_of(place: KeyPlace) -> KeyDocument:
    look = place.look()
    assert look is not None
    return look.document


def test_a_change_whose_lease_ran_out_writes_nothing(place: KeyPlace) -> None:
    before = document_of(place)
    with changing_keys(place, "a test") as change:
        lose_leases(place.meta)
        with pytest.raises(JobLostError):
            change.write(before.with_slot(RING, TWO))
    assert document_of(place) == before
    assert place.meta.read_note(place.store, "keys") is None


def test_a_change_that_slept_while_it_wrote_says_that_another_may_be_lost(place: KeyPlace) -> None:
    sleepy = KeyPlace(place.meta, Sleepy(place.data, place.meta), place.store)
    with pytest.raises(JobLostError, match="may have been written over"), changing_keys(sleepy, "a test") as change:
        change.write(document_of(place).with_slot(RING, TWO))
    assert [slot.id for slot in document_of(place).slots] == ["one", "two"]


def test_the_copy_in_the_database_follows_a_change(place: KeyPlace) -> None:
    with changing_keys(place, "a test") as change:
        change.write(document_of(place).with_slot(RING, TWO))
    note = place.meta.read_note(place.store, "keys")
    assert note is not None
    assert parse(note) == document_of(place)
    assert [job.state for job in place.meta.jobs(list(JobState))] == [JobState.ENDED]


def test_a_change_goes_on_once_the_lease_of_a_killed_one_ran_out(place: KeyPlace) -> None:
    place.meta.begin_job(NewJob(JobKind.KEYS, "host", 1, "killed", 0.3))
    with changing_keys(place, "a test") as change:
        change.write(document_of(place).with_slot(RING, TWO))
    assert [slot.id for slot in document_of(place).slots] == ["one", "two"]


def test_a_change_that_does_not_end_is_named(place: KeyPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_change, "PATIENCE_S", 0.1)
    job = place.meta.begin_job(NewJob(JobKind.KEYS, "another-host", 4711, "busy", 60.0))
    with (
        pytest.raises(RefusedError, match=rf"job {job.id} on another-host \(process 4711\)"),
        changing_keys(place, "x"),
    ):
        pass
    assert [live.id for live in place.meta.jobs([JobState.LIVE])] == [job.id]


def test_the_lease_is_shorter_than_the_patience_of_the_next() -> None:
    assert key_change.LEASE_S < key_change.PATIENCE_S


def test_other_jobs_do_not_hinder_a_change(place: KeyPlace) -> None:
    for kind in JobKind:
        if kind is not JobKind.KEYS:
            place.meta.begin_job(NewJob(kind, "host", 1, "busy", 60.0))
    with changing_keys(place, "a test") as change:
        change.write(document_of(place))
