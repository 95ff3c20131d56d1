"""Worlds for the tests of the cleanup protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from tests.protocol.checker import Violation
from tests.protocol.scheduler import SerialPool
from tests.protocol.world import Beginning, Options, World

MakeWorld = Callable[..., World]
Mutant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture(scope="session")
def beginning_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Beginning]:
    """Beginnings with these versions, given as (name, image); each is made once."""

    @cache
    def make(*versions: tuple[str, str]) -> Beginning:
        world = World(tmp_path_factory.mktemp("beginning"))
        for name, image in versions:
            world.run(world.backup(name, image))
        return world.save()

    return make


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread of a job at a time, and scans of one row a step."""
    monkeypatch.setattr("backy2_core.engine.backup_run.WorkerPool", SerialPool)
    monkeypatch.setattr("backy2_core.engine.retrieval.WorkerPool", SerialPool)
    monkeypatch.setattr("backy2_core.engine.survey.WorkerPool", SerialPool)
    monkeypatch.setattr("backy2_core.engine.survey._BATCH", 1)
    monkeypatch.setattr("backy2_core.engine.transfer._NEW_BATCH", 1)
    monkeypatch.setattr("backy2_core.exchange.arrival._SEGMENTS_A_BATCH", 1)
    for name in ("_PARTS", "_ROWS", "_ROWS_WITH_DATA"):
        monkeypatch.setattr(f"backy2_plugins.meta_backends.sql.cleanup.{name}", 1)


@pytest.fixture
def make_world(tmp_path: Path, beginning_of: Callable[..., Beginning]) -> Iterator[MakeWorld]:
    """Makes worlds that begin with these versions, given as ``name=image``; all are closed at the end."""
    made: list[World] = []
    numbers = count()

    def make(options: Options | None = None, beginning: Beginning | None = None, **versions: str) -> World:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        world = World(folder, beginning or beginning_of(*versions.items()), options)
        made.append(world)
        return world

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world with one version ``v1`` of two blocks, A and B."""
    return make_world(v1="AB")


@pytest.fixture
def rule_counts(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Proves that a schedule does no harm, and that it does the harm that ``match`` names ``without`` a rule.

    ``walls`` are other rules that would hide the harm; they are down in both cases.
    """

    def prove(
        schedule: Callable[[World], None],
        without: Mutant,
        match: str,
        walls: Sequence[Mutant] = (),
        options: Options | None = None,
        **versions: str,
    ) -> None:
        world = make_world(options, **versions)
        for wall in walls:
            wall(monkeypatch)
        schedule(world)
        world.settle()
        without(monkeypatch)
        world = make_world(options, **versions)
        with pytest.raises(Violation, match=match):
            schedule(world)

    return prove
