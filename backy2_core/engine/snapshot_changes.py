"""What changed between two snapshots, as the hints of a backup. Nothing that a device says is taken as it comes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable

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
        extents = tidied(changes.extents, older.size_bytes, newer.size_bytes)
    except SourceError as error:
        if older.identity in {snapshot.identity for snapshot in snapshots.list()}:
            raise
        log.warning(
            "Snapshot %s, which version %s was made from, was removed while this backup began; everything is read: %s",
            older.name,
            origin.version.uid,
            error,
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


def tidied(extents: Iterable[Extent], older_bytes: int, newer_bytes: int) -> list[Extent]:
    """The extents within the newer device, joined where they touch, with what only it reaches to.

    Those that exist and those that do not are joined apart from each other, so one may lie within another.
    """
    kept: dict[bool, list[Extent]] = {True: [], False: []}
    limit = dict.fromkeys(kept, _MERGED_AT)
    for extent in extents:
        side = kept[extent.exists]
        end = min(extent.end, newer_bytes)
        if extent.offset < end:
            side.append(Extent(extent.offset, end - extent.offset, extent.exists))
        if len(side) >= limit[extent.exists]:
            side[:] = merge(side)
            limit[extent.exists] = max(_MERGED_AT, 2 * len(side))
    if newer_bytes > older_bytes:
        kept[True].append(Extent(older_bytes, newer_bytes - older_bytes))
    return merge(kept[True]) + merge(kept[False])
