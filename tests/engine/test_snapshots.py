"""Backups of a device with snapshots: what is read, what is kept of the device's snapshots, and what is said."""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from backy2_core.engine.hints import Hints
from backy2_core.engine.snapshot_choice import origins
from backy2_core.errors import DamageError, RefusedError, SourceError
from backy2_core.model.block import Geometry
from backy2_core.model.extent import Extent
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, numbered
from tests.engine.snapshot_place import MEMORY, URL, SnapshotPlace
from tests.support.engines import open_folder_store

CONTENT = numbered(300)
VALID, INCOMPLETE = VersionState.VALID, VersionState.INCOMPLETE


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="backy2-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        made = SnapshotPlace(Path(folder), CONTENT)
        yield made
        made.close()


def write(place, block, letter=b"!"):
    """Fill a block of the device."""
    place.device.write(block * BLOCK, letter * BLOCK)


def read_blocks(result):
    return result.statistics.counts.blocks_read


# -- what is read


def test_the_first_backup_makes_a_snapshot_and_reads_what_is_allocated(place):
    place.device.discard(0, 100 * BLOCK)
    result = place.backup()
    assert read_blocks(result) == 200
    assert len(place.device.names()) == 1
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_the_version_tells_of_the_snapshot(place):
    version = place.backup().version
    snapshot = place.device.snapshots()[0]
    assert (version.snapshot_name, version.source) == (snapshot.name, snapshot.url)
    assert version.source_identity == snapshot.identity


def test_a_name_that_is_given_stands_for_that_of_the_snapshot(place):
    assert place.backup(snapshot_name="monday").version.snapshot_name == "monday"


def test_the_next_backup_reads_what_changed_and_nothing_else(place):
    base = place.backup().version
    write(place, 7)
    place.device.discard(20 * BLOCK, 3 * BLOCK)
    result = place.backup(options={"sanity_check_blocks": 0})
    assert (read_blocks(result), result.statistics.counts.blocks_sparse) == (1, 3)
    assert result.version.base == base.uid
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_a_backup_of_nothing_new_reads_nothing(place):
    place.backup()
    result = place.backup(options={"sanity_check_blocks": 0})
    assert (read_blocks(result), result.statistics.counts.blocks_kept) == (0, 300)


@pytest.mark.parametrize("blocks", [299.5, 100, 100.25, 300.5, 500])
def test_devices_that_grew_or_shrank_are_exact(place, blocks):
    place.backup()
    write(place, 3)
    place.device.resize(int(blocks * BLOCK))
    place.device.write(int(blocks * BLOCK) - 3, b"end")
    result = place.backup()
    assert result.version.geometry.size_bytes == blocks * BLOCK
    assert result.version.base is not None
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_full_reads_all_though_there_is_a_base(place):
    place.backup()
    result = place.backup(full=True)
    assert (read_blocks(result), result.version.base) == (300, None)
    assert len(place.device.names()) == 1


def test_only_identity_tells_that_a_snapshot_is_the_one_of_a_version(place):
    place.backup()
    place.device.recreate(numbered(300, seed=2))
    place.device.take(place.versions()[0].snapshot_name, "a")
    result = place.backup()
    assert (read_blocks(result), result.version.base) == (300, None)
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_a_version_of_another_size_than_its_snapshot_is_no_base(place):
    version = place.backup().version
    [snapshot] = place.device.snapshots()
    other = dataclasses.replace(version, geometry=Geometry(version.geometry.size_bytes + 1, BLOCK))
    assert [origin.version for origin in origins([snapshot], [other, version], None)] == [version]


def test_a_base_whose_map_is_damaged_ends_the_backup_and_the_next_takes_none(place):
    version = place.backup().version
    with closing(sqlite3.connect(place.folder / "meta.sqlite")) as database, database:
        database.execute("UPDATE backy2_versions SET digest = x'00' WHERE id = ?", [version.id])
    with pytest.raises(DamageError):
        place.backup()
    assert place.device.names() == [version.snapshot_name]
    assert place.version(version.uid).state is VersionState.DAMAGED
    result = place.backup()
    assert (result.version.base, read_blocks(result)) == (None, 300)


