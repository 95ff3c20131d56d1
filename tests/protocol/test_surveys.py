"""Surveys and health checks beside cleanups and backups accuse nothing falsely, wherever they are interrupted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backy2_core.engine.health import check_health
from backy2_core.engine.health_lines import Verdict
from backy2_core.engine.lease import running_job
from backy2_core.engine.survey import Survey, survey
from backy2_core.model.job import JobKind
from backy2_core.model.version import VersionState
from tests.protocol.conftest import MakeWorld
from tests.protocol.scheduler import Actor, SerialPool
from tests.protocol.world import World


@pytest.fixture(autouse=True)
def _one_object_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backy2_core.engine.survey.WorkerPool", SerialPool)
    monkeypatch.setattr("backy2_core.engine.survey._BATCH", 1)


def start(world: World, *, leased: bool) -> Actor:
    """A survey that marks what it finds."""

    def work(engine):  # type: ignore[no-untyped-def]
        if not leased:
            return survey(engine, mark=True)
        with running_job(engine, JobKind.SCRUB, "check") as lease:
            return survey(engine, lease, mark=True)

    return world._start("survey", work)


def clean_up(world: World) -> None:
    world.run(world.rm("v1"))
    for _ in range(2):
        world.run(world.cleanup(full=True))


def back_up(world: World) -> None:
    world.run(world.backup("v3", "BCDE"))


def back_up_and_go(world: World) -> None:
    back_up(world)
    world.run(world.rm("v3"), world.rm("v1"))
    for _ in range(2):
        world.run(world.cleanup(full=True))


# Under a lease less can happen: cleanups then keep what was not condemned before it began.
@pytest.mark.parametrize(("meanwhile", "leased"), [(clean_up, False), (clean_up, True), (back_up_and_go, False)])
def test_nothing_is_missing_whatever_happens_within_a_survey(
    make_world: MakeWorld, meanwhile: Callable[[World], None], leased: bool
) -> None:
    steps, last = 0, False
    while not last:
        world = make_world(v1="ABC", v2="BC.D")
        actor = start(world, leased=leased)
        for _ in range(steps):
            if not actor.ended:
                world.step(actor)
        last = actor.ended
        meanwhile(world)
        world.run(actor)
        found: Survey = actor.result
        assert (found.missing.count, found.wrong_size.count, found.orphans.count, found.foreign.count) == (0, 0, 0, 0)
        assert {version.state for version in world.rows.versions} <= {VersionState.VALID, VersionState.REMOVED}
        steps += 1
    assert steps > 12


def test_a_survey_and_a_cleanup_take_turns(make_world: MakeWorld) -> None:
    for turns in range(1, 6):
        world = make_world(v1="ABC", v2="BC.D")
        world.run(world.rm("v1"))
        actors = [start(world, leased=False), world.cleanup(full=True)]
        while not all(actor.ended for actor in actors):
            for actor, steps in zip(actors, (1, turns), strict=True):
                for _ in range(steps):
                    if not actor.ended:
                        world.step(actor)
        assert actors[0].result.missing.count == 0
        world.settle()


@pytest.mark.parametrize(("meanwhile", "leased"), [(clean_up, False), (back_up, True)])
def test_a_health_check_finds_nothing_whatever_happens_within_it(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[World], None], leased: bool
) -> None:
    monkeypatch.setattr("backy2_core.engine.health_maps._SEGMENTS_A_BATCH", 1)
    monkeypatch.setattr("backy2_core.engine.health_copies.WorkerPool", SerialPool)
    steps, last = 0, False
    while not last:
        world = make_world(v1="ABC", v2="BC.D")
        actor = world._start("check", lambda engine: check_health(engine, dry_run=not leased))
        for _ in range(steps):
            if not actor.ended:
                world.step(actor)
        last = actor.ended
        meanwhile(world)
        world.run(actor)
        bad = [line for line in actor.result.lines if line.verdict is not Verdict.OK and line.what != "unused_blobs"]
        assert bad == []
        assert {version.state for version in world.rows.versions} <= {VersionState.VALID, VersionState.REMOVED}
        steps += 1
    assert steps > 30
