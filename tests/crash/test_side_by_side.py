"""Several processes on one database and one store at once. INVARIANT 4: whatever runs beside, nothing in use is deleted."""

from __future__ import annotations

import os
import signal

import pytest

from backy2_core.model.version import VersionState
from tests.crash.world import BLOCK, Outcome, World

ROUNDS = 6
NO_SUCH_VERSION, REFUSED = 16, 17


@pytest.mark.parametrize("part", range(2))
def test_backups_restore_scrub_cleanups_and_rm_at_once_harm_nothing_and_leave_nothing(part: int, world: World) -> None:
    for _ in range(4):
        world.backed_up(world.new_image(fresh=0.15))
    for number in range(ROUNDS):
        _all_at_once(world, number)
        for version in world.valid()[5:]:
            world.remove(version)
    world.settle()
    assert world.checked > ROUNDS


def _all_at_once(world: World, number: int) -> None:
    base, read, checked, going = world.random.sample(world.valid(), 4)
    if number % 3 == 0:
        read = going  # who comes first decides; the other must say so
    if number % 3 == 1:
        base = going
    changed, hints = world.changed_image(base.name)
    target = world.folder / f"target-{number}"
    world.may_go(going.uid)
    jobs = [
        ("backup", world.backup_arguments(changed, hints=hints, base=base.uid)),
        ("backup", world.backup_arguments(world.new_image(fresh=0.15))),
        ("restore", {"uid": read.uid, "target": f"file://{target}"}),
        ("cleanup", {"full": True}),
        ("scrub", {"uid": checked.uid}),
        ("rm", {"uid": going.uid}),
    ]
    world.random.shuffle(jobs)
    running = [(kind, world.start(kind, arguments)) for kind, arguments in jobs]
    for (kind, arguments), (_, process) in zip(jobs, running, strict=True):
        may_be_late = going.uid in (arguments.get("uid"), arguments.get("base")) and kind != "rm"
        _check(world.wait(process), (0, NO_SUCH_VERSION, REFUSED) if may_be_late else (0,))
        if kind == "restore" and target.exists() and not may_be_late:
            world.check_content(target, read.name)
    target.unlink(missing_ok=True)
    world.check_valid_versions()


def _check(ended: Outcome, allowed: tuple[int, ...]) -> None:
    assert ended.exit in allowed, ended


def test_two_backups_of_the_same_content_at_once_are_both_right(world: World) -> None:
    for _ in range(4):
        first = world.new_image(120, fresh=1.0)
        names = [first, world.same_image(first)]
        running = [world.start("backup", world.backup_arguments(name)) for name in names]
        for process in running:
            _check(world.wait(process), (0,))
        world.check_valid_versions()
        distinct = len({world.content(first)[at : at + BLOCK] for at in range(0, len(world.content(first)), BLOCK)})
        assert distinct <= len(world.objects()) <= 2 * distinct
        for version in world.valid():
            world.remove(version)
        world.settle()
        assert world.objects() == set()


def test_three_cleanups_at_once_delete_the_same_things_once_and_nothing_else(world: World) -> None:
    for _ in range(4):
        kept, going, orphans = (world.new_image() for _ in range(3))
        world.backed_up(kept)
        world.backed_up(going)
        assert world.run("backup", world.backup_arguments(orphans), points=["before meta.add_blobs"]).killed
        world.let_leases_run_out()
        for version in world.valid()[1:]:
            world.remove(version)
        running = [world.start("cleanup", {"full": True}) for _ in range(3)]
        for process in running:
            _check(world.wait(process), (0,))
        world.check_valid_versions()
    world.settle()


def test_of_two_processes_that_continue_one_version_one_is_refused(world: World) -> None:
    name = world.new_image(150, fresh=1.0)
    assert world.run("backup", world.backup_arguments(name), points=["before meta.append_segments"]).killed
    world.let_leases_run_out()
    (incomplete,) = world.versions(VersionState.INCOMPLETE)
    arguments = world.backup_arguments(name, resume=incomplete.uid)
    first = world.start("backup", arguments, points=["before meta.append_segments"], action="stop")
    world.wait_stopped(first)
    refused = world.run("backup", arguments)
    assert (refused.exit, refused.result["error"]) == (REFUSED, "RefusedError")
    os.kill(first.pid, signal.SIGCONT)
    _check(world.wait(first), (0,))
    world.check_valid_versions()
    world.settle()


def test_two_backups_at_once_may_be_the_first_ever(world: World) -> None:
    for _ in range(3):
        world.do_away_with()
        running = [world.start("backup", world.backup_arguments(world.new_image(70))) for _ in range(3)]
        for process in running:
            _check(world.wait(process), (0,))
        assert len(world.valid()) == 3
        world.settle()
