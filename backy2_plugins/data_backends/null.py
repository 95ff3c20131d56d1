"""Data backend ``null``: takes every blob and keeps none, for measuring everything but the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from backy2_core.api import (
    BlobNotFoundError,
    BlobUid,
    DataBackend,
    DataCapabilities,
    Setting,
    Settings,
    SettingType,
    StoredBlob,
    hookimpl,
)

backy2_api_version = 1


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this backend."""
    return (
        Setting("simultaneous_reads", SettingType.INTEGER, 2, "Blobs to read at once.", minimum=1),
        Setting("simultaneous_writes", SettingType.INTEGER, 2, "Blobs to write at once.", minimum=1),
    )


@hookimpl
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Make an empty sink."""
    return NullDataBackend(threads=max(settings["simultaneous_reads"], settings["simultaneous_writes"]))


class NullDataBackend(DataBackend):
    """A sink. Documents are kept in memory until it is closed, since a store is told from others by one."""

    def __init__(self, *, threads: int = 2) -> None:
        self._capabilities = DataCapabilities(threads=threads, persistent=False, readable=False)
        self._documents: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def capabilities(self) -> DataCapabilities:
        """Neither persistent nor readable."""
        return self._capabilities

    @property
    def location(self) -> str:
        """Nowhere."""
        return "null"

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Forget the blob."""

    def flush(self) -> None:
        """Nothing is there to be made durable."""

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """No blob is there."""
        raise self._not_kept(uid)

    def stored_size(self, uid: BlobUid) -> int:
        """No blob is there."""
        raise self._not_kept(uid)

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """No blob is there, which is no error."""

    def list_blobs(self) -> Iterator[StoredBlob]:
        """No blob is there."""
        return iter(())

    def write_document(self, name: str, data: bytes) -> None:
        """Keep a document in memory."""
        with self._lock:
            self._documents[name] = data

    def create_document(self, name: str, data: bytes) -> bool:
        """Keep a document in memory if there is none of that name."""
        with self._lock:
            if name in self._documents:
                return False
            self._documents[name] = data
            return True

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        return self._documents.get(name)

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of documents that begin with ``prefix``."""
        with self._lock:
            return iter([name for name in self._documents if name.startswith(prefix)])

    def delete_document(self, name: str) -> None:
        """Forget a document."""
        with self._lock:
            self._documents.pop(name, None)

    def close(self) -> None:
        """Forget everything."""
        self._documents.clear()

    def _not_kept(self, uid: BlobUid) -> BlobNotFoundError:
        return BlobNotFoundError(f"blob {uid} is not there: the data backend null keeps nothing")
