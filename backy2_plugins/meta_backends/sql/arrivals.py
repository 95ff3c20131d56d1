"""Records of blobs that an import or adoption speaks of, before and when they are found in the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, update

from backy2_core.api import BlobConflictError, BlobId, BlobRecord, BlobState, BlobUid, JobId, NewBlob, StoreId
from backy2_plugins.meta_backends.sql.blobs import insert_blobs, records_of
from backy2_plugins.meta_backends.sql.bulk import among, chunks
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import hold_lease
from backy2_plugins.meta_backends.sql.schema import Tables


def take_over_blobs(database: Database, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
    """Record blobs as unseen, or find their records; see the contract."""
    tables = database.tables
    distinct = _distinct(blobs)
    with database.write() as connection:
        hold_lease(connection, tables, job)
        known = records_of(connection, tables, store, distinct.keys())
        _refuse([uid for uid, record in known.items() if not _agree(record, distinct[uid])])
        ids = {uid: record.id for uid, record in known.items()}
        _revive(connection, tables, ids.values())
        new = [blob for uid, blob in distinct.items() if uid not in known]
        added = insert_blobs(connection, tables, store, new, BlobState.UNSEEN, job)
        ids.update((blob.uid, number) for blob, number in zip(new, added, strict=True))
    return [ids[blob.uid] for blob in blobs]


def mark_seen(database: Database, found: Collection[tuple[BlobId, int]]) -> int:
    """Unseen blobs were found; see the contract."""
    blobs = database.tables.blobs
    by_size: dict[int, list[BlobId]] = {}
    for number, stored_size in found:
        by_size.setdefault(stored_size, []).append(number)
    changed = 0
    with database.write() as connection:
        for stored_size, numbers in by_size.items():
            for chunk in chunks(sorted(numbers)):
                unseen = update(blobs).where(among(connection, blobs.c.id, chunk), blobs.c.state == BlobState.UNSEEN)
                # A new generation: no cleanup may act on what it saw of an unseen blob.
                seen = unseen.values(state=BlobState.STORED, stored_size=stored_size, generation=blobs.c.generation + 1)
                changed += connection.execute(seen).rowcount
    return changed


def _distinct(blobs: Sequence[NewBlob]) -> dict[BlobUid, NewBlob]:
    distinct: dict[BlobUid, NewBlob] = {}
    for blob in blobs:
        _refuse([blob.uid] if _contents(distinct.setdefault(blob.uid, blob)) != _contents(blob) else [])
    return distinct


def _refuse(uids: Sequence[BlobUid]) -> None:
    if uids:
        raise BlobConflictError(uids)


def _contents(blob: NewBlob | BlobRecord) -> tuple[object, ...]:
    return blob.size, blob.hash, blob.checksum, blob.key, blob.transforms


def _agree(record: BlobRecord, blob: NewBlob) -> bool:
    return record.state is not BlobState.DELETING and _contents(record) == _contents(blob)


def _revive(connection: Connection, tables: Tables, ids: Collection[BlobId]) -> None:
    blobs = tables.blobs
    for chunk in chunks(sorted(ids)):
        condemned = update(blobs).where(among(connection, blobs.c.id, chunk), blobs.c.condemned.is_not(None))
        connection.execute(condemned.values(condemned=None))
