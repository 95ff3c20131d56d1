"""A source and a target that fail as a test tells them, around ones that work."""

from __future__ import annotations

from collections.abc import Iterator

from backy2_core.contracts.source import Source, Target
from backy2_core.model.extent import Extent
from backy2_core.testing.orders import Orders


class FaultySource(Orders, Source):
    """Passes every call on to ``inner``, except for what was ordered by :meth:`fail` and :meth:`run`.

    :meth:`change` lets a byte be read with its bits turned over, as on a device that is written to meanwhile. Threads: as
    ``inner``.
    """

    def __init__(self, inner: Source) -> None:
        super().__init__(Source)
        self.inner = inner
        self._changed: set[int] = set()

    def change(self, offset: int) -> None:
        """From now on the byte at ``offset`` is read with its bits turned over."""
        self._changed.add(offset)

    @property
    def size_bytes(self) -> int:
        """As of the source within."""
        return self.inner.size_bytes

    @property
    def identity(self) -> str:
        """As of the source within."""
        return self.inner.identity

    @property
    def threads(self) -> int:
        """As of the source within."""
        return self.inner.threads

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Passed on, then changed as ordered."""
        self.carry_out("read_into", lambda: self.inner.read_into(offset, buffer))
        for changed in self._changed:
            if offset <= changed < offset + len(buffer):
                buffer[changed - offset] ^= 0xFF

    def allocated(self) -> Iterator[Extent]:
        """Passed on; an order takes effect when it is asked for, not as it yields."""
        return self.carry_out("allocated", self.inner.allocated)

    def confirm(self) -> None:
        """Passed on."""
        self.carry_out("confirm", self.inner.confirm)

    def close(self) -> None:
        """Passed on."""
        self.carry_out("close", self.inner.close)


class FaultyTarget(Orders, Target):
    """Passes every call on to ``inner``, except for what was ordered by :meth:`fail` and :meth:`run`. Threads: as it."""

    def __init__(self, inner: Target) -> None:
        super().__init__(Target)
        self.inner = inner

    @property
    def threads(self) -> int:
        """As of the target within."""
        return self.inner.threads

    def write(self, offset: int, data: memoryview) -> None:
        """Passed on."""
        self.carry_out("write", lambda: self.inner.write(offset, data))

    def zero(self, offset: int, length: int) -> None:
        """Passed on."""
        self.carry_out("zero", lambda: self.inner.zero(offset, length))

    def flush(self) -> None:
        """Passed on."""
        self.carry_out("flush", self.inner.flush)

    def close(self) -> None:
        """Passed on."""
        self.carry_out("close", self.inner.close)
