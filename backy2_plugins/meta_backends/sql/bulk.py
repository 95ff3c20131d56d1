"""Many rows at once: chunks of keys for look-ups, and inserts that skip what is slow about one row at a time."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert

T = TypeVar("T")

KEYS = 500
"""Keys in one look-up; more of them are slower on every database."""

_HEAD = struct.Struct(">q")


def chunks(items: Iterable[T], size: int = KEYS) -> Iterator[list[T]]:
    """Cut into lists of at most ``size``."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def head_of(digest: bytes) -> int:
    """The first eight bytes as a number that every database can index."""
    return int(_HEAD.unpack(digest[:8].ljust(8, b"\0"))[0])


def insert_rows(connection: Connection, table: Table, columns: Sequence[str], rows: Collection[Sequence[Any]]) -> None:
    """Insert rows whose values stand in the order of ``columns``."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])
        return
    # Twice as fast as the statement above, since no row is turned into a mapping and back.
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', [tuple(row) for row in rows])
