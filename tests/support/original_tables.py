"""Tables of the original: changed by hand, and copied into servers as it would have made them there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from backy2_plugins.meta_backends.sql.engines import parse_url


def run(path: Path, *statements: str) -> None:
    """Change an SQLite database by hand."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def rows(path: Path, query: str) -> list[dict[str, Any]]:
    """What an SQLite database answers, plainly."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    """A transaction in any database, as anybody might begin one."""
    engine = sa.create_engine(parse_url(url, "the URL of a test"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def copy(path: Path, url: str) -> None:
    """Copy all tables of an SQLite database into an empty database of a server, of the types that they would have there."""
    metadata = sa.MetaData()
    names = [row["name"] for row in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    tables = {name: _table(path, name, metadata) for name in names}
    with connected(url) as connection:
        metadata.create_all(connection)
        for table in metadata.sorted_tables:
            content = [_typed(table, row) for row in rows(path, f"SELECT * FROM {table.name}")]
            if content:
                connection.execute(sa.insert(tables[table.name]), content)


def dump(url: str, *, ours: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables that are not ours, or are, as they are stored."""
    with connected(url) as connection:
        names = [name for name in sa.inspect(connection).get_table_names() if name.startswith("backy2_") is ours]
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.text(f"SELECT * FROM {name}"))), key=repr)
            for name in names
        }


def _table(path: Path, name: str, metadata: sa.MetaData) -> sa.Table:
    columns = [
        sa.Column(
            row["name"],
            *[sa.ForeignKey(f"{key['table']}.{key['to']}") for key in keys if key["from"] == row["name"]],
            type_=_type(row["type"]),
            nullable=not row["notnull"],
            primary_key=bool(row["pk"]),
            autoincrement=False,
        )
        for keys in [rows(path, f"PRAGMA foreign_key_list({name})")]
        for row in rows(path, f"PRAGMA table_info({name})")
    ]
    return sa.Table(name, metadata, *columns, mysql_charset="utf8mb4")


def _type(declared: str) -> sa.types.TypeEngine[Any]:
    simple: dict[str, sa.types.TypeEngine[Any]] = {
        "INTEGER": sa.Integer(),
        "BIGINT": sa.BigInteger(),
        "DATETIME": sa.DateTime(),
        "DATE": sa.Date(),
    }
    if declared in simple:
        return simple[declared]
    length = int(declared.removeprefix("VARCHAR").strip("()") or 255)
    return sa.String(min(length, 255))


def _typed(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row with its times as times, which SQLite keeps as text."""
    times = {sa.DateTime: datetime.fromisoformat, sa.Date: date.fromisoformat}
    return {
        name: value
        if value is None or type(table.c[name].type) not in times
        else times[type(table.c[name].type)](value)
        for name, value in row.items()
    }
