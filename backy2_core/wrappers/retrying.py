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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.errors import BlobDamagedError, BlobExistsError, BlobNotFoundError, BlobsKeptError, DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.wrappers.forwarding import ForwardingDataBackend
from backy2_core.wrappers.patience import Patience, begun

_logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = Patience()

_LOOKS = 3
"""Times a blob must come damaged to be believed so: bytes may have changed on their way, not in the store."""


class RetryingDataBackend(ForwardingDataBackend):
    """Tries again what may pass, as long as ``patience`` lasts for a call.

    ``flush`` is never retried: when it failed, blobs may be gone, and a second flush with nothing left to do would
    succeed falsely. Threads: as ``inner``.
    """

    def __init__(self, inner: DataBackend, patience: Patience = PATIENCE) -> None:
        super().__init__(inner)
        self._patience = patience

    @property
    def capabilities(self) -> DataCapabilities:
        """As of the store within, but for its listings: one that was given up here has come to its end."""
        return replace(self.inner.capabilities, resumes_listings=False)

    def put(self, uid: BlobUid, data: memoryview) -> None:
        """Store a blob. If a second attempt finds it there in full length, the first one stored it.

        The length is enough: a uid is used once, and a store shows no part of a blob.
        """
        attempts = 0

        def attempt() -> None:
            nonlocal attempts
            attempts += 1
            try:
                self.inner.put(uid, data)
            except BlobExistsError:
                if attempts == 1 or self._length(uid) != len(data):
                    raise

        self._retry(f"put {uid}", attempt)

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        """Read a blob. One that came damaged, for a reason that may pass, is read three times before it is believed so."""
        return self._retry(f"get {uid}", lambda: self.inner.get(uid, buffer))

    def stored_size(self, uid: BlobUid) -> int:
        """Length of a blob."""
        return self._retry(f"look at {uid}", lambda: self.inner.stored_size(uid))

    def delete(self, uids: Sequence[BlobUid]) -> None:
        """Delete blobs; where the store kept some for a reason that may pass, just these are tried again."""
        left: Sequence[BlobUid] = uids

        def attempt() -> None:
            nonlocal left
            try:
                self.inner.delete(left)
            except BlobsKeptError as error:
                left = [BlobUid(uid) for uid in error.uids]
                raise

        self._retry(f"delete {len(uids)} blobs", attempt)

    def list_blobs(self) -> Iterator[StoredBlob]:
        """Every blob. Where the store cannot resume a listing, only the beginning is retried: it would name blobs twice."""
        yield from self._retry_rows("list blobs", self.inner.list_blobs)

    def write_document(self, name: str, data: bytes) -> None:
        """Store a document; writing it twice is as good as once."""
        self._retry(f"write {name}", lambda: self.inner.write_document(name, data))

    def create_document(self, name: str, data: bytes) -> bool:
        """Store a document if there is none. If a second attempt finds just this text, the first one stored it.

        So ``data`` should name its writer, or say the same whoever writes it.
        """
        attempts = 0

        def attempt() -> bool:
            nonlocal attempts
            attempts += 1
            return self.inner.create_document(name, data) or (attempts > 1 and self.inner.read_document(name) == data)

        return self._retry(f"create {name}", attempt)

    def read_document(self, name: str) -> bytes | None:
        """The document, or None."""
        return self._retry(f"read {name}", lambda: self.inner.read_document(name))

    def list_documents(self, prefix: str) -> Iterator[str]:
        """Names of documents; retried like the listing of blobs."""
        yield from self._retry_rows(f"list {prefix}", functools.partial(self.inner.list_documents, prefix))

    def delete_document(self, name: str) -> None:
        """Delete a document."""
        self._retry(f"delete {name}", lambda: self.inner.delete_document(name))

    def _retry(self, action: str, call: Callable[[], T]) -> T:
        damaged = 0

        def hopeful(error: DataBackendError) -> bool:
            nonlocal damaged
            damaged += isinstance(error, BlobDamagedError)
            return error.retryable and damaged < _LOOKS

        def tell(pause_s: float, error: DataBackendError) -> None:
            _logger.warning("could not %s, trying again in %.1f s: %s", action, pause_s, error)

        return self._patience.retry(call, DataBackendError, hopeful, tell)

    def _retry_rows(self, action: str, listing: Callable[[], Iterator[T]]) -> Iterator[T]:
        if not self.inner.capabilities.resumes_listings:
            yield from self._retry(action, lambda: begun(listing))
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

    def _length(self, uid: BlobUid) -> int | None:
        try:
            return self.inner.stored_size(uid)
        except BlobNotFoundError:
            return None
