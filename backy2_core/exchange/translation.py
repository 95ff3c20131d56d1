"""From the original's versions and blocks to those that arrive here; the same for its dumps and for its database.

In two passes: :func:`inspect_version` reads all blocks and refuses what contradicts itself, then :func:`arriving_blocks`
streams them. Each block comes with the line it stands in, for messages; 0 where there are no lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backy2_core.engine.chain import describe
from backy2_core.errors import ExchangeError
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.exchange.inspection import Defaults, Findings, Inspection
from backy2_core.model.blob import UNKNOWN_SIZE, BlobUid, NewBlob
from backy2_core.model.original import OriginalBlock, OriginalVersion
from backy2_core.model.version import Statistics, VersionUid

SEALED = "backy2_v1"
"""Name of the transform that opens the original's encrypted blobs, and id of their key."""


def inspect_version(
    version: OriginalVersion,
    blocks: Iterable[tuple[int, OriginalBlock]],
    defaults: Defaults,
    origin: str,
    line: int = 0,
) -> Findings:
    """The first pass over (line, block) of a version, whose own row is in ``line``.

    Raises :class:`ExchangeError` naming ``origin`` and the line.
    """
    inspection = Inspection(version, defaults, origin, line)
    for line, block in blocks:  # the last line is named where blocks are missing
        inspection.take(block, line)
    return inspection.finish(line)


def arriving_version(found: Findings, statistics: Iterable[Statistics] = ()) -> ArrivingVersion:
    """The version that arrives. One whose backup was not finished is damaged: blocks that nothing is known of are lost."""
    version = found.version
    return ArrivingVersion(
        uid=VersionUid(version.uid),
        name=version.name,
        snapshot_name=version.snapshot_name,
        date=version.date,
        geometry=found.geometry,
        hash=found.hash,
        damaged=found.damaged,
        protected=version.protected,
        expire=version.expire,
        tags=version.tags,
        statistics=tuple(statistics),
    )


def arriving_blocks(
    found: Findings, blocks: Iterable[tuple[int, OriginalBlock]], defaults: Defaults, origin: str
) -> Iterator[ArrivingBlock]:
    """The second pass over the same (line, block).

    Raises :class:`ExchangeError` if they are not those of the first pass any more.
    """
    inspection, line = Inspection(found.version, defaults, origin), 0
    for line, block in blocks:
        inspection.take(block, line)
        if not found.is_lost(block):
            yield ArrivingBlock(block.number, new_blob(found.hash, block), line, damaged=not block.valid)
    if inspection.finish(line) != found:
        raise ExchangeError(f"{origin}: version {found.version.uid} changed while it was read. Try again.")


def new_blob(hash_name: str, block: OriginalBlock) -> NewBlob | None:
    """The blob of a block of the original; None for a sparse one."""
    if not block.uid:
        return None
    uid, checksum = BlobUid(block.uid), bytes.fromhex(block.checksum)
    if block.enc_version == 0:
        return NewBlob(uid, block.size, block.size, hash_name, checksum, date=block.date)
    spec, envelope = describe([(SEALED, {})], [bytes.fromhex(block.envkey)])
    return NewBlob(uid, block.size, UNKNOWN_SIZE, hash_name, checksum, SEALED, spec, envelope, block.date)
