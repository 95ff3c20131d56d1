"""Scrubs that find damage, beside backups that refer to the damaged blob."""

from __future__ import annotations

from backy2_core.model.version import VersionState
from tests.protocol.mutants_of_cleanups import users_before_blobs
from tests.protocol.mutants_of_jobs import damage_is_not_asked_for, no_check_of_blobs
from tests.protocol.world import World


def damaged_after_the_look_up(world: World) -> None:
    """A backup finds a blob; a scrub proves it damaged; then the backup commits its segment."""
    backup = world.backup("v2", "AB")
    world.past(backup, "find_blobs")
    world.spoil("v1")
    world.run(world.scrub("v1"), backup)
    world.check_proven()


def damaged_before_the_end(world: World) -> None:
    """A scrub proves a blob damaged that a backup keeps from its base; then the version is finished."""
    backup = world.backup("v2", "A.", base="v1", changed=[1])
    world.upto(backup, "finish_version")
    world.spoil("v1")
    world.run(world.scrub("v1"), backup)
    world.check_proven()


def finished_between_mark_and_search(world: World) -> None:
    """A version is finished after the scrub looked for users of what it found, or before: at its last reading."""
    backup = world.backup("v2", "A.", base="v1", changed=[1])
    world.upto(backup, "finish_version")
    world.spoil("v1")
    scrub = world.scrub("v1")
    world.past(scrub, "scan_segments+data")
    world.past(scrub, "versions")
    world.run(backup, scrub)
    world.check_proven()


def test_blob_that_was_marked_after_the_look_up_is_not_referred_to(rule_counts) -> None:
    walls = [damage_is_not_asked_for]
    rule_counts(damaged_after_the_look_up, no_check_of_blobs, "valid version v2 has another content", walls, v1="AB")


def test_block_of_a_blob_that_was_marked_is_stored_again(world: World) -> None:
    damaged_after_the_look_up(world)
    assert world.rows.version("v2").state is VersionState.VALID
    world.settle()


def test_version_that_keeps_a_damaged_blob_is_finished_as_damaged(rule_counts, make_world) -> None:
    world = make_world(v1="AB")
    damaged_before_the_end(world)
    assert world.rows.version("v2").state is VersionState.DAMAGED
    rule_counts(damaged_before_the_end, damage_is_not_asked_for, "valid version v2 has another content", v1="AB")


def test_blobs_are_marked_before_their_users_are_looked_for(rule_counts) -> None:
    rule_counts(finished_between_mark_and_search, users_before_blobs, "valid version v2 has another content", v1="AB")


def test_version_finished_at_any_moment_of_a_scrub_is_not_valid_with_damage(make_world) -> None:
    steps = 0
    while True:
        world = make_world(v1="AB")
        backup = world.backup("v2", "A.", base="v1", changed=[1])
        world.upto(backup, "finish_version")
        world.spoil("v1")
        scrub = world.scrub("v1")
        for _ in range(steps):
            world.step(scrub)
        ended = scrub.ended
        world.run(backup, scrub)
        world.check_proven()
        assert world.rows.version("v2").state is VersionState.DAMAGED
        world.settle()
        if ended:
            break
        steps += 1
    assert steps > 10


def test_damaged_blob_goes_with_the_last_version_that_uses_it(world: World) -> None:
    world.spoil("v1")
    world.run(world.scrub("v1"), world.rm("v1"), world.cleanup())
    assert not world.objects
    world.settle()
