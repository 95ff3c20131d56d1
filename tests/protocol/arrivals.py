"""Versions that come from elsewhere into a world: what a dump would say of them, and the jobs that take it in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backy2_core.engine.digest import hash_function
from backy2_core.engine.foreign import finish_take_over
from backy2_core.engine.lease import running_job
from backy2_core.engine.lookup import get_version
from backy2_core.engine.retention import remove
from backy2_core.engine.survey import survey
from backy2_core.errors import ExchangeError, VersionExistsError
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.model.blob import BlobId, BlobUid, NewBlob
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobKind
from backy2_core.model.version import Counts, Statistics, VersionUid
from tests.protocol.checker import BLOCK, content_of
from tests.protocol.scheduler import Actor
from tests.protocol.world import Options, World

UID = VersionUid("d91be794-2f21-11e7-b961-a44e314f9270")
DATE = datetime(2017, 5, 2, 10, 26, 48, tzinfo=UTC)
HASH = "blake3"

REFUSING = Options(tolerated=(VersionExistsError, ExchangeError))
"""For schedules in which an arrival may be refused: its version is there, or a blob of it is being deleted."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What is known elsewhere of a version."""

    version: ArrivingVersion
    image: str
    blocks: Sequence[ArrivingBlock]

    @property
    def uid(self) -> VersionUid:
        """The version's."""
        return self.version.uid


def dump_of(world: World, name: str) -> Dump:
    """An export of a version that is there."""
    version = get_version(world.meta, world.uid(name))
    records = world.meta.read_blobs({BlobId(blob) for blob in world.rows.blobs_of(name) if blob})
    blobs = [
        NewBlob(r.uid, r.size, r.stored_size, r.hash, r.checksum, r.key, r.transforms, r.envelope)
        for r in (records.get(BlobId(blob)) for blob in world.rows.blobs_of(name))
        if r is not None
    ]
    assert len(blobs) == len(world.images[name]), "only images without zeros can be exported here"
    arriving = ArrivingVersion(
        version.uid, name, "", version.date, version.geometry, version.hash, digest=version.digest
    )
    return Dump(arriving, world.images[name], [ArrivingBlock(n, blob, n + 3) for n, blob in enumerate(blobs)])


def foreign_dump(world: World, name: str, image: str, *, uid: VersionUid = UID) -> Dump:
    """A version that another program made, and its objects in the store."""
    blobs = {letter: _foreign_blob(letter) for letter in sorted(set(image) - {"."})}
    for letter, blob in blobs.items():
        world.store.blobs[blob.uid] = content_of(letter)
        world.strangers.foreign.add(blob.uid)
    statistics = Statistics(uid, name, DATE, len(image) * BLOCK, len(image), Counts(), 1.0)
    version = ArrivingVersion(
        uid, name, "", DATE, Geometry(len(image) * BLOCK, BLOCK), HASH, tags=frozenset({"t"}), statistics=(statistics,)
    )
    return Dump(version, image, [ArrivingBlock(n, blobs.get(letter), n + 3) for n, letter in enumerate(image)])


def forget(world: World, name: str) -> Dump:
    """The database loses all rows of a version, as an older copy of it would lack them; what a dump of it says."""
    dump, rows = dump_of(world, name), world.rows
    for blob in rows.blobs_of(name):
        world.change("DELETE FROM backy2_blobs WHERE id = ?", blob)
    for segment in rows.version(name).segments:
        world.change("DELETE FROM backy2_segments WHERE id = ?", segment)
    for table, column in (("backy2_maps", "version"), ("backy2_versions", "id")):
        world.change(f"DELETE FROM {table} WHERE {column} = ?", rows.version(name).id)
    for document in [document for document in world.store.documents if dump.uid in document]:
        del world.store.documents[document]
    return dump


def arrival(world: World, dump: Dump) -> Actor:
    """The import of a version."""

    def work(engine: Any) -> Any:
        with running_job(engine, JobKind.IMPORT, dump.uid) as lease:
            return arrive(engine, lease, dump.version, dump.blocks)

    world.images[dump.version.name] = dump.image
    return world._start(f"arrival {dump.version.name}", work)


def look(world: World, *, leased: bool = True) -> Actor:
    """A survey of the store that marks what it finds."""

    def work(engine: Any) -> Any:
        if not leased:
            return survey(engine, mark=True)
        with running_job(engine, JobKind.SCRUB, "check") as lease:
            return survey(engine, lease, mark=True)

    return world._start("survey", work)


def removal(world: World, uid: VersionUid) -> Actor:
    """The removal of a version that may not be there yet."""
    return world._start(f"rm {uid}", lambda engine: remove(engine, get_version(engine.meta, uid)))


def finish(world: World) -> Actor:
    """It is declared that the other program is not used any more."""
    return world._start("finish", lambda engine: finish_take_over(engine.data))


def _foreign_blob(letter: str) -> NewBlob:
    content = content_of(letter)
    text = f"{letter * 21}Z".translate(str.maketrans("lIO01", "mJP23"))
    uid = BlobUid(hashlib.md5(text.encode()).hexdigest()[:10] + text)
    return NewBlob(uid, BLOCK, BLOCK, HASH, hash_function(HASH)(memoryview(content)))
