"""Time as the tables keep it: whole microseconds since the epoch, in UTC, by the database's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SERVER_CLOCKS = {
    "postgresql": "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
    "mysql": "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS INTEGER)",
    "mariadb": "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS INTEGER)",
}


def now_us(connection: Connection) -> int:
    """The time now. SQLite has no clock but that of the machine it runs on, which is this one."""
    query = _SERVER_CLOCKS.get(connection.dialect.name)
    if query is None:
        return time.time_ns() // 1000
    return int(connection.exec_driver_sql(query).scalar_one())


def to_us(moment: datetime) -> int:
    """The number of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(number: int) -> datetime:
    """The aware time, in UTC, of a number."""
    return _EPOCH + timedelta(microseconds=number)


def duration_us(duration_s: float) -> int:
    """Seconds as whole microseconds."""
    return round(duration_s * 1_000_000)
