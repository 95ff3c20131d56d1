"""A data backend that passes every call on: what is around one has that in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.model.blob import BlobUid

T = TypeVar("T")


class ForwardingDataBackend(DataBackend):
    """Keeps every promise that ``inner`` keeps; a wrapper overrides what it has something to add to.

    Closing it closes ``inner``.
    """

    def __init__(self, inner: DataBackend) -> None:
        self.inner = inner

    def around(self, method: str, call: Callable[[], T]) -> T:
        """Make a call of ``method`` that is not overridden; here just so."""
        return call()

    @property
    def capabilities(self) -> DataCapabilities:
        """As of the store within."""
        return self.inner.capabilities

    @property
    def location(self) -> str:
        """As of the store within."""
        return self.inner.location

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Passed on."""
        self.around("put", lambda: self.inner.put(uid, data))

    def flush(self) -> None:
        """Passed on."""
        self.around("flush", self.inner.flush)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Passed on."""
        return self.around("get", lambda: self.inner.get(uid, buffer))

    def stored_size(self, uid: BlobUid) -> int:
        """Passed on."""
        return self.around("stored_size", lambda: self.inner.stored_size(uid))

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Passed on."""
        self.around("delete", lambda: self.inner.delete(uids))

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Passed on."""
        return self.around("list_blobs", self.inner.list_blobs)

    def write_document(self, name: str, data: bytes) -> None:
        """Passed on."""
        self.around("write_document", lambda: self.inner.write_document(name, data))

    def create_document(self, name: str, data: bytes) -> bool:
        """Passed on."""
        return self.around("create_document", lambda: self.inner.create_document(name, data))

    def read_document(self, name: str) -> bytes | None:
        """Passed on."""
        return self.around("read_document", lambda: self.inner.read_document(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Passed on."""
        return self.around("list_documents", lambda: self.inner.list_documents(prefix))

    def delete_document(self, name: str) -> None:
        """Passed on."""
        self.around("delete_document", lambda: self.inner.delete_document(name))

    def close(self) -> None:
        """Passed on."""
        self.around("close", self.inner.close)
