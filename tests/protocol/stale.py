"""Versions whose blobs are condemned although they are in use: the harmless fault of a cleanup with an old scan."""

from __future__ import annotations

from tests.protocol.world import World


def add_with_condemned_blobs(world: World, name: str, image: str) -> None:
    """Back up ``image`` beside a cleanup that scans the segments too early, condemns the blobs, and dies."""
    cleanup = world.cleanup()
    world.upto(cleanup, "scan_blobs")
    world.run(world.backup(name, image))
    world.upto(cleanup, "doomed_blobs")
    world.crash(cleanup)
    rows = world.rows
    assert all(rows.blobs[blob].condemned is not None for blob in rows.blobs_of(name))


def condemn_segments_and_die(world: World) -> None:
    """A cleanup purges removed versions, condemns their segments, and dies."""
    cleanup = world.cleanup()
    world.past(cleanup, "sweep_segments")
    world.crash(cleanup)


def drop_segments_and_die(world: World) -> None:
    """A cleanup drops the segments that the last one condemned, and dies before it looks at the blobs."""
    before = len(world.rows.segments)
    cleanup = world.cleanup()
    world.past(cleanup, "sweep_segments")
    assert len(world.rows.segments) < before
    world.crash(cleanup)
