"""The live check finds a broken data backend, names the promise, and leaves the store as it was."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import pytest

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobDamagedError, BlobNotFoundError, DataBackendError, RefusedError
from backy2_core.model.blob import BlobUid, JobToken, job_token_of
from backy2_core.testing import live_blobs, live_documents
from backy2_core.testing.live import Outcome, Verdict
from backy2_core.testing.live_store import FOLDER, LEFT_BEHIND_MINUTES, Run, StoreScratch, is_scratch
from backy2_core.testing.memory import MemoryDataBackend, MemoryStore

Open = Callable[[], DataBackend]


def check(open_store: Open, **options: float) -> list[Outcome]:
    with StoreScratch(open_store, **options) as scratch:
        return [*live_blobs.PROMISES.check(scratch), *live_documents.PROMISES.check(scratch)]


def broken(outcomes: Sequence[Outcome]) -> list[str]:
    return [each.promise for each in outcomes if each.verdict is Verdict.BROKEN]


class Nameless(MemoryDataBackend):
    location = ""  # type: ignore[assignment]


class Forgets(MemoryDataBackend):
    """Blobs of other than full pages lose their end."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data[: len(data) // 2] if len(data) == 65_537 else data)


class HidesTheNew(MemoryDataBackend):
    """Nothing is read before it was flushed."""

    def _find(self, uid: BlobUid) -> bytes:
        if uid in self._pending:
            raise BlobNotFoundError(f"there is no blob {uid}")
        return super()._find(uid)


class Selfish(MemoryDataBackend):
    """Flushing keeps blobs to itself."""

    def flush(self) -> None:
        return None


class Overwrites(MemoryDataBackend):
    """Refuses, but too late."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        taken = uid in self.store.blobs
        if taken:
            self.store.blobs[uid] = bytes(data)
        super().put(uid, data)


class KeepsBuffers(MemoryDataBackend):
    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data)
        self._pending[uid] = data  # type: ignore[assignment]

    def flush(self) -> None:
        self._pending = {uid: bytes(data) for uid, data in self._pending.items()}
        super().flush()


class WritesTooMuch(MemoryDataBackend):
    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        length = super().get(uid, buffer)
        if buffer.nbytes == 200:
            assert isinstance(buffer.obj, bytearray)
            buffer.obj[-1:] = b"!"
        return length


class SaysKeyError(MemoryDataBackend):
    def _find(self, uid: BlobUid) -> bytes:
        return self._pending.get(uid) or self.store.blobs[uid]


class KeepsItsUids(MemoryDataBackend):
    def _find(self, uid: BlobUid) -> bytes:
        try:
            return super()._find(uid)
        except BlobNotFoundError as error:
            raise BlobNotFoundError("not there") from error


class Cuts(MemoryDataBackend):
    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        try:
            return super().get(uid, buffer)
        except BlobDamagedError:
            return len(buffer)


class NeverDeletes(MemoryDataBackend):
    def delete(self, uids: Sequence[BlobUid]) -> None:
        return None


class DeletesAll(MemoryDataBackend):
    def delete(self, uids: Sequence[BlobUid]) -> None:
        self.store.blobs.clear()
        self._pending.clear()


class DeletesTheSpareToo(MemoryDataBackend):
    """Takes one blob of somebody else with it."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        super().delete([*uids, BlobUid("spare")])


class ChangesTheSpare(MemoryDataBackend):
    def delete(self, uids: Sequence[BlobUid]) -> None:
        super().delete(uids)
        self.store.blobs[BlobUid("spare")] = b"other"


class MissesTheMissing(MemoryDataBackend):
    def delete(self, uids: Sequence[BlobUid]) -> None:
        for uid in uids:
            self._find(uid)
        super().delete(uids)


class ListsTwice(MemoryDataBackend):
    def list_blobs(self) -> Iterator[StoredBlob]:
        for row in super().list_blobs():
            yield row
            yield row


class ListsOtherSizes(MemoryDataBackend):
    def list_blobs(self) -> Iterator[StoredBlob]:
        return (StoredBlob(row.uid, row.stored_size + 1) for row in super().list_blobs())


class ListsHalf(MemoryDataBackend):
    def list_blobs(self) -> Iterator[StoredBlob]:
        return (row for number, row in enumerate(super().list_blobs()) if number % 2)


class OneBuffer(MemoryDataBackend):
    """Reads through a buffer that all threads share."""

    shared = bytearray(8 << 20)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        data = self._find(uid)
        if len(data) == 20_000:
            self.shared[: len(data)] = data
            time.sleep(0.001)
            data = bytes(self.shared[: len(data)])
        if len(data) > len(buffer):
            raise BlobDamagedError(f"blob {uid} is too long")
        buffer[: len(data)] = data
        return len(data)


