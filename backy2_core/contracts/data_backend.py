"""Contract of data backends: where blobs are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from backy2_core.model.blob import BlobUid


@dataclass(frozen=True, slots=True)
class DataCapabilities:
    """What this store is good at; the engine and the conformance kit go by it, never by a name.

    ``threads``: concurrent calls that serve it best. ``max_blob_bytes``: the largest blob it takes. ``persistent``:
    False where blobs are gone (or were never kept) when the object is closed. ``readable``: False where what is put
    cannot be got back (a sink for measuring).
    """

    threads: int = 2
    max_blob_bytes: int = 128 * 1024 * 1024
    persistent: bool = True
    readable: bool = True


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One row of a listing."""

    uid: BlobUid
    stored_size: int


class DataBackend(ABC):
    """A store of blobs by uid, and of a few small named *documents* beside them.

    Guarantees:

    - Atomic: a blob is seen whole or not at all, by every reader, also after the writer was killed or the machine lost
      power at any moment. There is no partial blob under a blob's name.
    - Read after write: once :meth:`put` returned, :meth:`get` and :meth:`list_blobs` of the same object see the blob;
      once :meth:`flush` returned, those of every other process too.
    - Durable: once :meth:`flush` returned, every blob whose :meth:`put` returned before :meth:`flush` was called
      survives a power loss. Until then it may be gone. Documents are durable when their call returns.
    - Never overwritten: :meth:`put` of a uid that is there raises :class:`BlobExistsError` and changes nothing, at
      the latest in :meth:`flush`. A store that cannot check atomically may rely on uids being unique.

    Threads: all methods may be called from several threads at once, except :meth:`close`.

    Errors: everything becomes :class:`backy2_core.errors.DataBackendError` or a subclass, with the uid or the path in the
    message, and ``retryable`` set where the same call may succeed later.
    """

    @property
    @abstractmethod
    def capabilities(self) -> DataCapabilities:
        """What this store is good at; does not change."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the store is, for messages; without secrets."""

    @abstractmethod
    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Store ``data`` under ``uid``. The buffer belongs to the caller and must not be kept."""

    @abstractmethod
    def flush(self) -> None:
        """Return only when every blob put before this call is durable. Puts may go on beside it.

        If it raises, any of these blobs may be missing, and the caller must not refer to them.
        """

    @abstractmethod
    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read the blob into ``buffer``, return its length in bytes.

        Raises :class:`BlobNotFoundError` if there is none, and :class:`BlobDamagedError` if it is longer than the buffer
        or the store itself finds its bytes damaged. A time-out or an unreachable store is neither.
        """

    @abstractmethod
    def stored_size(self, uid: BlobUid) -> int:
        """Length of the blob in bytes; raises :class:`BlobNotFoundError`."""

    @abstractmethod
    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Delete these blobs. One that is not there is no error."""

    @abstractmethod
    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob, in no order, without holding all in memory.

        A blob put or deleted while the listing runs may be in it or not; every other blob is in it exactly once.
        """

    @abstractmethod
    def write_document(self, name: str, data: bytes) -> None:
        """Store a small document, replacing one of that name atomically; durable on return.

        Names are ``[a-z0-9._-]+``, with ``/`` between parts.
        """

    @abstractmethod
    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document only if there is none of that name; True if this call made it. Atomic between callers."""

    @abstractmethod
    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""

    @abstractmethod
    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of the documents that begin with ``prefix``, in no order."""

    @abstractmethod
    def delete_document(self, name: str) -> None:
        """Delete a document; one that is not there is no error."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; blobs that were not flushed may be dropped. Calling it twice does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
