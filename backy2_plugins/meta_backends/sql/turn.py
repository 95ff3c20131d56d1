"""Whose turn it is to write to a server: one transaction at a time, and none that its process forgot."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from backy2_plugins.meta_backends.sql.schema import WRITER, Tables

_NEVER = "SET idle_transaction_timeout = 0"


@contextmanager
def turn_to_write(connection: Connection, tables: Tables, idle_s: float) -> Iterator[None]:
    """Be the only one that writes until the transaction ends.

    The server ends it when it hears nothing for ``idle_s`` seconds (0: never). Else a process that was frozen in it, or whose
    host was cut off, would keep all hosts from writing for as long as that lasts.
    """
    counters = tables.counters
    lock = select(counters.c.value).where(counters.c.name == WRITER).with_for_update()
    if connection.dialect.name == "postgresql":
        setting = func.set_config("idle_in_transaction_session_timeout", str(round(idle_s * 1000)), True)
        connection.execute(lock.add_columns(setting))
        yield
        return
    # It cannot be set for a transaction alone, and readers may take their time between two rows.
    connection.exec_driver_sql(f"SET idle_transaction_timeout = {math.ceil(idle_s)}")
    try:
        connection.execute(lock)
        yield
    except BaseException:
        # Where the connection is lost, there is nothing to set any more.
        with contextlib.suppress(SQLAlchemyError):
            connection.exec_driver_sql(_NEVER)
        raise
    connection.exec_driver_sql(_NEVER)
