"""Rows of the original's tables as values: what its releases wrote differently becomes one.

What cannot be understood is a :class:`ValueError` that names the column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Row

from backy2_core.api import Counts, OriginalBlock, OriginalVersion, Statistics, VersionUid

_EMPTY = (None, "", b"", "\\x")
"""What stands for no bytes at all; the last one is what PostgreSQL made of empty bytes in a column of text."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Those that a table has in each release, and those that only some releases know."""

    always: tuple[str, ...]
    sometimes: tuple[str, ...] = ()


COLUMNS = {
    "versions": Columns(
        ("uid", "date", "name", "size", "size_bytes", "valid"), ("snapshot_name", "protected", "expire")
    ),
    "blocks": Columns(
        ("uid", "version_uid", "id", "date", "checksum", "size", "valid"), ("enc_version", "enc_envkey", "enc_nonce")
    ),
    "tags": Columns(("version_uid", "name")),
    "stats": Columns(
        (
            "version_uid",
            "version_name",
            "date",
            "version_size_bytes",
            "version_size_blocks",
            "bytes_read",
            "blocks_read",
            "bytes_written",
            "blocks_written",
            "bytes_found_dedup",
            "blocks_found_dedup",
            "bytes_sparse",
            "blocks_sparse",
            "duration_seconds",
        ),
        ("id",),
    ),
}
"""By table. The first two tables are in every release."""


def version_of(row: Row[Any], tags: Iterable[str]) -> OriginalVersion:
    """A row of ``versions``."""
    return OriginalVersion(
        uid=_text(row.uid, "uid"),
        date=_moment(row.date, "date"),
        name=_text(row.name, "name"),
        snapshot_name=_text(row.snapshot_name, "snapshot_name"),
        size_blocks=_number(row.size, "size"),
        size_bytes=_number(row.size_bytes, "size_bytes"),
        valid=bool(row.valid),
        protected=bool(row.protected),
        expire=None if row.expire in (None, "") else _moment(row.expire, "expire"),
        tags=frozenset(tags),
    )


def block_of(row: Row[Any]) -> OriginalBlock:
    """A row of ``blocks``."""
    uid, _, number, moment, checksum, size, valid, enc_version, envkey, nonce = tuple(row)
    encrypted = _number(enc_version or 0, "enc_version")
    return OriginalBlock(
        _number(number, "id"),
        _text(uid, "uid"),
        _text(checksum, "checksum"),
        _number(size, "size"),
        bool(valid),
        _moment(moment, "date"),
        encrypted,
        _hex(envkey, "enc_envkey") if encrypted else "",
        _hex(nonce, "enc_nonce") if encrypted else "",
    )


def statistics_of(row: Row[Any]) -> Statistics:
    """A row of ``stats``.

    The original had no count of its own for blocks that were taken over from the base version: its later releases (from
    2.11 on) counted them as dedup, or as sparse, and earlier ones nowhere. So ``kept`` is 0. The later releases counted
    blocks that were read and found sparse, or found stored already, as read only.
    """
    uid, name, moment, size_bytes, size_blocks, *counts, duration_s = tuple(row)[: len(COLUMNS["stats"].always)]
    return Statistics(
        uid=VersionUid(_text(uid, "version_uid")),
        name=_text(name, "version_name"),
        date=_moment(moment, "date"),
        size_bytes=_number(size_bytes, "version_size_bytes"),
        size_blocks=_number(size_blocks, "version_size_blocks"),
        counts=Counts(*(_number(count, "counts") for count in counts)),
        duration_s=float(_number(duration_s, "duration_seconds")),
    )


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"its {name} is {value!r}, expected text")
    return value


def _hex(value: object, name: str) -> str:
    return "" if value in _EMPTY else _text(value, name)


def _number(value: object, name: str) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"its {name} is {value!r}, expected a whole number from 0 on")
    return value


def _moment(value: object, name: str) -> datetime:
    """A time with or without a fraction, or a day; as text on SQLite. In UTC unless it says otherwise."""
    moment = _parsed(value, name) if isinstance(value, str) else value
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if not isinstance(moment, datetime):
        raise ValueError(f"its {name} is {value!r}, expected a time")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _parsed(value: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"its {name} is {value!r}, expected a time such as 2017-05-02 10:26:48") from error
