"""Data backend, source and target in memory: the contracts' words as the shortest code, for tests and as a reference."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.errors import (
    BlobDamagedError,
    BlobExistsError,
    BlobNotFoundError,
    DataBackendError,
    SourceError,
    TargetError,
)
from backy2_core.model.blob import BlobUid
from backy2_core.model.extent import Extent


@dataclass(slots=True)
class MemoryStore:
    """What is durable: outlives the data backends that were opened on it. Tests may look at it and change it."""

    blobs: dict[BlobUid, bytes] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryDataBackend(DataBackend):
    """A data backend on a :class:`MemoryStore`; several may be opened on one, like the processes of several hosts.

    A blob that was put is kept here until :meth:`flush` moves it to the store. :meth:`crash` ends the object as a power
    loss would.
    """

    def __init__(self, store: MemoryStore | None = None, *, capabilities: DataCapabilities | None = None) -> None:
        self.store = store or MemoryStore()
        self._capabilities = capabilities or DataCapabilities()
        self._pending: dict[BlobUid, bytes] = {}
        self._closed = False

    @property
    def capabilities(self) -> DataCapabilities:
        """As given."""
        return self._capabilities

    @property
    def location(self) -> str:
        """Only a word."""
        return "memory"

    def crash(self) -> None:
        """Lose what was not flushed; the object cannot be used any more, the store can."""
        self.close()

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Keep a copy, not yet in the store."""
        if len(data) > self._capabilities.max_blob_bytes:
            raise DataBackendError(f"blob {uid} has {len(data)} bytes, more than {self._capabilities.max_blob_bytes}")
        with self._opened() as store:
            if uid in self._pending or uid in store.blobs:
                raise BlobExistsError(f"blob {uid} is there already")
            self._pending[uid] = bytes(data)

    def flush(self) -> None:
        """Move what was put to the store: all, or none if one is there."""
        with self._opened() as store:
            batch, self._pending = self._pending, {}
            there = sorted(batch.keys() & store.blobs.keys())
            if there:
                raise BlobExistsError(f"blob {there[0]} is there already; {len(batch)} blobs were dropped")
            store.blobs.update(batch)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Copy a blob."""
        data = self._find(uid)
        if len(data) > len(buffer):
            raise BlobDamagedError(f"blob {uid} has {len(data)} bytes; expected at most {len(buffer)}")
        buffer[: len(data)] = data
        return len(data)

    def stored_size(self, uid: BlobUid) -> int:
        """Length of a blob."""
        return len(self._find(uid))

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Remove blobs from here and from the store."""
        with self._opened() as store:
            for uid in uids:
                self._pending.pop(uid, None)
                store.blobs.pop(uid, None)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob as of now."""
        with self._opened() as store:
            rows = [StoredBlob(uid, len(data)) for blobs in (store.blobs, self._pending) for uid, data in blobs.items()]
        return iter(rows)

    def write_document(self, name: str, data: bytes) -> None:
        """Put a document into the store."""
        with self._opened() as store:
            store.documents[name] = data

    def create_document(self, name: str, data: bytes) -> bool:
        """Put a document into the store if there is none of that name."""
        with self._opened() as store:
            if name in store.documents:
                return False
            store.documents[name] = data
            return True

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        with self._opened() as store:
            return store.documents.get(name)

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names as of now."""
        with self._opened() as store:
            return iter([name for name in store.documents if name.startswith(prefix)])

    def delete_document(self, name: str) -> None:
        """Remove a document from the store."""
        with self._opened() as store:
            store.documents.pop(name, None)

    def close(self) -> None:
        """Forget what was not flushed."""
        self._closed = True
        self._pending.clear()

    def _find(self, uid: BlobUid) -> bytes:
        with self._opened() as store:
            data = self._pending.get(uid, store.blobs.get(uid))
        if data is None:
            raise BlobNotFoundError(f"there is no blob {uid}")
        return data

    @contextlib.contextmanager
    def _opened(self) -> Iterator[MemoryStore]:
        if self._closed:
            raise DataBackendError("this data backend was closed; open the store again")
        with self.store.lock:
            yield self.store


class MemorySource(Source):
    """A device of these bytes. ``data`` are the ranges that are no holes (None: all); ``reads`` what was read of it."""

    def __init__(
        self, content: bytes, *, data: Sequence[Extent] | None = None, identity: str = "", threads: int = 2
    ) -> None:
        self.reads: list[Extent] = []
        self._content = content
        self._data = [Extent(0, len(content))] if data is None else list(data)
        self._identity = identity
        self._threads = threads
        self._closed = False

    @property
    def size_bytes(self) -> int:
        """Length of the content."""
        return len(self._content)

    @property
    def identity(self) -> str:
        """As given."""
        return self._identity

    @property
    def threads(self) -> int:
        """As given."""
        return self._threads

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Copy from the content."""
        if self._closed:
            raise SourceError("memory: this source was closed; open it again")
        if offset + len(buffer) > len(self._content):
            raise SourceError(f"memory: no {len(buffer)} bytes at {offset}; the device has {len(self._content)}")
        self.reads.append(Extent(offset, len(buffer)))
        buffer[:] = self._content[offset : offset + len(buffer)]

    def allocated(self) -> Iterator[Extent]:
        """As given, without empty ranges."""
        return (extent for extent in self._data if extent.length)

    def close(self) -> None:
        """Refuse to be read from now on."""
        self._closed = True


class MemoryTarget(Target):
    """A device in ``content``, which is made, or is taken with ``force`` if it is large enough.

    ``durable`` is the content as of the last flush, None before the first.
    """

    def __init__(self, request: TargetRequest, content: bytearray | None = None, *, threads: int = 2) -> None:
        if content is not None and not request.force:
            raise TargetError("memory: the target exists already; use force to overwrite it")
        if content is not None and len(content) < request.size_bytes:
            raise TargetError(f"memory: the target has {len(content)} bytes, {request.size_bytes} are needed")
        self.content = bytearray(request.size_bytes) if content is None else content
        self.durable: bytes | None = None
        self._threads = threads
        self._closed = False

    @property
    def threads(self) -> int:
        """As given."""
        return self._threads

    def write(self, offset: int, data: memoryview) -> None:
        """Copy into the content."""
        self._check(offset, len(data))
        self.content[offset : offset + len(data)] = data

    def zero(self, offset: int, length: int) -> None:
        """Zeros into the content."""
        self._check(offset, length)
        self.content[offset : offset + length] = bytes(length)

    def flush(self) -> None:
        """Remember the content."""
        self._check(0, 0)
        self.durable = bytes(self.content)

    def close(self) -> None:
        """Refuse work from now on."""
        self._closed = True

    def _check(self, offset: int, length: int) -> None:
        if self._closed:
            raise TargetError("memory: this target was closed; open it again")
        if offset + length > len(self.content):
            raise TargetError(f"memory: {length} bytes at {offset} lie beyond the end at {len(self.content)}")
