"""What may be expected of versions: how they are listed, found, changed and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import NotFoundError, RefusedError, VersionExistsError
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobId
from backy2_core.model.version import NewVersion, Version, VersionFilter, VersionId, VersionState, VersionUid
from backy2_core.testing.meta_backend_base import PromiseBase, begin, create, finished, removed_at_all

EVERY = VersionFilter(states=frozenset(VersionState))
UNKNOWN = VersionId(4711)


def only(meta: MetaBackend, version: Version) -> Version:
    """The version as it is now."""
    return next(found for found in meta.versions(EVERY) if found.id == version.id)


def names(meta: MetaBackend, **criteria: Any) -> list[str]:
    """Names of the versions that a filter lets through."""
    return [version.name for version in meta.versions(VersionFilter(**criteria))]


class VersionPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_a_new_version_is_incomplete_and_keeps_all_it_was_told(self, meta: MetaBackend, job: JobId) -> None:
        expire = datetime(2031, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
        new = NewVersion(
            uid=VersionUid("0d1f4e88-5a3c-11ee-9b1d-0242ac120002"),
            name="vm-ü 'quoted' | piped",
            snapshot_name="daily",
            geometry=Geometry(10 * 2**40 + 1, 4 * 2**20),
            hash="sha512",
            source="rbd://pool/image@snap",
            source_identity="inode 1, changed 2",
            base=VersionUid("1d1f4e88-5a3c-11ee-9b1d-0242ac120002"),
            hints_digest="ab" * 32,
            tags=frozenset({"b_daily", "ö"}),
            expire=expire,
            key="0123456789abcdef",
        )
        made = meta.create_version(job, new)
        told = {
            name: getattr(made, name) for name in NewVersion.__dataclass_fields__ if name not in ("arriving", "date")
        }
        assert NewVersion(**told) == new
        assert (made.state, made.protected, made.digest) == (VersionState.INCOMPLETE, False, b"")
        assert abs(datetime.now(UTC) - made.date) < timedelta(hours=1)
        assert list(meta.versions(VersionFilter())) == [made]
        assert meta.map_length(made.id) == 0

    def test_a_uid_names_one_version(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job)
        with pytest.raises(VersionExistsError):
            create(meta, job, uid=version.uid)
        assert list(meta.versions(VersionFilter())) == [version]

    def test_versions_are_listed_by_name_then_date_then_number(self, meta: MetaBackend, job: JobId) -> None:
        made = [create(meta, job, name=name) for name in ("b", "a", "c", "a", "b", "a")]
        old = datetime(2017, 1, 1, tzinfo=UTC)
        made += [finished(meta, job, name="a", date=old + timedelta(days=day), arriving=True) for day in (2, 0, 1)]
        expected = sorted(made, key=lambda version: (version.name, version.date, version.id))
        assert [version.id for version in expected[:3]] == [version.id for version in (made[7], made[8], made[6])]
        assert list(meta.versions(VersionFilter())) == expected
        assert sorted(made, key=lambda version: version.id) == made

    def test_versions_of_one_name_and_date_are_listed_by_number(self, meta: MetaBackend, job: JobId) -> None:
        made = [finished(meta, job, name="a", date=datetime(2017, 1, 1, tzinfo=UTC), arriving=True) for _ in range(4)]
        assert [version.id for version in meta.versions(VersionFilter())] == [version.id for version in made]

    def test_a_long_list_is_whole(self, meta: MetaBackend, job: JobId) -> None:
        made = {create(meta, job, name=f"vm{number % 3}", tags=frozenset({f"t{number}"})) for number in range(1203)}
        listed = list(meta.versions(VersionFilter()))
        assert len(listed) == 1203
        assert set(listed) == made

    def test_a_removed_version_shows_only_where_asked_for(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.remove_version(version.id)
        assert list(meta.versions(VersionFilter(name=version.name, uid_prefix=version.uid))) == []
        removed = VersionFilter(states=frozenset({VersionState.REMOVED}))
        assert [found.id for found in meta.versions(removed)] == [version.id]

    def test_every_criterion_of_a_filter_must_hold(self, meta: MetaBackend, job: JobId) -> None:
        create(meta, job, name="one", snapshot_name="s1", tags=frozenset({"a", "b"}))
        create(meta, job, name="two", snapshot_name="s1", tags=frozenset({"b"}))
        finished(meta, job, name="three", snapshot_name="s2", source_identity="inode 1")
        assert names(meta, name="two") == ["two"]
        assert names(meta, name="tw") == []
        assert names(meta, snapshot_name="s1") == ["one", "two"]
        assert names(meta, tag="b") == ["one", "two"]
        assert names(meta, tag="a", snapshot_name="s2") == []
        assert names(meta, source_identity="inode 1") == ["three"]
        assert names(meta, source_identity="inode") == []
        assert names(meta, states=frozenset({VersionState.VALID})) == ["three"]
        assert names(meta, states=frozenset()) == []

    def test_case_matters_in_names_and_tags(self, meta: MetaBackend, job: JobId) -> None:
        for name in ("vm", "VM"):
            create(meta, job, name=name, tags=frozenset({name}))
        assert names(meta, name="vm") == ["vm"]
        assert names(meta, tag="VM") == ["VM"]

    def test_a_uid_prefix_is_taken_literally(self, meta: MetaBackend, job: JobId) -> None:
        create(meta, job, name="one", uid=VersionUid("abc_1234-0000-0000-0000-000000000000"))
        create(meta, job, name="two", uid=VersionUid("abcd1234-0000-0000-0000-000000000000"))
        assert names(meta, uid_prefix="abc") == ["one", "two"]
        assert names(meta, uid_prefix="abc_") == ["one"]
        assert names(meta, uid_prefix="abc%") == []
        assert names(meta, uid_prefix="bcd") == []

    def test_a_version_removed_twice_is_removed(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.remove_version(version.id)
        meta.remove_version(version.id)
        assert only(meta, version).state is VersionState.REMOVED

    def test_a_protected_version_is_not_removed(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.set_protected(version.id, True)
        with pytest.raises(RefusedError, match=version.uid):
            meta.remove_version(version.id)
        assert (only(meta, version).state, only(meta, version).protected) == (VersionState.VALID, True)

    def test_protection_can_be_lifted(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.set_protected(version.id, True)
        meta.set_protected(version.id, False)
        meta.remove_version(version.id)
        assert only(meta, version).state is VersionState.REMOVED

    def test_a_protected_version_is_removed_where_that_is_said(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.set_protected(version.id, True)
        meta.remove_version(version.id, protected_too=True)
        assert only(meta, version).state is VersionState.REMOVED

    def test_a_used_version_can_be_marked_removed(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job)
        meta.remove_version(version.id)
        assert only(meta, version).state is VersionState.REMOVED

    def test_the_state_is_changed_unless_it_is_one_of_those(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        gone = {VersionState.REMOVED, VersionState.INCOMPLETE}
        assert meta.set_version_state(version.id, VersionState.DAMAGED, gone)
        assert only(meta, version).state is VersionState.DAMAGED
        meta.remove_version(version.id)
        assert not meta.set_version_state(version.id, VersionState.VALID, gone)
        assert only(meta, version).state is VersionState.REMOVED

    def test_a_state_that_is_there_already_counts_as_changed(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        assert meta.set_version_state(version.id, VersionState.VALID, {VersionState.VALID})
        assert meta.set_version_state(version.id, VersionState.VALID, ())

    def test_expiry_is_set_and_cleared(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        moment = datetime(2031, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
        meta.set_expire(version.id, moment)
        assert only(meta, version).expire == moment
        elsewhere = moment.astimezone(timezone(timedelta(hours=5)))
        meta.set_expire(version.id, elsewhere)
        assert only(meta, version).expire == moment, "a time in another zone is another text, but the same moment"
        meta.set_expire(version.id, None)
        assert only(meta, version).expire is None

    def test_tags_are_added_and_removed(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job, tags=frozenset({"a", "b"}))
        other = finished(meta, job, tags=frozenset({"b"}))
        meta.change_tags(version.id, add={"c", "a"}, remove={"b", "x"})
        assert only(meta, version).tags == {"a", "c"}
        assert only(meta, other).tags == {"b"}
        meta.change_tags(version.id)
        assert only(meta, version).tags == {"a", "c"}

    def test_tags_stay_when_others_are_added(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job, tags=frozenset({"a", "b"}))
        meta.change_tags(version.id, add={"c"})
        assert only(meta, version).tags == {"a", "b", "c"}

    def test_one_version_is_protected_and_no_other(self, meta: MetaBackend, job: JobId) -> None:
        one, other = finished(meta, job), finished(meta, job)
        meta.set_protected(other.id, True)
        meta.set_protected(one.id, True)
        meta.set_protected(one.id, False)
        assert (only(meta, one).protected, only(meta, other).protected) == (False, True)

    def test_a_purged_version_that_is_removed_stays_purged(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.end_job(job)
        removed_at_all(meta, version)
        meta.remove_version(version.id)
        assert only(meta, version).state is VersionState.PURGED

    def test_changes_of_an_unknown_version_are_refused(self, meta: MetaBackend) -> None:
        with pytest.raises(NotFoundError):
            meta.remove_version(UNKNOWN)
        with pytest.raises(NotFoundError):
            meta.set_version_state(UNKNOWN, VersionState.DAMAGED, ())

    def test_what_was_removed_cannot_be_kept_by_a_late_word(self, meta: MetaBackend, job: JobId) -> None:
        gone, removed = finished(meta, job), finished(meta, job)
        meta.remove_version(removed.id)
        meta.end_job(job)
        removed_at_all(meta, gone)
        for version in (gone.id, removed.id, UNKNOWN):
            with pytest.raises(NotFoundError):
                meta.set_protected(version, True)
            with pytest.raises(NotFoundError):
                meta.set_expire(version, None)
            with pytest.raises(NotFoundError):
                meta.change_tags(version, add={"a"})

    def test_version_numbers_are_never_used_twice(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.end_job(job)
        removed_at_all(meta, version)
        assert create(meta, begin(meta).id).id > version.id
