"""Meta backends that break what is promised of the whole: transactions, threads, errors, ids, the schema, stores, closing."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from backy2_core.contracts.meta_backend import SchemaState, StoreInfo
from backy2_core.errors import MetaBackendError, NotFoundError, SchemaError
from backy2_core.model.blob import BlobId, BlobRecord, NewBlob, StoreId
from backy2_core.model.job import JobId
from backy2_core.model.version import Version, VersionFilter
from tests.planted.databases import PASSWORD, Right
from tests.planted.meta_faults import plant

T = TypeVar("T")
A_WHILE_S = 0.002


@plant("Each method is one transaction, or for iterators one a batch", "A method that raised has changed nothing")
class AddsBlobsOneByOne(Right):
    """Records blobs in a transaction each."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return [number for blob in blobs for number in super(AddsBlobsOneByOne, self).add_blobs(job, store, [blob])]


@plant("Each method is one transaction, or for iterators one a batch")
class ShowsBlobsBeforeTheirJobIsKnown(Right):
    """Records blobs first, then looks whether the job is live."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        ids = self.without_lease(job, lambda: super(ShowsBlobsBeforeTheirJobIsKnown, self).add_blobs(job, store, blobs))
        self.inner.renew_job(job, 3600.0, 0.0)
        return ids


@plant("all are serialisable")
class CountsStoresByItself(Right):
    """Looks whether a store is known, and then makes it known."""

    _callers = itertools.count()

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        for known in self.inner.stores():
            if known.identity == identity and (known.kind, known.location) == (kind, location):
                return known.id
        if not any(known.identity == identity for known in self.inner.stores()):
            time.sleep(0.005 * (next(self._callers) % 8))
            if any(known.identity == identity for known in self.inner.stores()):
                raise MetaBackendError(f"store {identity} is there already")
        return super().register_store(identity, kind, location)


@plant("What a method changed is durable when it returns: it survives a power loss.", "it survives a power loss")
class NeverSyncs(Right):
    """Leaves what it wrote to the kernel."""

    of_files = True

    def __init__(self, *args: Any) -> None:
        from sqlalchemy import event

        super().__init__(*args)
        event.listen(
            self.inner._database._engine,
            "connect",
            lambda connection, record: connection.execute("PRAGMA synchronous = OFF"),
        )


@plant("any method may be called from any thread, several at once, except close")
class KnowsOneThread(Right):
    """Works in the thread that opened it only."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._thread = threading.get_ident()

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        if threading.get_ident() != self._thread and method != "close":
            raise MetaBackendError(f"{self.location} was opened in another thread")
        return super().carry_out(method, call)


@plant("any method may be called from any thread, several at once, except close")
class ReadsThroughOneList(Right):
    """All look-ups of records go through one list."""

    _wanted: Sequence[BlobId] = ()

    def read_blobs(self, ids: Collection[BlobId]) -> Any:
        self._wanted = list(ids)
        time.sleep(A_WHILE_S)
        return super().read_blobs(self._wanted)


@plant("any method may be called from any thread, several at once, except close")
class RefusesASecondThread(Right):
    """Refuses a call while another is under way."""

    _busy = False

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        if self._busy and method != "close":
            raise MetaBackendError(f"{self.location} is busy")
        self._busy = True
        try:
            return super().carry_out(method, call)
        finally:
            self._busy = False


@plant("Several objects, also of several hosts, may have one database open.")
class RemembersVersions(Right):
    """Lists the versions as they were when it was first asked, or last changed something itself."""

    _known: dict[VersionFilter, list[Version]]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._known = {}

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        if method != "versions":
            self._known.clear()
        return super().carry_out(method, call)

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        if which not in self._known:
            self._known[which] = list(super().versions(which))
        return iter(self._known[which])


@plant("Several objects, also of several hosts, may have one database open.")
class LocksTheDatabase(Right):
    """Refuses a database that another object has open."""

    _open: ClassVar[set[Path]] = set()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if self.path in self._open:
            raise MetaBackendError(f"{self.location} is open already")
        self._open.add(self.path)

    def close(self) -> None:
        self._open.discard(self.path)
        super().close()


