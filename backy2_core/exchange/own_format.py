"""Our own dump, as docs/format.md describes it: what reader and writer must agree on.

Lines of JSON: a header, the version, blocks in order with the descriptions they refer to, and a last line with counts and
the SHA-256 of all bytes before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

FORMAT = 1
NAME = "version dump"
MOST_LINE = 1024 * 1024
BLOCKS_A_LINE = 128
LINE_BYTES = 64 * 1024
"""A line of blocks ends when it has so many blocks, or about so many bytes."""
DESCRIPTIONS = 4096
"""Numbers of descriptions; they are used again in a circle."""
SPARSE, LOST = "sparse", "lost"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Description(NamedTuple):
    """What many blobs share: the hash function of their checksums, the key and the chain that sealed them."""

    hash: str
    key: str
    transforms: str


def encode(line: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def header() -> bytes:
    """The first line."""
    return encode({"backy2": NAME, "format": FORMAT})


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01 00:00 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """The moment so many microseconds after 1970-01-01 00:00 UTC. Raises OverflowError beyond the year 9999."""
    return _EPOCH + _MICROSECOND * count
