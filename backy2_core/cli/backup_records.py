"""The record of one backup, and the rows of many."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from backy2_core.cli.cells import Moment
from backy2_core.errors import BackyError

if TYPE_CHECKING:
    from backy2_core.cli.many import Ending
    from backy2_core.engine.requests import BackupResult

RECORD = (
    "uid",
    "name",
    "snapshot_name",
    "date",
    "state",
    "size_bytes",
    "bytes_read",
    "bytes_written",
    "bytes_dedup",
    "bytes_sparse",
    "bytes_kept",
    "duration_s",
)
"""What the record of one backup has."""
COLUMNS = (*RECORD, "source", "error")
MANY = ("name", "uid", "state", "size_bytes", "bytes_read", "bytes_written", "duration_s", "error")
"""What a list of many shows unless told otherwise."""

_EXCERPT = 80


def record(source: str, result: BackupResult) -> Sequence[Any]:
    """A cell for each of :data:`COLUMNS` of a backup of ``source`` that came to its end."""
    version, counts = result.version, result.statistics.counts
    return (
        version.uid,
        version.name,
        version.snapshot_name,
        Moment(version.date),
        version.state.name.lower(),
        version.geometry.size_bytes,
        counts.bytes_read,
        counts.bytes_written,
        counts.bytes_dedup,
        counts.bytes_sparse,
        counts.bytes_kept,
        round(result.statistics.duration_s, 3),
        source,
        "",
    )


def checked(ending: Ending) -> Ending:
    """How a command ended, which is in vain if it printed anything but one record of a version of the name it was given."""
    if ending.code != 0 or _told(ending):
        return ending
    name = ending.order.name
    words = " ".join(ending.output.split())
    came = repr(words[:_EXCERPT] + "..." * (len(words) > _EXCERPT)) if words else "nothing"
    error = f"expected one record of a version of {name}, but the command printed {came}; see `backy2 ls {name}` and the log"
    return replace(ending, code=BackyError.exit_code, error=error)


def row(source: str, ending: Ending) -> Sequence[Any]:
    """The same of a command that backed ``source`` up and printed its record as JSON, whole or in vain."""
    known = {"name": ending.order.name, "state": "failed", "duration_s": round(ending.duration_s, 3), **_told(ending)}
    known |= {"source": source, "error": error_of(ending)}
    date = known.get("date")
    known["date"] = Moment(datetime.fromisoformat(str(date)) if date else None)
    return [known.get(column, "" if column in ("uid", "snapshot_name") else None) for column in COLUMNS]


def error_of(ending: Ending) -> str:
    """What went wrong; empty if nothing did."""
    if ending.code == 0:
        return ""
    if ending.code < 0:
        return ending.error or f"ended by signal {-ending.code}"
    return ending.error or f"exit code {ending.code}"


def _told(ending: Ending) -> Mapping[str, Any]:
    try:
        told = json.loads(ending.output)
    except ValueError:
        return {}
    if not isinstance(told, dict) or not told.keys() >= set(RECORD):
        return {}
    return told if told["uid"] and told["name"] == ending.order.name else {}