@plant("An iterator may be left unfinished, and others may write while it runs.")
class WritesNothingWhileItLists(Right):
    """Refuses to write while a list was not read to its end."""

    _listing = False

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        self._listing = True
        yield from super().versions(which)
        self._listing = False

    def remove_version(self, version: Any, *, protected_too: bool = False) -> None:
        if self._listing:
            raise MetaBackendError(f"{self.location}: a list is being read")
        super().remove_version(version, protected_too=protected_too)


# -- errors


@plant("everything becomes backy2_core.errors.MetaBackendError or a named subclass")
class LetsErrorsOut(Right):
    """Lets the error of a library out."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        try:
            return super().carry_out(method, call)
        except MetaBackendError as error:
            if type(error) is MetaBackendError and error.__cause__ is not None:
                raise error.__cause__ from None
            raise


@plant("with location or the thing concerned in the message")
class SaysNothing(Right):
    """Does not say what went wrong with what."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        try:
            return super().carry_out(method, call)
        except MetaBackendError as error:
            if type(error) is MetaBackendError:
                raise MetaBackendError("no", retryable=error.retryable) from error
            raise


@plant("retryable set where the same call may succeed later: while the database cannot be reached, for one")
class GivesUp(Right):
    """Says of an outage that it will not pass."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        try:
            return super().carry_out(method, call)
        except MetaBackendError as error:
            error.retryable = False
            raise


@plant("or does not answer in time")
class GivesUpOnTheSilent(Right):
    """Says of a database that did not answer that it never will."""

    def silent(self, error: Exception) -> Exception:
        return MetaBackendError(f"{self.location} does not answer: {error}")


@plant("No call waits for ever.", patience_s=1.0)
class WaitsForEver(Right):
    """Waits for a database that does not answer (not for ever, so that the tests end)."""

    def patience_s(self) -> float:
        return 3.0


@plant("Where the database is, for messages; without secrets.")
class ShowsItsPassword(Right):
    """Puts the password into its location."""

    @property
    def location(self) -> str:
        return f"postgresql://backy2:{PASSWORD}@host/{self.inner.location}"


@plant("Where the database is, for messages; without secrets. Can be asked for after closing too.")
class ForgetsWhereItIs(Right):
    """Does not say where it is once it was closed."""

    @property
    def location(self) -> str:
        if self.closed:
            raise MetaBackendError("the database was closed")
        return self.inner.location


def _passing_over(method: str) -> Any:
    def call(self: Right, *args: Any, **more: Any) -> Any:
        try:
            return getattr(Right, method)(self, *args, **more)
        except NotFoundError:
            return None

    return call


NOT_THERE = "A version that is to be changed and is not there is a NotFoundError"


@plant(NOT_THERE)
class ProtectsNothing(Right):
    """Says nothing where there is no version to protect."""

    set_protected = _passing_over("set_protected")


@plant(NOT_THERE)
class ExpiresNothing(Right):
    """Says nothing where there is no version to expire."""

    set_expire = _passing_over("set_expire")


@plant(NOT_THERE)
class TagsNothing(Right):
    """Says nothing where there is no version to tag."""

    change_tags = _passing_over("change_tags")


@plant(NOT_THERE)
class RemovesNothing(Right):
    """Says nothing where there is no version to remove."""

    remove_version = _passing_over("remove_version")


@plant(NOT_THERE)
class SetsNothing(Right):
    """Says nothing where there is no version whose state could be set."""

    set_version_state = _passing_over("set_version_state")


@plant(NOT_THERE)
class CallsMissingAnError(Right):
    """Says of a missing version only that something is wrong."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        try:
            return super().carry_out(method, call)
        except NotFoundError as error:
            raise MetaBackendError(str(error)) from error


def _of_removed(method: str) -> Any:
    def call(self: Right, version: Any, *args: Any, **more: Any) -> Any:
        removed = self.ids("select id from #versions where id = ? and state in (4, 5)", version)
        return self.with_rows(
            "versions", "state", 2, removed, lambda: getattr(Right, method)(self, version, *args, **more)
        )

    return call


REMOVED = "for protection, expiry and tags one that was removed is not there"


@plant(REMOVED)
class ProtectsRemoved(Right):
    """Protects a version that was removed."""

    set_protected = _of_removed("set_protected")


