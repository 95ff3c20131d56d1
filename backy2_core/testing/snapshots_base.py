"""The device under test, and what the promises about its snapshots share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from backy2_core.contracts.source import Source

MARKS = tuple(f"{number}a{number}b5c6d7e8f9{number:02}" for number in range(10))
"""Marks to make snapshots with."""


@dataclass(frozen=True, slots=True)
class SnapshotsSubject:
    """A device under test, new and without snapshots, of ``size_bytes`` (at least 1 MiB, at most some MiB).

    ``open`` opens its snapshots by the URL that names the device, or a snapshot of this name; ``open_source`` opens what
    the URL of a snapshot names. The others act as other programs would: ``write`` and ``discard`` bytes of the device,
    ``resize`` it, ``take`` and ``drop`` a snapshot of a name, ``roll_back`` the device to one, ``recreate`` the device
    under the same name with nothing in it (and remove its snapshots first), ``hold`` a snapshot so that it cannot be
    removed. What a device cannot do is None, and its tests are skipped.
    """

    open: Callable[[str | None], Snapshots]
    open_source: Callable[[str], Source]
    size_bytes: int
    write: Callable[[int, bytes], None]
    take: Callable[[str], None]
    drop: Callable[[str], None]
    discard: Callable[[int, int], None] | None = None
    resize: Callable[[int], None] | None = None
    roll_back: Callable[[str], None] | None = None
    recreate: Callable[[], None] | None = None
    hold: Callable[[str], None] | None = None

    def content(self, snapshot: Snapshot) -> bytes:
        """What a snapshot holds, by its URL; its source is checked beside."""
        with self.open_source(snapshot.url) as source:
            assert source.identity == snapshot.identity
            assert source.size_bytes == snapshot.size_bytes
            buffer = bytearray(b"\xa5" * source.size_bytes)
            if buffer:
                source.read_into(0, memoryview(buffer))
        return bytes(buffer)


class SnapshotsBase:
    """What the promises share."""

    @pytest.fixture
    def subject(self) -> SnapshotsSubject:
        """The device under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture subject")

    @pytest.fixture
    def snapshots(self, subject: SnapshotsSubject) -> Iterator[Snapshots]:
        """The device's snapshots, open."""
        with subject.open(None) as opened:
            yield opened


def listed(snapshots: Snapshots, name: str) -> Snapshot:
    """The snapshot of this name as it is listed."""
    found = [snapshot for snapshot in snapshots.list() if snapshot.name == name]
    assert len(found) == 1, f"{name} should be listed once; there are {[s.name for s in snapshots.list()]}"
    return found[0]


def names(snapshots: Snapshots) -> list[str]:
    """Names of all that are listed."""
    return [snapshot.name for snapshot in snapshots.list()]