class ShowsHalf(MemoryDataBackend):
    """A large blob is seen while it is written, unless nobody looks at that very moment."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data) == 4 << 20 and threading.active_count() > 1:
            self._pending[uid] = bytes(data[: 1 << 20])
            time.sleep(0.2)
            del self._pending[uid]
        super().put(uid, data)


class ClosesOnce(MemoryDataBackend):
    def close(self) -> None:
        if self._closed:
            raise ValueError("closed twice")
        super().close()


class CutsDocuments(MemoryDataBackend):
    def write_document(self, name: str, data: bytes) -> None:
        super().write_document(name, data[:100_000])


class EmptyDocuments(MemoryDataBackend):
    def read_document(self, name: str) -> bytes | None:
        return super().read_document(name) or b""


class KeepsDocuments(MemoryDataBackend):
    def delete_document(self, name: str) -> None:
        if not name.startswith(FOLDER):
            super().delete_document(name)


class ListsOneFolder(MemoryDataBackend):
    """Names with more slashes are overlooked."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return (name for name in super().list_documents(prefix) if name.count("/") < 4)


class ManyCreate(MemoryDataBackend):
    def create_document(self, name: str, data: bytes) -> bool:
        there = self.read_document(name) is not None
        time.sleep(0.01)
        self.write_document(name, data)
        return not there


class ReplacesInPlace(MemoryDataBackend):
    def write_document(self, name: str, data: bytes) -> None:
        if name.endswith("replaced") and name in self.store.documents:
            super().write_document(name, b"")
            time.sleep(0.01)
        super().write_document(name, data)


class OwnDocuments(MemoryDataBackend):
    """Documents are seen by who wrote them only."""

    numbers = count()

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self._first = not store.documents

    def read_document(self, name: str) -> bytes | None:
        return super().read_document(name) if self._first else None


FAULTS: list[tuple[type[MemoryDataBackend], str]] = [
    (Nameless, "it says where it is and what it is good at"),
    (Forgets, "blobs of 0 bytes to 4 MiB are kept whole"),
    (HidesTheNew, "a blob is read as soon as put returned"),
    (Selfish, "a second object sees a blob once flush returned"),
    (Selfish, "a flushed blob is there after closing and opening again"),
    (Overwrites, "a uid that is taken is refused, and its blob does not change"),
    (KeepsBuffers, "the buffer of a put is not kept"),
    (WritesTooMuch, "get writes its bytes to the beginning of the buffer, and nothing else"),
    (SaysKeyError, "a missing blob is reported as missing, with its uid"),
    (KeepsItsUids, "a missing blob is reported as missing, with its uid"),
    (Cuts, "a blob longer than the buffer is an error, and is not cut"),
    (NeverDeletes, "a deleted blob is gone, and others stay"),
    (DeletesAll, "a deleted blob is gone, and others stay"),
    (MissesTheMissing, "deleting what is not there, or nothing, is no error"),
    (ListsTwice, "a listing has each blob once, with its size, and no deleted one"),
    (ListsOtherSizes, "a listing has each blob once, with its size, and no deleted one"),
    (ListsHalf, "a listing has each blob once, with its size, and no deleted one"),
    (OneBuffer, "many threads put, read and delete at once"),
    (ShowsHalf, "a blob is seen whole or not at all while it is put"),
    (ClosesOnce, "flushing with nothing to do, and closing twice, is no error"),
    (CutsDocuments, "documents of 0 bytes to 1 MiB are kept whole, and replaced whole"),
    (EmptyDocuments, "a missing document is None, and deleting it is no error"),
    (KeepsDocuments, "a deleted document is gone"),
    (ListsOneFolder, "documents are listed by the beginning of their names, each once"),
    (ManyCreate, "of many that create a document one succeeds"),
    (ReplacesInPlace, "a reader sees the old or the new document while it is replaced"),
    (OwnDocuments, "a second object sees a document without a flush"),
    (KeepsDocuments, "what the check has put is removed again"),
    (NeverDeletes, "what the check has put is removed again"),
    (DeletesTheSpareToo, "blobs that were there before are as they were"),
    (ChangesTheSpare, "blobs that were there before are as they were"),
]


@pytest.fixture
def store() -> MemoryStore:
    """A store with something in it."""
    return MemoryStore({BlobUid("spare"): b"somebody's"}, {"versions/x": b"1"})


@pytest.mark.parametrize(("kind", "promise"), FAULTS, ids=[f"{kind.__name__}: {what}" for kind, what in FAULTS])
def test_a_planted_fault_is_found(store: MemoryStore, kind: type[MemoryDataBackend], promise: str) -> None:
    with StoreScratch(lambda: kind(store)) as scratch:
        checks = (each.check(scratch) for each in (live_blobs.PROMISES, live_documents.PROMISES))
        found = next(each for outcomes in checks for each in outcomes if each.promise == promise)
    assert (found.verdict, bool(found.reason)) == (Verdict.BROKEN, True)


def test_every_promise_has_a_planted_fault() -> None:
    assert {promise for _, promise in FAULTS} == {*live_blobs.PROMISES.texts, *live_documents.PROMISES.texts}


