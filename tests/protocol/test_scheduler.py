"""The scheduler itself: one job moves at a time, and a killed one changes nothing."""

from __future__ import annotations

from backy2_core.engine.requests import BackupResult
from tests.protocol.scheduler import Killed
from tests.protocol.world import World


def test_job_stops_before_each_call_and_moves_on_when_told(world: World) -> None:
    backup = world.backup("v2", "AC")
    assert backup.at == "begin_job"
    before = world.rows
    world.past(backup, "create_version")
    assert backup.at == "find_blobs"
    assert len(world.rows.versions) == len(before.versions) + 1
    world.run(backup)
    assert isinstance(backup.result, BackupResult)
    assert world.rows.blobs_of("v2")[0] == before.blobs_of("v1")[0]


def test_killed_job_changes_nothing_on_its_way_out(world: World) -> None:
    backup = world.backup("v2", "CD")
    world.upto(backup, "add_blobs")
    rows, objects = world.rows, dict(world.objects)
    world.kill(backup)
    assert isinstance(backup.error, Killed)
    assert (world.rows, world.objects) == (rows, objects)
    world.settle()


def test_same_schedule_makes_the_same_steps(make_world) -> None:
    traces = []
    for _ in range(3):
        world = make_world(v1="A" * 129 + "B")
        backup, cleanup = world.backup("v2", "C" * 128 + "DA"), world.cleanup()
        for actor in [backup, cleanup] * 10:
            world.step(actor)
        world.run(cleanup, backup)
        world.settle()
        traces.append(world.trace)
    assert traces[0] == traces[1] == traces[2]
