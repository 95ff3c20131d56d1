"""Versions that are exported, go, and are to come back, for imports that are killed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from backy2_core.engine.lookup import get_version
from backy2_core.engine.survey import Survey, survey
from backy2_core.exchange.export import DumpFormat, Export
from backy2_core.model.version import Version
from tests.crash.audit import column
from tests.crash.world import World


class Exported(NamedTuple):
    """A version that is not there any more: its uid, its name, and the file with its dump."""

    uid: str
    name: str
    dump: str


def removed(world: World) -> Exported:
    """One that was removed, perhaps cleaned up, and whose blobs another version keeps."""
    name = world.new_image()
    world.backed_up(name)
    exported = _export(world, _version(world, world.backed_up(world.same_image(name))))
    world.remove(_version(world, exported.uid))
    if world.random.random() < 0.5:
        world.cleanup()
    return exported


def forgotten(world: World) -> Exported:
    """One that the database forgot, as an older copy of it does; its blobs are in the store."""
    exported = _export(world, _version(world, world.backed_up(world.new_image())))
    world.may_go(exported.uid)
    path = world.home / "meta.sqlite"
    number = column(path, f"SELECT id FROM backy2_versions WHERE uid = '{exported.uid}'")[0]
    segments = _segments(path, f"version = {number}") - _segments(path, f"version != {number}")
    blobs = _blobs(path, segments.__contains__) - _blobs(path, lambda segment: segment not in segments)
    with closing(world.database()) as database, database:
        for table, ids in (("segments", segments), ("blobs", blobs), ("versions", {number})):
            database.executemany(f"DELETE FROM backy2_{table} WHERE id = ?", [(each,) for each in ids])
        for table in ("maps", "tags"):
            database.execute(f"DELETE FROM backy2_{table} WHERE version = ?", (number,))
        database.execute("DELETE FROM backy2_statistics WHERE uid = ?", (exported.uid,))
    (world.store / "data" / "backy2" / "versions" / f"{exported.uid}.json").unlink()
    return exported


def look(world: World) -> Survey:
    """Look for all blobs in the store; those that are found are ``stored`` then."""
    with world.engine() as engine:
        return survey(engine, mark=True)


def _export(world: World, version: Version) -> Exported:
    path = world.folder / f"{version.uid}.dump"
    with world.engine() as engine, path.open("wb") as out:
        wanted = world.random.choice([None, DumpFormat.OWN])
        Export(engine.meta, get_version(engine.meta, version.uid), wanted, engine.progress).write(out)
    return Exported(version.uid, version.name, str(path))


def _version(world: World, uid: str) -> Version:
    return next(version for version in world.valid() if version.uid == uid)


def _segments(path: Path, which: str) -> set[int]:
    parts = column(path, f"SELECT data FROM backy2_maps WHERE {which}")
    return {segment for part in parts for (segment,) in struct.iter_unpack("<q", part)}


def _blobs(path: Path, which: Callable[[int], bool]) -> set[int]:
    segments = zip(
        column(path, "SELECT id FROM backy2_segments ORDER BY id"),
        column(path, "SELECT data FROM backy2_segments ORDER BY id"),
        strict=True,
    )
    return {blob for number, data in segments if which(number) for blob, _ in struct.iter_unpack("<q16s", data)} - {0}
