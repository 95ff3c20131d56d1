"""A meta backend that fails as a test tells it, around one that works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.testing.orders import Orders
from backy2_core.wrappers.forwarding_meta import ForwardingMetaBackend

T = TypeVar("T")


class FaultyMetaBackend(Orders, ForwardingMetaBackend):
    """Passes every call on to ``inner``, except for what was ordered by :meth:`fail` and :meth:`run`.

    An order for an iterator takes effect when it is asked for, not as it yields. Provisional, as the contract is. Threads:
    as ``inner``.
    """

    def __init__(self, inner: MetaBackend) -> None:
        Orders.__init__(self, MetaBackend)
        ForwardingMetaBackend.__init__(self, inner)

    def around(self, method: str, call: Callable[[], T]) -> T:
        """Make a call as ordered."""
        return self.carry_out(method, call)
