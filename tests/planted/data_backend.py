"""Data backends that break one promise each."""

from __future__ import annotations

import ctypes
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobDamagedError, BlobExistsError, BlobNotFoundError, BlobsKeptError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.testing.durability import DurabilitySuite
from backy2_core.testing.outage import Outage
from tests.planted.fault import Faults
from tests.planted.stores import PASSWORD, DistantStore, FileReference, Reference, Rows

PAGE = 1000
A_WHILE_S = 0.002

FAULTS = Faults("data_backend", (DataCapabilities, StoredBlob, DataBackend))
plant = FAULTS.plant

# -- capabilities


@plant("concurrent calls that serve it best, at least 1")
class ServedByNoThread(Reference):
    """Declares that no call at all serves it best."""

    def declared(self) -> DataCapabilities:
        return DataCapabilities(threads=0)


@plant("the largest blob it takes, at least 64 MiB")
class TakesLittle(Reference):
    """Takes at most a MiB."""

    def declared(self) -> DataCapabilities:
        return DataCapabilities(max_blob_bytes=1024 * 1024)


@plant("False where blobs are gone (or were never kept) when the object is closed")
class ForgetsWhenClosed(Reference):
    """Is not persistent, and says it is."""

    def close(self) -> None:
        if not self._closed:
            self.store.blobs.clear()
        super().close()


@plant("False where what is put cannot be got back (a sink for measuring)")
class IsASink(Reference):
    """Swallows all, and says it can be read."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, memoryview(bytes(len(data))))


@plant(
    "may be asked for the next row again, and goes on where it failed",
    "A generator cannot: it would seem to have come to its end.",
)
class ListsByGenerator(Reference):
    """Says that listings resume, but an error ends them."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        return (row for row in super().list_blobs())

    def list_documents(self, prefix: str) -> Iterator[str]:
        return (name for name in super().list_documents(prefix))


@plant("What this store is good at; does not change")
class ChangesItsMind(Reference):
    """Declares something else at each call."""

    asked = 0

    @property
    def capabilities(self) -> DataCapabilities:
        self.asked += 1
        return DataCapabilities(threads=self.asked, resumes_listings=True)


@plant("What this store is good at; does not change, and can be asked for after closing too")
class ForgetsItsAbilities(Reference):
    """Does not say what it is good at once it was closed."""

    @property
    def capabilities(self) -> DataCapabilities:
        if self._closed:
            raise DataBackendError("memory was closed")
        return super().capabilities


@plant("Where the store is, for messages; without secrets.")
class ShowsItsPassword(Reference):
    """Puts the password into its location."""

    @property
    def location(self) -> str:
        return f"memory://user:{self.password}@host"


@plant("Where the store is, for messages; without secrets. Can be asked for after closing too.")
class ForgetsWhereItIs(Reference):
    """Does not say where it is once it was closed."""

    @property
    def location(self) -> str:
        if self._closed:
            raise DataBackendError("memory was closed")
        return "memory"


# -- atomic


@plant("a blob is seen whole or not at all, by every reader")
class GrowsWhileItIsPut(Reference):
    """Shows the first half of a blob before the second is there."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        with self._opened():
            there = uid in self._pending or uid in self.store.blobs
        if there:
            raise BlobExistsError(f"blob {uid} is there already")
        if len(data) > self.capabilities.max_blob_bytes:
            super().put(uid, data)
        self._pending[uid] = bytes(data[: len(data) // 2])
        time.sleep(A_WHILE_S)
        self._pending[uid] = bytes(data)


@plant(
    "also after the writer was killed or the machine lost power at any moment",
    "There is no partial blob under a blob's name.",
)
class WritesInPlace(FileReference):
    """Writes a blob under its own name, piece by piece."""

    def store_blob(self, path: Path, data: memoryview) -> None:
        with open(path, "xb", buffering=0) as file:
            for at in range(0, len(data), 65536):
                file.write(data[at : at + 65536])
                time.sleep(A_WHILE_S)
            self.sync_file(file.fileno())


# -- read after write


@plant("once put returned, get and list_blobs of the same object see the blob")
class ShowsOnlyWhatWasFlushed(Reference):
    """Gets nothing that was not flushed."""

    def _find(self, uid: BlobUid) -> bytes:
        with self._opened() as store:
            if uid not in store.blobs:
                raise BlobNotFoundError(f"there is no blob {uid}")
            return store.blobs[uid]


@plant("once put returned, get and list_blobs of the same object see the blob")
class ListsOnlyWhatWasFlushed(Reference):
    """Lists nothing that was not flushed."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        rows = list(super().list_blobs())
        return Rows(self, [row for row in rows if row.uid not in self._pending])


@plant("once flush returned, those of every other process too")
class FlushesWhenClosed(Reference):
    """Keeps to itself what was flushed until it is closed."""

    flushed = False

    def flush(self) -> None:
        with self._opened():
            self.flushed = True

    def close(self) -> None:
        if self.flushed and not self._closed:
            super().flush()
        super().close()


