"""Damage in the middle of a walk: found, kept out of new backups, and gone again after the repair."""

from __future__ import annotations

from backy2_core.engine.backup import backup
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import BackupRequest, RestoreRequest, ScrubRequest
from backy2_core.engine.restore import restore
from backy2_core.engine.scrub import scrub
from backy2_core.model.blob import BlobId, BlobUid
from backy2_core.model.segment import blob_ids
from backy2_core.model.version import VersionState
from tests.model.world import World


def damage(world: World) -> None:
    """Break a blob, let it be found, back up beside it, repair it."""
    uid = world.pick()
    blobs = sorted(blobs_of(world, uid)) if uid else []
    if uid is None or not blobs:
        return
    blob = world.rng.choice(blobs)
    users = [other for other, kept in world.kept.items() if kept.complete and blob in blobs_of(world, other)]
    name = world.meta.read_blobs([blob])[blob].uid
    world.rng.choice([world.data.lose, world.data.corrupt])(BlobUid(name))
    find(world, uid)
    for other, kept in world.kept.items():
        if kept.complete:
            state = VersionState.DAMAGED if other in users else VersionState.VALID
            assert get_version(world.meta, other).state is state, f"version {other} should be {state.name}"
    back_up_beside(world, blob)
    world.data.heal()
    for other in users:
        assert scrub(world.engine(), ScrubRequest(other)).damaged_blocks == 0
        assert get_version(world.meta, other).state is VersionState.VALID
        world.compare(other)
    world.done["damage, found and repaired"] += 1


def find(world: World, uid: str) -> None:
    """Find it by a restore, which writes all the rest, or by a scrub."""
    if world.rng.random() < 0.5:
        assert scrub(world.engine(), ScrubRequest(uid)).damaged_blocks
        return
    path = world.folder / "restored"
    path.unlink(missing_ok=True)
    result = restore(world.engine(), RestoreRequest(uid, f"file://{path}"))
    assert result.damaged_blocks
    content, geometry = bytearray(world.kept[uid].content), result.version.geometry
    for block in result.damage:
        start, length = geometry.offset(block.block), geometry.length(block.block)
        content[start : start + length] = bytes(length)
    if result.damaged_blocks == len(result.damage):
        assert path.read_bytes() == content, "what is not damaged was not restored"


def back_up_beside(world: World, blob: BlobId) -> None:
    """A backup now does not refer to the broken blob."""
    request = BackupRequest(f"file://{world.image.path}", "beside")
    result = backup(world.engine(), request)
    world.finished(result, request)
    assert blob not in blobs_of(world, result.version.uid)
    world.compare(result.version.uid)


def blobs_of(world: World, uid: str) -> set[BlobId]:
    """The blobs that a version refers to."""
    segments = set(world.meta.read_map(get_version(world.meta, uid).id))
    return {blob for stored in world.meta.read_segments(segments).values() for blob in blob_ids(stored.data)}
