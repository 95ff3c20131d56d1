"""What comes in: a version and its blocks, in one shape wherever they are from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from backy2_core.model.blob import NewBlob
from backy2_core.model.block import Geometry
from backy2_core.model.version import Statistics, VersionUid


@dataclass(frozen=True, slots=True)
class ArrivingVersion:
    """A version that comes from a dump, from a database of the original, or from the copy in a store.

    ``damaged``: wherever it is from, it is known there to be damaged, or it lacks blocks. ``digest`` is empty where the
    origin knows none; else what arrives must have it. ``key`` is as in :class:`backy2_core.model.version.Version`.
    """

    uid: VersionUid
    name: str
    snapshot_name: str
    date: datetime
    geometry: Geometry
    hash: str
    source: str = ""
    source_identity: str = ""
    base: VersionUid | None = None
    hints_digest: str = ""
    digest: bytes = b""
    damaged: bool = False
    protected: bool = False
    expire: datetime | None = None
    tags: frozenset[str] = frozenset()
    statistics: tuple[Statistics, ...] = ()
    key: str = ""


class ArrivingBlock(NamedTuple):
    """Block ``number`` of it: ``blob`` is None if it is sparse. ``line`` is where it stands, for messages; 0 if nowhere.

    ``damaged``: wherever it is from, its blob is known there to be missing or wrong. Blocks arrive by number, ascending; one
    that is left out is lost.
    """

    number: int
    blob: NewBlob | None
    line: int = 0
    damaged: bool = False
