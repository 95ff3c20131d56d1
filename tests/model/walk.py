"""A random walk through the world: which step is taken, and what must hold after it."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.copies import update_copy
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import CleanupRequest, CleanupResult, ScrubRequest
from backy2_core.engine.retention import protect, unprotect
from backy2_core.engine.scrub import scrub
from backy2_core.errors import SourceError
from backy2_core.model.version import VersionState
from tests.model.exchange import check, export_and_import, import_elsewhere
from tests.model.harm import damage
from tests.model.places import Place, in_folder
from tests.model.world import EVERY, World
from tests.support.engines import make_engine

MEMORY = Path("/dev/shm")
COMPARE_ALL_EVERY = 40
MOST_VERSIONS = 10


class ModelError(AssertionError):
    """Engine and model disagree; says how to see it again."""


def walk(seed: int, steps: int, make_place: Callable[[Path], Place] = in_folder) -> Counter[str]:
    """Take ``steps`` steps; returns how often each thing was done. Raises :class:`ModelError`.

    ``make_place`` is given the folder of the world.
    """
    rng = random.Random(seed)
    folder_of = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="backy2-model-", dir=folder_of) as folder:
        world = World(Path(folder), rng, make_place(Path(folder)))
        try:
            for number in range(1, steps + 1):
                _take(world, seed, number)
            _compare_all(world)
        finally:
            world.close()
    return world.done


def _take(world: World, seed: int, number: int) -> None:
    step = world.rng.choices(list(STEPS), STEPS.values())[0]
    try:
        step(world)
        if len(world.kept) > MOST_VERSIONS:
            _remove(world)
        if number % COMPARE_ALL_EVERY == 0:
            _compare_all(world)
    except Exception as error:
        raise ModelError(
            f"step {number} ({step.__name__.strip('_')}) of seed {seed}: {error!r}; after {dict(world.done)}. In a folder see"
            f" it again with: python -m tests.model.soak --seed {seed} --steps {number}"
        ) from error


def _change(world: World) -> None:
    world.done[f"change: {world.image.change()}"] += 1


def _remove(world: World) -> None:
    uid = world.pick(complete=world.rng.random() < 0.8)
    if uid is not None:
        world.remove(uid)


def _restore(world: World) -> None:
    uid = world.pick()
    if uid is not None:
        world.compare(uid)


def _scrub(world: World) -> None:
    uid = world.pick()
    if uid is None:
        return
    percent = world.rng.choice([100, 100, 50, 1])
    result = scrub(world.engine(), ScrubRequest(uid, percent=percent))
    assert result.damaged_blocks == 0
    assert result.checked_blocks == result.version.geometry.count or percent < 100
    assert get_version(world.meta, uid).state is VersionState.VALID
    world.done[f"scrub {percent} %"] += 1


def _scrub_source(world: World) -> None:
    uid = world.pick()
    if uid is None:
        return
    old, now = world.kept[uid].content, bytes(world.image.content)
    request = ScrubRequest(uid, f"file://{world.image.path}")
    world.done["scrub against the source"] += 1
    if len(old) != len(now):
        try:
            scrub(world.engine(), request)
        except SourceError:
            return
        raise AssertionError("compared with a source of another size")
    result = scrub(world.engine(), request)
    size = result.version.geometry.block_size
    differ = {n // size for n in range(0, len(old), size) if old[n : n + size] != now[n : n + size]}
    assert result.different_blocks == len(differ)
    assert set(result.differences) <= differ


def _protect(world: World) -> None:
    uid = world.pick()
    if uid is None:
        return
    kept, version = world.kept[uid], get_version(world.meta, uid)
    assert version.protected is kept.protected
    (unprotect if kept.protected else protect)(world.meta, version)
    update_copy(make_engine(world.meta, world.data), version.uid)
    kept.protected = not kept.protected
    world.done["protect" if kept.protected else "unprotect"] += 1


def _cleanup(world: World) -> None:
    cleanup(world.engine(), CleanupRequest())
    world.done["cleanup"] += 1


def _cleanup_full(world: World) -> None:
    """A dry run changes nothing and foresees what the real one then does."""
    before = _holdings(world)
    foreseen = cleanup(world.engine(), CleanupRequest(full=True, dry_run=True))
    assert _holdings(world) == before
    result = cleanup(world.engine(), CleanupRequest(full=True))
    assert _deeds(result) == _deeds(foreseen)
    _assert_exact(world)
    world.done["cleanup --full"] += 1


def _abandon(world: World) -> None:
    result = cleanup(world.engine(abandon_incomplete_s=-1.0), CleanupRequest(full=True))
    incomplete = [uid for uid, kept in world.kept.items() if not kept.complete]
    assert result.abandoned_versions == len(incomplete)
    for uid in incomplete:
        del world.kept[uid]
    _assert_exact(world)
    world.done["cleanup --full that gives incomplete versions up"] += 1


def _holdings(world: World) -> object:
    return world.objects(), world.records(), [(v.uid, v.state) for v in world.meta.versions(EVERY)]


def _deeds(result: CleanupResult) -> tuple[int, ...]:
    return result.purged_versions, result.deleted_segments, result.deleted_blobs, result.freed_bytes


def _assert_exact(world: World) -> None:
    referenced = world.referenced()
    assert world.objects() == referenced, "the store does not hold exactly the referenced blobs"
    assert world.records() == referenced, "there are not exactly the records of referenced blobs"
    known = {version.uid for version in world.meta.versions(EVERY)}
    assert known == set(world.kept), "the versions are not those of the model"


def _compare_all(world: World) -> None:
    for uid, kept in world.kept.items():
        if kept.complete:
            world.compare(uid)
    world.done["comparison of all versions"] += 1


def _reopen(world: World) -> None:
    world.close()
    world.open()
    world.done["reopen"] += 1


STEPS: dict[Callable[[World], None], int] = {
    _change: 40,
    World.back_up: 16,
    World.interrupt: 7,
    World.resume: 8,
    _remove: 5,
    _restore: 8,
    _scrub: 3,
    _scrub_source: 3,
    _protect: 3,
    _cleanup: 2,
    _cleanup_full: 3,
    _abandon: 1,
    damage: 2,
    export_and_import: 3,
    import_elsewhere: 1,
    check: 1,
    _reopen: 1,
}
