"""The suites for data backends, sources and targets find out what breaks a promise: each wrong object fails its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from backy2_core.contracts.data_backend import DataBackend, StoredBlob
from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.errors import BackyError, BlobDamagedError, BlobNotFoundError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.model.extent import Extent
from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.testing.memory import MemoryDataBackend, MemorySource, MemoryStore, MemoryTarget
from backy2_core.testing.source import SourceSuite, TargetSubject, TargetSuite

SIZE = 1024 * 1024 + 100


class KeepsTheBuffer(MemoryDataBackend):
    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data)
        self._pending[uid] = data  # type: ignore[assignment]


class Overwrites(MemoryDataBackend):
    def put(self, uid: BlobUid, data: memoryview) -> None:
        self.store.blobs.pop(uid, None)
        super().put(uid, data)


class FoldsCase(MemoryDataBackend):
    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(BlobUid(uid.lower()), data)


class CutsToTheBuffer(MemoryDataBackend):
    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        try:
            return super().get(uid, buffer)
        except BlobDamagedError:
            buffer[:] = self._find(uid)[: len(buffer)]
            return len(buffer)


class RaisesItsOwnErrors(MemoryDataBackend):
    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        try:
            return super().get(uid, buffer)
        except BlobNotFoundError as error:
            raise KeyError(uid) from error


class CannotDeleteTwice(MemoryDataBackend):
    def delete(self, uids: Sequence[BlobUid]) -> None:
        for uid in uids:
            self._find(uid)
        super().delete(uids)


class ListsPendingOnlyAfterAFlush(MemoryDataBackend):
    def list_blobs(self) -> Iterator[StoredBlob]:
        return (row for row in super().list_blobs() if row.uid in self.store.blobs)


class ListsTwice(MemoryDataBackend):
    def list_blobs(self) -> Iterator[StoredBlob]:
        rows = list(super().list_blobs())
        return iter(rows + rows[:1])


class NeverFlushes(MemoryDataBackend):
    def flush(self) -> None:
        pass


class ForgetsDeletedBeforeFlush(MemoryDataBackend):
    def delete(self, uids: Sequence[BlobUid]) -> None:
        for uid in uids:
            self.store.blobs.pop(uid, None)


class TakesAnySize(MemoryDataBackend):
    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data) <= self.capabilities.max_blob_bytes:
            super().put(uid, data)


class CannotCloseTwice(MemoryDataBackend):
    def close(self) -> None:
        if self._closed:
            raise DataBackendError("closed already")
        super().close()


class CreatesNotAtomically(MemoryDataBackend):
    def create_document(self, name: str, data: bytes) -> bool:
        made = self.read_document(name) is None
        self.write_document(name, data)
        return made


class MixesDocumentsAndBlobs(MemoryDataBackend):
    def list_blobs(self) -> Iterator[StoredBlob]:
        yield from super().list_blobs()
        for name, data in self.store.documents.items():
            yield StoredBlob(BlobUid(name), len(data))


@pytest.mark.parametrize(
    ("backend", "promise"),
    [
        (KeepsTheBuffer, "test_the_buffer_of_a_put_is_not_kept"),
        (Overwrites, "test_a_uid_is_refused_the_second_time"),
        (FoldsCase, "test_uids_that_differ_only_in_case_are_two_blobs"),
        (CutsToTheBuffer, "test_a_blob_longer_than_the_buffer_is_damaged"),
        (RaisesItsOwnErrors, "test_a_missing_blob_is_reported_as_such"),
        (CannotDeleteTwice, "test_deleting_what_is_not_there_is_no_error"),
        (ListsPendingOnlyAfterAFlush, "test_a_blob_is_listed_before_the_flush"),
        (ListsTwice, "test_each_blob_is_listed_once"),
        (NeverFlushes, "test_flushed_blobs_are_there_after_closing"),
        (NeverFlushes, "test_a_flush_shows_blobs_to_a_second_object"),
        (ForgetsDeletedBeforeFlush, "test_a_blob_deleted_before_the_flush_does_not_come_back"),
        (TakesAnySize, "test_a_blob_above_the_largest_size_is_refused"),
        (CannotCloseTwice, "test_closing_twice_does_nothing"),
        (CreatesNotAtomically, "test_a_document_is_created_only_once"),
        (MixesDocumentsAndBlobs, "test_documents_and_blobs_are_apart"),
    ],
)
def test_a_wrong_data_backend_is_found_out(backend: type[MemoryDataBackend], promise: str) -> None:
    durable = MemoryStore()
    store = backend(durable)
    fixtures: dict[str, Any] = {
        "store": store,
        "readable": store,
        "persistent": store,
        "open_store": lambda: backend(durable),
        "folder": "kit/",
    }
    _expect_failure(DataBackendSuite(), promise, fixtures)
    _expect_success(DataBackendSuite(), promise, fixtures, MemoryDataBackend())


class ReadsZerosBehindTheEnd(MemorySource):
    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self._content[offset : offset + len(buffer)].ljust(len(buffer), b"\0")


class LeavesOutData(MemorySource):
    def allocated(self) -> Iterator[Extent]:
        yield Extent(0, 4096)


class YieldsBackwards(MemorySource):
    def allocated(self) -> Iterator[Extent]:
        yield from (Extent(SIZE // 2, SIZE - SIZE // 2), Extent(0, SIZE // 2))


@pytest.mark.parametrize(
    ("source", "promise"),
    [
        (ReadsZerosBehindTheEnd, "test_reading_beyond_the_end_is_an_error_and_no_zeros"),
        (LeavesOutData, "test_what_is_not_allocated_reads_as_zeros"),
        (YieldsBackwards, "test_allocated_ranges_ascend_within_the_device"),
    ],
)
def test_a_wrong_source_is_found_out(source: type[MemorySource], promise: str) -> None:
    content = bytes(range(1, 101)) * (SIZE // 100 + 1)
    _expect_failure(SourceSuite(), promise, {"source": source(content[:SIZE]), "content": content[:SIZE]})


class ZeroesNothing(MemoryTarget):
    def zero(self, offset: int, length: int) -> None:
        pass


class WritesOnlyAPart(MemoryTarget):
    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data[:40_000])


class OverwritesUnasked(MemoryTarget):
    def __init__(self, request: TargetRequest, content: bytearray | None = None) -> None:
        super().__init__(TargetRequest(request.size_bytes, force=True, sparse=True), content)


@pytest.mark.parametrize(
    ("target", "promise"),
    [
        (ZeroesNothing, "test_what_was_there_is_replaced_when_forced"),
        (ZeroesNothing, "test_the_shortest_ranges_are_zeroed"),
        (WritesOnlyAPart, "test_every_byte_is_where_it_was_written"),
        (OverwritesUnasked, "test_what_exists_is_refused_without_force"),
    ],
)
def test_a_wrong_target_is_found_out(target: type[MemoryTarget], promise: str) -> None:
    device: list[bytearray] = []

    def open_target(request: TargetRequest) -> Target:
        opened = target(request, device[0] if device else None)
        device[:] = [opened.content]
        return opened

    subject = TargetSubject(open_target, lambda: bytes(device[0]), SIZE)
    _expect_failure(
        TargetSuite(), promise, {"subject": subject, "request_new": TargetRequest(SIZE, force=False, sparse=True)}
    )


def _run(suite: object, promise: str, fixtures: dict[str, Any]) -> None:
    test: Callable[..., None] = getattr(suite, promise)
    names = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    test(**{name: fixtures[name] for name in names})


def _expect_failure(suite: object, promise: str, fixtures: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, BackyError, KeyError, BufferError)):
        _run(suite, promise, fixtures)


def _expect_success(suite: object, promise: str, fixtures: dict[str, Any], right: DataBackend) -> None:
    """The same test passes for what is right, so that the failure was the wrong object's."""
    assert isinstance(right, MemoryDataBackend)
    same = dict.fromkeys(("store", "readable", "persistent"), right)
    _run(suite, promise, fixtures | same | {"open_store": lambda: MemoryDataBackend(right.store)})
