"""Blocks that are kept from a base version: their blobs are not asked for when the segment is committed, and stay all the same.

The base is named, so its rows stay, and with them its segments and the blobs they refer to; when it may go, the new segment
is there. The hard case is a blob that a late cleanup condemned although the base's segment refers to it: keeping it does not
revive it, so it stays a candidate. Here that is so for every kept blob, and cleanups come by at every moment.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backy2_core.model.version import VersionState
from tests.protocol.scheduler import Actor
from tests.protocol.stale import add_with_condemned_blobs, condemn_segments_and_die, drop_segments_and_die
from tests.protocol.world import Beginning, World


@pytest.fixture
def condemned_base(make_world) -> Beginning:
    """A world with the version v1, both of whose blobs are condemned."""
    world = make_world(v0="Z")
    add_with_condemned_blobs(world, "v1", "AB")
    return world.save()


def keep(world: World) -> Actor:
    """A backup that keeps A and makes B zeros, so that it stores and looks up nothing."""
    return world.backup("v2", "A.", base="v1", changed=[1])


def at_every_step(make: Callable[[], tuple[World, Actor]], meanwhile: Callable[[World], None]) -> int:
    """Let a job sleep once before each of its steps, while something else happens; return how many steps there were."""
    steps = 0
    while True:
        world, actor = make()
        for _ in range(steps):
            world.step(actor)
        ended = actor.ended
        if not ended:
            meanwhile(world)
            world.run(actor)
            world.settle()
        world.close()
        if ended:
            return steps
        steps += 1


def test_blobs_stay_when_the_base_goes_at_any_moment_of_the_backup(make_world, condemned_base: Beginning) -> None:
    def begin() -> tuple[World, Actor]:
        world = make_world(beginning=condemned_base)
        return world, keep(world)

    def base_goes(world: World) -> None:
        world.run(world.rm("v1"), world.cleanup(), world.cleanup(full=True))

    assert at_every_step(begin, base_goes) > 5


def test_blobs_stay_whenever_a_cleanup_sleeps_while_base_and_backup_change_places(
    make_world, condemned_base: Beginning
) -> None:
    def begin() -> tuple[World, Actor]:
        world = make_world(beginning=condemned_base)
        world.upto(keep(world), "append_segments")
        return world, world.cleanup()

    def change_places(world: World) -> None:
        backup = world.actors[0]
        world.run(backup, world.rm("v1"))
        condemn_segments_and_die(world)
        drop_segments_and_die(world)
        assert world.rows.version("v2").state is VersionState.VALID

    assert at_every_step(begin, change_places) > 20


def test_kept_blob_is_left_condemned_by_the_commit_and_revived_by_the_next_cleanup(
    make_world, condemned_base: Beginning
) -> None:
    world = make_world(beginning=condemned_base)
    world.run(keep(world))
    (kept, _) = world.rows.blobs_of("v2")
    assert world.rows.blobs[kept].condemned is not None
    world.run(world.rm("v1"), world.cleanup())
    assert world.rows.blobs[kept].condemned is None
    world.settle()
