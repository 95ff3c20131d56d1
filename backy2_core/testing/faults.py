"""A data backend that fails and damages as a test tells it, around one that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobNotFoundError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.orders import Orders
from backy2_core.wrappers.forwarding import ForwardingDataBackend

T = TypeVar("T")


class FaultyDataBackend(Orders, ForwardingDataBackend):
    """Passes every call on to ``inner``, except for what was ordered.

    :meth:`fail` and :meth:`run` order something for a call of a method, counted from now on; damage is ordered for a uid
    and seen by reading, while ``inner`` stays whole, so that :meth:`heal` undoes it. Threads: as ``inner``; orders may be
    given at any time.
    """

    def __init__(self, inner: DataBackend) -> None:
        Orders.__init__(self, DataBackend)
        ForwardingDataBackend.__init__(self, inner)
        self._lost: set[BlobUid] = set()
        self._flipped: dict[BlobUid, int] = {}
        self._cut: dict[BlobUid, int] = {}
        self._swapped: dict[BlobUid, BlobUid] = {}

    def lose(self, uid: BlobUid) -> None:
        """The blob is not there any more."""
        self._lost.add(uid)

    def corrupt(self, uid: BlobUid, offset: int = 0) -> None:
        """The byte at ``offset`` is read with its bits turned over."""
        self._flipped[uid] = offset

    def truncate(self, uid: BlobUid, length: int) -> None:
        """The blob has lost everything from ``length`` on."""
        self._cut[uid] = length

    def swap(self, one: BlobUid, other: BlobUid) -> None:
        """Each of the two blobs has the bytes of the other."""
        self._swapped.update({one: other, other: one})

    def heal(self) -> None:
        """Undo all damage and forget all orders."""
        for damage in (self._flipped, self._cut, self._swapped):
            damage.clear()
        self._lost.clear()
        self.forget_orders()

    @property
    def capabilities(self) -> DataCapabilities:
        """As of the store within, but for its listings."""
        return replace(self.inner.capabilities, resumes_listings=False)

    def around(self, method: str, call: Callable[[], T]) -> T:
        """Make a call as ordered."""
        return self.carry_out(method, call)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Passed on, then damaged as ordered."""
        return self.carry_out("get", lambda: self._damaged_get(uid, buffer))

    def stored_size(self, uid: BlobUid) -> int:
        """Passed on, then damaged as ordered."""
        return self.carry_out("stored_size", lambda: self._damaged_size(uid))

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Passed on, without lost blobs and with damaged sizes."""
        rows = self.carry_out("list_blobs", self.inner.list_blobs)
        return (StoredBlob(row.uid, self._listed_size(row)) for row in rows if row.uid not in self._lost)

    def _damaged_get(self, uid: BlobUid, buffer: memoryview) -> int:
        self._check_not_lost(uid)
        length = self.inner.get(self._swapped.get(uid, uid), buffer)
        length = min(length, self._cut.get(uid, length))
        flipped = self._flipped.get(uid)
        if flipped is not None and flipped < length:
            buffer[flipped] ^= 0xFF
        return length

    def _damaged_size(self, uid: BlobUid) -> int:
        self._check_not_lost(uid)
        length = self.inner.stored_size(self._swapped.get(uid, uid))
        return min(length, self._cut.get(uid, length))

    def _listed_size(self, row: StoredBlob) -> int:
        return self._damaged_size(row.uid) if row.uid in self._swapped or row.uid in self._cut else row.stored_size

    def _check_not_lost(self, uid: BlobUid) -> None:
        if uid in self._lost:
            raise BlobNotFoundError(f"there is no blob {uid} in {self.location}")
