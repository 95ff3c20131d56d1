"""Rule 9: a full cleanup deletes an object without a record only if the job that put it is known to be over.

Reading jobs first, and the ``deleting`` record, are two walls for a job that ends while the store is listed; each is tested
with the other taken down.
"""

from __future__ import annotations

from tests.protocol.mutants_of_cleanups import (
    any_job_is_over,
    jobs_last,
    live_jobs_are_not_asked_for,
    orphans_without_record,
)
from tests.protocol.world import World


def put_before_the_cleanup(world: World) -> None:
    """A backup has put a blob and not yet recorded it when a full cleanup comes by."""
    backup = world.backup("v2", "C")
    world.upto(backup, "add_blobs")
    world.run(world.cleanup(full=True), backup)


def begun_during_the_cleanup(world: World) -> None:
    """A backup begins and puts a blob after a full cleanup read which jobs live."""
    cleanup = world.cleanup(full=True)
    world.upto(cleanup, "list_blobs")
    backup = world.backup("v2", "C")
    world.upto(backup, "add_blobs")
    world.run(cleanup, backup)


def recorded_during_the_cleanup(world: World) -> None:
    """A backup records what it put, and ends, after a full cleanup read the records."""
    backup = world.backup("v2", "C")
    world.upto(backup, "add_blobs")
    cleanup = world.cleanup(full=True)
    world.past(cleanup, "recorded_uids")
    world.run(backup, cleanup)


def test_object_of_a_live_job_stays(rule_counts) -> None:
    rule_counts(put_before_the_cleanup, live_jobs_are_not_asked_for, "valid version v2 lacks the object", v1="AB")


def test_object_of_a_job_that_began_later_stays(rule_counts) -> None:
    rule_counts(begun_during_the_cleanup, any_job_is_over, "valid version v2 lacks the object", v1="AB")


def test_jobs_are_read_before_the_store_is_listed(rule_counts) -> None:
    walls = [orphans_without_record]
    rule_counts(recorded_during_the_cleanup, jobs_last, "valid version v2 lacks the object", walls, v1="AB")


def test_orphan_gets_a_deleting_record_before_it_goes(rule_counts) -> None:
    without = orphans_without_record
    rule_counts(recorded_during_the_cleanup, without, "valid version v2 lacks the object", [jobs_last], v1="AB")


def test_object_of_a_killed_job_goes_once_its_lease_ran_out(world: World) -> None:
    before = dict(world.objects)
    backup = world.backup("v2", "C")
    world.upto(backup, "add_blobs")
    world.kill(backup)
    cleanup = world.cleanup(full=True)
    world.run(cleanup)
    assert cleanup.result.foreign_objects == 1
    assert len(world.objects) == len(before) + 1
    world.expire(backup)
    cleanup = world.cleanup(full=True)
    world.run(cleanup)
    assert cleanup.result.orphaned_objects == 1
    assert world.objects == before


def test_two_full_cleanups_at_once_delete_an_orphan_together(world: World) -> None:
    backup = world.backup("v2", "C")
    world.upto(backup, "add_blobs")
    world.crash(backup)
    cleanups = world.cleanup(full=True), world.cleanup(full=True)
    while not all(cleanup.ended for cleanup in cleanups):
        for cleanup in cleanups:
            if not cleanup.ended:
                world.step(cleanup)
    assert sum(cleanup.result.orphaned_objects for cleanup in cleanups) == 1
    world.settle()