@plant("once flush returned, those of every other process too")
class ListsFromMemory(Reference):
    """Lists what was there when it was first asked, and what it put itself."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._known = set(self.store.blobs)

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data)
        self._known.add(uid)

    def list_blobs(self) -> Iterator[StoredBlob]:
        return Rows(self, [row for row in super().list_blobs() if row.uid in self._known])


# -- durable


@plant("once flush returned, every blob whose put returned before flush was called survives a power loss")
class FlushesAllButTheLast(Reference):
    """Leaves the last blob behind."""

    def flush(self) -> None:
        last = dict([self._pending.popitem()]) if self._pending else {}
        super().flush()
        self._pending.update(last)


@plant("once flush returned, every blob whose put returned before flush was called survives a power loss")
class FlushesItsOwnThread(Reference):
    """Flushes only what the same thread put."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._by: dict[BlobUid, int] = {}

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data)
        self._by[uid] = threading.get_ident()

    def flush(self) -> None:
        with self._opened():
            others = {uid: b for uid, b in self._pending.items() if self._by[uid] != threading.get_ident()}
            for uid in others:
                del self._pending[uid]
            super().flush()
            self._pending.update(others)


@plant("once flush returned, every blob whose put returned before flush was called survives a power loss")
class NeverSyncsBlobs(FileReference):
    """Leaves the bytes of a blob to the kernel."""

    def store_blob(self, path: Path, data: memoryview) -> None:
        temporary = self.folder / "new" / path.name
        temporary.write_bytes(data)
        try:
            path.hardlink_to(temporary)
        finally:
            temporary.unlink()


@plant("Return only when every blob put before this call is durable.")
class NeverSyncsItsFolder(FileReference):
    """Leaves the names of blobs to the kernel."""

    def flush(self) -> None:
        with self.translated():
            pass


@plant("Documents are durable when their call returns")
class NeverSyncsTheNamesOfDocuments(FileReference):
    """Leaves the names of documents to the kernel."""

    def sync_written(self) -> None:
        pass


@plant("Documents are durable when their call returns", "replacing one of that name atomically; durable on return")
class KeepsDocumentsForFlush(Reference):
    """Writes documents with the next flush or an orderly close only."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._late: dict[str, bytes] = {}

    def write_document(self, name: str, data: bytes) -> None:
        with self._opened():
            self._late[name] = data

    def read_document(self, name: str) -> bytes | None:
        return super().read_document(name) if name not in self._late else self._late[name]

    def list_documents(self, prefix: str) -> Iterator[str]:
        late = {name for name in self._late if name.startswith(prefix)}
        return Rows(self, list(late | set(super().list_documents(prefix))))

    def delete_document(self, name: str) -> None:
        self._late.pop(name, None)
        super().delete_document(name)

    def flush(self) -> None:
        super().flush()
        self.store.documents.update(self._late)

    def close(self) -> None:
        if not self._closed:
            self.store.documents.update(self._late)
        super().close()


@plant("durably gone when delete_document returns")
class NeverSyncsDeletions(FileReference):
    """Leaves the end of a document to the kernel."""

    def sync_deleted(self) -> None:
        pass


# -- never overwritten


@plant("put of a uid that is there raises BlobExistsError and changes nothing, at the latest in flush")
class Overwrites(Reference):
    """Puts a second time without a word."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        with self._opened() as store:
            store.blobs.pop(uid, None)
            self._pending.pop(uid, None)
        super().put(uid, data)


@plant("put of a uid that is there raises BlobExistsError and changes nothing, at the latest in flush")
class OverwritesWhatOthersFlushed(Reference):
    """Does not look whether another process has put the uid meanwhile."""

    def flush(self) -> None:
        with self._opened() as store:
            store.blobs.update(self._pending)
            self._pending.clear()


@plant("put of a uid that is there raises BlobExistsError and changes nothing")
class ComplainsAndOverwrites(Reference):
    """Says that the blob is there, and changes it."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        try:
            super().put(uid, data)
        except BlobExistsError:
            self._pending[uid] = bytes(data)
            raise


@plant("put of a uid that is there raises BlobExistsError")
class ComplainsInGeneral(Reference):
    """Refuses a second put with an error that says nothing of the kind."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        try:
            super().put(uid, data)
        except BlobExistsError as error:
            raise DataBackendError(str(error)) from error

    def flush(self) -> None:
        try:
            super().flush()
        except BlobExistsError as error:
            raise DataBackendError(str(error)) from error


# -- threads


@plant("all methods may be called from several threads at once, except close")
class PutsThroughOneBuffer(Reference):
    """All puts go through one buffer."""

    _room = bytearray()

    def put(self, uid: BlobUid, data: memoryview) -> None:
        self._room = bytearray(data)
        time.sleep(A_WHILE_S)
        super().put(uid, memoryview(self._room))


