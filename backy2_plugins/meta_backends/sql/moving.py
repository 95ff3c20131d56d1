"""Moving everything from one database to another, of whatever kinds they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Table, func, select, tuple_, update

from backy2_core.api import JobState, MetaBackendError, RefusedError, SchemaError, SchemaState
from backy2_plugins.meta_backends.sql.bulk import insert_rows
from backy2_plugins.meta_backends.sql.clock import now_us
from backy2_plugins.meta_backends.sql.database import NEXT_STEP, Database
from backy2_plugins.meta_backends.sql.migrate import initialise
from backy2_plugins.meta_backends.sql.schema import MOVED, Tables

Tell = Callable[[int, int], None]
"""Is told how many rows of how many are there."""

_ROWS = 5_000
_BIG_ROWS = 200
"""Rows at once of tables with long values; with the others it bounds the memory to some tens of MiB."""


def move(origin: Database, destination: Database, tell: Tell) -> dict[str, int]:
    """Copy all rows into an empty database, then mark the old one as moved; return the number of rows by table.

    Nobody can write to the old one meanwhile. All rows come in one transaction: killed at any moment, this leaves the old
    database as it was, and the new one without rows, or with all of them; then it can be run again.
    """
    _refuse_same(origin, destination)
    _require_current(origin)
    _refuse_older(destination)
    with origin.write(long=True) as old:
        _refuse_live_jobs(old, origin)
        initialise(destination)
        with destination.write(long=True) as new:
            pairs = list(zip(_content(origin.tables), _content(destination.tables), strict=True))
            counts = {source.name: _count(old, source) for source, _ in pairs}
            if _is_empty(new, destination.tables):
                _copy_all(old, new, pairs, counts, tell)
                _copy_counters(old, origin.tables, new, destination.tables)
            elif not all(_are_equal(old, source, new, target) for source, target in pairs):
                raise RefusedError(
                    f"database {destination.location} is not empty, and holds other rows than {origin.location}; move"
                    " to an empty database, or choose another table_prefix"
                )
        old.execute(update(origin.tables.schema).values(version_num=MOVED))
    return counts


def _refuse_same(origin: Database, destination: Database) -> None:
    if (origin.location, origin.table_prefix) == (destination.location, destination.table_prefix):
        raise RefusedError(f"database {origin.location} cannot be moved to itself; name another one to move to")


def _require_current(origin: Database) -> None:
    state = origin.schema_state()
    if state is SchemaState.EMPTY:
        raise SchemaError(f"database {origin.location} holds no tables of backy2; there is nothing to move")
    if state is not SchemaState.CURRENT:
        raise SchemaError(f"database {origin.location} {NEXT_STEP[state]}")


def _refuse_older(destination: Database) -> None:
    """To bring its tables up to date would shut others out of it, whose release knows the older ones."""
    if destination.schema_state() is SchemaState.OLD:
        raise RefusedError(
            f"database {destination.location} has the tables of an older release, so it is not empty; move to an empty"
            " database, or choose another table_prefix"
        )


def _refuse_live_jobs(connection: Connection, origin: Database) -> None:
    jobs = origin.tables.jobs
    query = select(jobs.c.id, jobs.c.kind, jobs.c.host).where(
        jobs.c.state == JobState.LIVE, jobs.c.lease_until > now_us(connection)
    )
    live = connection.execute(query.order_by(jobs.c.id).limit(1)).first()
    if live is not None:
        raise RefusedError(
            f"database {origin.location} is in use: job {live.id} ({live.kind} on {live.host}) has a lease; wait for it to end"
            " (`backy2 jobs` shows it), then move"
        )


def _is_empty(connection: Connection, tables: Tables) -> bool:
    return all(connection.execute(select(table).limit(1)).first() is None for table in _content(tables))


def _are_equal(old: Connection, source: Table, new: Connection, target: Table) -> bool:
    """Whether both hold the same rows: then an earlier move was killed just before it marked the old database."""
    pages = zip_longest(_pages(old, source), _pages(new, target), fillvalue=())
    return all(list(map(tuple, here)) == list(map(tuple, there)) for here, there in pages)


def _copy_all(
    old: Connection, new: Connection, pairs: Sequence[tuple[Table, Table]], counts: dict[str, int], tell: Tell
) -> None:
    done, total = 0, sum(counts.values())
    for source, target in pairs:
        for rows in _pages(old, source):
            insert_rows(new, target, [column.name for column in source.columns], rows)
            done += len(rows)
            tell(done, total)
        if _count(new, target) != counts[source.name]:
            raise MetaBackendError(f"not all rows of the table {source.name} arrived; nothing was moved, try again")


def _copy_counters(old: Connection, old_tables: Tables, new: Connection, new_tables: Tables) -> None:
    for name, value in old.execute(select(old_tables.counters.c.name, old_tables.counters.c.value)).all():
        counters = new_tables.counters
        new.execute(update(counters).where(counters.c.name == name).values(value=value))


def _content(tables: Tables) -> list[Table]:
    """All tables but the counters, which a new database has already."""
    return [table for table in tables.metadata.sorted_tables if table is not tables.counters]


def _pages(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """All rows in the order of the key, a page at a time."""
    keys = list(table.primary_key.columns)
    size = _BIG_ROWS if "data" in table.c else _ROWS
    query = select(table).order_by(*keys).limit(size)
    rows = connection.execute(query).all()
    while rows:
        yield rows
        last = tuple(rows[-1]._mapping[key] for key in keys)
        rows = connection.execute(query.where(tuple_(*keys) > last)).all()


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