def test_a_base_of_another_name_is_not_taken(place):
    place.backup(name="other")
    assert place.backup().version.base is None


def test_a_damaged_version_is_no_base(place):
    first, second = (
        place.backup(options={"keep_snapshots": 2}).version,
        place.backup(options={"keep_snapshots": 2}).version,
    )
    place.meta.set_version_state(second.id, VersionState.DAMAGED, ())
    assert place.backup().version.base == first.uid


def test_a_base_in_another_store_is_not_taken(place):
    place.backup()
    place.data.close()
    (place.folder / "second").mkdir()
    place.data = open_folder_store(place.folder / "second")
    result = place.backup()
    assert (result.version.base, read_blocks(result)) == (None, 300)
    assert place.restored(result.version.uid) == CONTENT


def test_a_device_that_was_rolled_back_is_exact(place):
    place.device.take("monday")
    for number in range(50):
        write(place, number)
    place.backup()
    place.device.roll_back("monday")
    result = place.backup()
    assert (read_blocks(result), place.restored(result.version.uid)) == (50, CONTENT)


# -- snapshots that are named


def test_a_named_snapshot_is_backed_up_and_kept(place):
    place.device.take("monday")
    write(place, 1)
    result = place.backup("monday")
    assert place.device.names() == ["monday"]
    assert (result.version.snapshot_name, place.restored(result.version.uid)) == ("monday", CONTENT)


def test_what_changed_between_named_snapshots_is_read(place):
    place.device.take("monday")
    place.backup("monday")
    write(place, 1)
    place.device.take("tuesday")
    result = place.backup("tuesday")
    assert read_blocks(result) == 1
    assert place.device.names() == ["monday", "tuesday"]


def test_a_snapshot_that_is_older_than_those_of_all_versions_is_read_in_full(place):
    place.device.take("monday")
    write(place, 1)
    place.backup()
    result = place.backup("monday")
    assert (result.version.base, read_blocks(result), place.restored(result.version.uid)) == (None, 300, CONTENT)


def test_the_same_snapshot_again_is_taken_from_its_version(place):
    place.device.take("monday")
    place.backup("monday")
    place.faults["retell"] = pytest.fail
    result = place.backup("monday", options={"sanity_check_blocks": 0})
    assert read_blocks(result) == 0


def test_the_nearest_snapshot_is_the_base(place):
    place.device.take("monday")
    monday = place.backup("monday").version
    write(place, 1)
    newest = place.backup().version
    write(place, 2)
    again = place.backup("monday").version
    assert again.base == monday.uid
    assert place.backup().version.base == newest.uid


def test_a_snapshot_of_ours_that_is_named_stays(place):
    place.backup()
    own = place.device.names()[0]
    place.backup(own, options={"keep_snapshots": 0})
    assert place.device.names() == [own]


# -- what is kept of the device's snapshots


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_as_many_snapshots_as_configured_stay(place, keep):
    place.device.take("theirs")
    made = []
    for _ in range(5):
        write(place, 5, b"%d" % len(made))
        made.append(place.backup(options={"keep_snapshots": keep}).version.snapshot_name)
    assert place.device.names() == ["theirs", *made[len(made) - keep :]]


def test_snapshots_of_others_stay(place):
    for name in ("monday", "tuesday"):
        place.device.take(name)
        place.backup()
    assert [name for name in place.device.names() if not name.startswith("backy2")] == ["monday", "tuesday"]


def test_the_snapshots_of_each_name_stay_beside_each_other(place):
    for letter in (b"a", b"b", b"c"):
        write(place, 5, letter)
        for name in ("one", "two"):
            result = place.backup(name=name)
            assert read_blocks(result) == (300 if letter == b"a" else 1)
    assert len(place.device.names()) == 2


def test_the_snapshots_of_another_installation_stay(place, tmp_path):
    other = SnapshotPlace(tmp_path / "other")
    other.device = place.device
    for letter in (b"a", b"b", b"c"):
        for one in (place, other):
            write(place, 5, letter)
            one.backup()
    other.close()
    assert len(place.device.names()) == 2
    own = {version.snapshot_name for version in place.versions()}
    assert len(own & set(place.device.names())) == 1


