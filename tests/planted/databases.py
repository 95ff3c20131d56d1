"""A correct meta backend on SQLite whose pieces can be broken one by one, and whose rows can be changed behind its back."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from backy2_core.contracts.meta_backend import SchemaState
from backy2_core.errors import JobLostError, MetaBackendError
from backy2_core.model.secret import Secret
from backy2_core.testing.faulty_meta_backend import FaultyMetaBackend
from backy2_plugins.meta_backends import sql

T = TypeVar("T")
PASSWORD = "open-sesame-4711"
SILENCE_S = 0.3


def open_sqlite(path: Path, busy_timeout_s: float) -> Any:
    settings = {setting.name: setting.default for setting in sql.backy2_settings()}
    engine = Secret(f"sqlite:///{path}")
    return sql.backy2_open_meta_backend(settings | {"engine": engine, "busy_timeout": busy_timeout_s})


class Right(FaultyMetaBackend):
    """Keeps every promise. ``server`` is a host and port that it asks before each call, as a client would."""

    def __init__(self, path: Path, busy_timeout_s: float = 60.0, server: tuple[str, int] | None = None) -> None:
        super().__init__(open_sqlite(path, busy_timeout_s))
        self.path = path
        self.server = server
        self.closed = False

    def carry_out(self, method: str, call: Callable[[], T]) -> T:
        if self.server is not None and method != "close":
            try:
                self.ask(self.server)
            except OSError as error:
                raise self.silent(error) from error
        return call()

    def ask(self, server: tuple[str, int]) -> None:
        with contextlib.closing(socket.create_connection(server, self.patience_s())) as connection:
            connection.sendall(b"?")
            connection.recv(1)

    def patience_s(self) -> float:
        return SILENCE_S

    def silent(self, error: Exception) -> Exception:
        return MetaBackendError(f"{self.location} does not answer: {error}", retryable=True)

    def close(self) -> None:
        self.closed = True
        super().close()

    def sql(self, text: str, *values: Any) -> list[Any]:
        """Change or read rows behind the back of the object. Tables are named without their prefix, after a ``#``."""
        if self.closed or not self.path.exists() or self.inner.schema_state() is not SchemaState.CURRENT:
            return []  # the call itself will say so
        with contextlib.closing(sqlite3.connect(self.path, timeout=30.0, isolation_level=None)) as connection:
            return connection.execute(text.replace("#", "backy2_"), values).fetchall()

    def ids(self, text: str, *values: Any) -> list[int]:
        """The numbers in the first column."""
        return [row[0] for row in self.sql(text, *values)]

    def without_lease(self, job: int, call: Callable[[], T]) -> T:
        """Make a call as if the job were live."""
        try:
            return call()
        except JobLostError:
            states = self.ids("select state from #jobs where id = ?", job)
            if not states:
                raise
            self.sql("update #jobs set state = 1 where id = ?", job)
            try:
                return call()
            finally:
                self.sql("update #jobs set state = ? where id = ?", states[0], job)

    def with_rows(self, table: str, column: str, value: Any, ids: Any, call: Callable[[], T]) -> T:
        """Make a call while a column of these rows holds another value, then put back what it held."""
        held = [self.sql(f"select {column}, id from #{table} where id = ?", number) for number in ids]
        for number in ids:
            self.sql(f"update #{table} set {column} = ? where id = ?", value, number)
        try:
            return call()
        finally:
            for rows in held:
                for row in rows:
                    self.sql(f"update #{table} set {column} = ? where id = ?", *row)