@plant("all methods may be called from several threads at once, except close")
class GetsThroughOneBuffer(Reference):
    """All gets go through one buffer."""

    _found = b""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        self._found = self._find(uid)
        if len(self._found) > len(buffer):
            return super().get(uid, buffer)
        time.sleep(A_WHILE_S)
        found = self._found[: len(buffer)]
        buffer[: len(found)] = found
        return len(found)


@plant("all methods may be called from several threads at once, except close")
class DeletesThroughOneList(Reference):
    """A delete forgets its blobs when another begins."""

    _doomed: list[BlobUid]

    def delete(self, uids: Sequence[BlobUid]) -> None:
        self._doomed = list(uids)
        time.sleep(A_WHILE_S)
        while self._doomed:
            super().delete([self._doomed.pop()])


@plant("all methods may be called from several threads at once, except close")
class ListsWhatMoves(Reference):
    """Goes through a dictionary while others change it."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        with self._opened():
            pass
        rows = []
        for blobs in (self.store.blobs, self._pending):
            for uid, data in blobs.items():
                rows.append(StoredBlob(uid, len(data)))
                time.sleep(0)
        return Rows(self, rows)


# -- buffers


@plant(
    "none is kept, nor a view of one",
    "Buffers belong to the caller, who may change or release them as soon as the call returned",
)
class KeepsTheBuffer(Reference):
    """Copies what was put at the flush only."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data)
        self._pending[uid] = data  # type: ignore[assignment]

    def flush(self) -> None:
        self._pending = {uid: bytes(data) for uid, data in self._pending.items()}
        super().flush()


@plant(
    "none is kept, nor a view of one",
    "Buffers belong to the caller, who may change or release them as soon as the call returned",
)
class HoldsAView(Reference):
    """Copies what was put, but holds a view of the buffer."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data)
        self.last = memoryview(data)


@plant(
    "none is kept, nor a view of one",
    "Buffers belong to the caller, who may change or release them as soon as the call returned",
)
class HoldsAViewOfWhatItFilled(Reference):
    """Holds a view of the buffer that was filled last."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        self.last = memoryview(buffer)
        return super().get(uid, buffer)


@plant("They may be a part of a larger one")
class PutsTheWholeBuffer(Reference):
    """Stores all of the object behind the view."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, memoryview(data.obj))


@plant("They may be a part of a larger one")
class FillsFromTheBeginning(Reference):
    """Fills the object behind the view from its beginning."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        data = self._find(uid)
        if len(data) > len(buffer):
            return super().get(uid, buffer)
        memoryview(buffer.obj)[: len(data)] = data
        return len(data)


@plant("that of a put may be read-only")
class NeedsAWritableBuffer(Reference):
    """Takes the address of the buffer, as a C library would, which a read-only one has not."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data):
            (ctypes.c_char * len(data)).from_buffer(data)
        super().put(uid, data)


# -- errors


@plant("everything becomes backy2_core.errors.DataBackendError or a subclass")
class LetsKeyErrorsOut(Reference):
    """Lets the error of a dictionary out."""

    def _find(self, uid: BlobUid) -> bytes:
        with self._opened() as store:
            return {**store.blobs, **self._pending}[uid]


@plant("everything becomes backy2_core.errors.DataBackendError or a subclass")
class LetsConnectionErrorsOut(Reference):
    """Lets the error of the network out."""

    def unreachable(self, error: Exception | None = None) -> Exception:
        return ConnectionResetError(f"{self.location}: connection reset by peer")


@plant("with the uid, the name of the document or the location in the message")
class SaysNothing(Reference):
    """Does not say which blob is missing."""

    def _find(self, uid: BlobUid) -> bytes:
        try:
            return super()._find(uid)
        except BlobNotFoundError:
            raise BlobNotFoundError("no such blob") from None


@plant("with the uid, the name of the document or the location in the message")
class SaysNothingOfOutages(Reference):
    """Does not say what cannot be reached."""

    def unreachable(self, error: Exception | None = None) -> Exception:
        return DataBackendError("a connection was refused", retryable=True)


@plant("Where the store is, for messages; without secrets.")
class TellsItsPassword(Reference):
    """Puts the password into the message of an error."""

    def _find(self, uid: BlobUid) -> bytes:
        try:
            return super()._find(uid)
        except BlobNotFoundError as error:
            raise BlobNotFoundError(f"{error} (asked with {self.password})") from None


@plant("retryable set where the same call may succeed later: while the store cannot be reached, for one")
class GivesUp(Reference):
    """Says of an outage that it will not pass."""

    def unreachable(self, error: Exception | None = None) -> Exception:
        return DataBackendError(f"{self.location} cannot be reached")


@plant("retryable set where the same call may succeed later")
class NeverGivesUp(Reference):
    """Says of a missing blob that it may come."""

    def _find(self, uid: BlobUid) -> bytes:
        try:
            return super()._find(uid)
        except BlobNotFoundError as error:
            raise BlobNotFoundError(str(error), retryable=True) from None


@plant("or does not answer in time", "No call waits for ever.", patience_s=1.0)
class WaitsForEver(Reference):
    """Waits for a server that does not answer (not for ever, so that the tests end)."""

    def patience_s(self) -> float:
        return 3.0


@plant("or does not answer in time")
class GivesUpOnTheSilent(Reference):
    """Says of a server that did not answer that it never will."""

    def unreachable(self, error: Exception | None = None) -> Exception:
        silent = isinstance(error, TimeoutError)
        return DataBackendError(f"{self.location} cannot be reached: {error}", retryable=not silent)


@plant(
    "Where the store cannot be reached, nothing is said to be missing, to be there or to be damaged.",
    "A time-out or an unreachable store is neither.",
)
class CallsMissingWhatItCannotReach(Reference):
    """Takes an outage for a missing blob."""

    def _find(self, uid: BlobUid) -> bytes:
        try:
            return super()._find(uid)
        except DataBackendError as error:
            if error.retryable:
                raise BlobNotFoundError(f"there is no blob {uid}") from error
            raise


@plant(
    "Where the store cannot be reached, nothing is said to be missing, to be there or to be damaged.",
    "A time-out or an unreachable store is neither.",
)
class CallsDamagedWhatItCannotReach(Reference):
    """Takes an outage for damage."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        try:
            return super().get(uid, buffer)
        except DataBackendError as error:
            if error.retryable:
                raise BlobDamagedError(f"blob {uid} is damaged", retryable=True) from error
            raise