def test_a_store_that_keeps_its_promises_is_left_as_it_was(store: MemoryStore) -> None:
    before = dict(store.blobs), dict(store.documents)
    outcomes = check(lambda: MemoryDataBackend(store))
    assert {each.verdict for each in outcomes} == {Verdict.KEPT}
    assert all(each.ms >= 0 for each in outcomes)
    assert (store.blobs, store.documents) == before


def test_a_store_that_gives_nothing_back_is_refused(store: MemoryStore) -> None:
    sink = DataCapabilities(readable=False)
    with pytest.raises(RefusedError, match="readable=False"):
        check(lambda: MemoryDataBackend(store, capabilities=sink))
    assert list(store.documents) == ["versions/x"]


def test_what_does_not_fit_is_skipped_with_the_reason(store: MemoryStore) -> None:
    outcomes = check(lambda: MemoryDataBackend(store, capabilities=DataCapabilities(persistent=False)))
    skipped = [each for each in outcomes if each.verdict is Verdict.SKIPPED]
    assert len(skipped) == 3
    assert {each.reason for each in skipped} == {"it declares persistent=False"}


def test_a_store_that_cannot_refuse_a_uid_is_not_called_broken(store: MemoryStore) -> None:
    class TakesTwice(MemoryDataBackend):
        def put(self, uid: BlobUid, data: memoryview) -> None:
            self.delete([uid])
            super().put(uid, data)

    outcomes = check(lambda: TakesTwice(store))
    assert not broken(outcomes)
    assert [each.reason for each in outcomes if each.verdict is Verdict.SKIPPED] == [
        "this store relies on uids being unique: it took one twice"
    ]


def test_a_listing_without_end_is_given_up(store: MemoryStore) -> None:
    class Endless(MemoryDataBackend):
        def list_blobs(self) -> Iterator[StoredBlob]:
            yield from super().list_blobs()
            yield from (StoredBlob(BlobUid(f"{number:032x}"), 1) for number in count())

        def _find(self, uid: BlobUid) -> bytes:
            return b"1" if uid.startswith("00000000000000000000") else super()._find(uid)

    outcomes = check(lambda: Endless(store), listing_s=0.05)
    (listing,) = [each for each in outcomes if each.verdict is not Verdict.KEPT]
    assert (listing.verdict, "given up after 0.05 seconds" in listing.reason) == (Verdict.SKIPPED, True)


def test_an_error_that_is_none_of_ours_and_one_that_may_pass_are_told_apart(store: MemoryStore) -> None:
    class Flaky(MemoryDataBackend):
        def flush(self) -> None:
            raise DataBackendError("the server is busy", retryable=True)

    reasons = {each.reason for each in check(lambda: Flaky(store)) if each.verdict is Verdict.BROKEN}
    assert any("check again" in reason for reason in reasons)
    reasons = {each.reason for each in check(lambda: SaysKeyError(store)) if each.verdict is Verdict.BROKEN}
    assert any("KeyError" in reason for reason in reasons)


def test_an_interruption_removes_what_was_put(store: MemoryStore) -> None:
    before = dict(store.blobs), dict(store.documents)

    def interrupted() -> None:
        with StoreScratch(lambda: MemoryDataBackend(store)) as scratch:
            for _ in range(3):
                scratch.put()
            scratch.store.flush()
            scratch.store.write_document(f"{scratch.run.folder}more", b"1")
            assert len(store.blobs) == 4
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (store.blobs, store.documents) == before


def test_what_a_killed_check_left_is_removed_a_day_later_and_nothing_else(store: MemoryStore) -> None:
    before = dict(store.blobs), dict(store.documents)
    with StoreScratch(lambda: MemoryDataBackend(store)) as now:
        minute = now.run.minute
    old = Run(JobToken("c4ecc4ec00000001"), minute - LEFT_BEHIND_MINUTES - 1)
    young = Run(JobToken("c4ecc4ec00000002"), minute - LEFT_BEHIND_MINUTES + 60)
    for run in (old, young):
        store.documents[f"{run.folder}run"] = b"1"
        store.documents[f"{run.folder}more"] = b"1"
        store.blobs[run.uid(0)] = store.blobs[run.uid(255)] = b"1"
    store.documents[f"{FOLDER}somebody's"] = b"1"
    check(lambda: MemoryDataBackend(store))
    left = [uid for uid in store.blobs if is_scratch(uid)]
    assert left == [young.uid(0), young.uid(255)]
    del store.blobs[young.uid(0)], store.blobs[young.uid(255)], store.documents[f"{FOLDER}somebody's"]
    del store.documents[f"{young.folder}run"], store.documents[f"{young.folder}more"]
    assert (store.blobs, store.documents) == before


def test_uids_have_the_form_of_ours_and_a_token_that_no_job_has() -> None:
    draw = random.Random(3)
    for _ in range(100):
        run = Run(JobToken(f"c4ecc4ec{draw.getrandbits(32):08x}"), draw.randrange(1 << 36))
        number = draw.randrange(256)
        assert job_token_of(run.uid(number)) == run.token
        assert is_scratch(run.uid(number))
    assert not is_scratch("spare")
