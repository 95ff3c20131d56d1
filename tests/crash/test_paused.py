"""A process that sleeps until its lease ran out, and wakes up when what it relied on is gone.

INVARIANT 4, rules 1 and 8 of the cleanup protocol. The child stops itself (SIGSTOP) at a point of its job; its lease runs out
by the database's clock; versions are removed and cleanups run; then it goes on (SIGCONT). It must end with JobLostError, and
nothing valid may be damaged nor refer to what is gone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from backy2_core.model.job import JobState
from backy2_core.model.version import Version, VersionState
from tests.crash.world import Outcome, Running, World

Count = Callable[[str, int], None]

JOB_LOST = 18
SHORT = {"lease_s": 0.4}


def test_a_backup_that_slept_after_its_look_up_does_not_refer_to_what_was_deleted_meanwhile(
    world: World, count: Count
) -> None:
    known, other = _two_versions(world)
    twin = world.same_image(known.name)
    sleeper = _asleep(world, "backup", world.backup_arguments(twin), "before meta.append_segments")
    _lease_runs_out(world)
    _remove_and_clean_twice(world, known)
    assert _objects_only_of(world, other)
    _must_be_lost(_woken(world, sleeper), world)
    count("paused processes that woke up too late", 1)


def test_a_backup_that_slept_after_recording_its_blobs_does_not_refer_to_what_was_deleted_meanwhile(
    world: World, count: Count
) -> None:
    _two_versions(world)
    sleeper = _asleep(world, "backup", world.backup_arguments(world.new_image(80, fresh=1.0)), "after meta.add_blobs")
    before = world.objects()
    _lease_runs_out(world)
    world.cleanup()
    world.cleanup()
    assert world.objects() < before, "what only the sleeper used must be gone, or this test shows nothing"
    _must_be_lost(_woken(world, sleeper), world)
    count("paused processes that woke up too late", 1)


@pytest.mark.parametrize("known", [True, False], ids=["found", "recorded"])
def test_what_a_sleeping_backup_found_or_recorded_stays_as_long_as_its_lease_lives(known: bool, world: World) -> None:
    version, _ = _two_versions(world)
    name = world.same_image(version.name) if known else world.new_image(80, fresh=1.0)
    sleeper = world.start("backup", world.backup_arguments(name), points=["before meta.append_segments"], action="stop")
    world.wait_stopped(sleeper)
    before = world.objects()
    if known:
        world.remove(version)
    world.cleanup()
    world.cleanup()
    assert world.objects() == before
    ended = _woken(world, sleeper)
    assert (ended.exit, ended.result["arrivals"].get("after data.put", 0)) == (0, 0 if known else 80)
    world.check_valid_versions()
    world.settle()


@pytest.mark.parametrize(
    "point", ["before data.put", "before data.flush", "before store.rename", "before meta.add_blobs"]
)
def test_a_backup_that_slept_before_recording_leaves_only_what_the_next_cleanup_deletes(
    point: str, world: World, count: Count
) -> None:
    _two_versions(world)
    sleeper = _asleep(world, "backup", world.backup_arguments(world.new_image(80, fresh=1.0)), point)
    _lease_runs_out(world)
    world.cleanup()
    world.cleanup()
    _must_be_lost(_woken(world, sleeper), world)
    count("paused processes that woke up too late", 1)


def test_a_backup_that_slept_does_not_keep_segments_of_a_base_that_was_removed_meanwhile(
    world: World, count: Count
) -> None:
    base_image = world.new_image(300, fresh=1.0)
    world.backed_up(base_image)
    world.backed_up(world.new_image(80))
    base = next(version for version in world.valid() if version.name == base_image)
    # Only its last segment differs, so the first thing that the sleeper appends is a segment of the base as it is.
    name, hints = world.changed_image(base.name, within=range(260, 290))
    arguments = world.backup_arguments(name, hints=hints, base=base.uid)
    sleeper = _asleep(world, "backup", arguments, "before meta.append_segments")
    _lease_runs_out(world)
    _remove_and_clean_twice(world, base)
    _must_be_lost(_woken(world, sleeper), world)
    count("paused processes that woke up too late", 1)


@pytest.mark.parametrize("point", ["before meta.finish_version", "before data.write_document"])
def test_a_backup_that_slept_before_it_became_valid_can_be_continued(point: str, world: World, count: Count) -> None:
    known, _ = _two_versions(world)
    twin = world.same_image(known.name)
    sleeper = _asleep(world, "backup", world.backup_arguments(twin), point)
    _lease_runs_out(world)
    _remove_and_clean_twice(world, known)
    _must_be_lost(_woken(world, sleeper), world)
    (incomplete,) = world.versions(VersionState.INCOMPLETE)
    world.backed_up(twin, resume=incomplete.uid)
    world.check_valid_versions()
    count("paused processes that woke up too late", 1)


def test_a_backup_that_was_continued_by_another_while_it_slept_is_lost_and_the_other_is_right(
    world: World, count: Count
) -> None:
    _two_versions(world)
    name = world.new_image()
    sleeper = _asleep(world, "backup", world.backup_arguments(name), "after meta.append_segments")
    _lease_runs_out(world)
    (incomplete,) = world.versions(VersionState.INCOMPLETE)
    world.backed_up(name, resume=incomplete.uid)
    _must_be_lost(_woken(world, sleeper), world)
    assert incomplete.uid in {version.uid for version in world.valid()}
    count("paused processes that woke up too late", 1)


@pytest.mark.parametrize("point", ["before meta.finish_version", "before data.write_document"])
def test_a_backup_that_slept_until_its_version_was_given_up_does_not_stop_later_cleanups(
    point: str, world: World, count: Count
) -> None:
    _two_versions(world)
    sleeper = _asleep(world, "backup", world.backup_arguments(world.new_image()), point)
    _lease_runs_out(world)
    world.cleanup(abandon_incomplete_s=0.0)
    assert not world.versions(VersionState.INCOMPLETE)
    _must_be_lost(_woken(world, sleeper), world)
    count("paused processes that woke up too late", 1)


@pytest.mark.parametrize("kind", ["restore", "scrub"])
def test_a_reader_that_slept_until_its_version_was_deleted_does_not_call_it_good_nor_damages_others(
    kind: str, world: World, count: Count
) -> None:
    version, _ = _two_versions(world)
    arguments = {"uid": version.uid}
    if kind == "restore":
        arguments["target"] = f"file://{world.folder}/target"
    sleeper = _asleep(world, kind, arguments, "before data.get", arrival=9)
    _lease_runs_out(world)
    _remove_and_clean_twice(world, version)
    ended = _woken(world, sleeper)
    # Which error it is depends on who wakes up first; see the next test.
    assert ended.exit > 0, ended
    world.check_valid_versions()
    world.settle()
    count("paused processes that woke up too late", 1)


@pytest.mark.parametrize("kind", ["restore", "scrub"])
def test_a_reader_that_slept_before_its_last_block_says_that_it_is_lost_and_speaks_of_no_damage(
    kind: str, world: World
) -> None:
    world.backed_up(world.add_image(world.random.randbytes(4096)))
    (version,) = world.valid()
    arguments = {"uid": version.uid}
    if kind == "restore":
        arguments["target"] = f"file://{world.folder}/target"
    sleeper = _asleep(world, kind, arguments, "before data.get")
    _lease_runs_out(world)
    _remove_and_clean_twice(world, version)
    ended = _woken(world, sleeper)
    assert "missing" not in ended.output
    _must_be_lost(ended, world)


CLEANUP_POINTS = (
    ("before meta.purge_versions", 1),
    ("before meta.horizon", 1),
    ("before meta.sweep_segments", 1),
    ("before meta.sweep_blobs", 1),
    ("before meta.begin_job", 2),
    ("before meta.horizon", 2),
    ("before meta.sweep_segments", 2),
    ("before meta.sweep_blobs", 3),
    ("before data.delete", 1),
    ("before store.unlink", 5),
    ("before meta.forget_blobs", 1),
    ("before data.list_blobs", 1),
    ("before meta.doom_objects", 2),
)
LOST_AT = (
    ("before meta.sweep_blobs", 1),
    ("before meta.horizon", 2),
    ("before meta.sweep_segments", 2),
    ("before meta.sweep_blobs", 3),
    ("before data.delete", 1),
)


@pytest.mark.parametrize(
    ("point", "arrival", "lost"),
    [(*at, False) for at in CLEANUP_POINTS] + [(*at, True) for at in LOST_AT],
    ids=lambda value: {True: "lost", False: "kept"}[value] if isinstance(value, bool) else str(value).replace(" ", "-"),
)
def test_a_cleanup_that_slept_deletes_nothing_that_came_into_use_meanwhile(
    point: str, arrival: int, lost: bool, world: World, count: Count
) -> None:
    going, _ = _two_versions(world)
    twins = [world.same_image(going.name) for _ in range(3)]
    world.remove(going)
    job: dict[str, Any] = {"options": SHORT} if lost else {}
    sleeper = world.start("cleanup", {"full": True}, points=[point], arrival=arrival, action="stop", **job)
    world.wait_stopped(sleeper)
    world.backed_up(twins[0])
    if lost:
        _lease_runs_out(world)
    world.cleanup()
    world.backed_up(twins[1])
    beside = world.start(
        "backup", world.backup_arguments(twins[2]), points=["before meta.append_segments"], action="stop"
    )
    world.wait_stopped(beside)
    ended = _woken(world, sleeper)
    os.kill(beside.pid, signal.SIGCONT)
    assert world.wait(beside).exit == 0
    assert ended.exit in ((0, JOB_LOST) if lost else (0,)), ended
    world.check_valid_versions()
    world.settle()
    count("paused cleanups", 1)


def test_a_cleanup_does_not_take_a_version_that_was_made_beside_it_for_a_foreign_one(world: World) -> None:
    """INVARIANT 6 must not raise a false alarm."""
    _two_versions(world)
    sleeper = world.start("cleanup", {}, points=["before data.list_documents"], action="stop")
    world.wait_stopped(sleeper)
    world.backed_up(world.new_image())
    ended = _woken(world, sleeper)
    assert ended.exit == 0, ended.message
    world.settle()


# -- the parts of each story


def _two_versions(world: World) -> tuple[Version, Version]:
    """Two valid versions that share nothing with each other."""
    for _ in range(2):
        world.backed_up(world.new_image(80, fresh=1.0))
    first, second = world.valid()
    return first, second


def _asleep(world: World, kind: str, arguments: dict[str, Any], point: str, arrival: int = 1) -> Running:
    sleeper = world.start(kind, arguments, points=[point], arrival=arrival, action="stop", options=SHORT)
    world.wait_stopped(sleeper)
    return sleeper


def _lease_runs_out(world: World) -> None:
    """Wait for the database to say so: that is what is tested here."""
    deadline = time.monotonic() + 20
    with world.meta() as meta:
        while meta.jobs({JobState.LIVE}):
            meta.expire_jobs()
            assert time.monotonic() < deadline, "the lease did not run out"
            time.sleep(0.02)


def _remove_and_clean_twice(world: World, version: Version) -> None:
    world.remove(version)
    world.cleanup()
    world.cleanup()


def _objects_only_of(world: World, version: Version) -> bool:
    """What the removed version alone used is gone (else the story would show nothing)."""
    blocks = {world.content(version.name)[at : at + 4096] for at in range(0, len(world.content(version.name)), 4096)}
    return len(world.objects()) == len(blocks - {bytes(4096), bytes(2862)})


def _woken(world: World, sleeper: Running) -> Outcome:
    os.kill(sleeper.pid, signal.SIGCONT)
    return world.wait(sleeper)


def _must_be_lost(ended: Outcome, world: World) -> None:
    assert ended.exit == JOB_LOST, ended
    assert ended.result["error"] == "JobLostError"
    world.check_valid_versions()
    world.settle()
