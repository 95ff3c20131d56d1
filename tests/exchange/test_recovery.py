"""A lost database is made again from the store; an old one is brought up to date."""

from __future__ import annotations

import json
import random
import shutil
from datetime import UTC, datetime

import pytest

from backy2_core.engine.copies import update_copy
from backy2_core.engine.copy_files import head_name, stored_packs
from backy2_core.engine.retention import remove
from backy2_core.errors import JobLostError, NotFoundError, StoreIdentityError
from backy2_core.exchange.recovery import recover
from backy2_core.model.blob import BlobState
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, edited, hint, image, numbered
from tests.engine.transforms import Mask, Zip, make


def lose_database(place, copy=None):
    """Delete the database; put this older copy in its place if there is one."""
    place.close()
    for path in place.folder.glob("meta.sqlite*"):
        path.unlink()
    if copy is not None:
        shutil.copy(copy, place.folder / "meta.sqlite")
    place.open()


def copy_database(place):
    """A copy of the database as it is now."""
    place.close()
    copy = place.folder / "copy.sqlite"
    shutil.copy(place.folder / "meta.sqlite", copy)
    place.open()
    return copy


def known(place):
    """All that the database says of its versions, but for numbers of rows."""
    listed = [version for version in place.versions() if version.state is not VersionState.REMOVED]
    return {version.uid: (edited(version, id=0), place.meta.statistics(version.uid)) for version in listed}


def history(place, backups, seed=0):
    """Backups with changes, removals now and then, and cleanups; yields after each. ``place.contents`` is what is kept."""
    dice = random.Random(seed)
    content, uid = bytearray(numbered(260)), None
    place.contents = getattr(place, "contents", {})
    for number in range(backups):
        blocks = dice.sample(range(260), 3)
        for block in blocks:
            letter = dice.choice([bytes([dice.randrange(256)]), b"\0"])
            content[block * BLOCK : (block + 1) * BLOCK] = letter * BLOCK
        if uid is None or number % 5 == 0:
            uid = place.uid(bytes(content))
        else:
            uid = place.uid(bytes(content), hints=[hint(block) for block in blocks], base=uid)
        place.contents[uid] = bytes(content)
        if number % 4 == 3:
            gone = dice.choice([other for other in place.contents if other != uid])
            remove(place.engine, place.version(gone))
            del place.contents[gone]
        if number % 13 == 12:
            place.cleanup(full=True)
        yield number


def restores_all(place):
    """True if every version is there and restores identically."""
    assert {version.uid for version in known_valid(place)} == set(place.contents)
    return all(place.restored(uid) == content for uid, content in place.contents.items())


def known_valid(place):
    """The valid versions."""
    return [version for version in place.versions() if version.state is VersionState.VALID]


# -- from nothing


def test_after_fifty_backups_with_removals_and_a_cleanup_everything_comes_back(place):
    for _ in history(place, 50):
        """On."""
    before = known(place)
    lose_database(place)
    found = recover(place.engine)
    assert (found.recovered, found.damaged, found.missing, found.problems) == (len(before), 0, 0, [])
    assert known(place) == before
    assert restores_all(place)
    place.cleanup(full=True)
    assert restores_all(place)
    for _ in history(place, 5, seed=1):
        """Backups go on."""
    assert restores_all(place)


def test_what_is_said_of_a_version_comes_back(place):
    uid = place.uid(
        numbered(40), tags=frozenset({"daily"}), snapshot_name="s", expire=datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    )
    place.meta.set_protected(place.version(uid).id, True)
    update_copy(place.engine, uid)
    before = known(place)
    lose_database(place)
    recover(place.engine)
    assert known(place) == before


def test_sealed_blobs_come_back_with_what_opens_them(place):
    engine = place.engine_with([("zip", Zip()), ("mask", Mask(5))], make)
    uid = place.uid(numbered(40), engine=engine)
    lose_database(place)
    recover(place.engine)
    assert place.restored(uid, engine=place.engine_with((), make)) == numbered(40)


