"""What may be expected of changes: whatever differs is within them, and what they call gone reads as zeros."""

from __future__ import annotations

import random

import pytest

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from backy2_core.errors import SourceError
from backy2_core.testing.snapshots_base import MARKS, SnapshotsBase, SnapshotsSubject, listed

ROUNDS = 6


class ChangesPromises(SnapshotsBase):
    """See :class:`backy2_core.testing.snapshots.SnapshotsSuite`."""

    def test_what_was_written_is_among_the_changes(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        older = snapshots.create(MARKS[0])
        for offset in (0, 70_001, subject.size_bytes - 3):
            subject.write(offset, b"new")
        _expect_all(subject, snapshots, older, snapshots.create(MARKS[1]))

    def test_what_was_overwritten_is_among_the_changes(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        subject.write(0, random.Random(1).randbytes(subject.size_bytes))
        older = snapshots.create(MARKS[0])
        subject.write(100_000, bytes(300_000))
        subject.write(500_000, b"x")
        _expect_all(subject, snapshots, older, snapshots.create(MARKS[1]))

    def test_what_was_discarded_is_among_the_changes(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        if subject.discard is None:
            pytest.skip("the subject cannot discard")
        subject.write(0, random.Random(2).randbytes(subject.size_bytes))
        older = snapshots.create(MARKS[0])
        subject.discard(0, subject.size_bytes // 2)
        subject.discard(subject.size_bytes - 5000, 3000)
        _expect_all(subject, snapshots, older, snapshots.create(MARKS[1]))

    @pytest.mark.parametrize("factor", [0.5, 0.7001, 1.3001, 2.0])
    def test_a_device_of_another_size_is_compared_as_far_as_both_reach(
        self, subject: SnapshotsSubject, snapshots: Snapshots, factor: float
    ) -> None:
        if subject.resize is None:
            pytest.skip("the subject cannot be resized")
        subject.write(0, random.Random(3).randbytes(subject.size_bytes))
        older = snapshots.create(MARKS[0])
        subject.write(1000, b"in the beginning")
        subject.resize(int(subject.size_bytes * factor) // 512 * 512)
        newer = snapshots.create(MARKS[1])
        assert newer.size_bytes != older.size_bytes
        _expect_all(subject, snapshots, older, newer)

    def test_shrinking_and_growing_again_is_among_the_changes(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        if subject.resize is None:
            pytest.skip("the subject cannot be resized")
        subject.write(0, random.Random(4).randbytes(subject.size_bytes))
        older = snapshots.create(MARKS[0])
        subject.resize(subject.size_bytes // 2)
        subject.resize(subject.size_bytes)
        _expect_all(subject, snapshots, older, snapshots.create(MARKS[1]))

    def test_a_device_that_was_rolled_back_is_compared_as_it_is(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        if subject.roll_back is None:
            pytest.skip("the subject cannot be rolled back")
        subject.write(0, random.Random(5).randbytes(subject.size_bytes))
        subject.take("long ago")
        subject.write(200_000, b"soon undone" * 10_000)
        older = snapshots.create(MARKS[0])
        subject.roll_back("long ago")
        newer = snapshots.create(MARKS[1])
        _expect_all(subject, snapshots, older, newer)
        _expect_all(subject, snapshots, listed(snapshots, "long ago"), newer)

    def test_any_two_snapshots_can_be_compared(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        draw = random.Random(6)
        for number in range(ROUNDS):
            _change(subject, draw)
            if number % 2:
                subject.take(f"theirs{number}")
            else:
                snapshots.create(MARKS[number])
        found = list(snapshots.list())
        for at, newer in enumerate(found):
            for older in found[:at]:
                _expect_all(subject, snapshots, older, newer)

    def test_other_openings_see_the_same_changes(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        older = snapshots.create(MARKS[0])
        subject.write(40_000, b"new" * 100)
        newer = snapshots.create(MARKS[1])
        with subject.open(newer.name) as others:
            _expect_all(subject, others, older, newer)

    def test_remarks_are_sentences(self, snapshots: Snapshots) -> None:
        older, newer = snapshots.create(MARKS[0]), snapshots.create(MARKS[1])
        remarks = snapshots.changes(older, newer).remarks
        assert not isinstance(remarks, str)
        assert all(isinstance(remark, str) and remark for remark in remarks)

    def test_changes_come_one_by_one(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        older = snapshots.create(MARKS[0])
        subject.write(0, b"new")
        extents = snapshots.changes(older, snapshots.create(MARKS[1])).extents
        assert iter(extents) is extents, "expected an iterator, since there may be many changes"
        assert list(extents)
        assert list(extents) == []

    @pytest.mark.parametrize("which", [0, 1])
    def test_changes_of_one_that_is_gone_are_an_error(
        self, subject: SnapshotsSubject, snapshots: Snapshots, which: int
    ) -> None:
        older, newer = snapshots.create(MARKS[0]), snapshots.create(MARKS[1])
        subject.drop((older, newer)[which].name)
        with pytest.raises(SourceError):
            list(snapshots.changes(older, newer).extents)

    @pytest.mark.parametrize("which", [0, 1])
    def test_another_of_the_same_name_is_not_taken_for_the_one_that_is_gone(
        self, subject: SnapshotsSubject, snapshots: Snapshots, which: int
    ) -> None:
        subject.take("first")
        older = listed(snapshots, "first")
        subject.take("second")
        newer = listed(snapshots, "second")
        name = (older, newer)[which].name
        subject.drop(name)
        subject.write(0, b"meanwhile")
        subject.take(name)
        with pytest.raises(SourceError):
            list(snapshots.changes(older, newer).extents)


def _change(subject: SnapshotsSubject, draw: random.Random) -> None:
    """Some writes, and discards where there are such, anywhere on the device."""
    for _ in range(4):
        offset = draw.randrange(subject.size_bytes)
        length = min(draw.choice([1, 4096, 50_000, 300_000]), subject.size_bytes - offset)
        if subject.discard is not None and draw.random() < 0.4:
            subject.discard(offset, length)
        else:
            subject.write(offset, draw.randbytes(length))


def _expect_all(subject: SnapshotsSubject, snapshots: Snapshots, older: Snapshot, newer: Snapshot) -> None:
    """Whatever differs is in the changes, and nothing that they call gone is there."""
    extents = list(snapshots.changes(older, newer).extents)
    old, new = subject.content(older), subject.content(newer)
    known = bytearray(old[: len(new)])
    known.extend(new[len(known) :])
    for extent in extents:
        known[extent.offset : extent.end] = new[extent.offset : extent.end]
        if not extent.exists:
            assert not any(new[extent.offset : extent.end]), f"{extent} is said to be gone, but is not zero"
    if known != new:
        wrong = next(at for at, (one, other) in enumerate(zip(known, new, strict=True)) if one != other)
        raise AssertionError(f"byte {wrong} differs from {older.name} to {newer.name}, and is not among the changes")
