"""Giving out ids: each once, and in the order in which transactions commit."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from backy2_plugins.meta_backends.sql.schema import Tables


def reserve(connection: Connection, tables: Tables, name: str, count: int = 1) -> range:
    """The next ``count`` ids of the table called ``name``; given back if the transaction is rolled back."""
    last = highest(connection, tables, name)
    counters = tables.counters
    connection.execute(update(counters).where(counters.c.name == name).values(value=last + count))
    return range(last + 1, last + count + 1)


def highest(connection: Connection, tables: Tables, name: str) -> int:
    """The highest id that was ever given out for the table called ``name``, 0 if none was."""
    counters = tables.counters
    return int(connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one())
