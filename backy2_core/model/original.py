"""What the original backy2 says of its versions and blocks: the same in its dumps and in its database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class OriginalVersion:
    """A version of the original. Times are aware; the original kept them in UTC, or said so by silence.

    ``size_blocks`` and ``valid`` are what the original believed; neither is to be trusted. ``expire`` and ``protected``
    are None and False where its release did not know them.
    """

    uid: str
    date: datetime
    name: str
    snapshot_name: str
    size_blocks: int
    size_bytes: int
    valid: bool
    protected: bool = False
    expire: datetime | None = None
    tags: frozenset[str] = frozenset()


class OriginalBlock(NamedTuple):
    """A block of a version of the original. A tuple, since there are millions.

    ``uid`` and ``checksum`` (lower-case hex of the clear bytes) are empty for a sparse block, whichever way its release wrote
    that. ``envkey`` and ``nonce`` are hex, and empty unless ``enc_version`` is 1.
    """

    number: int
    uid: str
    checksum: str
    size: int
    valid: bool
    date: datetime
    enc_version: int = 0
    envkey: str = ""
    nonce: str = ""


class Unreadable(NamedTuple):
    """A row of the original's database that cannot be understood: ``what`` it should say (a version's uid, or a block), and
    why it does not."""

    what: str
    reason: str
