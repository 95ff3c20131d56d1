"""A data backend that fails and damages as a test tells it, around one that works."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobNotFoundError
from backy2_core.model.blob import BlobUid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Order:
    method: str
    first: int
    last: int
    after: bool
    action: Callable[[], None]

    def fits(self, method: str, number: int, after: bool) -> bool:
        return self.method == method and self.after == after and self.first <= number <= self.last


class FaultyDataBackend(DataBackend):
    """Passes every call on to ``inner``, except for what was ordered.

    :meth:`fail` and :meth:`run` order something for a call of a method, counted from now on; damage is ordered for a uid
    and seen by reading, while ``inner`` stays whole, so that :meth:`heal` undoes it. ``calls`` counts the calls by
    method. Threads: as ``inner``; orders may be given at any time.
    """

    def __init__(self, inner: DataBackend) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self._orders: list[_Order] = []
        self._lost: set[BlobUid] = set()
        self._flipped: dict[BlobUid, int] = {}
        self._cut: dict[BlobUid, int] = {}
        self._swapped: dict[BlobUid, BlobUid] = {}
        self._lock = threading.Lock()

    def fail(self, method: str, error: Exception, *, call: int = 1, times: int = 1, after: bool = False) -> None:
        """Let the ``call``-th call of ``method`` from now on, and ``times`` in all, raise ``error``.

        ``after``: the call is carried out first, as when only the answer of a remote store is lost.
        """

        def throw() -> None:
            raise error

        self.run(method, throw, call=call, times=times, after=after)

    def run(
        self, method: str, action: Callable[[], None], *, call: int = 1, times: int = 1, after: bool = False
    ) -> None:
        """Call ``action`` before (or ``after``) such calls, in their thread: to wait, to count, to kill the process."""
        if not hasattr(DataBackend, method):
            raise ValueError(f"a data backend has no method {method}")
        with self._lock:
            first = self.calls[method] + call
            self._orders.append(_Order(method, first, first + times - 1, after, action))

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
        with self._lock:
            self._orders.clear()

    @property
    def capabilities(self) -> DataCapabilities:
        """As of the store within, but for its listings."""
        return replace(self.inner.capabilities, resumes_listings=False)

    @property
    def location(self) -> str:
        """As of the store within."""
        return self.inner.location

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Passed on."""
        self._call("put", lambda: self.inner.put(uid, data))

    def flush(self) -> None:
        """Passed on."""
        self._call("flush", self.inner.flush)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Passed on, then damaged as ordered."""
        return self._call("get", lambda: self._damaged_get(uid, buffer))

    def stored_size(self, uid: BlobUid) -> int:
        """Passed on, then damaged as ordered."""
        return self._call("stored_size", lambda: self._damaged_size(uid))

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Passed on."""
        self._call("delete", lambda: self.inner.delete(uids))

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Passed on, without lost blobs and with damaged sizes."""
        rows = self._call("list_blobs", self.inner.list_blobs)
        return (StoredBlob(row.uid, self._listed_size(row)) for row in rows if row.uid not in self._lost)

    def write_document(self, name: str, data: bytes) -> None:
        """Passed on."""
        self._call("write_document", lambda: self.inner.write_document(name, data))

    def create_document(self, name: str, data: bytes) -> bool:
        """Passed on."""
        return self._call("create_document", lambda: self.inner.create_document(name, data))

    def read_document(self, name: str) -> bytes | None:
        """Passed on."""
        return self._call("read_document", lambda: self.inner.read_document(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Passed on."""
        return self._call("list_documents", lambda: self.inner.list_documents(prefix))

    def delete_document(self, name: str) -> None:
        """Passed on."""
        self._call("delete_document", lambda: self.inner.delete_document(name))

    def close(self) -> None:
        """Passed on."""
        self._call("close", self.inner.close)

    def _call(self, method: str, call: Callable[[], T]) -> T:
        with self._lock:
            self.calls[method] += 1
            number = self.calls[method]
        self._carry_out(method, number, after=False)
        result = call()
        self._carry_out(method, number, after=True)
        return result

    def _carry_out(self, method: str, number: int, *, after: bool) -> None:
        with self._lock:
            due = [order for order in self._orders if order.fits(method, number, after)]
        for order in due:
            order.action()

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