def _answers_when_away(method: str, answer: Any) -> Any:
    """A method that takes an outage for an answer."""

    def call(self: Reference, *args: Any) -> Any:
        return answer if self.distant.away else getattr(Reference, method)(self, *args)

    return call


NOTHING_SAID = "Where the store cannot be reached, nothing is said to be missing, to be there or to be damaged."


@plant(NOTHING_SAID)
class ListsNothingInAnOutage(Reference):
    """Lists nothing while the store cannot be reached."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        return iter(()) if self.distant.away else super().list_blobs()


@plant(NOTHING_SAID)
class ListsNoDocumentsInAnOutage(Reference):
    """Lists no documents while the store cannot be reached."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return iter(()) if self.distant.away else super().list_documents(prefix)


@plant(NOTHING_SAID)
class ReadsNoDocumentInAnOutage(Reference):
    """Says that there is no document while the store cannot be reached."""

    read_document = _answers_when_away("read_document", None)


@plant(NOTHING_SAID)
class FindsDocumentsInAnOutage(Reference):
    """Says that a document is there already while the store cannot be reached."""

    create_document = _answers_when_away("create_document", False)


@plant("Delete these blobs.")
class DeletesNothingInAnOutage(Reference):
    """Says nothing when it could not delete."""

    delete = _answers_when_away("delete", None)


@plant("Delete a document; one that is not there is no error.")
class DeletesNoDocumentInAnOutage(Reference):
    """Says nothing when it could not delete a document."""

    delete_document = _answers_when_away("delete_document", None)


@plant("Store a small document")
class WritesNoDocumentInAnOutage(Reference):
    """Says nothing when it could not write a document."""

    write_document = _answers_when_away("write_document", None)


@plant("Return only when every blob put before this call is durable.")
class FlushesNothingInAnOutage(Reference):
    """Says nothing when it could not flush."""

    flush = _answers_when_away("flush", None)


@plant(NOTHING_SAID)
class CallsThereWhatItCannotReach(Reference):
    """Takes an outage for a blob that is there already."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if self.distant.away:
            raise BlobExistsError(f"blob {uid} is there already", retryable=True)
        super().put(uid, data)


# -- put


@plant("Store data, which may be empty, under uid")
class StoresNothingEmpty(Reference):
    """Stores no empty blob."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data):
            super().put(uid, data)
        else:
            with self._opened():
                pass


@plant("Store data, which may be empty, under uid")
class CutsWhatIsLarge(Reference):
    """Stores the first 8 MiB."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, data if len(data) > self.capabilities.max_blob_bytes else data[: 8 * 1024 * 1024])


@plant("Store data, which may be empty, under uid")
class FillsUpToWholeSectors(Reference):
    """Pads a blob to a multiple of 512."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        super().put(uid, memoryview(bytes(data) + bytes(-len(data) % 512)))


@plant("letters and digits, of which case matters")
class FoldsCase(Reference):
    """Takes two uids that differ in case for one."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if uid.lower() in {known.lower() for known in [*self.store.blobs, *self._pending]}:
            raise BlobExistsError(f"blob {uid} is there already")
        super().put(uid, data)


@plant("letters and digits, of which case matters; ours have 32")
class RefusesOtherUids(Reference):
    """Takes uids of 32 hex digits only."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if not re.fullmatch("[0-9a-f]{32}", uid):
            raise DataBackendError(f"{uid} is no uid")
        super().put(uid, data)


