"""Rule 5: any segment row counts as a reference; one that is condemned keeps a blob from going, not from being condemned."""

from __future__ import annotations

from tests.protocol.mutants_of_cleanups import condemned_segments_do_not_count, only_reachable
from tests.protocol.stale import add_with_condemned_blobs, condemn_segments_and_die, drop_segments_and_die
from tests.protocol.world import World


def segment_of_an_unscanned_map(world: World) -> None:
    """After a cleanup scanned the maps, a block moves on from a removed version to a new one."""
    add_with_condemned_blobs(world, "v1", "AB")
    backup = world.backup("v2", "AC", base="v1", changed=[1])
    world.upto(backup, "append_segments")
    cleanup = world.cleanup()
    world.upto(cleanup, "scan_segments+data")
    world.run(backup, world.rm("v1"))
    condemn_segments_and_die(world)
    drop_segments_and_die(world)
    world.run(cleanup)


def segment_condemned_by_a_late_cleanup(world: World) -> None:
    """A valid version's blobs are condemned by one late cleanup and its segment by another, that one while a third scans."""
    late = world.cleanup()
    world.upto(late, "scan_segments")
    add_with_condemned_blobs(world, "v1", "AB")
    cleanup = world.cleanup()
    world.upto(cleanup, "scan_segments+data")
    world.past(late, "sweep_segments")
    world.run(cleanup)


def test_any_segment_keeps_its_blobs(rule_counts) -> None:
    rule_counts(segment_of_an_unscanned_map, only_reachable, "valid version v2 ", v0="Z")


def test_condemned_segment_keeps_its_blobs(rule_counts) -> None:
    without = condemned_segments_do_not_count
    rule_counts(segment_condemned_by_a_late_cleanup, without, "valid version v1 ", v0="Z")
