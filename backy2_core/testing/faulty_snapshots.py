"""The snapshots of a device that fail and lie as a test tells them, around ones that work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from backy2_core.contracts.snapshots import Changes, Snapshot, Snapshots
from backy2_core.model.extent import Extent


def _nothing(point: str) -> None:
    """Passes every point."""


def _truth(extents: Iterable[Extent]) -> Iterable[Extent]:
    """Tells what the device told."""
    return extents


class FaultySnapshots(Snapshots):
    """Passes every call on to ``inner``.

    ``arrive`` is called with ``before METHOD`` and ``after METHOD`` around each call, and may raise, or change the device.
    ``retell`` makes other extents of those that ``inner`` tells; ``remarks`` are added to its own.
    """

    def __init__(
        self,
        inner: Snapshots,
        *,
        arrive: Callable[[str], None] = _nothing,
        retell: Callable[[Iterable[Extent]], Iterable[Extent]] = _truth,
        remarks: Sequence[str] = (),
    ) -> None:
        self._inner = inner
        self._arrive = arrive
        self._retell = retell
        self._remarks = remarks

    @property
    def named(self) -> Snapshot | None:
        """As inside."""
        return self._inner.named

    def list(self) -> Sequence[Snapshot]:
        """As inside, between two points."""
        self._arrive("before list")
        found = self._inner.list()
        self._arrive("after list")
        return found

    def create(self, mark: str) -> Snapshot:
        """As inside, between two points."""
        self._arrive("before create")
        made = self._inner.create(mark)
        self._arrive("after create")
        return made

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        """What is retold, between two points."""
        self._arrive("before changes")
        told = self._inner.changes(older, newer)
        extents = iter(list(self._retell(told.extents)))
        self._arrive("after changes")
        return Changes(extents, [*told.remarks, *self._remarks])

    def remove(self, snapshot: Snapshot) -> None:
        """As inside, between two points."""
        self._arrive("before remove")
        self._inner.remove(snapshot)
        self._arrive("after remove")

    def close(self) -> None:
        """As inside."""
        self._inner.close()
