"""What the parts of the data backend suite share: the store under test, uids that were never used, skipping."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.model.blob import BlobUid

OpenStore = Callable[[], DataBackend]


class PromiseBase:
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    refuses_existing: bool = True
    shared_between_processes: bool = True

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Opens the store under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture open_store")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Iterator[DataBackend]:
        """The store, open."""
        with open_store() as opened:
            yield opened

    @pytest.fixture
    def readable(self, store: DataBackend) -> DataBackend:
        """The store, open, if it gives back what it took."""
        if not store.capabilities.readable:
            pytest.skip("declares readable=False")
        return store

    @pytest.fixture
    def persistent(self, readable: DataBackend) -> DataBackend:
        """The store, open, if it keeps what it took after it was closed."""
        if not readable.capabilities.persistent:
            pytest.skip("declares persistent=False")
        return readable


def new_uid() -> BlobUid:
    """A uid in the form of ours that was never used."""
    return BlobUid(secrets.token_hex(16))


def content_of(uid: str, size: int) -> bytes:
    """Bytes that follow from the uid, so that a reader can tell whether they are whole."""
    return hashlib.shake_128(uid.encode()).digest(size)


def put(store: DataBackend, uid: BlobUid, data: bytes) -> None:
    """Put a copy of ``data``."""
    store.put(uid, memoryview(bytearray(data)))


def put_new(store: DataBackend, size: int = 1000) -> BlobUid:
    """Put a blob of a new uid with the bytes that follow from it."""
    uid = new_uid()
    put(store, uid, content_of(uid, size))
    return uid


def read(store: DataBackend, uid: BlobUid, room: int = 64 * 1024) -> bytes:
    """The bytes of a blob of at most ``room`` bytes."""
    buffer = bytearray(room)
    return bytes(buffer[: store.get(uid, memoryview(buffer))])


def listed(store: DataBackend) -> dict[BlobUid, int]:
    """Sizes by uid, after checking that none was listed twice."""
    rows = list(store.list_blobs())
    sizes = {row.uid: row.stored_size for row in rows}
    assert len(sizes) == len(rows), "a blob was listed twice"
    return sizes
