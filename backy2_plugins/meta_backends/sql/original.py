"""The original's database, read as it lies: any of its releases, told by the columns that are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import sqlalchemy
from sqlalchemy import Connection, Row, Select, column, null, select, table, tuple_

from backy2_core.api import (
    ExchangeError,
    MetaBackendError,
    OriginalBlock,
    OriginalDatabase,
    OriginalVersion,
    Statistics,
    Unreadable,
)
from backy2_plugins.meta_backends.sql.original_connection import open_for_reading, reading
from backy2_plugins.meta_backends.sql.original_rows import COLUMNS, block_of, statistics_of, version_of

Value = TypeVar("Value")

_NEEDED = ("versions", "blocks")
_ROWS = 10_000
"""Rows in memory at a time."""


def open_original(url: str, origin: str, busy_timeout_s: float) -> OriginalDatabase:
    """Connect to a database, and make sure that it is the original's; ``origin`` says where the URL is from."""
    original = SqlOriginalDatabase(url, origin, busy_timeout_s)
    try:
        original.look()
    except BaseException:
        original.close()
        raise
    return original


class SqlOriginalDatabase(OriginalDatabase):
    """An SQL database of the original, see the contract; whatever this user may do in it, the connection only reads.

    Versions are read all at once, so that no transaction stays open while the caller works on each of them; blocks and
    statistics in pages. The blocks of a version are read in one transaction: until its end the original's commits to an
    SQLite database wait, unless that is in WAL mode.
    """

    def __init__(self, url: str, origin: str, busy_timeout_s: float) -> None:
        self._engine, self._location = open_for_reading(url, origin, busy_timeout_s)
        self._columns: dict[str, frozenset[str]] = {}
        self._closed = False

    @property
    def location(self) -> str:
        return self._location

    def look(self) -> None:
        """Find out which tables and columns there are. Raises :class:`ExchangeError` if they are not the original's."""
        with self._reading() as connection:
            self._columns = {name: _columns(connection, name) for name in COLUMNS}
        if missing := [name for name in _NEEDED if not self._columns[name]]:
            raise self._foreign(f"it has no table {' and no table '.join(missing)}")
        for name, found in self._columns.items():
            lacking = [column for column in COLUMNS[name].always if column not in found]
            if found and lacking:
                raise self._foreign(f"its table {name} has no column {' and no column '.join(lacking)}")

    def versions(self) -> Iterator[OriginalVersion | Unreadable]:
        with self._reading() as connection:
            rows = connection.execute(self._select("versions")).all()
            tags = self._tags(connection)
        found = list(self._read(rows, lambda row: version_of(row, tags[row.uid]), "{0.uid}"))
        yield from (version for version in found if isinstance(version, Unreadable))
        versions = [version for version in found if not isinstance(version, Unreadable)]
        yield from sorted(versions, key=lambda version: (version.date, version.uid))

    def blocks(self, uid: str) -> Iterator[OriginalBlock | Unreadable]:
        query = self._select("blocks").where(column("version_uid") == uid)
        for rows in self._pages(query, "id"):
            yield from self._read(rows, block_of, "block {0.id}")

    def statistics(self) -> Iterator[Statistics | Unreadable]:
        if not self._columns["stats"]:
            return
        # Releases that have no number for each row have one row for each version.
        key = "id" if "id" in self._columns["stats"] else "version_uid"
        for rows in self._pages(self._select("stats").where(column("version_uid") > ""), "date", key):
            yield from self._read(rows, statistics_of, "the statistics of version {0.version_uid} of {0.date}")

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._closed:
            raise MetaBackendError(f"database {self._location} was closed already")
        with reading(self._engine, self._location) as connection:
            yield connection

    @staticmethod
    def _read(
        rows: Iterable[Row[Any]], value_of: Callable[[Row[Any]], Value], what: str
    ) -> Iterator[Value | Unreadable]:
        """What the rows say; ``what`` names one for a message."""
        for row in rows:
            try:
                yield value_of(row)
            except ValueError as error:
                yield Unreadable(what.format(row), str(error))

    def _foreign(self, reason: str) -> ExchangeError:
        return ExchangeError(
            f"database {self._location} is not one of the original backy2: {reason}; "
            "give the URL that stands as engine in the original's configuration"
        )

    def _select(self, name: str) -> Select[Any]:
        """All columns of a table that we know, in their order; those that its release did not know are NULL."""
        found = self._columns[name]
        columns = [*COLUMNS[name].always, *COLUMNS[name].sometimes]
        query = select(*[column(each) if each in found else null().label(each) for each in columns])
        return cast("Select[Any]", query.select_from(table(name)))

    def _tags(self, connection: Connection) -> defaultdict[str, set[str]]:
        tags: defaultdict[str, set[str]] = defaultdict(set)
        if self._columns["tags"]:
            for uid, name in connection.execute(self._select("tags")):
                tags[uid].add(name)
        return tags

    def _pages(self, query: Select[Any], *keys: str) -> Iterator[list[Row[Any]]]:
        """The rows of a query in the order of ``keys``, which together are unique; all of one moment."""
        place = tuple_(*(column(key) for key in keys))
        ordered = query.order_by(*(column(key) for key in keys)).limit(_ROWS)
        page = ordered
        with self._reading() as connection:
            while rows := list(connection.execute(page)):
                yield rows
                last = rows[-1]._mapping
                page = ordered.where(place > tuple(last[key] for key in keys))


def _columns(connection: Connection, name: str) -> frozenset[str]:
    """The names of a table's columns, none if there is no such table."""
    if not sqlalchemy.inspect(connection).has_table(name):
        return frozenset()
    # Not by reflection, which complains of types that it does not know.
    nothing = select(sqlalchemy.text("*")).select_from(table(name)).where(sqlalchemy.false())
    return frozenset(connection.execute(nothing).keys())
