"""Interrupted backups: their maps are protected like any other, until they are given up by age and no job names them."""

from __future__ import annotations

from backy2_core.errors import JobLostError, RefusedError
from backy2_core.model.version import VersionState
from tests.protocol.mutants_of_cleanups import abandoned_under_a_lease, only_complete_maps
from tests.protocol.mutants_of_jobs import no_lease_check
from tests.protocol.scheduler import Actor
from tests.protocol.world import Options, World

IMAGE = "A" * 128 + "CD"
AT_ONCE = Options(abandon_incomplete_s=0.0)


def interrupted(world: World) -> Actor:
    """A backup that has one of two segments in its map, and then is killed."""
    backup = world.backup("v2", IMAGE)
    world.past(backup, "append_segments")
    world.crash(backup)
    return backup


def continued_after_cleanups(world: World) -> None:
    """Between interruption and continuation all other users of its blobs go."""
    interrupted(world)
    world.run(world.rm("v1"), world.cleanup(), world.cleanup(full=True))
    world.check_incomplete()
    world.run(world.backup("v2", IMAGE, resume=True))
    assert world.rows.version("v2").state is VersionState.VALID


def cleanup_beside_a_young_backup(world: World) -> None:
    """A cleanup that gives up incomplete versions of any age comes by while one is being made."""
    backup = world.backup("v2", "CD")
    world.past(backup, "create_version")
    world.run(world.cleanup(), backup)


def first_wakes_up_beside_the_second(world: World) -> None:
    """A backup sleeps until its lease ran out, is continued by another job, and wakes up."""
    first = world.backup("v2", IMAGE)
    world.past(first, "append_segments")
    world.upto(first, "append_segments")
    world.expire(first)
    second = world.backup("v2", IMAGE, resume=True)
    world.upto(second, "find_blobs")
    world.run(first, second)


def test_interrupted_backup_keeps_what_it_has(rule_counts) -> None:
    rule_counts(continued_after_cleanups, only_complete_maps, "incomplete version v2 lacks segment", v1="A")


def test_version_is_not_given_up_while_its_job_lives(rule_counts) -> None:
    without = abandoned_under_a_lease
    rule_counts(cleanup_beside_a_young_backup, without, "backup v2 failed under a live lease", options=AT_ONCE, v1="A")


def test_two_jobs_never_write_one_map(rule_counts) -> None:
    without = no_lease_check("maps", "finish")
    rule_counts(first_wakes_up_beside_the_second, without, "backup v2 failed under a live lease", v1="A")


def test_version_is_given_up_once_its_lease_ran_out(make_world) -> None:
    world = make_world(AT_ONCE, v1="A")
    backup = world.backup("v2", IMAGE)
    world.past(backup, "append_segments")
    world.expire(backup)
    world.run(world.cleanup(), backup)
    assert isinstance(backup.error, JobLostError)
    assert [version.name for version in world.rows.versions] == ["v1"]
    world.settle()


def test_version_is_continued_by_one_job_at_a_time(make_world) -> None:
    world = make_world(v1="A")
    interrupted(world)
    first = world.backup("v2", IMAGE, resume=True)
    world.past(first, "begin_job")
    second = world.backup("v2", IMAGE, resume=True)
    world.run(second, first)
    assert isinstance(second.error, RefusedError)
    assert world.rows.version("v2").state is VersionState.VALID
    world.settle()


def test_version_is_either_given_up_or_continued(make_world) -> None:
    outcomes = set()
    for continued_first in (True, False):
        world = make_world(AT_ONCE, v1="A")
        interrupted(world)
        resumed, cleanup = world.backup("v2", IMAGE, resume=True), world.cleanup()
        world.upto(resumed, "begin_job")
        world.upto(cleanup, "abandon_versions")
        for actor in (resumed, cleanup) if continued_first else (cleanup, resumed):
            world.step(actor)
        world.run(cleanup, resumed)
        outcomes.add((continued_first, resumed.error is None, cleanup.result.abandoned_versions))
        world.settle()
    assert outcomes == {(True, True, 0), (False, False, 1)}
