"""A data backend that passes every call on: what the wrappers have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.model.blob import BlobUid


class ForwardingDataBackend(DataBackend):
    """Keeps every promise that ``inner`` keeps; a wrapper overrides what it has something to add to.

    Closing it closes ``inner``.
    """

    def __init__(self, inner: DataBackend) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> DataCapabilities:
        """As of the store within."""
        return self._inner.capabilities

    @property
    def location(self) -> str:
        """As of the store within."""
        return self._inner.location

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Passed on."""
        self._inner.put(uid, data)

    def flush(self) -> None:
        """Passed on."""
        self._inner.flush()

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Passed on."""
        return self._inner.get(uid, buffer)

    def stored_size(self, uid: BlobUid) -> int:
        """Passed on."""
        return self._inner.stored_size(uid)

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Passed on."""
        self._inner.delete(uids)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Passed on."""
        return self._inner.list_blobs()

    def write_document(self, name: str, data: bytes) -> None:
        """Passed on."""
        self._inner.write_document(name, data)

    def create_document(self, name: str, data: bytes) -> bool:
        """Passed on."""
        return self._inner.create_document(name, data)

    def read_document(self, name: str) -> bytes | None:
        """Passed on."""
        return self._inner.read_document(name)

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Passed on."""
        return self._inner.list_documents(prefix)

    def delete_document(self, name: str) -> None:
        """Passed on."""
        self._inner.delete_document(name)

    def close(self) -> None:
        """Passed on."""
        self._inner.close()
