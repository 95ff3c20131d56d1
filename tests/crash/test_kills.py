"""Jobs killed by SIGKILL, in each window and at any moment: nothing valid is lost, and the next cleanup leaves no trace.

INVARIANTS 1 to 5. After each kill every valid version is restored and compared. After the lease ran out, the next full cleanup
must leave exactly the blobs that versions refer to; an incomplete version is continued and must then be whole.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backy2_core.model.version import Version, VersionState
from tests.crash.windows import (
    AT_RANDOM,
    CONDEMN_DELETE,
    PROMISED_IN_ALL,
    PROMISED_IN_EACH,
    PUT_RECORD,
    RECORD_VALID,
    RM_CLEANUP,
    WINDOWS,
    Window,
    planned,
)
from tests.crash.world import Outcome, World

Count = Callable[[str, int], None]

MOST_VERSIONS = 3
TRIES_A_KILL = 12


def test_the_plan_has_as_many_kills_as_are_promised() -> None:
    assert set(planned()) == {PUT_RECORD, RECORD_VALID, CONDEMN_DELETE, RM_CLEANUP}
    assert min(planned().values()) >= PROMISED_IN_EACH
    assert sum(window.kills for window in WINDOWS) + sum(AT_RANDOM.values()) >= PROMISED_IN_ALL


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.name.replace(" ", "-"))
def test_a_kill_in_this_window_harms_nothing_valid_and_leaves_nothing_for_long(
    window: Window, world: World, count: Count
) -> None:
    for number in range(window.kills):
        job = _kill_within(world, window, number)
        _look_after(world, job)
    _give_up_the_rest(world)
    count(f"kills in the window {window.name}" + (f" ({window.named})" if window.named else ""), window.kills)
    count("kills in all", window.kills)
    count("restores compared after a kill", world.checked)
    if window.named:
        count(f"kills in the promised window {window.named}", window.kills)


@pytest.mark.parametrize("kind", AT_RANDOM)
def test_a_kill_at_any_moment_harms_nothing_valid_and_leaves_nothing_for_long(
    kind: str, world: World, count: Count
) -> None:
    typical_s = _typical_duration(world, kind)
    kills = tries = 0
    while kills < AT_RANDOM[kind]:
        tries += 1
        assert tries <= AT_RANDOM[kind] * TRIES_A_KILL, "most jobs ended before the signal came"
        job = _prepare(world, kind)
        running = world.start(kind, job)
        time.sleep(world.random.uniform(0, typical_s))
        os.kill(running.pid, signal.SIGKILL)
        kills += world.wait(running).killed
        _look_after(world, job)
    _give_up_the_rest(world)
    count(f"kills at a random moment of {kind}", kills)
    count("kills in all", kills)
    count("restores compared after a kill", world.checked)


def test_a_kill_while_database_and_store_are_set_up_leaves_what_the_next_one_completes(
    world: World, count: Count
) -> None:
    name, kills = world.new_image(64), 0
    for arrival in range(1, 400, 9):
        world.do_away_with()
        if not world.run(
            "backup", world.backup_arguments(name), points=["before sql.statement"], arrival=arrival
        ).killed:
            break
        kills += 1
        world.let_leases_run_out()
        world.backed_up(name)
        world.settle()
    assert kills > 5
    count("kills while database and store were set up", kills)
    count("kills in all", kills)


# -- before a kill: something for the job to do; its arguments are returned


def _prepare(world: World, kind: str) -> dict[str, Any]:
    while len(world.valid()) < 2:
        world.backed_up(world.new_image())
    kind, _, state = kind.partition("/")
    return _PREPARE[kind](world, state)


def _prepare_backup(world: World, state: str) -> dict[str, Any]:
    base = world.random.choice(world.valid())
    draw = world.random.random()
    if draw < 0.3:
        name, hints = world.changed_image(base.name)
        return world.backup_arguments(name, hints=hints, base=base.uid)
    if draw < 0.4:
        return world.backup_arguments(world.same_image(base.name))
    return world.backup_arguments(world.new_image())


def _prepare_rm(world: World, state: str) -> dict[str, Any]:
    version = world.random.choice(world.valid())
    world.may_go(version.uid)
    return {"uid": version.uid}


def _prepare_cleanup(world: World, state: str) -> dict[str, Any]:
    if state == "orphans":
        left = world.run("backup", world.backup_arguments(world.new_image()), points=["before meta.add_blobs"])
        assert left.killed
        world.let_leases_run_out()
        return {"full": True}
    world.remove(world.random.choice(world.valid()))
    if state == "later":
        # A cleanup of which only the first round was done: what it condemned is deleted by the one that is killed.
        first = world.run("cleanup", {"full": False}, points=["before meta.begin_job"], arrival=2)
        assert first.killed
    return {"full": world.random.random() < 0.5}


def _prepare_restore(world: World, state: str) -> dict[str, Any]:
    version = world.random.choice(world.valid())
    target = world.folder / "target"
    if world.random.random() < 0.5:
        target.write_bytes(b"\xff" * version.geometry.size_bytes)
    else:
        target.unlink(missing_ok=True)
    return {"uid": version.uid, "target": f"file://{target}", "force": True, "sparse": world.random.random() < 0.5}


_PREPARE: dict[str, Callable[[World, str], dict[str, Any]]] = {
    "backup": _prepare_backup,
    "rm": _prepare_rm,
    "cleanup": _prepare_cleanup,
    "restore": _prepare_restore,
}


# -- the kill


def _kill_within(world: World, window: Window, number: int) -> dict[str, Any]:
    """Run a job until the window, and be sure that it was killed there; one that never came there was not counted."""
    kind = window.kind.partition("/")[0]
    point = window.points[number % len(window.points)]
    for arrival in _arrivals(world, window.most):
        job = _prepare(world, window.kind)
        if world.run(kind, job, points=[point], arrival=arrival).killed:
            return job
    pytest.fail(f"no job came to {point}")


def _arrivals(world: World, most: int) -> Iterator[int]:
    for _ in range(TRIES_A_KILL):
        yield world.random.randint(1, most)
        most = max(1, most // 2)


def _typical_duration(world: World, kind: str) -> float:
    durations = []
    for _ in range(3):
        job = _prepare(world, kind)
        began = time.monotonic()
        outcome = world.run(kind, job)
        durations.append(time.monotonic() - began)
        assert outcome.exit == 0, outcome
    return sorted(durations)[1]


# -- after a kill


def _look_after(world: World, job: dict[str, Any]) -> None:
    world.check_valid_versions()
    if world.random.random() < 0.3:
        # The dead job's lease has not run out: it must be respected, and nothing valid may go.
        world.cleanup(full=world.random.random() < 0.5)
        world.check_valid_versions()
    if world.random.random() < 0.6:
        world.settle()
        if world.versions(VersionState.INCOMPLETE):
            _continue_some(world)
    if "target" in job and world.random.random() < 0.5:
        _restore_again(world, job)
    for version in world.valid()[MOST_VERSIONS:]:
        world.remove(version)


def _continue_some(world: World) -> None:
    for version in world.versions(VersionState.INCOMPLETE):
        if world.random.random() < 0.6:
            outcome = _continue(world, version)
            base_is_there = version.base is None or version.base in {other.uid for other in world.valid()}
            assert outcome.exit == 0 if base_is_there else outcome.exit in (16, 17), outcome
        else:
            world.remove(version)
    world.check_valid_versions()


def _continue(world: World, version: Version) -> Outcome:
    arguments = world.backup_arguments(version.name, resume=version.uid, hints=world.hints.get(version.name))
    return world.run("backup", arguments)


def _give_up_the_rest(world: World) -> None:
    """What was never continued goes by itself, once it is old enough; all that is valid stays."""
    world.settle()
    world.cleanup(abandon_incomplete_s=0.0)
    assert not world.versions(VersionState.INCOMPLETE)
    world.check_exact()
    world.check_valid_versions()


def _restore_again(world: World, job: dict[str, Any]) -> None:
    version = next(version for version in world.valid() if version.uid == job["uid"])
    assert world.run("restore", job | {"force": True}).exit == 0
    world.check_content(Path(job["target"].removeprefix("file://")), version.name)