@plant("More than max_blob_bytes are refused with a DataBackendError that is not retryable, and nothing is stored.")
class TakesTooMuch(Reference):
    """Has no bound."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data) <= self.capabilities.max_blob_bytes:
            super().put(uid, data)
            return
        with self._opened():
            self._pending[uid] = bytes(data)


@plant("More than max_blob_bytes are refused with a DataBackendError that is not retryable, and nothing is stored.")
class RetriesTooMuch(Reference):
    """Says that a blob that is too large may become smaller."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if len(data) > self.capabilities.max_blob_bytes:
            raise DataBackendError(f"blob {uid} is too large", retryable=True)
        super().put(uid, data)


@plant("More than max_blob_bytes are refused with a DataBackendError that is not retryable, and nothing is stored.")
class KeepsTheBeginningOfTooMuch(Reference):
    """Refuses what is too large, and keeps its beginning."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        try:
            super().put(uid, data)
        except BlobExistsError:
            raise
        except DataBackendError:
            if not self._closed and not self.distant.away and self.server is None:
                self._pending[uid] = bytes(data[:1000])
            raise


@plant("Puts may go on beside it.")
class LosesWhatIsPutBesideAFlush(Reference):
    """Forgets what was put while it flushed."""

    def flush(self) -> None:
        with self._opened() as store:
            batch = dict(self._pending)
            if there := batch.keys() & store.blobs.keys():
                self._pending.clear()
                raise BlobExistsError(f"blob {min(there)} is there already")
        time.sleep(10 * A_WHILE_S)
        with self._opened() as store:
            store.blobs.update(batch)
            self._pending.clear()


# -- get


@plant("leave the rest as it is")
class ClearsTheRest(Reference):
    """Fills the rest of the buffer with zeros."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        length = super().get(uid, buffer)
        buffer[length:] = bytes(len(buffer) - length)
        return length


@plant("return the length in bytes")
class ReturnsTheRoom(Reference):
    """Returns the length of the buffer."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        super().get(uid, buffer)
        return len(buffer)


@plant("Read the blob into the beginning of buffer")
class FillsTheEnd(Reference):
    """Fills the end of the buffer."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        length = super().get(uid, memoryview(bytearray(len(buffer))))
        super().get(uid, buffer[len(buffer) - length :])
        return length


@plant("Raises BlobNotFoundError if there is none")
class CallsMissingDamaged(Reference):
    """Calls a blob that is missing damaged."""

    def _find(self, uid: BlobUid) -> bytes:
        try:
            return super()._find(uid)
        except BlobNotFoundError as error:
            raise BlobDamagedError(f"blob {uid} cannot be read") from error


@plant("Raises BlobNotFoundError if there is none")
class ReadsNothingWhereNothingIs(Reference):
    """Takes a missing blob for an empty one."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        try:
            return super().get(uid, buffer)
        except BlobNotFoundError:
            return 0


@plant("Raises BlobNotFoundError if there is none")
class RemembersWhatItRead(Reference):
    """Gets what it read before, though it was deleted since."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._read: dict[BlobUid, bytes] = {}

    def _find(self, uid: BlobUid) -> bytes:
        try:
            found = super()._find(uid)
        except BlobNotFoundError:
            if uid in self._read:
                return self._read[uid]
            raise
        return self._read.setdefault(uid, found)


@plant("BlobDamagedError if it is longer than the buffer")
class CutsToTheRoom(Reference):
    """Gets as much as there is room for."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        data = self._find(uid)[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


@plant("BlobDamagedError if it is longer than the buffer")
class CallsTheLongWrong(Reference):
    """Calls a blob that is too long an error of the store."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        try:
            return super().get(uid, buffer)
        except BlobDamagedError as error:
            raise DataBackendError(str(error)) from error


@plant("or the store itself finds its bytes damaged")
class FlipsABit(Reference):
    """Gets other bytes than were put."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        length = super().get(uid, buffer)
        if length > 100:
            buffer[length - 1] ^= 1
        return length


@plant("Length of the blob in bytes")
class RoundsSizes(Reference):
    """Tells sizes in whole sectors."""

    def stored_size(self, uid: BlobUid) -> int:
        return -(-super().stored_size(uid) // 512) * 512


@plant("Length of the blob in bytes; raises BlobNotFoundError if there is none.")
class MeasuresWhatIsMissing(Reference):
    """Says that a missing blob has no bytes."""

    def stored_size(self, uid: BlobUid) -> int:
        try:
            return super().stored_size(uid)
        except BlobNotFoundError:
            return 0


# -- delete


@plant("One that is not there is no error.")
class MissesWhatIsGone(Reference):
    """Complains of a blob that is not there."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        for uid in uids:
            self._find(uid)
            super().delete([uid])


@plant("One that is not there is no error.")
class StopsAtWhatIsGone(Reference):
    """Stops, without a word, at the first that is not there."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        try:
            for uid in uids:
                self._find(uid)
                super().delete([uid])
        except BlobNotFoundError:
            pass
        else:
            super().delete([])


@plant("What was put and not flushed is deleted too.")
class DeletesOnlyWhatWasFlushed(Reference):
    """Leaves what was not flushed."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        pending = dict(self._pending)
        super().delete(uids)
        self._pending.update(pending)


