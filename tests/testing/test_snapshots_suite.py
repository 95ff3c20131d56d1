"""The reference device keeps every promise about snapshots, and the suite finds out one that does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from backy2_core.contracts.snapshots import Changes, Snapshot, Snapshots
from backy2_core.model.extent import Extent
from backy2_core.testing.memory_snapshots import MemoryDevice, MemorySnapshots
from backy2_core.testing.snapshots import SnapshotsSubject, SnapshotsSuite

SIZE = 1024 * 1024 + 512


def subject_of(device: MemoryDevice, kind: Callable[[MemoryDevice, str | None], Snapshots]) -> SnapshotsSubject:
    def take(name: str) -> None:
        device.take(name)

    return SnapshotsSubject(
        open=lambda name: kind(device, name),
        open_source=device.open_source,
        size_bytes=SIZE,
        write=device.write,
        take=take,
        drop=device.drop,
        discard=device.discard,
        resize=device.resize,
        roll_back=device.roll_back,
        recreate=lambda: device.recreate(bytes(SIZE)),
        hold=device.held.add,
    )


class TestMemorySnapshots(SnapshotsSuite):
    @pytest.fixture
    def subject(self) -> SnapshotsSubject:
        return subject_of(MemoryDevice(bytes(SIZE)), MemorySnapshots)


class ForgetsTheLast(MemorySnapshots):
    """Wrong: leaves a change out."""

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        return Changes(iter(list(super().changes(older, newer).extents)[:-1]))


class CallsAllGone(MemorySnapshots):
    """Wrong: says that what changed is zeros."""

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        return Changes(Extent(e.offset, e.length, False) for e in super().changes(older, newer).extents)


class SortsByName(MemorySnapshots):
    """Wrong: the order is not that of time."""

    def list(self) -> Sequence[Snapshot]:
        return sorted(super().list(), key=lambda snapshot: snapshot.name)


class RemovesByName(MemorySnapshots):
    """Wrong: removes whatever has the name."""

    def remove(self, snapshot: Snapshot) -> None:
        if snapshot.name in self._device.names():
            self._device.drop(snapshot.name)


WRONG = [
    (ForgetsTheLast, "test_what_was_written_is_among_the_changes"),
    (CallsAllGone, "test_what_was_overwritten_is_among_the_changes"),
    (SortsByName, "test_they_are_listed_oldest_first"),
    (RemovesByName, "test_another_of_the_same_name_stays"),
    (RemovesByName, "test_one_that_others_made_stays_and_is_refused"),
    (RemovesByName, "test_one_that_others_use_stays_and_is_refused"),
]


@pytest.mark.parametrize(("kind", "promise"), WRONG, ids=[f"{kind.__name__}-{name}" for kind, name in WRONG])
def test_the_suite_finds_what_is_wrong(kind: type[MemorySnapshots], promise: str) -> None:
    subject = subject_of(MemoryDevice(bytes(SIZE)), kind)
    with subject.open(None) as snapshots, pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(SnapshotsSuite(), promise)(subject=subject, snapshots=snapshots)
