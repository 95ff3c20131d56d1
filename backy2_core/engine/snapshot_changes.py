"""What changed between two snapshots, as the hints of a backup. Nothing that a device says is taken as it comes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from backy2_core.engine.hints import Hints
from backy2_core.engine.snapshot_choice import Origin
from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent, merge

log = logging.getLogger(__name__)

_PREFIX = "snapshots:"
_MERGED_AT = 100_000


def changes_since(snapshots: Snapshots, origin: Origin, newer: Snapshot) -> Hints | None:
    """What changed since the snapshot of ``origin``; None, and a warning, if that one vanished meanwhile.

    Remarks of the device are logged as warnings.
    """
    older = origin.snapshot
    digest = changes_digest(older.identity, newer.identity)
    if older.identity == newer.identity:
        return Hints((), digest)
    try:
        changes = snapshots.changes(older, newer)
        extents = tidied(changes.extents, older.size_bytes, newer.size_bytes, origin.version.geometry.block_size)
    except SourceError:
        if _is_there(snapshots, older):
            raise
        extents = []
    # Also where no error came: a device may tell too little of what it forgets meanwhile.
    if not _is_there(snapshots, older):
        log.warning(
            "Snapshot %s, which version %s was made from, was removed while this backup began; everything is read",
            older.name,
            origin.version.uid,
        )
        return None
    for remark in changes.remarks:
        log.warning("%s to %s: %s", older.name, newer.name, remark)
    return Hints(extents, digest)


def changes_digest(older: str, newer: str) -> str:
    """Names the changes between the snapshots of these identities in the record of a version.

    Not a digest of the extents: a device may tell the same changes in other pieces the next time.
    """
    both = f"{len(older)}:{older}{newer}".encode(errors="surrogatepass")
    return _PREFIX + hashlib.blake2b(both, digest_size=16).hexdigest()


def is_of_snapshots(digest: str) -> bool:
    """True for a digest of :func:`changes_digest`."""
    return digest.startswith(_PREFIX)


def _is_there(snapshots: Snapshots, wanted: Snapshot) -> bool:
    return wanted.identity in {snapshot.identity for snapshot in snapshots.list()}


def tidied(extents: Iterable[Extent], older_bytes: int, newer_bytes: int, grain: int) -> list[Extent]:
    """The extents within the newer device in whole blocks of ``grain`` bytes, with what only that one reaches to.

    What exists grows to the borders of blocks, what does not shrinks to them, and what that leaves of it counts as existing.
    Those of a kind are joined where they touch; one of one kind may lie within one of the other. Takes memory for each block
    and not for each extent, of which there may be millions.
    """
    read, gone = _Ranges(), _Ranges()
    for extent in _joined(extents):
        start, end = extent.offset, min(extent.end, newer_bytes)
        if start >= end:
            continue
        first, last = -(-start // grain) * grain, end if end == newer_bytes else end // grain * grain
        if extent.exists or first >= last:
            read.add(start // grain * grain, min(-(-end // grain) * grain, newer_bytes))
            continue
        gone.add(first, last, exists=False)
        if start < first:
            read.add(first - grain, first)
        if last < end:
            read.add(last, min(last + grain, newer_bytes))
    if newer_bytes > older_bytes:
        read.add(older_bytes // grain * grain, newer_bytes)
    return merge(read.extents) + merge(gone.extents)


def _joined(extents: Iterable[Extent]) -> Iterator[Extent]:
    """The same, where one that goes on just behind the last one of its kind is told as one with that."""
    last: Extent | None = None
    for extent in extents:
        if last is not None and (last.end, last.exists) == (extent.offset, extent.exists):
            last = Extent(last.offset, last.length + extent.length, last.exists)
            continue
        if last is not None:
            yield last
        last = extent
    if last is not None:
        yield last


class _Ranges:
    """Ranges in the order in which they come, joined now and then."""

    def __init__(self) -> None:
        self.extents: list[Extent] = []
        self._limit = _MERGED_AT

    def add(self, start: int, end: int, *, exists: bool = True) -> None:
        """Add one; where it lies within the last one or goes on behind it, as most do, that grows."""
        last = self.extents[-1] if self.extents else None
        if last is not None and last.offset <= start <= last.end:
            self.extents[-1] = Extent(last.offset, max(end, last.end) - last.offset, exists)
            return
        self.extents.append(Extent(start, end - start, exists))
        if len(self.extents) >= self._limit:
            self.extents = merge(self.extents)
            self._limit = max(_MERGED_AT, 2 * len(self.extents))
