"""A connection to the original's database that cannot change anything there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from backy2_core.api import MetaBackendError
from backy2_plugins.meta_backends.sql.engines import (
    is_there,
    location_of,
    make_engine,
    make_server_engine,
    parse_url,
    sqlite_path,
)
from backy2_plugins.meta_backends.sql.failures import translated

_BEGIN = {
    "sqlite": ("BEGIN",),
    "postgresql": ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",),
    "mysql": (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
}
_BEGIN["mariadb"] = _BEGIN["mysql"]
"""What makes a transaction one that only reads, and sees one moment."""
_UNREADABLE = (
    "cannot be opened for reading; this user must be allowed to read it and, where it is in WAL mode, "
    "to write to its folder"
)
_SQLITE = {
    "SQLITE_READONLY_ROLLBACK": "was left in the middle of a write: beside it lies a journal that must be rolled back "
    "before it can be read, which would change it; let the original do that (any of its commands will), then try again",
    "SQLITE_CANTOPEN": _UNREADABLE,
    "SQLITE_READONLY_CANTINIT": _UNREADABLE,
    "SQLITE_READONLY_DIRECTORY": _UNREADABLE,
    "SQLITE_READONLY_RECOVERY": _UNREADABLE,
}


def open_for_reading(url: str, origin: str, busy_timeout_s: float) -> tuple[Engine, str]:
    """An engine whose transactions only read, and the location for messages. Nothing is connected to."""
    parsed = parse_url(url, origin)
    path = sqlite_path(parsed)
    engine = _server_engine(parsed) if path is None else _sqlite_engine(parsed, path, busy_timeout_s)
    event.listen(engine, "begin", _begin)
    return engine, location_of(parsed)


@contextmanager
def reading(engine: Engine, location: str) -> Iterator[Connection]:
    """A transaction that only reads, and is rolled back at its end; translates the errors of the library."""
    try:
        with engine.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise _translated(error, location) from error


def _server_engine(url: URL) -> Engine:
    engine = make_server_engine(url)
    if engine.dialect.name not in _BEGIN:
        raise MetaBackendError(
            f"database {location_of(url)} is none that can be read; expected one of SQLite, PostgreSQL or MariaDB"
        )
    return engine


def _sqlite_engine(url: URL, path: str, busy_timeout_s: float) -> Engine:
    def connect() -> sqlite3.Connection:
        if not is_there(path):
            raise MetaBackendError(
                f"database {path} does not exist; expected the file that the original keeps its tables in"
            )
        file = f"{Path(path).as_uri()}?mode=ro"
        return sqlite3.connect(file, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)

    return make_engine(url, creator=connect)


def _begin(connection: Connection) -> None:
    for statement in _BEGIN[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def _translated(error: SQLAlchemyError, location: str) -> MetaBackendError:
    kind: str = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
    if kind in _SQLITE:
        return MetaBackendError(f"database {location} {_SQLITE[kind]}")
    return translated(error, location)
