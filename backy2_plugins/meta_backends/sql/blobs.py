"""Records of stored blobs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from backy2_core.api import BlobId, BlobRecord, BlobState, BlobUid, DedupKey, JobId, NewBlob, StoreId
from backy2_plugins.meta_backends.sql.bulk import among, chunks, head_of, in_key_list, insert_rows, key_list
from backy2_plugins.meta_backends.sql.clock import from_us, now_us, to_us
from backy2_plugins.meta_backends.sql.counters import reserve
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import hold_lease
from backy2_plugins.meta_backends.sql.schema import Tables
from backy2_plugins.meta_backends.sql.stores import chain_numbers

_COLUMNS = (
    "id",
    "store",
    "uid",
    "size",
    "stored_size",
    "hash",
    "key",
    "checksum",
    "checksum_head",
    "chain",
    "envelope",
    "state",
    "condemned",
    "generation",
    "date",
    "job",
)


def find_blobs(
    database: Database, store: StoreId, hash_name: str, key: str, wanted: Collection[DedupKey]
) -> dict[DedupKey, BlobId]:
    """Look blobs up by checksum; see the contract."""
    blocks = set(wanted)
    same = {"store": store, "hash": hash_name, "key": key}
    found: dict[DedupKey, BlobId] = {}
    with database.read() as connection:
        query = _look_up(database.tables, connection.dialect.name)
        for heads in chunks({head_of(checksum) for checksum, _ in blocks}):
            rows = connection.execute(query, same | {"heads": key_list(connection, heads)})
            found.update([(DedupKey(checksum, size), number) for number, checksum, size in rows.all()])
    return {key: number for key, number in found.items() if key in blocks}


@lru_cache(maxsize=8)
def _look_up(tables: Tables, dialect: str) -> Select[Any]:
    """The statement of :func:`find_blobs`; making it anew at each call would take longer than running it."""
    blobs = tables.blobs
    query = select(blobs.c.id, blobs.c.checksum, blobs.c.size).where(
        blobs.c.store == bindparam("store"),
        blobs.c.hash == bindparam("hash"),
        blobs.c.key == bindparam("key"),
        blobs.c.state == BlobState.STORED.value,
        blobs.c.condemned.is_(None),
        in_key_list(dialect, blobs.c.checksum_head, "heads"),
    )
    return query.order_by(blobs.c.id.desc())  # so that the lowest id stays


def add_blobs(database: Database, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
    """Record durable blobs; see the contract."""
    with database.write() as connection:
        hold_lease(connection, database.tables, job)
        return insert_blobs(connection, database.tables, store, blobs, BlobState.STORED, job)


def insert_blobs(
    connection: Connection, tables: Tables, store: StoreId, blobs: Sequence[NewBlob], state: BlobState, job: int
) -> list[BlobId]:
    """Insert records in order, return their ids."""
    ids = reserve(connection, tables, "blobs", len(blobs))
    chains = chain_numbers(connection, tables, {blob.transforms for blob in blobs})
    now = now_us(connection)
    rows = [
        (
            number,
            store,
            blob.uid,
            blob.size,
            blob.stored_size,
            blob.hash,
            blob.key,
            blob.checksum,
            head_of(blob.checksum),
            chains[blob.transforms],
            blob.envelope or None,
            state.value,
            None,
            0,
            now if blob.date is None else to_us(blob.date),
            job,
        )
        for number, blob in zip(ids, blobs, strict=True)
    ]
    insert_rows(connection, tables.blobs, _COLUMNS, rows)
    return [BlobId(number) for number in ids]


def read_blobs(database: Database, ids: Collection[BlobId]) -> dict[BlobId, BlobRecord]:
    """Records by id; see the contract."""
    query = _records(database.tables)
    records = {}
    with database.read() as connection:
        for chunk in chunks(sorted(set(ids))):
            for row in connection.execute(query.where(among(connection, database.tables.blobs.c.id, chunk))):
                records[BlobId(row[0])] = _record(row)
    return records


def find_records(database: Database, store: StoreId, uids: Collection[BlobUid]) -> dict[BlobUid, BlobRecord]:
    """Records by uid; see the contract."""
    with database.read() as connection:
        return records_of(connection, database.tables, store, uids)


def records_of(
    connection: Connection, tables: Tables, store: StoreId, uids: Collection[BlobUid]
) -> dict[BlobUid, BlobRecord]:
    """Records by uid, within the caller's transaction."""
    blobs = tables.blobs
    query = _records(tables).where(blobs.c.store == store)
    records = {}
    for chunk in chunks(sorted(set(uids))):
        for row in connection.execute(query.where(among(connection, blobs.c.uid, chunk))):
            record = _record(row)
            records[record.uid] = record
    return records


def set_blob_state(database: Database, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
    """Change states; see the contract."""
    blobs = database.tables.blobs
    with database.write() as connection:
        changed = 0
        for chunk in chunks(sorted(set(ids))):
            change = update(blobs).where(among(connection, blobs.c.id, chunk), blobs.c.state == only)
            if only is BlobState.UNSEEN:
                change = change.values(generation=blobs.c.generation + 1)
            change = change.values(state=state)
            changed += connection.execute(change).rowcount
    return changed


def unusable_blobs(connection: Connection, tables: Tables, ids: Iterable[BlobId]) -> list[BlobId]:
    """Those of ``ids`` that may not be referred to any more; revives the condemned ones among the others."""
    blobs = tables.blobs
    unusable: list[BlobId] = []
    condemned: list[BlobId] = []
    for chunk in chunks(sorted(set(ids))):
        missing = set(chunk)
        query = select(blobs.c.id, blobs.c.state, blobs.c.condemned).where(among(connection, blobs.c.id, chunk))
        for number, state, stamp in connection.execute(query):
            if state not in (BlobState.DELETING, BlobState.DAMAGED):
                missing.discard(number)
                if stamp is not None:
                    condemned.append(number)
        unusable.extend(sorted(missing))
    if not unusable:
        for chunk in chunks(condemned):
            connection.execute(update(blobs).where(among(connection, blobs.c.id, chunk)).values(condemned=None))
    return unusable


def _records(tables: Tables) -> Select[Any]:
    blobs, chains = tables.blobs, tables.chains
    return select(
        blobs.c.id,
        blobs.c.store,
        blobs.c.uid,
        blobs.c.size,
        blobs.c.stored_size,
        blobs.c.hash,
        blobs.c.checksum,
        blobs.c.key,
        chains.c.spec,
        blobs.c.envelope,
        blobs.c.state,
        blobs.c.date,
    ).outerjoin(chains, blobs.c.chain == chains.c.id)


def _record(row: Sequence[Any]) -> BlobRecord:
    number, store, uid, size, stored_size, hash_name, checksum, key, spec, envelope, state, date = row
    return BlobRecord(
        id=BlobId(number),
        store=StoreId(store),
        uid=BlobUid(uid),
        size=size,
        stored_size=stored_size,
        hash=hash_name,
        checksum=checksum,
        key=key,
        transforms=spec or "",
        envelope=envelope or b"",
        state=BlobState(state),
        date=from_us(date),
    )
