"""Removing, protecting, and finding the version that is meant."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from backy2_core.engine.lookup import find_version, latest_valid
from backy2_core.engine.retention import add_tags, protect, remove, remove_tags, set_expire, unprotect
from backy2_core.errors import BackyError, NotFoundError, RefusedError, UsageError
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, image


def test_a_protected_version_is_not_removed_even_by_force(place):
    uid = place.uid(image("a"))
    protect(place.meta, place.version(uid))
    for force in (False, True):
        with pytest.raises(RefusedError, match="protected"):
            remove(place.engine, place.version(uid), force=force)
    unprotect(place.meta, place.version(uid))
    remove(place.engine, place.version(uid))
    assert place.state(uid) is VersionState.REMOVED


def test_a_version_that_was_protected_after_it_was_looked_up_is_not_removed(place):
    uid = place.uid(image("a"))
    seen = place.version(uid)
    protect(place.meta, seen)
    with pytest.raises(RefusedError):
        remove(place.engine, seen, force=True)
    assert place.restored(uid) == image("a")


def test_protecting_twice_and_unprotecting_twice_are_refused(place):
    uid = place.uid(image("a"))
    with pytest.raises(RefusedError, match="not protected"):
        unprotect(place.meta, place.version(uid))
    protect(place.meta, place.version(uid))
    with pytest.raises(RefusedError, match="protected already"):
        protect(place.meta, place.version(uid))


def test_a_young_version_is_removed_by_force_only(place):
    uid, engine = place.uid(image("a")), place.engine_with(rm_min_age_days=6)
    with pytest.raises(RefusedError, match="--force"):
        remove(engine, place.version(uid))
    assert place.restored(uid) == image("a")
    remove(engine, place.version(uid), force=True)
    assert place.state(uid) is VersionState.REMOVED


def test_an_incomplete_version_may_be_removed_at_any_age(place):
    place.write(image("a"))
    place.data.fail("write_document", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.backup()
    remove(place.engine_with(rm_min_age_days=6), place.versions()[0])
    assert place.versions()[0].state is VersionState.REMOVED


def test_a_version_that_is_being_written_is_removed_by_force_only(place):
    place.write(image("ab"))
    refusals = []

    def try_to_remove():
        with pytest.raises(RefusedError, match=r"is being written by job \d+, process \d+ on .*--force") as refused:
            remove(place.engine, place.versions()[0])
        refusals.append(refused)

    place.data.run("put", try_to_remove)
    assert place.restored(place.backup().version.uid) == image("ab")
    assert refusals

    place.write(image("cd"))
    place.data.run("put", lambda: remove(place.engine, place.versions()[-1], force=True))
    with pytest.raises(BackyError, match="removed"):
        place.backup()


def test_a_removed_version_is_neither_found_nor_restored_nor_scrubbed(place):
    uid = place.uid(image("a"))
    remove(place.engine, place.version(uid))
    for job in (place.version, place.restore, place.scrub):
        with pytest.raises((NotFoundError, RefusedError)):
            job(uid)


def test_removing_leaves_the_blobs_of_others_through_every_cleanup(place):
    one, other = place.uid(image("ab")), place.uid(image("bc"))
    remove(place.engine, place.version(one))
    place.cleanup(full=True)
    assert place.restored(other) == image("bc")
    assert {place.blob_file(uid).read_bytes()[:1] for uid in place.objects()} == {b"b", b"c"}
    assert place.records() == place.objects()


def test_what_a_running_restore_uses_outlives_rm_and_cleanup(place):
    uid = place.uid(image("abcdef"))

    def pull_the_rug():
        remove(place.engine, place.version(uid), force=True)
        place.cleanup(full=True)

    place.data.run("get", pull_the_rug)
    assert place.restored(uid, engine=place.engine_with(buffer_bytes=1)) == image("abcdef")
    place.cleanup(full=True)
    assert place.objects() == set()


# -- finding


def test_a_version_is_found_by_its_uid_and_by_any_unambiguous_beginning(place):
    uids = [place.uid(image("a")) for _ in range(3)]
    for uid in uids:
        assert find_version(place.meta, uid).uid == uid
        shortest = next(n for n in range(1, 37) if sum(other.startswith(uid[:n]) for other in uids) == 1)
        assert find_version(place.meta, uid[:shortest]).uid == uid


def test_an_ambiguous_beginning_names_some_that_it_could_be(place):
    uids = [place.uid(image("a")) for _ in range(17)]
    first = next(c for c in "0123456789abcdef" if sum(uid.startswith(c) for uid in uids) > 1)
    with pytest.raises(UsageError, match="beginning of") as caught:
        find_version(place.meta, first)
    assert any(uid in str(caught.value) for uid in uids)


@pytest.mark.parametrize("text", ["%", "_", "________-____", "nothing", "zz", "*", "'", '"', "\\", "latest"])
def test_a_text_that_begins_no_uid_finds_nothing(place, text):
    place.uid(image("a"))
    with pytest.raises(NotFoundError, match="no version"):
        find_version(place.meta, text)


def test_an_empty_text_names_no_version(place):
    place.uid(image("a"))
    with pytest.raises(UsageError):
        find_version(place.meta, "")


def test_latest_is_the_newest_valid_version_of_that_very_name(place):
    place.uid(image("a"), name="vm")
    newest = place.uid(image("b"), name="vm")
    place.uid(image("c"), name="vm2")
    place.write(image("d"))
    place.data.fail("write_document", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.backup(name="vm")
    assert find_version(place.meta, "latest:vm").uid == newest
    assert latest_valid(place.meta, "vm").uid == newest


def test_latest_passes_over_damaged_and_removed_versions(place):
    oldest, removed, damaged = (place.uid(image(letter)) for letter in "abc")
    place.damage(b"c" * BLOCK, None)
    place.scrub(damaged)
    remove(place.engine, place.version(removed))
    assert find_version(place.meta, "latest:vm").uid == oldest


@pytest.mark.parametrize("text", ["latest:", "latest:none", "latest:v", "latest:%"])
def test_latest_of_a_name_without_valid_versions_is_not_found(place, text):
    place.uid(image("a"))
    with pytest.raises(NotFoundError):
        find_version(place.meta, text)


def test_tags_are_added_and_taken_and_what_is_so_already_is_no_error(place):
    uid = place.uid(image("a"))
    add_tags(place.meta, place.version(uid), {"one", "two"})
    add_tags(place.meta, place.version(uid), {"two", "three"})
    assert place.version(uid).tags == {"one", "two", "three"}
    remove_tags(place.meta, place.version(uid), {"one", "never there"})
    assert place.version(uid).tags == {"two", "three"}


def test_an_expiry_date_is_set_and_cleared_and_removes_nothing(place):
    uid, past = place.uid(image("a")), datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    set_expire(place.meta, place.version(uid), past)
    assert place.version(uid).expire == past
    place.cleanup()
    assert place.restored(uid) == image("a")
    set_expire(place.meta, place.version(uid), None)
    assert place.version(uid).expire is None


def test_a_version_that_is_gone_is_neither_tagged_nor_dated(place):
    uid = place.uid(image("a"))
    seen = place.version(uid)
    remove(place.engine, seen)
    for change in (lambda: add_tags(place.meta, seen, {"x"}), lambda: set_expire(place.meta, seen, None)):
        with pytest.raises(NotFoundError):
            change()