@plant(REMOVED)
class ExpiresRemoved(Right):
    """Lets a version expire that was removed."""

    set_expire = _of_removed("set_expire")


@plant(REMOVED)
class TagsRemoved(Right):
    """Tags a version that was removed."""

    change_tags = _of_removed("change_tags")


@plant("Collections may have a hundred thousand entries, or none.")
class ReadsAThousand(Right):
    """Reads the first thousand records."""

    def read_blobs(self, ids: Collection[BlobId]) -> Any:
        return super().read_blobs(list(ids)[:1000])


@plant("Collections may have a hundred thousand entries, or none.")
class FindsAThousand(Right):
    """Looks for the first thousand blocks."""

    def find_blobs(self, store: StoreId, hash_name: str, key: str, wanted: Any) -> Any:
        return super().find_blobs(store, hash_name, key, list(wanted)[:1000])


@plant("Collections may have a hundred thousand entries, or none.")
class WantsSomething(Right):
    """Fails where it is asked for nothing."""

    def read_blobs(self, ids: Collection[BlobId]) -> dict[BlobId, BlobRecord]:
        if not ids:
            raise MetaBackendError(f"{self.location}: a list of ids is empty")
        return super().read_blobs(ids)  # type: ignore[return-value]


@plant("Ids are above 0, ascend, and are never given out twice, also not those of rows that were dropped.")
class GivesBlobIdsTwice(Right):
    """Gives out the ids of forgotten blobs again."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        self.sql("update #counters set value = (select coalesce(max(id), 0) from #blobs) where name = 'blobs'")
        return super().add_blobs(job, store, blobs)


@plant("never given out twice, also not those of rows that were dropped")
class GivesSegmentIdsTwice(Right):
    """Gives out the ids of dropped segments again."""

    def append_segments(self, job: JobId, version: Any, segments: Any) -> Any:
        self.sql("update #counters set value = (select coalesce(max(id), 0) from #segments) where name = 'segments'")
        return super().append_segments(job, version, segments)


@plant("never given out twice, also not those of rows that were dropped")
class GivesVersionIdsTwice(Right):
    """Gives out the ids of dropped versions again."""

    def create_version(self, job: JobId, new: Any) -> Version:
        self.sql("update #counters set value = (select coalesce(max(id), 0) from #versions) where name = 'versions'")
        return super().create_version(job, new)


# -- the schema


@plant("Compare the schema; quick, and changes nothing.")
class MakesTheSchemaUnasked(Right):
    """Makes the schema when it is asked for it."""

    def schema_state(self) -> SchemaState:
        state = super().schema_state()
        if state is SchemaState.EMPTY:
            super().initialise()
        return state


@plant("Compare the schema; quick, and changes nothing.")
class IsAlwaysCurrent(Right):
    """Says that the schema is current where there is none."""

    def schema_state(self) -> SchemaState:
        super().schema_state()
        return SchemaState.CURRENT


@plant("does nothing to a current one")
class RefusesACurrentSchema(Right):
    """Refuses to make a schema that is there."""

    def initialise(self) -> None:
        if self.inner.schema_state() is SchemaState.CURRENT:
            raise SchemaError(f"{self.location} is initialised already")
        super().initialise()


@plant("does nothing to a current one")
class BeginsAnew(Right):
    """Empties a database that is current."""

    def initialise(self) -> None:
        if self.inner.schema_state() is SchemaState.CURRENT:
            self.sql("delete from #stores")
        super().initialise()


@plant("Make the schema, or bring an old one up to date")
class MakesNoSchema(Right):
    """Makes nothing."""

    def initialise(self) -> None:
        self.inner.schema_state()


@plant("Safe if two do it at once.")
class MakesItAlone(Right):
    """Refuses where another one makes the schema."""

    _making: ClassVar[set[Path]] = set()

    def initialise(self) -> None:
        if self.path in self._making:
            raise SchemaError(f"{self.location}: another process makes the schema; see backy2 initdb")
        self._making.add(self.path)
        time.sleep(0.02)
        super().initialise()
        self._making.discard(self.path)


@plant(
    "Until then every other method but schema_state and close raises backy2_core.errors.SchemaError, "
    "whose message names backy2 initdb."
)
class NamesNoCommand(Right):
    """Does not say what makes the schema."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        try:
            return super().carry_out(method, call)
        except SchemaError:
            raise SchemaError(f"{self.location} has no tables") from None


