"""Rules 6 to 8: what meets when a backup commits a reference to a blob that a cleanup is about to delete.

While a job lives, the horizon already keeps what it may have found (rule 4), so that the two never meet. These rules are the
wall behind that one, and are tested with it taken down: cleanups do not wait for live jobs.
"""

from __future__ import annotations

import pytest

from backy2_core.errors import MetaBackendError
from backy2_core.model.version import VersionState
from tests.protocol.checker import Violation
from tests.protocol.mutants_of_cleanups import (
    deleting_is_not_final,
    horizon_of_cleanup_only,
    no_compare_and_swap,
    objects_first,
    records_dropped_at_once,
)
from tests.protocol.mutants_of_jobs import no_check_of_blobs, no_check_of_segments, no_revival
from tests.protocol.scheduler import Actor
from tests.protocol.world import World

WALLS = [horizon_of_cleanup_only]


def found_then_condemned(world: World) -> Actor:
    """A backup found A and B; then they were condemned."""
    backup = world.backup("v2", "AB")
    world.past(backup, "find_blobs")
    world.run(world.rm("v1"))
    condemning = world.cleanup()
    world.upto(condemning, "doomed_blobs")
    world.crash(condemning)
    return backup


def revived_after_the_decision(world: World) -> None:
    """A cleanup decides that blobs go; before it acts, a backup commits a reference to them."""
    backup = found_then_condemned(world)
    deleting = world.cleanup()
    world.past(deleting, "sweep_segments")
    world.upto(deleting, "sweep_blobs", "delete")
    world.past(backup, "append_segments")
    world.run(deleting, backup)


def doomed_before_the_commit(world: World) -> None:
    """A cleanup dooms blobs; before it deletes their objects, a backup commits a reference to them."""
    backup = found_then_condemned(world)
    deleting = world.cleanup()
    world.past(deleting, "sweep_segments")
    world.upto(deleting, "delete")
    world.run(backup, deleting)


def deleted_before_the_commit(world: World) -> None:
    """Blobs that a backup found are deleted, records and all, before it commits a reference to them."""
    backup = found_then_condemned(world)
    world.run(world.cleanup())
    world.run(backup)


def test_blob_that_was_revived_is_not_doomed(rule_counts) -> None:
    rule_counts(revived_after_the_decision, no_compare_and_swap, "valid version v2 |incomplete", WALLS, v1="AB")


def test_object_goes_only_after_its_record_is_deleting(rule_counts) -> None:
    rule_counts(revived_after_the_decision, objects_first, "valid version v2 lacks the object", WALLS, v1="AB")


def test_commit_revives_what_it_refers_to(rule_counts) -> None:
    rule_counts(revived_after_the_decision, no_revival, "valid version v2 lacks the record", WALLS, v1="AB")


def killed_before_the_objects(world: World) -> None:
    """A cleanup is killed before it deletes the objects of the blobs it doomed; another comes by, not even a full one."""
    world.run(world.rm("v1"))
    killed = world.cleanup()
    world.past(killed, "end_job")
    for _ in world.rows.blobs:
        world.past(killed, "sweep_blobs")
    world.crash(killed)
    world.run(world.cleanup())
    world.check_exact()


def test_deleting_records_tell_the_next_cleanup_what_to_delete(rule_counts) -> None:
    rule_counts(killed_before_the_objects, records_dropped_at_once, "objects .* are kept", v1="AB")


def test_deleting_is_final(rule_counts) -> None:
    """So a record may be dropped by whoever deleted its object: the condition in ``forget_blobs`` repeats this one."""
    rule_counts(doomed_before_the_commit, deleting_is_not_final, "valid version v2 lacks the object", WALLS, v1="AB")


@pytest.mark.parametrize("schedule", [doomed_before_the_commit, deleted_before_the_commit])
def test_commit_refuses_blobs_that_go(rule_counts, schedule) -> None:
    rule_counts(schedule, no_check_of_blobs, "valid version v2 ", WALLS, v1="AB")


@pytest.mark.parametrize("schedule", [doomed_before_the_commit, deleted_before_the_commit])
def test_blocks_of_blobs_that_go_are_stored_again(world: World, monkeypatch, schedule) -> None:
    old = set(world.rows.blobs)
    horizon_of_cleanup_only(monkeypatch)
    schedule(world)
    assert world.rows.version("v2").state is VersionState.VALID
    assert old.isdisjoint(world.rows.blobs_of("v2"))
    world.settle()


def segment_lost_before_the_end(world: World) -> Actor:
    """A segment's row is lost while the version that refers to it is being made."""
    backup = world.backup("v2", "CD")
    world.upto(backup, "finish_version")
    world.change("DELETE FROM backy2_segments WHERE id = ?", world.rows.version("v2").segments[0])
    return backup


def test_version_that_lacks_a_segment_does_not_become_valid(make_world, monkeypatch) -> None:
    """No cleanup takes a segment that stands in a map, so only a fault elsewhere can; condemned ones the next one revives."""
    world = make_world(v1="AB")
    backup = segment_lost_before_the_end(world)
    with pytest.raises(Violation, match="failed under a live lease"):
        world.run(backup)
    assert isinstance(backup.error, MetaBackendError)
    # Its copy in the store has the segment, so no cleanup gives it up by itself.
    world.run(world.rm("v2"))
    world.settle()
    no_check_of_segments(monkeypatch)
    world = make_world(v1="AB")
    backup = segment_lost_before_the_end(world)
    with pytest.raises(Violation, match="valid version v2 lacks segment"):
        world.run(backup)


@pytest.mark.parametrize("call", ["sweep_segments", "sweep_blobs", "doomed_blobs", "delete", "forget_blobs", "end_job"])
@pytest.mark.parametrize("round_", [1, 2])
def test_next_cleanup_finishes_what_a_killed_one_left(world: World, call: str, round_: int) -> None:
    world.run(world.rm("v1"))
    cleanup = world.cleanup()
    for _ in range(round_ - 1):
        world.past(cleanup, "end_job")
    if round_ == 2 or call not in ("delete", "forget_blobs"):
        world.upto(cleanup, call)
        world.kill(cleanup)
    world.settle()
    assert not world.rows.blobs
    assert not world.objects
