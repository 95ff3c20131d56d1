"""What may be expected of removing snapshots: our own goes, and whatever others made or use stays."""

from __future__ import annotations

import pytest

from backy2_core.contracts.snapshots import Snapshots
from backy2_core.errors import SourceError
from backy2_core.testing.snapshots_base import MARKS, SnapshotsBase, SnapshotsSubject, listed, names


class RemovingPromises(SnapshotsBase):
    """See :class:`backy2_core.testing.snapshots.SnapshotsSuite`."""

    def test_one_that_was_removed_is_gone_and_the_others_stay(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        first, second, third = (snapshots.create(mark) for mark in MARKS[:3])
        snapshots.remove(second)
        assert list(snapshots.list()) == [first, third]
        with subject.open(None) as others:
            assert list(others.list()) == [first, third]

    def test_one_that_another_process_made_is_removed(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        with subject.open(None) as others:
            others.create(MARKS[0])
        for found in snapshots.list():
            snapshots.remove(found)
        assert names(snapshots) == []

    def test_one_that_is_not_there_any_more_is_no_error(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        first, second = snapshots.create(MARKS[0]), snapshots.create(MARKS[1])
        snapshots.remove(first)
        snapshots.remove(first)
        subject.drop(second.name)
        snapshots.remove(second)
        assert names(snapshots) == []

    def test_what_was_read_of_one_that_was_removed_is_right_or_denied(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        subject.write(0, b"before")
        made = snapshots.create(MARKS[0])
        subject.write(0, b"behind")
        buffer = bytearray(6)
        with subject.open_source(made.url) as source:
            subject.drop(made.name)
            subject.write(0, b"latest")
            try:
                source.read_into(0, memoryview(buffer))
                source.confirm()
            except SourceError:
                return
        assert buffer == b"before"

    def test_another_of_the_same_name_stays(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        made = snapshots.create(MARKS[0])
        subject.drop(made.name)
        subject.write(0, b"meanwhile")
        subject.take(made.name)
        snapshots.remove(made)
        assert listed(snapshots, made.name).identity != made.identity

    def test_one_that_others_made_stays_and_is_refused(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        subject.take("theirs")
        theirs = listed(snapshots, "theirs")
        with pytest.raises(SourceError):
            snapshots.remove(theirs)
        assert list(snapshots.list()) == [theirs]

    def test_what_was_removed_of_a_device_made_anew_stays(self, subject: SnapshotsSubject) -> None:
        if subject.recreate is None:
            pytest.skip("the subject cannot be made anew")
        with subject.open(None) as snapshots:
            made = snapshots.create(MARKS[0])
        subject.recreate()
        subject.take(made.name)
        with subject.open(None) as snapshots:
            snapshots.remove(made)
            assert names(snapshots) == [made.name]

    def test_one_that_others_use_stays_and_is_refused(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        if subject.hold is None:
            pytest.skip("nobody can hold a snapshot of the subject")
        made = snapshots.create(MARKS[0])
        subject.hold(made.name)
        with pytest.raises(SourceError):
            snapshots.remove(made)
        assert list(snapshots.list()) == [made]

    def test_a_refusal_names_the_device(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        subject.take("theirs")
        kept = [listed(snapshots, "theirs")]
        if subject.hold is not None:
            kept.append(snapshots.create(MARKS[0]))
            subject.hold(kept[1].name)
        for snapshot in kept:
            with pytest.raises(SourceError) as raised:
                snapshots.remove(snapshot)
            assert snapshot.url in str(raised.value), f"expected {snapshot.url} in the message, not only {raised.value}"

    def test_the_content_of_the_others_stays_when_one_is_removed(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        made = []
        for number, mark in enumerate(MARKS[:3]):
            subject.write(number * 1000, b"new" * 20_000)
            made.append(snapshots.create(mark))
        contents = [subject.content(snapshot) for snapshot in made]
        snapshots.remove(made[1])
        assert [subject.content(made[0]), subject.content(made[2])] == [contents[0], contents[2]]
        changed = list(snapshots.changes(made[0], made[2]).extents)
        assert any(extent.offset <= 2000 < extent.end for extent in changed)
