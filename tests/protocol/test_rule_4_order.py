"""Rule 4: what may go is fixed before the scans, and scans ascend.

Candidates are fixed by a stamp below the cleanup's own number: what was condemned before it began. That is the part of the
horizon which must stand before the scans. The other part, the oldest live job, is a second wall behind rules 6 to 8: a job
that found a blob before it was condemned refers to it in a transaction that revives it or is refused. So that part is tested
with the check of rule 8 taken down; read late, it would do no harm that this test kit can show.
"""

from __future__ import annotations

from tests.protocol.mutants_of_cleanups import descending_scans, horizon_of_cleanup_only, horizon_of_jobs_only
from tests.protocol.mutants_of_jobs import no_check_of_blobs
from tests.protocol.stale import add_with_condemned_blobs, condemn_segments_and_die, drop_segments_and_die
from tests.protocol.world import World


def two_late_cleanups(world: World) -> None:
    """Two cleanups scan the maps before a backup commits; one condemns its segment, the other finds it condemned."""
    first, second = world.cleanup(), world.cleanup()
    world.upto(first, "scan_segments")
    world.upto(second, "scan_segments")
    world.run(world.backup("v2", "CD"))
    world.past(first, "sweep_segments")
    world.crash(first)
    world.run(second)


def removed_after_the_look_up(world: World) -> None:
    """A backup found its blocks; then the only version that has them is removed and cleaned up."""
    backup = world.backup("v2", "AB")
    world.past(backup, "find_blobs")
    world.run(world.rm("v1"), world.cleanup(), world.cleanup())
    world.run(backup)


def commit_behind_the_cursor(world: World) -> None:
    """A block is kept from a segment that goes, in a segment that comes, while a cleanup scans segments.

    The block's blob is condemned since before the backup began, and keeping it does not revive it.
    """
    add_with_condemned_blobs(world, "v1", "AB")
    world.run(world.backup("v3", "Y"))
    backup = world.backup("v2", "AC", base="v1", changed=[1])
    world.upto(backup, "append_segments")
    cleanup = world.cleanup()
    world.past(cleanup, "scan_segments+data")
    world.run(backup, world.rm("v1"))
    condemn_segments_and_die(world)
    drop_segments_and_die(world)
    world.run(cleanup)


def test_what_was_condemned_after_a_cleanup_began_does_not_go_in_it(rule_counts) -> None:
    rule_counts(two_late_cleanups, horizon_of_jobs_only, "valid version v2 lacks segment", v1="AB")


def test_what_a_live_job_may_have_found_does_not_go(rule_counts) -> None:
    without = horizon_of_cleanup_only
    walls = [no_check_of_blobs]
    rule_counts(removed_after_the_look_up, without, "valid version v2 lacks the record", walls=walls, v1="AB")


def test_commit_while_segments_are_scanned_is_seen(rule_counts) -> None:
    rule_counts(commit_behind_the_cursor, descending_scans, "valid version v2 ", v0="Z")


def test_blocks_are_not_stored_twice_for_a_cleanup_beside(world: World) -> None:
    removed_after_the_look_up(world)
    assert world.actors[0].result.statistics.counts.blocks_written == 0
    world.settle()
