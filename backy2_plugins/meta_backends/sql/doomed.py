"""The last steps of a blob: its object is deleted, then its record."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, literal_column, select

from backy2_core.api import BlobId, BlobState, BlobUid, DoomedBlob, NewBlob, StoreId
from backy2_plugins.meta_backends.sql.blobs import insert_blobs
from backy2_plugins.meta_backends.sql.bulk import among, chunks
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.schema import Tables

_OBJECTS = 5_000


def doomed_blobs(database: Database, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
    """Blobs whose objects may be deleted; see the contract."""
    blobs = database.tables.blobs
    query = select(blobs.c.id, blobs.c.uid, blobs.c.stored_size).where(
        blobs.c.state == BlobState.DELETING,
        blobs.c.state != literal_column("1"),  # the condition of the index of rare states
        blobs.c.store == store,
        blobs.c.id > after,
    )
    with database.read() as connection:
        rows = connection.execute(query.order_by(blobs.c.id).limit(limit)).all()
    return [DoomedBlob(BlobId(number), BlobUid(uid), size) for number, uid, size in rows]


def forget_blobs(database: Database, ids: Collection[BlobId]) -> int:
    """Drop records of deleted objects; see the contract."""
    blobs = database.tables.blobs
    with database.write() as connection:
        return sum(
            connection.execute(
                delete(blobs).where(among(connection, blobs.c.id, chunk), blobs.c.state == BlobState.DELETING)
            ).rowcount
            for chunk in chunks(sorted(set(ids)))
        )


def recorded_uids(database: Database, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
    """Which uids have a record; see the contract."""
    with database.read() as connection:
        return _recorded(connection, database.tables, store, set(uids))


def doom_objects(database: Database, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
    """Record objects that nothing knows of, so that they may be deleted; see the contract."""
    inserted = 0
    for batch in chunks(objects, _OBJECTS):
        sizes = dict(batch)
        with database.write() as connection:
            unknown = sizes.keys() - _recorded(connection, database.tables, store, sizes.keys())
            new = [NewBlob(uid, 0, sizes[uid], "", b"") for uid in sorted(unknown)]
            insert_blobs(connection, database.tables, store, new, BlobState.DELETING, job=0)
        inserted += len(new)
    return inserted


def _recorded(connection: Connection, tables: Tables, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
    blobs = tables.blobs
    found: set[BlobUid] = set()
    for chunk in chunks(uids):
        query = select(blobs.c.uid).where(among(connection, blobs.c.uid, chunk), blobs.c.store == store)
        found.update(BlobUid(uid) for uid in connection.execute(query).scalars())
    return found
