"""What a version that is to be exported consists of: decides which format of a dump can carry it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from backy2_core.engine.inventory import Item, SparseBlocks, StoredBlock
from backy2_core.exchange.inspection import BLOB_UID
from backy2_core.model.blob import BlobState, StoreId
from backy2_core.model.version import Statistics, Version

USUAL_HASH = "sha512"
"""The original's default; another function's checksums of the same length would be taken for this one's."""
_MOST_DIGITS = 128


@dataclass(slots=True)
class Contents:
    """Counts of blocks, and what their blobs have in common. ``odd_uid`` is a uid that the original could not have made."""

    stored: int = 0
    sparse: int = 0
    lost: int = 0
    damaged: int = 0
    sealed: int = 0
    odd_uid: str = ""
    hashes: set[str] = field(default_factory=set)
    stores: set[StoreId] = field(default_factory=set)

    def count(self, item: Item) -> None:
        """Take in the next blocks."""
        if isinstance(item, SparseBlocks):
            self.sparse += item.stop - item.start
        elif isinstance(item, StoredBlock):
            record = item.record
            self.stored += 1
            self.damaged += record.state is BlobState.DAMAGED
            self.sealed += bool(record.transforms or record.key or record.envelope)
            self.hashes.add(record.hash)
            self.stores.add(record.store)
            if not self.odd_uid and not BLOB_UID.fullmatch(record.uid):
                self.odd_uid = record.uid
        else:
            self.lost += 1

    @property
    def whole(self) -> bool:
        """True if there is a record of every block that is not sparse."""
        return self.lost == 0

    def obstacle(self) -> str:
        """Why no dump of the original's can carry it; empty if one can."""
        if self.lost:
            return f"{self.lost} of its blocks are lost, and it knows none such"
        if self.sealed:
            return f"{self.sealed} of its blocks are compressed or encrypted"
        if len(self.hashes) > 1:
            return (
                f"its blocks have checksums of {' and '.join(sorted(self.hashes))}, and it knows one function a version"
            )
        for name in self.hashes:
            if name not in hashlib.algorithms_available or not 0 < 2 * hashlib.new(name).digest_size <= _MOST_DIGITS:
                return f"its blocks have checksums of {name}, which the original did not know"
        return f"it has no room for a blob uid like {self.odd_uid}" if self.odd_uid else ""

    def is_usual(self, version: Version) -> bool:
        """True if the original could have made this version with its default settings."""
        return not self.obstacle() and (self.hashes or {version.hash}) == {USUAL_HASH}


def look_at(items: Iterable[Item]) -> Contents:
    """Go through all blocks of a version."""
    contents = Contents()
    for item in items:
        contents.count(item)
    return contents


def left_out(version: Version, contents: Contents, statistics: Iterable[Statistics]) -> list[str]:
    """What of this version a dump of the original's has no place for."""
    things = {
        "tags": version.tags,
        "expire": version.expire,
        "statistics": list(statistics),
        "source": version.source,
        "base": version.base,
        "the fraction of its date": version.date.microsecond,
        "block size (it has one block)": version.geometry.count == 1,
        "block size (it has no blocks)": version.geometry.count == 0,
        "hash function": (contents.hashes or {version.hash}) != {USUAL_HASH} or version.hash != USUAL_HASH,
    }
    return [name for name, there in things.items() if there]