def test_a_snapshot_whose_versions_were_removed_goes(place):
    place.backup(name="other")
    place.meta.remove_version(place.versions()[0].id)
    result = place.backup()
    assert place.device.names() == [result.version.snapshot_name]


def test_a_snapshot_that_cannot_be_removed_is_a_warning_and_goes_later(place, caplog):
    held = place.backup().version.snapshot_name
    place.device.held.add(held)
    result = place.backup()
    assert result.version.state is VALID
    assert f"{URL}@{held} is not needed any more, but cannot be removed" in caplog.text
    place.device.held.clear()
    last = place.backup().version
    assert place.device.names() == [last.snapshot_name]


def test_nothing_is_removed_before_the_version_is_valid(place):
    place.backup()
    place.backup()
    assert place.arrivals.index("after finish_version") < place.arrivals.index("before remove")
    assert place.arrivals.index("after begin_job") < place.arrivals.index("before create")


def test_a_snapshot_that_a_running_backup_has_just_made_stays(place):
    """The other has made its snapshot, and not yet recorded a version."""
    inner = {}

    def run_the_other(point):
        if point == "after create" and not inner:
            inner["result"] = None
            inner["result"] = place.backup(name="other")
            inner["names"] = place.device.names()

    place.trap = run_the_other
    result = place.backup()
    assert len(inner["names"]) == 2
    assert place.restored(result.version.uid) == CONTENT
    assert place.restored(inner["result"].version.uid) == CONTENT


def test_a_snapshot_that_a_running_backup_takes_its_changes_from_stays(place):
    place.backup()
    base = place.device.names()[0]
    inner = {}

    def run_the_other(point):
        if point == "before changes" and not inner:
            inner["begun"] = True
            place.backup()
            inner["names"] = place.device.names()

    place.trap = run_the_other
    write(place, 2)
    result = place.backup()
    assert base in inner["names"]
    assert place.restored(result.version.uid) == bytes(place.device.content)
    place.backup()
    assert len(place.device.names()) == 1


def test_a_version_that_is_being_written_is_not_given_up(place):
    inner = {}

    def run_the_other(point):
        if point == "after create_version" and not inner:
            inner["begun"] = True
            place.backup()
            inner["names"] = place.device.names()

    place.trap = run_the_other
    result = place.backup()
    assert (result.version.state, len(inner["names"])) == (VALID, 2)
    assert len(place.versions(VALID)) == 2


# -- a device that is not believed


