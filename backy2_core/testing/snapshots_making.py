"""What may be expected of making and listing snapshots: they stay what they were, and none is taken for another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backy2_core.contracts.snapshots import Snapshots
from backy2_core.errors import SourceError
from backy2_core.testing.snapshots_base import MARKS, SnapshotsBase, SnapshotsSubject, listed, names

CLOCKS_APART = timedelta(hours=1)


class MakingPromises(SnapshotsBase):
    """See :class:`backy2_core.testing.snapshots.SnapshotsSuite`."""

    def test_a_new_device_has_no_snapshots(self, snapshots: Snapshots) -> None:
        assert list(snapshots.list()) == []

    def test_a_url_of_the_device_names_no_snapshot(self, snapshots: Snapshots) -> None:
        assert snapshots.named is None

    def test_a_url_with_a_snapshot_names_it(self, subject: SnapshotsSubject) -> None:
        subject.take("monday")
        subject.take("tuesday")
        with subject.open("monday") as snapshots:
            assert snapshots.named == listed(snapshots, "monday")
            assert names(snapshots) == ["monday", "tuesday"]

    def test_a_url_with_a_snapshot_that_is_not_there_is_an_error(self, subject: SnapshotsSubject) -> None:
        with pytest.raises(SourceError, match="sunday"):
            subject.open("sunday")

    def test_one_that_was_made_is_listed_as_it_was_returned(self, snapshots: Snapshots) -> None:
        made = snapshots.create(MARKS[0])
        assert list(snapshots.list()) == [made]

    def test_one_that_was_made_is_own_and_has_its_mark(self, snapshots: Snapshots) -> None:
        made = snapshots.create(MARKS[0])
        assert (made.own, made.mark) == (True, MARKS[0])

    @pytest.mark.parametrize("mark", ["a", "0123456789abcdef0123456789abcdef", "zyxwv"])
    def test_marks_of_every_length_are_kept(self, subject: SnapshotsSubject, snapshots: Snapshots, mark: str) -> None:
        snapshots.create(mark)
        with subject.open(None) as others:
            assert [snapshot.mark for snapshot in others.list()] == [mark]

    def test_one_that_was_made_is_own_for_whoever_opens_the_device_later(self, subject: SnapshotsSubject) -> None:
        opened = subject.open(None)
        try:
            made = opened.create(MARKS[0])
            # As if this process were killed now: nothing is closed before others look.
            with subject.open(None) as others:
                assert list(others.list()) == [made]
        finally:
            opened.close()

    def test_one_that_others_made_is_not_own(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        subject.take("theirs")
        found = listed(snapshots, "theirs")
        assert (found.own, found.mark) == (False, "")

    def test_what_others_make_meanwhile_is_listed(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        snapshots.create(MARKS[0])
        before = list(snapshots.list())
        subject.take("theirs")
        assert [*before, listed(snapshots, "theirs")] == list(snapshots.list())

    def test_they_are_listed_oldest_first(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        # Names in no order, so that whoever sorts by name is found out.
        subject.take("m")
        first = snapshots.create(MARKS[5])
        subject.take("a")
        second = snapshots.create(MARKS[1])
        subject.take("z")
        assert names(snapshots) == ["m", first.name, "a", second.name, "z"]

    def test_they_tell_when_they_were_made(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        subject.take("theirs")
        snapshots.create(MARKS[0])
        for found in snapshots.list():
            assert found.created.utcoffset() == timedelta(0)
            assert abs(datetime.now(UTC) - found.created) < CLOCKS_APART

    def test_all_have_names_identities_and_urls_of_their_own(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        for mark in MARKS:
            snapshots.create(mark)
        subject.take("theirs")
        found = snapshots.list()
        for what in ("name", "identity", "url"):
            values = [getattr(snapshot, what) for snapshot in found]
            assert len(set(values)) == len(MARKS) + 1
            assert all(values)
        assert all(len(snapshot.identity) <= 1000 for snapshot in found)

    def test_one_made_again_under_the_same_name_has_another_identity(
        self, subject: SnapshotsSubject, snapshots: Snapshots
    ) -> None:
        identities = set()
        for _ in range(3):
            subject.take("daily")
            identities.add(listed(snapshots, "daily").identity)
            subject.drop("daily")
        assert len(identities) == 3

    def test_one_of_a_device_made_anew_has_another_identity(self, subject: SnapshotsSubject) -> None:
        if subject.recreate is None:
            pytest.skip("the subject cannot be made anew")
        identities = []
        for _ in range(2):
            subject.take("daily")
            with subject.open("daily") as snapshots:
                identities.append(listed(snapshots, "daily").identity)
            subject.recreate()
        assert len(set(identities)) == 2

    def test_a_snapshot_stays_what_the_device_was(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        subject.write(70_000, b"before" * 1000)
        made = snapshots.create(MARKS[0])
        before = subject.content(made)
        subject.write(70_000, b"after." * 1000)
        assert subject.content(made) == before
        assert before[70_000:76_000] == b"before" * 1000
        assert len(before) == subject.size_bytes
        assert subject.content(snapshots.create(MARKS[1]))[70_000:76_000] == b"after." * 1000

    def test_what_a_snapshot_is_called_by_stays(self, subject: SnapshotsSubject, snapshots: Snapshots) -> None:
        made = snapshots.create(MARKS[0])
        subject.write(0, b"x" * 4096)
        snapshots.create(MARKS[1])
        if subject.resize is not None:
            subject.resize(subject.size_bytes // 2)
        assert listed(snapshots, made.name) == made

    def test_closing_twice_does_nothing(self, subject: SnapshotsSubject) -> None:
        snapshots = subject.open(None)
        snapshots.close()
        snapshots.close()
