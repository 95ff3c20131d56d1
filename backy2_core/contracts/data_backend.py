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

    ``threads``: concurrent calls that serve it best, at least 1. ``max_blob_bytes``: the largest blob it takes, at least
    64 MiB. ``persistent``: False where blobs are gone (or were never kept) when the object is closed. ``readable``: False
    where what is put cannot be got back (a sink for measuring). ``resumes_listings``: an iterator of
    :meth:`DataBackend.list_blobs` or :meth:`DataBackend.list_documents` that raised a retryable error may be asked for the next
    row again, and goes on where it failed. A generator cannot: it would seem to have come to its end.
    """

    threads: int = 2
    max_blob_bytes: int = 128 * 1024 * 1024
    persistent: bool = True
    readable: bool = True
    resumes_listings: bool = False


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
      survives a power loss. Until then it may be gone. Documents are durable when their call returns, and durably gone
      when :meth:`delete_document` returns.
    - Never overwritten: :meth:`put` of a uid that is there raises :class:`BlobExistsError` and changes nothing, at
      the latest in :meth:`flush`. A store that cannot check atomically may rely on uids being unique.

    Threads: all methods may be called from several threads at once, except :meth:`close`.

    Buffers belong to the caller, who may change or release them as soon as the call returned: none is kept, nor a view of
    one. They may be a part of a larger one, and that of a :meth:`put` may be read-only.

    Errors: everything becomes :class:`backy2_core.errors.DataBackendError` or a subclass, with the uid, the name of the
    document or the :attr:`location` in the message, and ``retryable`` set where the same call may succeed later: while
    the store cannot be reached, for one, or does not answer in time. No call waits for ever. Where the store cannot be
    reached, nothing is said to be missing, to be there or to be damaged.
    """

    @property
    @abstractmethod
    def capabilities(self) -> DataCapabilities:
        """What this store is good at; does not change, and can be asked for after closing too."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the store is, for messages; without secrets. Can be asked for after closing too."""

    @abstractmethod
    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Store ``data``, which may be empty, under ``uid``: letters and digits, of which case matters; ours have 32.

        More than ``max_blob_bytes`` are refused with a :class:`DataBackendError` that is not retryable, and nothing is
        stored.
        """

    @abstractmethod
    def flush(self) -> None:
        """Return only when every blob put before this call is durable. Puts may go on beside it.

        If it raises, any of these blobs may be missing, and the caller must not refer to them.
        """

    @abstractmethod
    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read the blob into the beginning of ``buffer``, leave the rest as it is, return the length in bytes.

        Raises :class:`BlobNotFoundError` if there is none, and :class:`BlobDamagedError` if it is longer than the buffer
        or the store itself finds its bytes damaged. A time-out or an unreachable store is neither.
        """

    @abstractmethod
    def stored_size(self, uid: BlobUid) -> int:
        """Length of the blob in bytes; raises :class:`BlobNotFoundError` if there is none."""

    @abstractmethod
    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Delete these blobs. One that is not there is no error. What was put and not flushed is deleted too.

        Raises :class:`BlobsKeptError` with the uids of those that the store keeps, when all others are gone. After any
        other error each of them may be gone or not.
        """

    @abstractmethod
    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob, in no order, one after the other.

        A blob put or deleted while the listing runs may be in it or not; every other blob is in it exactly once. It may
        be left unfinished, and several may run at once. There may be a hundred million: they are not to be held in
        memory, which no test of the suite can see.
        """

    @abstractmethod
    def write_document(self, name: str, data: bytes) -> None:
        """Store a small document (it may be empty, and has seldom more than a MiB), replacing one of that name
        atomically; durable on return.

        Names are ``[a-z0-9._-]+`` with ``/`` between parts, at most 100 characters a part and 200 in all. No part is ``.``
        or ``..``, and no name is the folder of another. No other names are passed, so they need not be refused.
        """

    @abstractmethod
    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document only if there is none of that name; True if this call made it. Atomic between callers."""

    @abstractmethod
    def read_document(self, name: str) -> bytes | None:
        """The document, or None if there is none."""

    @abstractmethod
    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of the documents that begin with ``prefix``, which may end within a part or be empty; in no order.

        A document made or deleted while the listing runs may be in it or not; every other is in it exactly once. Blobs are
        no documents.
        """

    @abstractmethod
    def delete_document(self, name: str) -> None:
        """Delete a document; one that is not there is no error."""

    @abstractmethod
    def close(self) -> None:
        """Release everything; blobs that were not flushed may be dropped. Calling it twice does nothing.

        Any other call behind it raises :class:`DataBackendError` and changes nothing.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
