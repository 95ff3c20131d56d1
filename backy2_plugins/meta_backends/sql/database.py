"""The connection: engine, read and write transactions, and the check that the schema is ours."""

from __future__ import annotations

import contextlib
import math
import os
import stat
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event, select
from sqlalchemy.exc import SQLAlchemyError

from backy2_core.api import MetaBackendError, SchemaError, SchemaState
from backy2_plugins.meta_backends.sql.engines import (
    is_there,
    location_of,
    make_engine,
    make_server_engine,
    parse_url,
    sqlite_path,
)
from backy2_plugins.meta_backends.sql.failures import translated
from backy2_plugins.meta_backends.sql.schema import MOVED, REVISIONS, tables
from backy2_plugins.meta_backends.sql.turn import turn_to_write

_BEGIN = "backy2_begin"
NEXT_STEP = {
    SchemaState.EMPTY: "holds no tables of backy2; run: backy2 initdb",
    SchemaState.OLD: "has the tables of an older release; run: backy2 initdb",
    SchemaState.MOVED: "was moved to another one by `backy2 move-metadata`; name that one in [meta_backend]",
    SchemaState.NEWER: "was changed by a newer release of backy2; install that one",
}


class Database:
    """One database under one table prefix. Nothing is connected to before the first transaction.

    Threads: any method from any thread, except :meth:`close`; each transaction has a connection of its own.
    """

    def __init__(self, url: str, table_prefix: str, busy_timeout_s: float) -> None:
        parsed = parse_url(url, "the setting engine of the meta backend")
        self.location = location_of(parsed)
        self.table_prefix = table_prefix
        self.tables = tables(table_prefix)
        self.path = sqlite_path(parsed)
        """The file of an SQLite database, else None."""
        if self.path is None:
            self._engine = _server_engine(parsed, busy_timeout_s)
        else:
            self._engine = _sqlite_engine(parsed, self.path, busy_timeout_s)
        self._writer = self._engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        self._busy_timeout_s = busy_timeout_s
        self._checked = False
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises :class:`SchemaError` unless the schema is current."""
        self._check()
        with self.transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def write(self, *, long: bool = False) -> Iterator[Connection]:
        """A transaction that writes; there is one at a time in the whole database.

        A server ends one in which nothing happens for half of the time that others wait for it, unless it may be ``long``.
        """
        self._check()
        with ExitStack() as stack:
            connection = stack.enter_context(self.transaction(self._writer))
            if self.path is None:
                stack.enter_context(turn_to_write(connection, self.tables, 0 if long else self._busy_timeout_s / 2))
            self._refuse_moved(connection)
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """A transaction that writes, whatever the schema; makes the file of an SQLite database if there is none."""
        if self.path is not None:
            _make_file(self.path)
            self._use_wal()
        with self._migrating_alone(), self.transaction(self._writer) as connection:
            yield connection

    @contextmanager
    def transaction(self, engine: Engine) -> Iterator[Connection]:
        """Commit at the end, or roll back on any exception; translates those of the library."""
        if self._closed:
            raise MetaBackendError(f"database {self.location} was closed already")
        writes = engine is self._writer
        committing = False
        try:
            with engine.begin() as connection:
                yield connection
                committing = True
        except SQLAlchemyError as error:
            raise translated(error, self.location, in_doubt=committing and writes) from error

    def schema_state(self) -> SchemaState:
        """Compare the revision in the database with the one this release needs; changes nothing."""
        if self.path is not None and not is_there(self.path):
            return SchemaState.EMPTY
        with self.transaction(self._engine) as connection:
            return self._state(connection)

    def close(self) -> None:
        """Close all connections; later transactions fail."""
        self._closed = True
        self._engine.dispose()

    def revision(self, connection: Connection) -> str | None:
        """The revision of the schema that the database has, None before there is one."""
        if not sqlalchemy.inspect(connection).has_table(self.tables.schema.name):
            return None
        return connection.execute(select(self.tables.schema.c.version_num)).scalar()

    def _state(self, connection: Connection) -> SchemaState:
        revision = self.revision(connection)
        if revision is None:
            return SchemaState.EMPTY
        if revision == MOVED:
            return SchemaState.MOVED
        if revision not in REVISIONS:
            return SchemaState.NEWER
        return SchemaState.CURRENT if revision == REVISIONS[-1] else SchemaState.OLD

    def _check(self) -> None:
        if self._checked:
            return
        state = self.schema_state()
        if state is not SchemaState.CURRENT:
            raise SchemaError(f"database {self.location} {NEXT_STEP[state]}")
        self._checked = True

    def _refuse_moved(self, connection: Connection) -> None:
        """Everything may have been moved since the schema was checked; what is written here then, nobody finds again."""
        if connection.execute(select(self.tables.schema.c.version_num)).scalar() == MOVED:
            raise SchemaError(f"database {self.location} {NEXT_STEP[SchemaState.MOVED]}")

    @contextmanager
    def _migrating_alone(self) -> Iterator[None]:
        if self.path is not None:
            yield
            return
        key = zlib.crc32(self.table_prefix.encode())
        with self.transaction(self._engine) as connection:
            # The lock goes with its connection, which therefore must not go back into the pool.
            connection.detach()
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({key})")
            elif not connection.exec_driver_sql(f"SELECT GET_LOCK('backy2 {key}', {self._busy_timeout_s})").scalar():
                raise MetaBackendError(
                    f"database {self.location} is being set up by another process; try again when that one is done",
                    retryable=True,
                )
            yield

    def _use_wal(self) -> None:
        # The mode is kept in the file, so it is set once; it cannot be changed inside a transaction. SQLite does not wait
        # for others here, whatever the time-out, so that two processes that do this at once would fail each other.
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                with self.transaction(self._engine.execution_options(**{_BEGIN: ""})) as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except MetaBackendError as error:
                if not error.retryable or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)


def _sqlite_engine(url: URL, path: str, busy_timeout_s: float) -> Engine:
    engine = make_engine(url.set(database=path), connect_args={"timeout": busy_timeout_s, "check_same_thread": False})
    event.listen(engine, "do_connect", _expect_file)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _server_engine(url: URL, busy_timeout_s: float) -> Engine:
    engine = make_server_engine(url, isolation_level="READ COMMITTED")
    set_up = _set_up_mariadb if url.get_backend_name() in ("mysql", "mariadb") else _set_up_postgresql
    event.listen(engine, "connect", lambda connection, record: set_up(connection, busy_timeout_s))
    return engine


def _expect_file(dialect: Any, record: Any, arguments: Any, options: Any) -> None:
    if not is_there(arguments[0]):
        raise SchemaError(f"database {arguments[0]} does not exist; run: backy2 initdb")


def _set_up_sqlite(connection: Any, record: Any) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite says which kind each one is.
    connection.isolation_level = None
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA synchronous=FULL")


def _set_up_postgresql(connection: Any, busy_timeout_s: float) -> None:
    if hasattr(connection, "prepare_threshold"):
        # A plan that was made while a table was nearly empty would be kept while millions of rows come in.
        connection.prepare_threshold = None
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"SET lock_timeout = {max(1, round(busy_timeout_s * 1000))}")
    connection.commit()


def _set_up_mariadb(connection: Any, busy_timeout_s: float) -> None:
    # A value that does not fit is refused and never cut, and no hour comes twice a year, however the server is set.
    with closing(connection.cursor()) as cursor:
        cursor.execute("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'")
        cursor.execute(f"SET innodb_lock_wait_timeout = {max(1, math.ceil(busy_timeout_s))}")


def _begin_sqlite(connection: Connection) -> None:
    statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


def _make_folder(path: str, mode: int = 0o777) -> None:
    """Make a folder and those above it, each durably; SQLite sees to the names in it, and to no folder above."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    _make_folder(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode)
    with contextlib.suppress(PermissionError):  # a folder that one may write to and not read
        fd = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _make_file(path: str) -> None:
    # Without opening it: closing a file takes away the locks that SQLite holds on it anywhere in this process.
    try:
        _make_folder(os.path.dirname(path), mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.mknod(path, 0o600 | stat.S_IFREG)
    except OSError as error:
        raise MetaBackendError(f"database {path} cannot be made: {error.strerror}; check its folder") from error