@plant("Delete these blobs.")
class DeletesForItselfOnly(Reference):
    """Deletes what was not flushed, but nothing from the store."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        with self._opened():
            for uid in uids:
                self._pending.pop(uid, None)


@plant("Delete these blobs.")
class DeletesOnePage(Reference):
    """Deletes the first thousand."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        super().delete(uids[:PAGE])


@plant("Delete these blobs.")
class DeletesTooMuch(Reference):
    """Deletes all blobs that begin with the same letters."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        super().delete(uids)
        with self._opened() as store:
            for blobs in (store.blobs, self._pending):
                for uid in [uid for uid in blobs if any(uid[:2] == doomed[:2] for doomed in uids)]:
                    blobs.pop(uid)


@plant("Raises BlobsKeptError with the uids of those that the store keeps, when all others are gone.")
class KeepsWhatItCannot(Reference):
    """Says that it keeps what it has deleted."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        super().delete(uids)
        if len(uids) > 1:
            raise BlobsKeptError(f"{self.location} keeps {len(uids)} blobs", list(uids))


# -- listing


@plant("every other blob is in it exactly once", "Every blob, in no order, one after the other.")
class ListsNoLastPage(Reference):
    """Leaves out what does not fill a page."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        rows = list(super().list_blobs())
        return Rows(self, rows if len(rows) <= PAGE else rows[: len(rows) // PAGE * PAGE])


@plant("every other blob is in it exactly once")
class ListsTwiceAtAPageEnd(Reference):
    """Lists the last of a page again as the first of the next."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        rows = list(super().list_blobs())
        return Rows(self, [row for at in range(0, len(rows), PAGE) for row in rows[max(at - 1, 0) : at + PAGE]])


@plant("every other blob is in it exactly once")
class ListsByPosition(Reference):
    """Goes by position, so that a blob that is deleted lets another be left out."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        with self._opened():
            pass
        return Positions(self, lambda: list(Reference.list_blobs(self)))


@plant("every other is in it exactly once")
class ListsDocumentsByPosition(Reference):
    """Goes by position, so that a document that is deleted lets another be left out."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        with self._opened():
            pass
        return Positions(self, lambda: list(Reference.list_documents(self, prefix)))


class Positions(Rows):
    """Rows that are read anew for each step."""

    def __init__(self, backend: Reference, read: Any) -> None:
        super().__init__(backend, [])
        self._read = read

    def __next__(self) -> Any:
        self._rows = self._read()
        return super().__next__()


@plant("every other blob is in it exactly once")
class ListsDocumentsAmongBlobs(Reference):
    """Lists documents as blobs."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        rows = list(super().list_blobs())
        return Rows(self, rows + [StoredBlob(BlobUid(name), len(data)) for name, data in self.store.documents.items()])


@plant("every other blob is in it exactly once")
class ListsWrongSizes(Reference):
    """Lists no sizes."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        return Rows(self, [StoredBlob(row.uid, 0) for row in super().list_blobs()])


@plant("It may be left unfinished, and several may run at once.")
class ListsOneAtATime(Reference):
    """Lets a second listing go on where the first stands."""

    _running: Any = None

    def list_blobs(self) -> Iterator[StoredBlob]:
        rows = list(super().list_blobs())
        if self._running is None or self._running._next >= len(self._running._rows):
            self._running = Rows(self, rows)
        return self._running


@plant("It may be left unfinished, and several may run at once.")
class WaitsForListings(Reference):
    """Takes no work until a listing came to its end."""

    _listing: Any = None

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if self._listing is not None and self._listing._next < len(self._listing._rows):
            raise DataBackendError(f"{self.location}: a listing is under way", retryable=True)
        super().put(uid, data)

    def list_blobs(self) -> Iterator[StoredBlob]:
        self._listing = super().list_blobs()
        return self._listing


# -- documents


@plant(
    "Store a small document (it may be empty, and has seldom more than a MiB), replacing one of that name atomically"
)
class AppendsToDocuments(Reference):
    """Appends to a document that is there."""

    def write_document(self, name: str, data: bytes) -> None:
        with self._opened() as store:
            store.documents[name] = store.documents.get(name, b"") + data