def test_changes_in_any_order_that_overlap_and_reach_beyond_the_end_are_tidied(place):
    place.backup()
    write(place, 7)
    write(place, 200)

    def mix(extents):
        told = list(extents)
        more = [Extent(299 * BLOCK + 9, 10**15), Extent(10**16, 5), Extent(7 * BLOCK, BLOCK // 2), Extent(5, 0)]
        return [*more, *reversed(told), *told]

    place.faults["retell"] = mix
    result = place.backup(options={"sanity_check_blocks": 0})
    assert read_blocks(result) == 3
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_changes_that_leave_something_out_make_this_backup_read_everything(place, caplog):
    first = place.backup().version
    write(place, 7)
    place.faults["retell"] = lambda extents: []
    result = place.backup()
    assert (read_blocks(result), result.version.base, result.version.state) == (300, None, VALID)
    assert place.restored(result.version.uid) == bytes(place.device.content)
    [said] = [record for record in caplog.records if "ARE WRONG" in record.message]
    assert said.levelno >= logging.WARNING
    assert first.source in said.message
    assert result.version.source in said.message


def test_changes_that_call_gone_what_is_there_make_this_backup_read_everything(place, caplog):
    place.backup()
    write(place, 7)
    place.faults["retell"] = lambda extents: [Extent(e.offset, e.length, False) for e in extents]
    result = place.backup()
    assert "ARE WRONG" in caplog.text
    assert (read_blocks(result), place.restored(result.version.uid)) == (300, bytes(place.device.content))


def test_as_many_blocks_are_compared_as_configured(place):
    place.backup()
    for count in (0, 7):
        place.device.reads.clear()
        place.backup(options={"sanity_check_blocks": count})
        assert len(place.device.reads) == count


def test_remarks_are_warnings(place, caplog):
    place.faults["remarks"] = ["The object map is invalid; run rbd object-map rebuild."]
    place.backup()
    assert "rebuild" not in caplog.text
    place.backup()
    assert [r.levelno for r in caplog.records if "rbd object-map rebuild" in r.message] == [logging.WARNING]


def test_a_base_that_vanishes_before_it_is_compared_makes_a_full_backup(place, caplog):
    base = place.backup().version
    write(place, 3)

    def vanish(point):
        if point == "before changes":
            place.device.drop(base.snapshot_name)

    place.trap = vanish
    result = place.backup()
    assert (read_blocks(result), result.version.base) == (300, None)
    assert f"{base.snapshot_name}, which version {base.uid} was made from, was removed" in caplog.text
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_a_base_that_vanishes_while_it_is_compared_makes_a_full_backup_whatever_the_device_told(place):
    base = place.backup().version
    write(place, 3)

    def forget(extents):
        place.device.drop(base.snapshot_name)
        return []

    place.faults["retell"] = forget
    result = place.backup(options={"sanity_check_blocks": 0})
    assert (read_blocks(result), result.version.base) == (300, None)
    assert place.restored(result.version.uid) == bytes(place.device.content)


def test_any_other_error_of_the_device_fails_the_backup_and_its_snapshot_goes(place):
    place.backup()
    before = place.device.names()

    def fail(extents):
        raise SourceError("the cluster does not answer")

    place.faults["retell"] = fail
    with pytest.raises(SourceError, match="does not answer"):
        place.backup()
    assert place.device.names() == before
    assert len(place.versions()) == 1


def test_a_snapshot_that_was_exchanged_for_another_is_not_read(place):
    place.device.take("monday")

    def exchange(point):
        if point == "after begin_job":
            place.device.drop("monday")
            write(place, 1)
            place.device.take("monday")

    place.trap = exchange
    with pytest.raises(SourceError, match="another snapshot"):
        place.backup("monday")
    assert place.versions() == []


# -- by hand


def test_hints_and_a_base_by_hand_make_no_snapshot(place):
    base = place.backup().version.uid
    before = place.device.names()
    write(place, 9)
    result = place.backup(hints=Hints([Extent(9 * BLOCK, BLOCK)], "mine"), base=base)
    assert (read_blocks(result), place.device.names()) == (1, before)
    assert place.restored(result.version.uid) == bytes(place.device.content)
    assert place.arrivals.count("before list") == 0


def test_hints_by_hand_are_taken_for_a_named_snapshot(place):
    place.device.take("monday")
    base = place.backup("monday").version.uid
    write(place, 9)
    place.device.take("tuesday")
    result = place.backup("tuesday", hints=Hints([Extent(9 * BLOCK, BLOCK)], "mine"), base=base)
    assert (read_blocks(result), place.restored(result.version.uid)) == (1, bytes(place.device.content))


# -- what died is continued, or tidied away


def interrupted(place, point="after append_segments", **more):
    """Kill a backup at the first arrival at a point; its lease has run out."""
    place.backup(**more)
    write(place, 50)
    assert place.kill(point, **more) == point
    place.expire_leases()
    return place.versions(INCOMPLETE)[-1]


@pytest.mark.parametrize("named", [False, True])
def test_an_interrupted_backup_is_continued_from_its_snapshots(place, named):
    version = interrupted(place)
    content = place.device.content_of(version.snapshot_name)
    write(place, 60)
    result = place.backup(version.snapshot_name if named else None, resume=version.uid)
    assert (result.version.uid, result.version.state) == (version.uid, VALID)
    assert result.version.base == version.base
    assert place.restored(version.uid) == content
    last = place.backup()
    assert (last.version.base, place.device.names()) == (version.uid, [last.version.snapshot_name])


def test_the_snapshot_of_a_backup_that_failed_stays_where_it_can_be_continued(place):
    def fail(point):
        if point == "before append_segments":
            raise SourceError("the cluster went away")

    place.trap = fail
    with pytest.raises(SourceError, match="went away"):
        place.backup()
    place.trap = lambda point: None
    [version] = place.versions(INCOMPLETE)
    assert place.device.names() == [version.snapshot_name]
    assert place.backup(resume=version.uid).version.state is VALID
    assert place.restored(version.uid) == CONTENT


def test_a_process_that_lost_its_lease_removes_nothing(place, caplog):
    place.backup()
    before = place.device.names()

    def sleep(point):
        if point == "after finish_version":
            place.expire_leases()

    place.trap = sleep
    result = place.backup()
    assert result.version.state is VALID
    assert place.device.names() == [*before, result.version.snapshot_name]
    assert "left for the next backup" in caplog.text


def test_an_interrupted_full_backup_is_continued_from_its_snapshot(place):
    version = interrupted(place, full=True)
    content = place.device.content_of(version.snapshot_name)
    write(place, 60)
    assert place.backup(resume=version.uid).version.uid == version.uid
    assert place.restored(version.uid) == content


def test_it_is_continued_though_the_device_tells_the_changes_in_other_pieces(place):
    version = interrupted(place)
    place.faults["retell"] = lambda extents: [Extent(0, 300 * BLOCK)]
    assert place.backup(resume=version.uid).version.state is VALID


def test_it_is_not_continued_where_the_changes_prove_to_be_wrong(place):
    version = interrupted(place)
    place.faults["retell"] = lambda extents: []
    with pytest.raises(RefusedError, match="--full"):
        place.backup(resume=version.uid)
    assert place.version(version.uid).state is INCOMPLETE


def test_it_is_not_continued_once_the_snapshot_of_its_base_is_gone(place):
    version = interrupted(place)
    place.device.drop(place.device.names()[0])
    with pytest.raises(RefusedError, match="snapshot of its base"):
        place.backup(resume=version.uid)


def test_it_is_not_continued_once_its_own_snapshot_is_gone(place):
    version = interrupted(place)
    place.device.drop(version.snapshot_name)
    with pytest.raises(RefusedError, match="state of the source"):
        place.backup(resume=version.uid)


def test_the_next_backup_gives_an_interrupted_one_up(place):
    version = interrupted(place)
    result = place.backup()
    assert place.version(version.uid).state is VersionState.REMOVED
    assert place.device.names() == [result.version.snapshot_name]


def test_a_backup_of_another_name_leaves_an_interrupted_one_alone(place):
    version = interrupted(place)
    place.backup(name="other")
    assert place.version(version.uid).state is INCOMPLETE
    assert place.backup(resume=version.uid).version.state is VALID


def test_a_protected_interrupted_version_is_not_given_up(place):
    version = interrupted(place)
    place.meta.set_protected(version.id, True)
    place.backup()
    assert place.version(version.uid).state is INCOMPLETE
    assert version.snapshot_name in place.device.names()


def test_what_a_dead_backup_left_stays_until_its_lease_is_over(place):
    base = place.backup().version.snapshot_name
    assert place.kill("after create")
    orphan = place.device.names()[-1]
    last = place.backup().version.snapshot_name
    assert place.device.names() == [base, orphan, last]
    place.expire_leases()
    newest = place.backup().version.snapshot_name
    assert place.device.names() == [newest] != [last]


def test_killed_at_any_point_the_next_run_is_right_and_tidy(place):
    contents = {}
    result = place.backup()
    contents[result.version.uid] = bytes(place.device.content)
    number = 0
    while True:
        number += 1
        write(place, number % 300, b"%d" % (number % 10))
        write(place, 299, b"x" if number % 2 else b"y")
        if number % 7 == 0:
            place.device.resize((300 - number % 3) * BLOCK - number)
        held = bytes(place.device.content)
        point = place.kill(number)
        for version in place.versions(VALID):
            contents.setdefault(version.uid, held)
        if point is None:
            break
        place.expire_leases()
        write(place, 17, b"%d" % (number % 10))
        result = place.backup(options={"sanity_check_blocks": 20})
        contents[result.version.uid] = bytes(place.device.content)
        assert place.device.names() == [result.version.snapshot_name], point
        assert result.version.base is not None, point
        assert place.versions(INCOMPLETE) == [], point
    assert number > 40
    for version in place.versions(VALID):
        assert place.restored(version.uid) == contents[version.uid]
