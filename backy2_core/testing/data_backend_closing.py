"""What is left of a data backend that was closed, and of the buffers that it was lent: nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.errors import BlobNotFoundError, DataBackendError
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
from backy2_core.testing.leftovers import expect_nothing_left

DOCUMENT = "kit-closing"


def _put_and_flush(store: DataBackend) -> None:
    put(store, new_uid(), b"late")
    store.flush()


CALLS: dict[str, Callable[[DataBackend], object]] = {
    "put and flush": _put_and_flush,
    "get": lambda store: read(store, new_uid()),
    "stored_size": lambda store: store.stored_size(new_uid()),
    "delete": lambda store: store.delete([new_uid()]),
    "list_blobs": lambda store: list(store.list_blobs()),
    "write_document": lambda store: store.write_document(DOCUMENT, b"late"),
    "create_document": lambda store: store.create_document(DOCUMENT, b"late"),
    "read_document": lambda store: store.read_document(DOCUMENT),
    "list_documents": lambda store: list(store.list_documents("")),
    "delete_document": lambda store: store.delete_document(DOCUMENT),
}


class ClosingPromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    secret_texts: Sequence[str] = ()

    def test_closing_twice_does_nothing(self, open_store: OpenStore) -> None:
        store = open_store()
        put_new(store)
        store.close()
        store.close()

    @pytest.mark.parametrize("call", sorted(CALLS))
    def test_a_closed_store_refuses_work(self, readable: DataBackend, open_store: OpenStore, call: str) -> None:
        store = open_store()
        store.close()
        with pytest.raises(DataBackendError):
            CALLS[call](store)
        assert readable.read_document(DOCUMENT) is None, f"{call} on a closed object changed the store"

    @pytest.mark.parametrize("call", ["put", "flush", "delete"])
    def test_a_closed_store_changes_nothing(self, persistent: DataBackend, open_store: OpenStore, call: str) -> None:
        there, new, store = put_new(persistent), new_uid(), open_store()
        persistent.flush()
        store.close()
        calls: dict[str, Callable[[], object]] = {
            "put": lambda: put(store, new, b"late"),
            "flush": store.flush,
            "delete": lambda: store.delete([there]),
        }
        with pytest.raises(DataBackendError):
            calls[call]()
        found = listed(persistent)
        assert there in found, "a closed object deleted a blob"
        assert new not in found, "a closed object stored a blob"

    def test_a_closed_store_still_says_what_and_where_it_was(self, open_store: OpenStore) -> None:
        store = open_store()
        capabilities, location = store.capabilities, store.location
        store.close()
        assert (store.capabilities, store.location) == (capabilities, location)

    def test_opening_again_and_again_leaves_nothing_behind(self, open_store: OpenStore) -> None:
        expect_nothing_left(lambda: self._use(open_store))

    @staticmethod
    def _use(open_store: OpenStore) -> None:
        with open_store() as store:
            put_new(store)
            store.flush()
            listed(store)
            for _ in store.list_blobs():
                break

    def test_secrets_are_not_in_what_is_said_of_a_missing_blob(self, store: DataBackend) -> None:
        if not self.secret_texts:
            pytest.skip("the suite names no secret_texts")
        for call in (lambda: read(store, new_uid()), lambda: store.stored_size(new_uid())):
            with pytest.raises(BlobNotFoundError) as raised:
                call()
            assert not any(secret in f"{raised.value} {raised.value!r}" for secret in self.secret_texts)

    def test_secrets_are_not_shown(self, open_store: OpenStore) -> None:
        if not self.secret_texts:
            pytest.skip("the suite names no secret_texts")
        store = open_store()
        shown = [store.location, repr(store), str(store.capabilities)]
        store.close()
        for call in CALLS.values():
            with pytest.raises(DataBackendError) as raised:
                call(store)
            shown += [str(raised.value), repr(raised.value)]
        for secret in self.secret_texts:
            assert not any(secret in text for text in shown), "a secret is in the location or in a message"


class BufferPromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    def test_the_buffer_of_a_put_is_not_kept(self, readable: DataBackend) -> None:
        uid, buffer = new_uid(), bytearray(b"before")
        readable.put(uid, memoryview(buffer))
        buffer[:] = b"behind"
        readable.flush()
        assert read(readable, uid) == b"before", "the blob holds what was in the buffer later"

    def test_buffers_are_let_go_of_when_the_call_returns(self, store: DataBackend) -> None:
        uid = new_uid()
        for call in (store.put, *([store.get] if store.capabilities.readable else [])):
            buffer = bytearray(1000)
            view = memoryview(buffer)
            call(uid, view)
            try:
                view.release()
                buffer.extend(b"resizing fails while somebody holds a view")
            except BufferError as error:
                raise AssertionError(f"a view of the caller's buffer was kept behind {call.__name__}") from error

    def test_a_buffer_may_be_read_only_and_a_part_of_another(self, readable: DataBackend) -> None:
        first, second = new_uid(), new_uid()
        readable.put(first, memoryview(b"read-only"))
        readable.put(second, memoryview(bytearray(b"##part##"))[2:6])
        readable.flush()
        assert (read(readable, first), read(readable, second)) == (b"read-only", b"part")

    def test_the_buffer_of_a_get_may_be_larger_and_a_part_of_another(self, readable: DataBackend) -> None:
        uid, buffer = put_new(readable, 100), bytearray(b"#" * 400)
        readable.flush()
        assert readable.get(uid, memoryview(buffer)[100:300]) == 100
        assert buffer[:100] == b"#" * 100, "bytes before the buffer were changed"
        assert buffer[100:200] == content_of(uid, 100)
        assert buffer[200:] == b"#" * 200, "bytes behind the blob were changed"
