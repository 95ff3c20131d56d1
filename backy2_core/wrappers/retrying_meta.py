"""Makes a call of a meta backend again that failed for a passing reason: a server is restarted now and then.

A job of hours is not to end because of that. Calls that failed changed nothing where the error is ``retryable``, says the
contract, so each may be made again as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import MetaBackendError
from backy2_core.model.blob import BlobUid, StoreId
from backy2_core.wrappers.forwarding_meta import ForwardingMetaBackend
from backy2_core.wrappers.patience import Patience, begun

log = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = Patience(first_wait_s=0.1, longest_wait_s=5.0)
"""A restarted server is there again within seconds."""


class RetryingMetaBackend(ForwardingMetaBackend):
    """Tries again what may pass, as long as ``patience`` lasts for a call.

    A database that did not answer once yet is not waited for: whoever just began a command wants to know at once that
    its server is down. Of listings only the beginning is retried: one begun anew would name rows twice. Threads: as
    ``inner``. Closing it closes ``inner``.
    """

    def __init__(self, inner: MetaBackend, patience: Patience = PATIENCE) -> None:
        super().__init__(inner)
        self._patience = patience
        self._answered = False

    def around(self, method: str, call: Callable[[], T]) -> T:
        """Make a call until it succeeds."""

        def tell(pause_s: float, error: MetaBackendError) -> None:
            log.warning("Trying again in %.1f s: %s", pause_s, error)

        result = self._patience.retry(call, MetaBackendError, lambda error: error.retryable and self._answered, tell)
        self._answered = True
        return result

    def around_listing(self, method: str, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Make a call until its first row is there."""
        yield from self.around(method, lambda: begun(call))

    def close(self) -> None:
        """Passed on: closing is not retried."""
        self.inner.close()

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        """Passed on: what was taken from ``objects`` is not there a second time."""
        return self.inner.doom_objects(store, objects)
