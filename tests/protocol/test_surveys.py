"""A survey beside cleanups and backups accuses nothing falsely, wherever it is interrupted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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


@pytest.mark.parametrize("leased", [True, False], ids=["under a lease", "without a lease"])
@pytest.mark.parametrize("meanwhile", [clean_up, back_up, back_up_and_go])
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
