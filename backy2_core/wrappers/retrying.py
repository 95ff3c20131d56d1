"""Makes a call again that failed for a passing reason: a store behind a network is out of reach now and then.

This is the only place that retries. Backends say by ``retryable`` whether the same call may succeed later; everything
else passes through at once. A call that failed may nevertheless have been carried out (the answer was lost), and the
second attempt then meets the work of the first: see :meth:`RetryingDataBackend.put` and
:meth:`RetryingDataBackend.create_document`.
"""

from __future__ import annotations

import functools
import itertools
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobDamagedError, BlobExistsError, BlobNotFoundError, BlobsKeptError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.wrappers.forwarding import ForwardingDataBackend

_logger = logging.getLogger(__name__)
T = TypeVar("T")

_LOOKS = 3
"""Times a blob must come damaged to be believed so: bytes may have changed on their way, not in the store."""


class RetryingDataBackend(ForwardingDataBackend):
    """Retries for up to ``limit_s`` seconds a call, waiting ever longer, from ``first_wait_s`` to ``longest_wait_s``.

    Each wait is drawn at random from the upper half of its length, so that many clients do not come back in step.
    ``flush`` is never retried: when it failed, blobs may be gone, and a second flush with nothing left to do would
    succeed falsely. ``sleep``, ``clock`` (seconds) and ``draw`` (0 to 1) can be given by tests. Threads: as ``inner``.
    """

    def __init__(
        self,
        inner: DataBackend,
        *,
        limit_s: float = 120.0,
        first_wait_s: float = 0.2,
        longest_wait_s: float = 20.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(inner)
        self._limit_s = limit_s
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._sleep = sleep
        self._clock = clock
        self._draw = draw

    @property
    def capabilities(self) -> DataCapabilities:
        """As of the store within, but for its listings: one that was given up here has come to its end."""
        return replace(self._inner.capabilities, resumes_listings=False)

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Store a blob. If a second attempt finds it there in full length, the first one stored it.

        The length is enough: a uid is used once, and a store shows no part of a blob.
        """
        attempts = 0

        def attempt() -> None:
            nonlocal attempts
            attempts += 1
            try:
                self._inner.put(uid, data)
            except BlobExistsError:
                if attempts == 1 or self._length(uid) != len(data):
                    raise

        self._retry(f"put {uid}", attempt)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read a blob. One that came damaged, for a reason that may pass, is read three times before it is believed so."""
        return self._retry(f"get {uid}", lambda: self._inner.get(uid, buffer))

    def stored_size(self, uid: BlobUid) -> int:
        """Length of a blob."""
        return self._retry(f"look at {uid}", lambda: self._inner.stored_size(uid))

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Delete blobs; where the store kept some for a reason that may pass, just these are tried again."""
        left: Sequence[BlobUid] = uids

        def attempt() -> None:
            nonlocal left
            try:
                self._inner.delete(left)
            except BlobsKeptError as error:
                left = [BlobUid(uid) for uid in error.uids]
                raise

        self._retry(f"delete {len(uids)} blobs", attempt)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob. Where the store cannot resume a listing, only the beginning is retried: it would name blobs twice."""
        yield from self._retry_rows("list blobs", self._inner.list_blobs)

    def write_document(self, name: str, data: bytes) -> None:
        """Store a document; writing it twice is as good as once."""
        self._retry(f"write {name}", lambda: self._inner.write_document(name, data))

    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document if there is none. If a second attempt finds just this text, the first one stored it.

        So ``data`` should name its writer, or say the same whoever writes it.
        """
        attempts = 0

        def attempt() -> bool:
            nonlocal attempts
            attempts += 1
            return self._inner.create_document(name, data) or (attempts > 1 and self._inner.read_document(name) == data)

        return self._retry(f"create {name}", attempt)

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        return self._retry(f"read {name}", lambda: self._inner.read_document(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of documents; retried like the listing of blobs."""
        yield from self._retry_rows(f"list {prefix}", functools.partial(self._inner.list_documents, prefix))

    def delete_document(self, name: str) -> None:
        """Delete a document."""
        self._retry(f"delete {name}", lambda: self._inner.delete_document(name))

    def _retry(self, action: str, call: Callable[[], T]) -> T:
        give_up_at = self._clock() + self._limit_s
        wait_s, damaged = self._first_wait_s, 0
        while True:
            try:
                return call()
            except DataBackendError as error:
                pause_s = wait_s * (0.5 + 0.5 * self._draw())
                damaged += isinstance(error, BlobDamagedError)
                if not error.retryable or damaged >= _LOOKS or self._clock() + pause_s > give_up_at:
                    raise
                _logger.warning("could not %s, trying again in %.1f s: %s", action, pause_s, error)
            self._sleep(pause_s)
            wait_s = min(2 * wait_s, self._longest_wait_s)

    def _retry_rows(self, action: str, listing: Callable[[], Iterator[T]]) -> Iterator[T]:
        if not self._inner.capabilities.resumes_listings:
            yield from self._retry_start(action, listing)
            return
        rows = self._retry(action, listing)
        more = True
        while more:
            try:
                yield from rows
                return
            except DataBackendError as error:
                if not error.retryable:
                    raise
            following = self._retry(action, lambda: list(itertools.islice(rows, 1)))
            yield from following
            more = bool(following)

    def _retry_start(self, action: str, listing: Callable[[], Iterator[T]]) -> Iterator[T]:
        def start() -> tuple[list[T], Iterator[T]]:
            rows = listing()
            return list(itertools.islice(rows, 1)), rows

        first, rest = self._retry(action, start)
        yield from first
        yield from rest

    def _length(self, uid: BlobUid) -> int | None:
        try:
            return self._inner.stored_size(uid)
        except BlobNotFoundError:
            return None
