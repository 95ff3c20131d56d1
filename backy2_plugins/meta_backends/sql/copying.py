"""Many rows into PostgreSQL by its COPY command: ten times as fast as inserting them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def can_copy(connection: Connection) -> bool:
    """Whether database and driver know COPY from the client: PostgreSQL through psycopg 3 does."""
    return connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg"


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows whose values stand in the order of ``columns``, in the connection's transaction.

    Errors are those of the library, as if it had run the command itself.
    """
    quoted = connection.dialect.identifier_preparer.quote_identifier
    statement = f"COPY {quoted(table)} ({', '.join(map(quoted, columns))}) FROM STDIN"
    raw: Any = connection.connection.driver_connection
    kinds: Any = connection.dialect.loaded_dbapi
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except kinds.Error as error:
        gone = connection.dialect.is_disconnect(error, raw, None)
        if gone:
            connection.invalidate(error)
        raise DBAPIError.instance(statement, None, error, kinds.Error, connection_invalidated=gone) from error
