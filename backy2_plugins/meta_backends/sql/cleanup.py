"""What a cleanup reads and changes; the order of its steps is the engine's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Table, Update, delete, select, tuple_, update

from backy2_core.api import (
    BlobRow,
    BlobState,
    SegmentId,
    SegmentRow,
    StoreId,
    Sweep,
    Version,
    VersionId,
    VersionState,
)
from backy2_plugins.meta_backends.sql.bulk import among, chunks
from backy2_plugins.meta_backends.sql.clock import duration_us, now_us
from backy2_plugins.meta_backends.sql.counters import highest
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import named_by_live
from backy2_plugins.meta_backends.sql.maps import unpack_ids
from backy2_plugins.meta_backends.sql.schema import Tables
from backy2_plugins.meta_backends.sql.versions import drop_versions, versions_of

_PARTS = 16
_ROWS = 10_000
_ROWS_WITH_DATA = 1_000
_VERSIONS = 20


def abandon_versions(database: Database, older_than_s: float) -> list[Version]:
    """Give up incomplete versions that nobody continues; see the contract."""
    tables = database.tables
    table = tables.versions
    with database.write() as connection:
        arriving = select(table.c.id).where(table.c.state == VersionState.ARRIVING, ~named_by_live(tables, table.c.id))
        for numbers in chunks(connection.execute(arriving).scalars()):
            drop_versions(connection, tables, numbers)
        abandoned = select(table).where(
            table.c.state == VersionState.INCOMPLETE,
            table.c.protected.is_(False),
            table.c.touched <= now_us(connection) - duration_us(older_than_s),
            ~named_by_live(tables, table.c.id),
        )
        ids = [row.id for row in connection.execute(abandoned)]
        found = []
        for chunk in chunks(ids):
            connection.execute(
                update(table).where(among(connection, table.c.id, chunk)).values(state=VersionState.REMOVED)
            )
            found += versions_of(
                connection, tables, connection.execute(select(table).where(among(connection, table.c.id, chunk))).all()
            )
    return found


def purge_versions(database: Database, only: Collection[VersionId]) -> int:
    """Drop removed versions that no live job names; see the contract."""
    tables = database.tables
    table = tables.versions
    removed = select(table.c.id).where(table.c.state == VersionState.REMOVED, ~named_by_live(tables, table.c.id))
    purged = 0
    for chunk in chunks(sorted(set(only)), _VERSIONS):
        with database.write() as connection:
            ids = list(connection.execute(removed.where(among(connection, table.c.id, chunk))).scalars())
            connection.execute(delete(tables.maps).where(among(connection, tables.maps.c.version, ids)))
            connection.execute(delete(tables.tags).where(among(connection, tables.tags.c.version, ids)))
            connection.execute(
                update(table).where(among(connection, table.c.id, ids)).values(state=VersionState.PURGED)
            )
        purged += len(ids)
    return purged


def scan_maps(database: Database) -> Iterator[Sequence[SegmentId]]:
    """The maps of all versions; see the contract."""
    maps = database.tables.maps
    place = tuple_(maps.c.version, maps.c.part)
    query = select(maps).order_by(maps.c.version, maps.c.part).limit(_PARTS)
    last = (0, 0)
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(place > last)).all()
        if not rows:
            return
        yield [number for row in rows for number in unpack_ids(row.data)]
        last = (rows[-1].version, rows[-1].part)


def scan_segments(database: Database, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
    """All segments; see the contract."""
    segments = database.tables.segments
    columns = [segments.c.id, segments.c.condemned, segments.c.generation]
    size = _ROWS
    if with_data:
        columns.append(segments.c.data)
        size = _ROWS_WITH_DATA
    for rows in _pages(database, segments, columns, size):
        if with_data:
            yield [SegmentRow(*row) for row in rows]
        else:
            yield [SegmentRow(number, stamp, generation, b"") for number, stamp, generation in rows]


def scan_blobs(database: Database, store: StoreId) -> Iterator[Sequence[BlobRow]]:
    """All blob records of a store; see the contract."""
    blobs = database.tables.blobs
    columns = [blobs.c.id, blobs.c.state, blobs.c.condemned, blobs.c.generation]
    states = {state.value: state for state in BlobState}
    for rows in _pages(database, blobs, columns, _ROWS, blobs.c.store == store):
        yield [BlobRow(number, states[state], stamp, generation) for number, state, stamp, generation in rows]


def sweep_segments(database: Database, sweep: Sweep, horizon: int) -> int:
    """Change segments; see the contract."""
    segments = database.tables.segments
    with database.write() as connection:
        _change_seen(connection, update(segments).values(condemned=None), sweep.revive, horizon)
        dropped = _change_seen(connection, delete(segments), sweep.drop, horizon)
        _condemn(connection, database.tables, update(segments), sweep.condemn)
    return dropped


def sweep_blobs(database: Database, sweep: Sweep, horizon: int) -> int:
    """Change blob records; see the contract."""
    blobs = database.tables.blobs
    change = update(blobs).where(blobs.c.state != BlobState.DELETING)
    with database.write() as connection:
        _change_seen(connection, change.values(condemned=None), sweep.revive, horizon)
        unseen = delete(blobs).where(blobs.c.state == BlobState.UNSEEN)
        dropped = _change_seen(connection, unseen, sweep.drop, horizon)
        dropped += _change_seen(connection, change.values(state=BlobState.DELETING), sweep.drop, horizon)
        _condemn(connection, database.tables, change, sweep.condemn)
    return dropped


def _pages(
    database: Database, table: Table, columns: Sequence[Any], size: int, *criteria: ColumnElement[bool]
) -> Iterator[Sequence[Any]]:
    query = select(*columns).where(*criteria).order_by(table.c.id).limit(size)
    last = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(query.where(table.c.id > last)).all()
        if not rows:
            return
        yield rows
        last = rows[-1].id


def _change_seen(connection: Connection, change: Update | Delete, rows: Iterable[tuple[int, int]], horizon: int) -> int:
    """Change rows (id, generation) that are still as they were seen, with a stamp below the horizon; return how many."""
    generations: dict[int, list[int]] = {}
    for number, generation in rows:
        generations.setdefault(generation, []).append(number)
    table, changed = change.table.c, 0
    for generation, numbers in generations.items():
        still = change.where(table.generation == generation, table.condemned < horizon)
        for chunk in chunks(numbers):
            changed += connection.execute(still.where(among(connection, table.id, chunk))).rowcount
    return changed


def _condemn(connection: Connection, tables: Tables, change: Update, ids: Iterable[int]) -> None:
    table = change.table.c
    marked = change.where(table.condemned.is_(None)).values(
        condemned=highest(connection, tables, "jobs"), generation=table.generation + 1
    )
    for chunk in chunks(ids):
        connection.execute(marked.where(among(connection, table.id, chunk)))
