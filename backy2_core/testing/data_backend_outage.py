"""What is said of a store that cannot be reached: the truth, in time, in an error of ours, and that it may pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

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
from backy2_core.testing.outage import Outage, SilentServer, failing_within, failure_of

T = TypeVar("T")
OpenSilent = Callable[[str, int], DataBackend]
ASSERTIONS = (BlobNotFoundError, BlobExistsError, BlobDamagedError)
DOCUMENT, MADE, MISSING = "kit-outage/there", "kit-outage/made", "kit-outage/missing"


class OutagePromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`.

    Whatever is called while the store cannot be reached either does all that it promises, or raises.
    """

    patience_s: float = 60.0

    @pytest.fixture
    def outage(self) -> Outage | None:
        """How to make the store unreachable; to be overridden where that can be done."""
        return None

    @pytest.fixture
    def open_silent(self) -> OpenSilent | None:
        """Opens a store at a host and a port, with short time-outs; to be overridden by what speaks over a network."""
        return None

    @pytest.fixture
    def struck(self, readable: DataBackend, outage: Outage | None) -> Iterator[tuple[BlobUid, Outage]]:
        """An outage to begin, with a blob and a document stored before; what was left is deleted after it."""
        if outage is None:
            pytest.skip("declares no fixture outage")
        uid = put_new(readable)
        readable.flush()
        readable.write_document(DOCUMENT, b"before")
        yield uid, outage
        outage.end()

    @pytest.fixture
    def tidy(self, open_store: OpenStore, struck: tuple[BlobUid, Outage]) -> Iterator[None]:
        """Removes the documents of these tests."""
        yield
        struck[1].end()
        with open_store() as store:
            for name in (DOCUMENT, MADE, MISSING):
                store.delete_document(name)

    @pytest.mark.usefixtures("tidy")
    def test_nothing_is_missing_in_a_store_that_cannot_be_reached(
        self, readable: DataBackend, struck: tuple[BlobUid, Outage]
    ) -> None:
        uid, outage = struck
        outage.begin()
        for call in (
            lambda: read(readable, new_uid()),
            lambda: readable.stored_size(new_uid()),
            lambda: readable.read_document(MISSING),
        ):
            self.expect_failure(readable, call, outage)
        found: list[str] = []
        if self.succeeds(readable, lambda: found.extend(listed(readable)), outage):
            assert uid in found, "an unreachable store was listed, without a blob that it has"
        if self.succeeds(readable, lambda: found.extend(readable.list_documents("")), outage):
            assert DOCUMENT in found, "the documents of an unreachable store were listed, without one that it has"

    @pytest.mark.usefixtures("tidy")
    def test_what_is_there_is_read_or_an_error(self, readable: DataBackend, struck: tuple[BlobUid, Outage]) -> None:
        uid, outage = struck
        outage.begin()
        content: list[bytes | None] = []
        if self.succeeds(readable, lambda: content.append(read(readable, uid)), outage):
            assert content == [content_of(uid, 1000)], "a blob of an unreachable store was read, with other bytes"
        content.clear()
        if self.succeeds(readable, lambda: content.append(readable.read_document(DOCUMENT)), outage):
            assert content == [b"before"], "a document of an unreachable store was read, with other bytes or as missing"

    @pytest.mark.usefixtures("tidy")
    def test_what_was_changed_in_an_outage_was_changed(
        self, readable: DataBackend, open_store: OpenStore, struck: tuple[BlobUid, Outage]
    ) -> None:
        uid, outage = struck
        outage.begin()
        new = new_uid()
        stored = self.succeeds(readable, lambda: _put_and_flush(readable, new), outage)
        written = self.succeeds(readable, lambda: readable.write_document(DOCUMENT, b"after"), outage)
        made = self.succeeds(readable, lambda: _expect_true(readable.create_document(MADE, b"made")), outage)
        deleted = self.succeeds(readable, lambda: readable.delete([uid]), outage)
        outage.end()
        if not readable.capabilities.persistent:
            return
        with open_store() as after:
            assert not stored or new in listed(after), (
                "put and flush went through in an outage, and the blob is missing"
            )
            assert not written or after.read_document(DOCUMENT) == b"after", (
                "a document was written in an outage and is not"
            )
            assert not made or after.read_document(MADE) == b"made", "a document was made in an outage and is not there"
            assert not deleted or uid not in listed(after), "a blob was deleted in an outage and is there"

    @pytest.mark.usefixtures("tidy")
    def test_after_an_outage_the_store_can_be_used(
        self, readable: DataBackend, open_store: OpenStore, struck: tuple[BlobUid, Outage]
    ) -> None:
        uid, outage = struck
        outage.begin()
        self.expect_failure(readable, lambda: readable.read_document(MISSING), outage)
        outage.end()
        if outage.retryable:
            self.expect_working(readable, uid)
        elif readable.capabilities.persistent:
            with open_store() as after:
                self.expect_working(after, uid)

    @pytest.mark.usefixtures("tidy")
    def test_what_was_made_durable_or_deleted_in_an_outage_was(
        self, readable: DataBackend, open_store: OpenStore, struck: tuple[BlobUid, Outage]
    ) -> None:
        outage, late = struck[1], put_new(readable)
        outage.begin()
        flushed = self.succeeds(readable, readable.flush, outage)
        deleted = self.succeeds(readable, lambda: readable.delete_document(DOCUMENT), outage)
        outage.end()
        if readable.capabilities.persistent:
            with open_store() as after:
                assert not flushed or late in listed(after), "flush went through in an outage, and the blob is missing"
                assert not deleted or after.read_document(DOCUMENT) is None, "a document was deleted, and is there"

    @pytest.mark.usefixtures("tidy")
    def test_an_error_in_an_outage_says_what_cannot_be_reached(
        self, readable: DataBackend, struck: tuple[BlobUid, Outage]
    ) -> None:
        uid, outage = struck
        outage.begin()
        calls: dict[str, Callable[[], object]] = {
            uid: lambda: readable.stored_size(uid),
            MISSING: lambda: readable.read_document(MISSING),
            readable.location: lambda: list(readable.list_blobs()),
        }
        for name, call in calls.items():
            failure = failure_of(call, self.patience_s, DataBackendError)
            told = (name, readable.location)
            assert failure is None or any(word in str(failure) for word in told), f"expected {told} in {failure!r}"

    @pytest.mark.usefixtures("tidy")
    def test_a_listing_goes_on_after_an_outage(self, readable: DataBackend, struck: tuple[BlobUid, Outage]) -> None:
        uid, outage = struck
        if not readable.capabilities.resumes_listings or not outage.retryable:
            pytest.skip("declares resumes_listings=False, or an outage that does not pass")
        uids = {uid, *(put_new(readable, 10) for _ in range(5))}
        readable.flush()
        readable.write_document(MADE, b"made")
        blobs, documents = readable.list_blobs(), readable.list_documents("")
        outage.begin()
        first_blobs = self.listed_before_it_failed(readable, blobs, outage)
        first_documents = self.listed_before_it_failed(readable, documents, outage)
        outage.end()
        found = [row.uid for row in [*first_blobs, *blobs]]
        assert sorted(u for u in found if u in uids) == sorted(uids), "a listing of blobs did not go on where it failed"
        names = [*first_documents, *documents]
        assert sorted(set(names) & {DOCUMENT, MADE}) == [MADE, DOCUMENT], "a listing of documents did not go on"

    def test_a_server_that_never_answers_is_given_up(self, open_silent: OpenSilent | None) -> None:
        if open_silent is None:
            pytest.skip("declares no fixture open_silent")
        with (
            SilentServer() as server,
            failing_within(self.patience_s, DataBackendError),
            open_silent(server.host, server.port) as store,
        ):
            store.read_document(MISSING)

    @staticmethod
    def expect_working(store: DataBackend, uid: BlobUid) -> None:
        """Everything can be done again."""
        assert read(store, uid) == content_of(uid, 1000)
        later = put_new(store)
        store.flush()
        assert read(store, later) == content_of(later, 1000)
        assert {uid, later} <= listed(store).keys()
        assert store.read_document(MISSING) is None

    def listed_before_it_failed(self, store: DataBackend, rows: Iterator[T], outage: Outage) -> list[T]:
        """What a listing yields in an outage; it may fail only with an error that the contract allows."""
        found: list[T] = []
        self.succeeds(store, lambda: found.extend(rows), outage)
        return found

    def expect_failure(self, store: DataBackend, call: Callable[[], object], outage: Outage) -> None:
        """A call about what is not there cannot know that, and must fail."""
        assert not self.succeeds(store, call, outage), "the store cannot be reached, and the call answered all the same"

    def succeeds(self, store: DataBackend, call: Callable[[], object], outage: Outage) -> bool:
        """Whether a call went through; if not, its error must be one that the contract allows."""
        failure = failure_of(call, self.patience_s, DataBackendError)
        if failure is None:
            return True
        assert not isinstance(failure, ASSERTIONS), f"an unreachable store proves nothing of a blob: {failure!r}"
        assert failure.retryable == outage.retryable, f"expected retryable={outage.retryable} of {failure!r}"
        return False


def _put_and_flush(store: DataBackend, uid: BlobUid) -> None:
    put(store, uid, b"content")
    store.flush()


def _expect_true(made: bool) -> None:
    assert made, "create_document said in an outage that the document was there already"
