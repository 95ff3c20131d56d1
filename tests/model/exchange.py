"""Versions that go out as dumps and come back in, and what a health check says in the middle of a walk."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.health import check_health
from backy2_core.engine.health_lines import Verdict
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import CleanupRequest
from backy2_core.engine.retention import unprotect
from backy2_core.engine.survey import survey
from backy2_core.errors import StoreIdentityError, VersionExistsError
from backy2_core.exchange.dumps import import_dump
from backy2_core.exchange.export import DumpFormat, Export
from backy2_core.model.segment import blob_ids
from backy2_core.model.version import VersionState
from tests.model.world import EVERY, World
from tests.support.engines import make_engine, open_database


def export_and_import(world: World) -> None:
    """A version is exported and removed, perhaps cleaned up, and comes back: whole if its blobs are still in the store."""
    uid = world.pick()
    if uid is None:
        return
    dump = export(world, world.meta, uid, world.rng.choice([None, DumpFormat.OWN]))
    refuse(world, dump)
    kept, needed = world.kept[uid], blobs_of(world, uid)
    give_up(world, uid)
    if world.rng.random() < 0.5:
        cleanup(world.engine(), CleanupRequest(full=world.rng.random() < 0.5))
    there = needed <= world.objects()
    version = import_dump(world.engine(), io.BytesIO(dump), "a dump")
    assert (version.uid, version.state) == (uid, VersionState.VALID)
    missing = survey(world.engine(), mark=True).missing.count
    version = get_version(world.meta, uid)
    world.kept[uid] = kept
    kept.protected = version.protected
    if there:
        assert version.state is VersionState.VALID
        world.compare(uid)
        world.done["import"] += 1
        return
    assert missing > 0
    assert version.state is VersionState.DAMAGED
    give_up(world, uid)
    cleanup(world.engine(), CleanupRequest())
    world.done["import of what was cleaned up"] += 1


def give_up(world: World, uid: str) -> None:
    """Remove a version even if it is protected."""
    kept = world.kept[uid]
    if kept.protected:
        unprotect(world.meta, get_version(world.meta, uid))
        kept.protected = False
    world.remove(uid)


def import_elsewhere(world: World) -> None:
    """All versions are imported into another database over the same store; its cleanup deletes nothing, or refuses."""
    complete = [uid for uid, kept in world.kept.items() if kept.complete]
    dumps = {uid: export(world, world.meta, uid, DumpFormat.OWN) for uid in complete}
    before = world.objects()
    with TemporaryDirectory(dir=world.folder) as folder, open_database(Path(folder)) as meta:
        engine, here = make_engine(meta, world.data), world.meta
        for dump in dumps.values():
            import_dump(engine, io.BytesIO(dump), "a dump")
        found = survey(engine, mark=True)
        assert (found.missing.count, found.wrong_size.count, found.found) == (0, 0, found.records)
        world.meta = meta
        try:
            for uid in complete:
                world.compare(uid)
        finally:
            world.meta = here
        try:
            cleanup(engine, CleanupRequest(full=True))
            world.done["import elsewhere"] += 1
        except StoreIdentityError:
            world.done["import elsewhere, of all but incomplete ones"] += 1
    assert world.objects() == before


def check(world: World) -> None:
    """A health check finds nothing wrong."""
    report = check_health(world.engine())
    wrong = [line for line in report.lines if line.verdict in (Verdict.DAMAGE, Verdict.MISMATCH)]
    assert not wrong, wrong
    world.done["check"] += 1


def export(world: World, meta: MetaBackend, uid: str, wanted: DumpFormat | None) -> bytes:
    """The dump of a version."""
    out = io.BytesIO()
    Export(meta, get_version(meta, uid), wanted, world.engine().progress).write(out)
    return out.getvalue()


def refuse(world: World, dump: bytes) -> None:
    """A version that is there is not imported, and nothing changes."""
    before = world.records(), [(version.uid, version.state) for version in world.meta.versions(EVERY)]
    try:
        import_dump(world.engine(), io.BytesIO(dump), "a dump")
    except VersionExistsError:
        assert (world.records(), [(version.uid, version.state) for version in world.meta.versions(EVERY)]) == before
    else:
        raise AssertionError("imported a version that was there")


def blobs_of(world: World, uid: str) -> set[str]:
    """The uids of the blobs that a version refers to."""
    segments = set(world.meta.read_map(get_version(world.meta, uid).id))
    ids = {blob for stored in world.meta.read_segments(segments).values() for blob in blob_ids(stored.data)}
    return {record.uid for record in world.meta.read_blobs(ids).values()}
