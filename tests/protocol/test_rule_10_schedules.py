"""Arrivals beside everything else: interrupted at every step, and in random schedules with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.protocol.arrivals import REFUSING, UID, Dump, arrival, dump_of, finish, foreign_dump, forget, look, removal
from tests.protocol.checker import Violation
from tests.protocol.mutants_of_arrivals import gives_way_under_a_job, nothing_is_foreign
from tests.protocol.mutants_of_cleanups import abandoned_under_a_lease
from tests.protocol.scheduler import Actor
from tests.protocol.test_random_schedules import Scenario, play, play_or_tell
from tests.protocol.world import World

SEEDS = 8
READS = frozenset({"read_document", "read_map", "versions", "read_digests", "read_segments", "read_blobs", "find_jobs"})
"""Calls that read what nobody else changes at that time."""

Make = Callable[[World], Dump]
Meanwhile = Callable[[World, Dump], object]


# -- what arrives


def foreign(world: World) -> Dump:
    """A version of another program."""
    return foreign_dump(world, "v9", "XYX")


def removed(world: World) -> Dump:
    """A version that was exported and removed, and that shares a blob with v2."""
    dump = dump_of(world, "v1")
    world.run(world.rm("v1"))
    return dump


def condemned(world: World) -> Dump:
    """The same, when its blobs were condemned."""
    dump = removed(world)
    cleanup = world.cleanup()
    world.past(cleanup, "end_job")
    world.crash(cleanup)
    return dump


def forgotten(world: World) -> Dump:
    """A version that the database does not know any more; its objects are orphans."""
    world.run(world.backup("v3", "DE"))
    return forget(world, "v3")


MAKE: Sequence[Make] = (foreign, condemned, forgotten)


# -- what happens meanwhile


def look_around(world: World, dump: Dump) -> None:
    world.run(look(world), world.rm("v2"), world.cleanup(full=True), look(world, leased=False))


def arrive_too(world: World, dump: Dump) -> None:
    world.run(arrival(world, dump), world.cleanup())


def back_up(world: World, dump: Dump) -> None:
    world.run(world.rm("v2"), world.cleanup(), world.backup("v4", "BXC"), world.cleanup(full=True))


MEANWHILE: Sequence[Meanwhile] = (look_around, arrive_too, back_up)


def interrupted(
    make_world: Callable[..., World], make: Make, start: Callable[[World, Dump], Actor], meanwhile: Meanwhile
) -> int:
    """Something happens at each place of a job, each time in a world of its own; the number of places."""
    places, last = 0, False
    while not last:
        world = make_world(REFUSING, v1="AB", v2="BC")
        dump = make(world)
        actor = start(world, dump)
        for _ in range(places):
            go_on(world, actor)
        last = actor.ended
        meanwhile(world, dump)
        world.run(actor)
        world.settle()
        world.close()
        places += 1
    return places


def go_on(world: World, actor: Actor) -> None:
    """To the next place: before a call that writes, or a look at something else than before."""
    before = actor.at
    while not actor.ended and actor.at in (before, *READS):
        world.step(actor)
        before = before if actor.at == before else ""


@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("make", MAKE)
def test_an_arrival_may_be_interrupted_anywhere(make_world, make: Make, meanwhile: Meanwhile) -> None:
    assert interrupted(make_world, make, arrival, meanwhile) > 8


def arrive_and_look(world: World, dump: Dump) -> None:
    world.run(arrival(world, dump), look(world))


@pytest.mark.parametrize("make", MAKE)
def test_a_full_cleanup_may_be_interrupted_anywhere_by_an_arrival(make_world, make: Make) -> None:
    interrupted(make_world, make, lambda world, dump: world.cleanup(full=True), arrive_and_look)


def arrive_and_clean_up(world: World, dump: Dump) -> None:
    world.run(world.cleanup(full=True), arrival(world, dump), removal(world, dump.uid), world.cleanup())


@pytest.mark.parametrize("make", MAKE)
def test_a_survey_may_be_interrupted_anywhere_by_an_arrival(make_world, make: Make) -> None:
    interrupted(make_world, make, lambda world, dump: look(world), arrive_and_clean_up)


@pytest.mark.parametrize("make", MAKE)
def test_a_job_that_lost_its_lease_may_wake_up_anywhere(make_world, make: Make) -> None:
    """Its version has arrived anew, was given up, or was removed again meanwhile."""

    def lost(world: World, dump: Dump) -> None:
        sleeper = world.actors[-1]
        if not sleeper.ended and sleeper.jobs:
            world.expire(sleeper)
        world.run(arrival(world, dump), look(world))
        if len(world.trace) % 2:
            world.run(removal(world, dump.uid), world.cleanup(full=True))

    interrupted(make_world, make, arrival, lost)


# -- random schedules


def adopted(world: World) -> object:
    """A version of another program arrives, is seen, found by a backup, and removed."""
    arriving = arrival(world, foreign(world)), look(world), removal(world, UID)
    return arriving, world.backup("v4", "XYA"), world.cleanup(), world.cleanup(full=True)


def came_back(world: World) -> object:
    """A version that was removed comes back, and its blobs are shared by one that goes."""
    arriving = arrival(world, condemned(world))
    return arriving, world.rm("v2"), world.backup("v4", "AC"), world.cleanup(), world.cleanup(full=True), look(world)


def found_again(world: World) -> object:
    """Orphans are recorded by an arrival, while full cleanups look for them."""
    dump = forgotten(world)
    cleanups = world.cleanup(full=True), world.cleanup(full=True)
    return cleanups, arrival(world, dump), look(world), world.backup("v4", "ED")


def arrived_twice(world: World) -> object:
    """Two jobs take in one version, and it is removed."""
    dump = foreign(world)
    both = arrival(world, dump), arrival(world, dump), arrival(world, dump)
    return both, removal(world, UID), world.cleanup(), look(world, leased=False)


def finished(world: World) -> object:
    """A take-over is declared finished while cleanups run and another version arrives."""
    world.run(arrival(world, foreign(world)), look(world))
    other = foreign_dump(world, "v8", "YZ", uid=type(UID)("e" + UID[1:]))
    going = removal(world, UID), finish(world), arrival(world, other), look(world)
    return going, world.backup("v4", "ZX"), world.cleanup(), world.cleanup(full=True)


SCENARIOS: Sequence[Scenario] = (adopted, came_back, found_again, arrived_twice, finished)


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_schedule_does_harm(make_world, scenario: Scenario, part: int) -> None:
    for seed in range(part * SEEDS // 2, (part + 1) * SEEDS // 2):
        world = make_world(REFUSING, v1="AB", v2="BC")
        play_or_tell(world, scenario, seed)
        world.close()


WITHOUT = {
    "the guard": (adopted, nothing_is_foreign),
    "names": (arrived_twice, gives_way_under_a_job),
    "the lease": (adopted, abandoned_under_a_lease),
}


@pytest.mark.parametrize("what", WITHOUT)
def test_random_schedules_find_what_is_missing(make_world, monkeypatch, what: str) -> None:
    scenario, without = WITHOUT[what]
    make_world(v1="AB", v2="BC")
    without(monkeypatch)

    def play_many() -> None:
        for seed in range(200):
            world = make_world(REFUSING, v1="AB", v2="BC")
            play(world, scenario, seed)
            world.close()

    with pytest.raises(Violation):
        play_many()
