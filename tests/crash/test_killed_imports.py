"""Imports killed by SIGKILL in each of their windows: nothing valid is lost, and the import may be done again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backy2_core.model.version import VersionFilter, VersionState
from tests.crash.audit import column
from tests.crash.imports import Exported, forgotten, look, removed
from tests.crash.windows import IMPORTS, Window
from tests.crash.world import ALL, World

TRIES = 12
EXISTS = 22
OTHERS = 2


@pytest.mark.parametrize("gone", [removed, forgotten])
@pytest.mark.parametrize("window", IMPORTS, ids=lambda window: window.name.replace(" ", "-"))
def test_a_kill_in_this_window_of_an_import_harms_nothing_and_it_may_be_done_again(
    window: Window, gone: Callable[[World], Exported], world: World, count: Callable[[str, int], None]
) -> None:
    kills = window.kills // 2
    for number in range(kills):
        point = window.points[number % len(window.points)]
        exported = _killed_at(world, gone, point, window.most)
        world.check_valid_versions()
        if world.random.random() < 0.5:
            # The dead job's lease has not run out. What was forgotten and not yet recorded again is nobody's.
            world.cleanup(full=gone is removed and world.random.random() < 0.5)
            world.check_valid_versions()
        _import_again(world, exported, settle_before=gone is removed and world.random.random() < 0.5)
        for version in world.valid()[:-OTHERS]:
            world.remove(version)
    world.settle()
    count(f"kills in the window {window.name}", kills)
    count("kills in all", kills)
    count("restores compared after a kill", world.checked)


def _killed_at(world: World, gone: Callable[[World], Exported], point: str, most: int) -> Exported:
    for _ in range(TRIES):
        exported = gone(world)
        arrival = world.random.randint(1, most)
        if world.run("import", {"dump": exported.dump}, points=[point], arrival=arrival).killed:
            return exported
        most = max(1, most // 2)
    pytest.fail(f"no import came to {point}")


def _import_again(world: World, exported: Exported, *, settle_before: bool) -> None:
    """Until it is whole; what was valid when the job was killed is refused, and is."""
    world.let_leases_run_out()
    if settle_before:
        world.settle()
    state = _state(world, exported.uid)
    code = world.run("import", {"dump": exported.dump}).exit
    assert (code, state is VersionState.VALID) in ((EXISTS, True), (0, False))
    assert _state(world, exported.uid) is VersionState.VALID
    found = look(world)
    assert (found.missing.count, found.wrong_size.count) == (0, 0)
    assert column(world.home / "meta.sqlite", "SELECT count(*) FROM backy2_blobs WHERE state != 1") == [0]
    world.settle()
    assert exported.name in {version.name for version in world.valid()}


def _state(world: World, uid: str) -> VersionState | None:
    with world.meta() as meta:
        found = meta.versions(VersionFilter(uid_prefix=uid, states=ALL))
        return next((version.state for version in found), None)