def test_blobs_are_offered_for_deduplication_again_once_they_are_found(place):
    place.uid(numbered(40))
    lose_database(place)
    assert recover(place.engine).found == 40
    assert place.backup(numbered(40)).statistics.counts.blocks_written == 0


def test_recovery_writes_nothing_into_the_store_and_may_be_repeated(place):
    place.uid(numbered(40))
    lose_database(place)
    before = {path: path.stat().st_mtime_ns for path in (place.folder / "data").rglob("*.*") if path.is_file()}
    assert recover(place.engine).recovered == 1
    assert recover(place.engine).recovered == 0
    after = {path: path.stat().st_mtime_ns for path in (place.folder / "data").rglob("*.*") if path.is_file()}
    assert before == after


def test_a_dry_run_says_what_would_be_recovered(place):
    place.uid(numbered(40))
    uid = place.uid(numbered(40, seed=1), name="other")
    (pack,) = [name for name, owner in stored_packs(place.data) if owner == uid]
    place.data.write_document(pack, b"?")
    lose_database(place)
    found = recover(place.engine, dry_run=True)
    assert (found.documents, found.recovered, len(found.problems)) == (2, 1, 1)
    assert place.versions() == []


def test_an_empty_store_is_told_apart_from_one_with_versions(place):
    with pytest.raises(NotFoundError, match="right store"):
        recover(place.engine)
    assert place.live_jobs() == []


def test_a_removed_version_does_not_come_back(place):
    place.uid(numbered(40))
    gone = place.uid(numbered(40, seed=1))
    remove(place.engine, place.version(gone))
    lose_database(place)
    recover(place.engine)
    assert gone not in known(place)