@plant("replacing one of that name atomically")
class RewritesDocumentsInPlace(Reference):
    """Lets readers see half of a document."""

    def write_document(self, name: str, data: bytes) -> None:
        super().write_document(name, data[: len(data) // 2])
        time.sleep(A_WHILE_S)
        super().write_document(name, data)


@plant("replacing one of that name atomically")
class RemovesDocumentsBeforeWriting(Reference):
    """Lets readers see no document while it is replaced."""

    def write_document(self, name: str, data: bytes) -> None:
        super().delete_document(name)
        time.sleep(A_WHILE_S)
        super().write_document(name, data)


@plant("it may be empty")
class ForgetsEmptyDocuments(Reference):
    """Takes an empty document for none."""

    def read_document(self, name: str) -> bytes | None:
        return super().read_document(name) or None


@plant("has seldom more than a MiB")
class CutsDocuments(Reference):
    """Keeps 64 KiB of a document."""

    def write_document(self, name: str, data: bytes) -> None:
        super().write_document(name, data[:65536])

    def create_document(self, name: str, data: bytes) -> bool:
        return super().create_document(name, data[:65536])


class Renamed(Reference):
    """Keeps documents under other names; the base of those that mix names up."""

    def kept(self, name: str) -> str:
        return name

    def write_document(self, name: str, data: bytes) -> None:
        super().write_document(self.kept(name), data)

    def create_document(self, name: str, data: bytes) -> bool:
        return super().create_document(self.kept(name), data)

    def read_document(self, name: str) -> bytes | None:
        return super().read_document(self.kept(name))

    def delete_document(self, name: str) -> None:
        super().delete_document(self.kept(name))


@plant("Names are [a-z0-9._-]+ with / between parts")
class FlattensNames(Renamed):
    """Writes a slash as an underscore."""

    def kept(self, name: str) -> str:
        return name.replace("/", "_")

    def list_documents(self, prefix: str) -> Iterator[str]:
        return super().list_documents(self.kept(prefix))


@plant("Names are [a-z0-9._-]+ with / between parts")
class KeepsOneEnding(Renamed):
    """Takes what stands behind the first dot of the last part for an ending that does not matter."""

    def kept(self, name: str) -> str:
        folder, slash, last = name.rpartition("/")
        return folder + slash + (last[0] + last[1:].partition(".")[0])


@plant("at most 100 characters a part and 200 in all")
class CutsNames(Renamed):
    """Keeps 150 characters of a name."""

    def kept(self, name: str) -> str:
        return name[:150]


@plant("at most 100 characters a part and 200 in all")
class CutsPartsOfNames(Renamed):
    """Keeps 64 characters of a part of a name."""

    def kept(self, name: str) -> str:
        return "/".join(part[:64] for part in name.split("/"))


@plant("Store a document only if there is none of that name; True if this call made it.")
class CreatesAnew(Reference):
    """Replaces a document that is there."""

    def create_document(self, name: str, data: bytes) -> bool:
        made = super().create_document(name, data)
        if not made:
            super().write_document(name, data)
        return made


@plant("True if this call made it.")
class AlwaysCreates(Reference):
    """Says that it made what was there."""

    def create_document(self, name: str, data: bytes) -> bool:
        super().create_document(name, data)
        return True


@plant("Atomic between callers.")
class LooksThenWrites(Reference):
    """Looks whether a document is there, then writes it."""

    def create_document(self, name: str, data: bytes) -> bool:
        if self.read_document(name) is not None:
            return False
        time.sleep(A_WHILE_S)
        self.write_document(name, data)
        return True


@plant("The document, or None if there is none.")
class MissesDocuments(Reference):
    """Raises for a document that is not there."""

    def read_document(self, name: str) -> bytes | None:
        found = super().read_document(name)
        if found is None:
            raise BlobNotFoundError(f"there is no document {name}")
        return found


@plant("The document, or None if there is none.")
class RemembersDocuments(Reference):
    """Reads what it read or wrote before, though others wrote since."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._known: dict[str, bytes] = {}

    def write_document(self, name: str, data: bytes) -> None:
        super().write_document(name, data)
        self._known[name] = data

    def delete_document(self, name: str) -> None:
        super().delete_document(name)
        self._known.pop(name, None)

    def read_document(self, name: str) -> bytes | None:
        found = super().read_document(name)
        return found if found is None else self._known.setdefault(name, found)


@plant("which may end within a part or be empty")
class ListsFolders(Reference):
    """Takes a prefix for a folder."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        folder = prefix.rstrip("/") + "/" if prefix else ""
        return Rows(self, [name for name in super().list_documents("") if name.startswith(folder)])


@plant("which may end within a part or be empty")
class ListsNothingWithoutAPrefix(Reference):
    """Takes an empty prefix for none."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return super().list_documents(prefix or "\0")


@plant("Names of the documents that begin with prefix")
class ListsOneLevel(Reference):
    """Does not list what lies deeper."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, [name for name in super().list_documents(prefix) if "/" not in name[len(prefix) :]])


@plant("Names of the documents that begin with prefix")
class ListsByPattern(Reference):
    """Takes a prefix for a pattern, in which a dot means anything."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, [name for name in super().list_documents("") if re.match(prefix, name)])


@plant("Names of the documents that begin with prefix")
class ListsWhatContains(Reference):
    """Lists names that hold the prefix anywhere."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, [name for name in super().list_documents("") if prefix in name])


@plant("Names of the documents that begin with prefix")
class ListsNamesWithoutPrefix(Reference):
    """Cuts the prefix off."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, [name.removeprefix(prefix) for name in super().list_documents(prefix)])


@plant("every other is in it exactly once")
class ListsDocumentsTwice(Reference):
    """Lists every document twice."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, 2 * list(super().list_documents(prefix)))


@plant("every other is in it exactly once")
class ListsAPageOfDocuments(Reference):
    """Lists the first thousand documents."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        return Rows(self, list(super().list_documents(prefix))[:PAGE])


@plant("Blobs are no documents.")
class ListsBlobsAmongDocuments(Reference):
    """Lists blobs as documents."""

    def list_documents(self, prefix: str) -> Iterator[str]:
        blobs = [uid for uid in [*self.store.blobs, *self._pending] if uid.startswith(prefix)]
        return Rows(self, blobs + list(super().list_documents(prefix)))


@plant("Delete a document; one that is not there is no error.")
class MissesDocumentsThatAreGone(Reference):
    """Complains of a document that is not there."""

    def delete_document(self, name: str) -> None:
        if super().read_document(name) is None:
            raise DataBackendError(f"there is no document {name}")
        super().delete_document(name)


@plant("Delete a document; one that is not there is no error.")
class DeletesByPrefix(Reference):
    """Deletes all documents that begin with the name."""

    def delete_document(self, name: str) -> None:
        for found in list(super().list_documents(name)):
            super().delete_document(found)


@plant("Delete a document; one that is not there is no error.")
class DeletesNoDocument(Reference):
    """Deletes no document."""

    def delete_document(self, name: str) -> None:
        with self._opened():
            pass


# -- close


@plant("Calling it twice does nothing.")
class ClosesOnce(Reference):
    """Complains when it is closed twice."""

    def close(self) -> None:
        if self._closed:
            raise DataBackendError("memory was closed already")
        super().close()


@plant("Any other call behind it raises DataBackendError and changes nothing.")
class WorksOn(Reference):
    """Goes on after it was closed."""

    def close(self) -> None:
        self._pending.clear()


@plant("Any other call behind it raises DataBackendError and changes nothing.")
class PutsAfterClosing(Reference):
    """Puts, though it was closed."""

    def put(self, uid: BlobUid, data: memoryview) -> None:
        if self._closed:
            self.store.blobs[uid] = bytes(data)
        else:
            super().put(uid, data)


@plant("Any other call behind it raises DataBackendError and changes nothing.")
class DeletesAfterClosing(Reference):
    """Deletes, then says that it was closed."""

    def delete(self, uids: Sequence[BlobUid]) -> None:
        for uid in uids:
            self.store.blobs.pop(uid, None)
        super().delete(uids)


@plant("Any other call behind it raises DataBackendError and changes nothing.")
class ListsAfterClosing(Reference):
    """Lists nothing once it was closed, without a word."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        return iter(()) if self._closed else super().list_blobs()


@plant("Any other call behind it raises DataBackendError and changes nothing.")
class FlushesAfterClosing(Reference):
    """Flushes after it was closed, without a word."""

    def flush(self) -> None:
        if not self._closed:
            super().flush()


@plant("Any other call behind it raises DataBackendError and changes nothing.")
class WritesDocumentsAfterClosing(Reference):
    """Writes documents, though it was closed."""

    def write_document(self, name: str, data: bytes) -> None:
        if self._closed:
            self.store.documents[name] = data
        else:
            super().write_document(name, data)


@plant("Any other call behind it raises DataBackendError")
class RaisesAnythingOnceClosed(Reference):
    """Raises an error of Python's once it was closed."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        if self._closed:
            raise ValueError("I/O operation on closed file")
        return super().get(uid, buffer)


@plant("Release everything; blobs that were not flushed may be dropped.")
class LeavesFilesOpen(FileReference):
    """Leaves a file open."""

    held: ClassVar[list[int]] = []

    def close(self) -> None:
        if not self._closed:
            self.held.append(os.open(self.folder, os.O_RDONLY))
        super().close()


@plant("Release everything; blobs that were not flushed may be dropped.")
class LeavesAThread(Reference):
    """Leaves a thread behind."""

    def close(self) -> None:
        if not self._closed:
            threading.Thread(target=time.sleep, args=(30.0,), daemon=True).start()
        super().close()


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of data backend."""
    if issubclass(kind, FileReference):

        class OfFiles(DurabilitySuite, DataBackendSuite):
            volatile = ("new",)

            @pytest.fixture
            def open_store(self, tmp_path: Path):
                return lambda: kind(tmp_path / "store")

            @pytest.fixture
            def files(self, tmp_path: Path) -> Path:
                return tmp_path / "store"

        return OfFiles

    class InMemory(DataBackendSuite):
        shared_between_processes = False
        secret_texts = (PASSWORD,)

        @pytest.fixture
        def distant(self) -> DistantStore:
            return DistantStore()

        @pytest.fixture
        def open_store(self, distant: DistantStore):
            return lambda: kind(distant)

        @pytest.fixture
        def outage(self, distant: DistantStore) -> Outage:
            return Outage(lambda: setattr(distant, "away", True), lambda: setattr(distant, "away", False))

        @pytest.fixture
        def open_silent(self):
            return lambda host, port: kind(None, (host, port))

    return InMemory


globals().update(FAULTS.suites(suite_of, Reference, FileReference))
