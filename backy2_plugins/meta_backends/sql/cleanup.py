"""What a cleanup reads and changes; the order of its steps is the engine's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Update, delete, select, tuple_, update

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
from backy2_plugins.meta_backends.sql.bulk import chunks
from backy2_plugins.meta_backends.sql.clock import duration_us, now_us
from backy2_plugins.meta_backends.sql.counters import highest
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import named_by_live
from backy2_plugins.meta_backends.sql.maps import unpack_ids
from backy2_plugins.meta_backends.sql.schema import Tables
from backy2_plugins.meta_backends.sql.versions import versions_of

_PARTS = 16
_ROWS = 10_000
_ROWS_WITH_DATA = 1_000
_VERSIONS = 20


def abandon_versions(database: Database, older_than_s: float) -> list[Version]:
    """Give up incomplete versions that nobody continues; see the contract."""
    tables = database.tables
    table = tables.versions
    with database.write() as connection:
        abandoned = select(table).where(
            table.c.state == VersionState.INCOMPLETE,
            table.c.protected.is_(False),
            table.c.touched <= now_us(connection) - duration_us(older_than_s),
            ~named_by_live(tables, table.c.id),
        )
        ids = [row.id for row in connection.execute(abandoned)]
        found = []
        for chunk in chunks(ids):
            connection.execute(update(table).where(table.c.id.in_(chunk)).values(state=VersionState.REMOVED))
            found += versions_of(
                connection, tables, connection.execute(select(table).where(table.c.id.in_(chunk))).all()
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
            ids = list(connection.execute(removed.where(table.c.id.in_(chunk))).scalars())
            connection.execute(delete(tables.maps).where(tables.maps.c.version.in_(ids)))
            connection.execute(delete(tables.tags).where(tables.tags.c.version.in_(ids)))
            connection.execute(delete(table).where(table.c.id.in_(ids)))
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
        for seen in _seen(segments, sweep.revive, horizon):
            connection.execute(update(segments).where(*seen).values(condemned=None))
        dropped = sum(
            connection.execute(delete(segments).where(*seen)).rowcount for seen in _seen(segments, sweep.drop, horizon)
        )
        _condemn(connection, database.tables, update(segments), segments, sweep.condemn)
    return dropped


def sweep_blobs(database: Database, sweep: Sweep, horizon: int) -> int:
    """Change blob records; see the contract."""
    blobs = database.tables.blobs
    change = update(blobs).where(blobs.c.state != BlobState.DELETING)
    with database.write() as connection:
        for seen in _seen(blobs, sweep.revive, horizon):
            connection.execute(change.where(*seen).values(condemned=None))
        dropped = sum(
            connection.execute(change.where(*seen).values(state=BlobState.DELETING)).rowcount
            for seen in _seen(blobs, sweep.drop, horizon)
        )
        _condemn(connection, database.tables, change, blobs, sweep.condemn)
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


def _seen(table: Table, rows: Iterable[tuple[int, int]], horizon: int) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Conditions under which these rows are still as they were seen, with a stamp below the horizon."""
    generations: dict[int, list[int]] = {}
    for number, generation in rows:
        generations.setdefault(generation, []).append(number)
    for generation, numbers in generations.items():
        for chunk in chunks(numbers):
            yield (table.c.id.in_(chunk), table.c.generation == generation, table.c.condemned < horizon)


def _condemn(connection: Connection, tables: Tables, change: Update, table: Table, ids: Iterable[int]) -> None:
    stamp = highest(connection, tables, "jobs")
    for chunk in chunks(ids):
        marked = change.where(table.c.id.in_(chunk), table.c.condemned.is_(None))
        connection.execute(marked.values(condemned=stamp, generation=table.c.generation + 1))