def test_a_backup_that_was_killed_before_it_became_valid_comes_back(place):
    place.data.run("write_document", lambda: None)
    place.data.fail("write_document", KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        place.uid(numbered(40))
    ((uid, _),) = known(place).items()
    assert recover(place.engine).recovered == 1
    assert place.restored(uid) == numbered(40)


# -- from a store that suffered


def test_a_damaged_pack_costs_only_what_is_in_it(place):
    base = place.uid(numbered(260))
    content = numbered(260) + numbered(20, seed=3)
    uid = place.uid(content)
    other = place.uid(numbered(50, seed=5), name="other")
    (pack,) = [name for name, owner in stored_packs(place.data) if owner == uid]
    place.data.write_document(pack, place.data.read_document(pack)[:-5])
    lose_database(place)
    found = recover(place.engine)
    assert (found.recovered, found.damaged, len(found.problems)) == (2, 0, 1)
    assert pack in found.problems[0]
    assert uid not in known(place)
    found = recover(place.engine, damaged=True)
    assert (found.recovered, found.damaged, len(found.problems)) == (1, 1, 1)
    assert place.restored(base) == numbered(260)
    assert place.restored(other) == numbered(50, seed=5)
    result, restored = place.restore(uid)
    assert (result.damaged_blocks, restored[: 256 * BLOCK]) == (24, content[: 256 * BLOCK])


def test_what_is_missing_for_a_moment_costs_nothing_for_good(place):
    uid = place.uid(numbered(260))
    maps = place.folder / "data" / "backy2" / "maps"
    lose_database(place)
    maps.rename(place.folder / "maps")
    assert recover(place.engine).recovered == 0
    with pytest.raises(StoreIdentityError):
        place.cleanup(full=True)
    (place.folder / "maps").rename(maps)
    assert recover(place.engine).recovered == 1
    assert place.restored(uid) == numbered(260)


def test_a_rotten_blob_is_never_handed_on_by_a_recovery(place):
    uid = place.uid(image("abc"))
    place.damage(b"b" * BLOCK, b"?" * BLOCK)
    place.scrub(uid)
    place.cleanup(full=True)
    lose_database(place)
    assert recover(place.engine).damaged == 1
    again = place.uid(image("xbz"), name="other")
    assert place.restored(again) == image("xbz")
    place.scrub(uid)
    assert place.backup(image("abc"), name="third").statistics.counts.blocks_dedup == 3


def test_a_damaged_document_costs_only_its_version(place):
    base, uid = place.uid(numbered(40)), place.uid(numbered(40, seed=1))
    place.data.write_document(head_name(uid), b"?")
    lose_database(place)
    found = recover(place.engine)
    assert (found.documents, found.recovered, found.unusable) == (2, 1, 1)
    assert uid in found.problems[0]
    assert place.restored(base) == numbered(40)


def test_a_marker_without_a_map_is_reported(place):
    place.uid(numbered(40), engine=place.engine_with(metadata_copies=False))
    lose_database(place)
    assert (recover(place.engine).unusable, known(place)) == (1, {})


def test_blobs_that_are_gone_make_their_versions_damaged_and_are_never_referred_to(place):
    uid = place.uid(image("abc"))
    other = place.uid(image("xyz"), name="other")
    place.damage(b"b" * BLOCK, None)
    place.damage(b"c" * BLOCK, b"short")
    lose_database(place)
    found = recover(place.engine)
    assert (found.missing, found.damaged, found.found) == (2, 1, 4)
    assert (place.state(uid), place.state(other)) == (VersionState.DAMAGED, VersionState.VALID)
    again = place.uid(image("abc"))
    assert place.restored(again) == image("abc")


# -- from an old database


def test_a_database_ten_backups_old_is_mended(place):
    for number in history(place, 40):
        if number == 24:
            copy = copy_database(place)
    place.cleanup(full=True)
    before = known(place)
    lose_database(place, copy)
    with pytest.raises(StoreIdentityError):
        place.cleanup(full=True)
    found = recover(place.engine)
    after = known(place)
    assert {uid: after[uid] for uid in before} == before
    assert found.removed == len(after) - len(before) > 0
    place.contents |= {v.uid: None for v in known_valid(place) if v.uid not in before}
    for uid in [uid for uid, content in place.contents.items() if content is None]:
        place.restored(uid)
        del place.contents[uid]
        remove(place.engine, place.version(uid))
    place.cleanup(full=True)
    assert restores_all(place)
    for _ in history(place, 6, seed=2):
        """Backups go on."""
    place.cleanup(full=True)
    assert restores_all(place)


def test_an_old_database_does_not_offer_what_was_deleted_since(place):
    gone = place.uid(image("abc"))
    kept = place.uid(image("xyz"), name="other")
    copy = copy_database(place)
    remove(place.engine, place.version(gone))
    place.cleanup(full=True)
    lose_database(place, copy)
    found = recover(place.engine)
    assert (found.removed, found.missing, found.damaged) == (1, 3, 1)
    assert (place.state(gone), place.state(kept)) == (VersionState.DAMAGED, VersionState.VALID)
    assert place.restored(place.uid(image("abc"))) == image("abc")


def test_an_old_database_learns_what_was_said_of_its_versions_since(place):
    uid = place.uid(image("abc"), tags=frozenset({"old"}))
    copy = copy_database(place)
    place.meta.set_protected(place.version(uid).id, True)
    place.meta.change_tags(place.version(uid).id, add=["new"], remove=["old"])
    update_copy(place.engine, uid)
    before = known(place)
    lose_database(place, copy)
    assert recover(place.engine).updated == 1
    assert known(place) == before
    assert recover(place.engine).updated == 0


def test_a_version_that_was_not_finished_in_the_old_database_comes_back(place):
    place.data.fail("put", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.uid(numbered(40))
    ((uid, _),) = known(place).items()
    copy = copy_database(place)
    place.uid(resume=uid)
    lose_database(place, copy)
    assert place.state(uid) is VersionState.INCOMPLETE
    assert recover(place.engine).recovered == 1
    assert place.restored(uid) == numbered(40)


def test_protection_that_a_copy_does_not_know_of_stays(place):
    uid = place.uid(image("abc"))
    place.meta.set_protected(place.version(uid).id, True)
    assert recover(place.engine).updated == 0
    assert place.version(uid).protected


def unfinished_in_an_old_database(place):
    """An old database in which a version is incomplete that was finished since; its uid."""
    place.data.fail("put", KeyboardInterrupt(), call=30)
    with pytest.raises(KeyboardInterrupt):
        place.uid(numbered(400))
    ((uid, _),) = known(place).items()
    copy = copy_database(place)
    place.uid(resume=uid)
    lose_database(place, copy)
    return uid


def test_a_cleanup_deletes_nothing_of_a_version_that_was_finished_since_the_database_was_copied(place):
    uid = unfinished_in_an_old_database(place)
    with pytest.raises(StoreIdentityError, match=uid):
        place.cleanup(full=True)
    with pytest.raises(StoreIdentityError, match=uid):
        place.cleanup(full=True, dry_run=True)
    assert recover(place.engine).problems == []
    place.cleanup(full=True)
    assert place.restored(uid) == numbered(400)


def test_a_cleanup_that_refuses_an_old_database_gives_up_no_version_of_it(place):
    uid = unfinished_in_an_old_database(place)
    with pytest.raises(StoreIdentityError):
        place.cleanup(engine=place.engine_with(abandon_incomplete_s=0.0))
    assert place.state(uid) is VersionState.INCOMPLETE


def test_a_recovery_that_lost_its_lease_is_made_good_by_the_next(place, monkeypatch):
    uid = unfinished_in_an_old_database(place)
    real = place.meta.remove_version

    def remove_and_sleep(*args, **named):
        real(*args, **named)
        place.sql(f"UPDATE {place.table('jobs')} SET lease_until = 0")
        place.meta.expire_jobs()

    monkeypatch.setattr(place.meta, "remove_version", remove_and_sleep)
    with pytest.raises(JobLostError):
        recover(place.engine)
    monkeypatch.undo()
    assert recover(place.engine).recovered == 1
    assert place.restored(uid) == numbered(400)


def test_a_backup_that_runs_is_left_alone(place):
    place.uid(numbered(5))
    results = []
    place.data.run("write_document", lambda: results.append(recover(place.engine)), after=True)
    uid = place.uid(numbered(40))
    assert (results[0].recovered, results[0].problems) == (0, [])
    assert place.restored(uid) == numbered(40)


# -- as a command


def test_the_command_recovers_into_a_database_that_is_not_there(backy, tmp_path):
    source = tmp_path / "image"
    source.write_bytes(numbered(10))
    uid = backy.ok("-m", "backup", f"file://{source}", "vm").strip()
    for path in tmp_path.rglob("*.sqlite*"):
        path.unlink()
    found = json.loads(backy.ok("recover", "--format", "json"))
    assert (found["recovered_versions"], found["damaged_versions"]) == (1, 0)
    backy.ok("restore", uid, f"file://{tmp_path / 'restored'}")
    assert (tmp_path / "restored").read_bytes() == numbered(10)


def test_blob_records_are_as_they_were(place):
    place.uid(numbered(10))
    lose_database(place)
    recover(place.engine)
    states = {record.state for record in place.meta.find_records(place.engine.store, place.objects()).values()}
    assert states == {BlobState.STORED}


def test_what_commands_say_of_a_version_reaches_its_copy(backy):
    uid = backy.ok("-m", "backup", "-t", "old", backy.image, "vm").strip()

    def said():
        document = json.loads((backy.store / "backy2" / head_name(uid)).read_bytes())
        return document["protected"], document["tags"], document["expire"]

    assert said() == (False, ["old"], None)
    backy.ok("protect", uid)
    backy.ok("add-tag", uid, "new")
    backy.ok("remove-tag", uid, "old")
    backy.ok("expire", uid, "2031-12-31")
    protected, tags, expire = said()
    assert (protected, tags) == (True, ["new"])
    assert expire.startswith("2031-12-31T")
    backy.ok("unprotect", uid)
    assert said() == (False, ["new"], expire)


def test_a_change_stands_where_the_store_is_not_there(backy):
    uid = backy.ok("-m", "backup", backy.image, "vm").strip()
    shutil.rmtree(backy.store)
    ended = backy.call("protect", uid)
    assert (ended.code, "was not brought up to date" in ended.err) == (0, True)
    assert backy.call("protect", uid).code == 17