@plant("raises backy2_core.errors.SchemaError")
class CallsNoSchemaAnError(Right):
    """Says of a database without a schema only that something is wrong."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        try:
            return super().carry_out(method, call)
        except SchemaError as error:
            raise MetaBackendError(str(error)) from None


@plant("Until then every other method but schema_state and close raises backy2_core.errors.SchemaError")
class ListsNothingWithoutASchema(Right):
    """Lists no stores where there is no schema."""

    def stores(self) -> list[StoreInfo]:
        try:
            return super().stores()
        except SchemaError:
            return []


# -- close


@plant("Calling it twice does nothing.")
class ClosesOnce(Right):
    """Complains when it is closed twice."""

    def close(self) -> None:
        if self.closed:
            raise MetaBackendError(f"{self.location} was closed already")
        super().close()


@plant("Any other call behind it raises MetaBackendError.")
class WorksOn(Right):
    """Goes on after it was closed."""

    def close(self) -> None:
        pass


@plant("Any other call behind it raises MetaBackendError.")
class RaisesAnythingOnceClosed(Right):
    """Raises an error of Python's once it was closed."""

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        if self.closed and method != "close":
            raise ValueError("the database is closed")
        return super().carry_out(method, call)


@plant("Any other call behind it raises MetaBackendError.")
class ListsOnceClosed(Right):
    """Lists nothing once it was closed, without a word."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return iter(()) if self.closed else super().versions(which)


@plant("Release everything.")
class LeavesAThread(Right):
    """Leaves a thread behind."""

    def close(self) -> None:
        if not self.closed:
            threading.Thread(target=time.sleep, args=(30.0,), daemon=True).start()
        super().close()


# -- stores


@plant("The number of the store with this identity, given out at the first call")
class RefusesAKnownStore(Right):
    """Refuses a store that it knows."""

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        if any(known.identity == identity for known in self.inner.stores()):
            raise MetaBackendError(f"store {identity} is registered already")
        return super().register_store(identity, kind, location)


@plant("kind and location are brought up to date")
class KeepsTheFirstLocation(Right):
    """Keeps where a store was first."""

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        for known in self.inner.stores():
            if known.identity == identity:
                return super().register_store(identity, known.kind, known.location)
        return super().register_store(identity, kind, location)


@plant("kind and location are brought up to date")
class KeepsTheFirstKind(Right):
    """Keeps what kind of store it was first."""

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        known = {store.identity: store.kind for store in self.inner.stores()}
        return super().register_store(identity, known.get(identity, kind), location)


@plant("All stores ever registered, by id.")
class ListsStoresBackwards(Right):
    """Lists the newest store first."""

    def stores(self) -> list[StoreInfo]:
        return super().stores()[::-1]


@plant("All stores ever registered, by id.")
class ListsTheLastStore(Right):
    """Lists only the store that was registered last."""

    def stores(self) -> list[StoreInfo]:
        return super().stores()[-1:]


@plant("The note of that name about a store, or None.")
class ReadsNoNoteAsEmpty(Right):
    """Takes no note for an empty one."""

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        return super().read_note(store, name) or b""


@plant("The note of that name about a store, or None.")
class ReadsAnEmptyNoteAsNone(Right):
    """Takes an empty note for none."""

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        return super().read_note(store, name) or None


@plant("The note of that name about a store, or None.")
class SharesNotes(Right):
    """Keeps notes of all stores together."""

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        found = self.sql("select data from #notes where name = ?", name)
        return found[0][0] if found else super().read_note(store, name)


@plant("Keep a note about a store, replacing one of that name")
class KeepsTheFirstNote(Right):
    """Keeps the first note of a name."""

    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        if self.inner.read_note(store, name) is None:
            super().write_note(store, name, data)


@plant("at most 60,000 bytes, the name at most 32 letters")
class CutsNotes(Right):
    """Keeps 32,768 bytes of a note."""

    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        super().write_note(store, name, data[:32768])


@plant("the name at most 32 letters")
class CutsTheNamesOfNotes(Right):
    """Keeps 16 letters of the name of a note."""

    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        super().write_note(store, name[:16], data)

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        return super().read_note(store, name[:16])
