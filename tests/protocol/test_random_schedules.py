"""Random schedules with fixed seeds: jobs that move in turns of random length, are killed, and lose their leases.

A failure shows its seed and every step, which make the same schedule again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from tests.protocol import mutants_of_cleanups, mutants_of_jobs
from tests.protocol.checker import Violation
from tests.protocol.scheduler import Actor
from tests.protocol.world import Beginning, Options, World

SEEDS = 28
"""Schedules of each scenario."""

_TURNS = (1, 1, 1, 2, 3, 5, 8, 13, 40)
_LOSES_LEASE = 0.03
_IS_KILLED = 0.02

_OPTIONS = Options()

Scenario = Callable[[World], object]


def dedup(world: World) -> object:
    """A backup finds its blocks in a version that goes."""
    return world.backup("v2", "ABC"), world.rm("v1"), world.cleanup(), world.cleanup()


def incremental(world: World) -> object:
    """A backup keeps a block of a version that goes."""
    return world.backup("v2", "A.", base="v1", changed=[1]), world.rm("v1"), world.cleanup(), world.cleanup()


def reused(world: World) -> object:
    """A backup takes whole segments of a version that goes, and another one finds its blocks."""
    both = world.backup("v2", "AB", base="v1"), world.backup("v3", "AC")
    return both, world.rm("v1"), world.cleanup(), world.cleanup(full=True)


def twice(world: World) -> object:
    """Two backups of one image; both find what there is, or one what the other stored."""
    return world.backup("v2", "ABC"), world.backup("v3", "ABC"), world.rm("v1"), world.cleanup(full=True)


def restored(world: World) -> object:
    """A version goes while it is restored and backed up again."""
    return world.restore("v1"), world.backup("v2", "BA"), world.rm("v1"), world.cleanup(), world.cleanup()


def full(world: World) -> object:
    """A backup of new blocks beside full cleanups."""
    return world.backup("v2", "CD"), world.backup("v3", "DE"), world.cleanup(full=True), world.cleanup(full=True)


def continued(world: World) -> object:
    """An interrupted backup is continued, when what it found before is gone from all other versions."""
    resumed = world.backup("v9", "A" * 128 + "CD", resume=True)
    return resumed, world.rm("v1"), world.cleanup(), world.cleanup(full=True)


def damaged(world: World) -> object:
    """A scrub proves a blob damaged that backups find or keep."""
    world.spoil("v1")
    backups = world.backup("v2", "AC"), world.backup("v3", "A.", base="v1", changed=[1])
    return world.scrub("v1"), backups, world.cleanup()


def condemned(world: World) -> object:
    """Two late cleanups and a third, a backup with a base and one without."""
    late = world.cleanup(), world.cleanup()
    for cleanup in late:
        world.upto(cleanup, "scan_segments")
    backups = world.backup("v2", "A.", base="v1", changed=[1]), world.backup("v3", "AC")
    return late, backups, world.rm("v1"), world.cleanup()


def long(world: World) -> object:
    """Images of several segments, of which some are kept whole, some in part."""
    image = "A" * 128 + "B" * 128 + "C"
    world.run(world.backup("v2", image))
    backup = world.backup("v3", "A" * 128 + "D" + "B" * 127 + "C", base="v2", changed=[128])
    return backup, world.backup("v4", "B" * 130), world.rm("v2"), world.cleanup(), world.cleanup()


SCENARIOS: Sequence[Scenario] = (
    dedup,
    incremental,
    reused,
    twice,
    restored,
    full,
    continued,
    damaged,
    condemned,
    long,
)


@pytest.fixture(scope="session")
def interrupted(tmp_path_factory) -> Beginning:
    """A world with the version v1, and the first of two segments of v9."""
    world = World(tmp_path_factory.mktemp("interrupted"))
    world.run(world.backup("v1", "AB"))
    backup = world.backup("v9", "A" * 128 + "CD")
    world.past(backup, "append_segments")
    world.crash(backup)
    return world.save()


def play(world: World, scenario: Scenario, seed: int) -> None:
    """One random schedule of a scenario, checked to its end."""
    chance = random.Random(f"{scenario.__name__} {seed}")
    scenario(world)
    while moving := [actor for actor in world.actors if not actor.ended]:
        actor = chance.choice(moving)
        _turn(world, actor, chance.choice(_TURNS))
        if not actor.ended and actor.jobs and chance.random() < _LOSES_LEASE:
            world.expire(actor)
        if not actor.ended and chance.random() < _IS_KILLED:
            world.kill(actor)
    # A scrub that was killed, or lost its lease, has proven nothing.
    if not any(actor.killed or actor.expired for actor in world.actors if actor.name.startswith("scrub")):
        world.check_proven()
    world.check_incomplete()
    world.settle()


def _turn(world: World, actor: Actor, steps: int) -> None:
    for _ in range(steps):
        if not actor.ended:
            world.step(actor)


def play_or_tell(world: World, scenario: Scenario, seed: int) -> None:
    """Like :func:`play`; a violation tells the schedule."""
    try:
        play(world, scenario, seed)
    except Violation as violation:
        violation.add_note(f"{scenario.__name__}, seed {seed}:\n" + "\n".join(world.trace))
        raise


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_schedule_does_harm(make_world, interrupted: Beginning, scenario: Scenario, part: int) -> None:
    for seed in range(part * SEEDS // 4, (part + 1) * SEEDS // 4):
        beginning = interrupted if scenario is continued else None
        world = make_world(_OPTIONS, beginning, v1="AB")
        play_or_tell(world, scenario, seed)
        world.close()


def both(*parts: mutants_of_jobs.Mutant) -> mutants_of_jobs.Mutant:
    """Several rules at once."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        for part in parts:
            part(patch)

    return mutate


WITHOUT = {
    "check of blobs": (dedup, both(mutants_of_cleanups.horizon_of_cleanup_only, mutants_of_jobs.no_check_of_blobs)),
    "names": (restored, mutants_of_jobs.unnamed),
    "live jobs": (full, mutants_of_cleanups.live_jobs_are_not_asked_for),
    "compare and swap": (
        condemned,
        both(mutants_of_cleanups.horizon_of_jobs_only, mutants_of_cleanups.no_compare_and_swap),
    ),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_random_schedules_find_what_is_missing(make_world, monkeypatch, what: str) -> None:
    scenario, without = WITHOUT[what]
    make_world(v1="AB")
    without(monkeypatch)

    def play_many() -> None:
        for seed in range(200):
            world = make_world(_OPTIONS, v1="AB")
            play(world, scenario, seed)
            world.close()

    with pytest.raises(Violation):
        play_many()
