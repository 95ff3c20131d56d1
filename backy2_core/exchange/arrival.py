"""Making a version out of what arrives: all of it, or nothing.

Rule 10 of the cleanup protocol: a blob that comes along is recorded as ``unseen`` until it was found in the store. What
failed half way leaves an arriving version without a job, which the next arrival of that uid, or the next cleanup, takes away;
its blobs' records go with it, their objects do not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from backy2_core.contracts.meta_backend import NewSegment
from backy2_core.engine.context import Engine
from backy2_core.engine.copies import write_copy
from backy2_core.engine.copy_files import read_head
from backy2_core.engine.damage import mark_users
from backy2_core.engine.foreign import begin_take_over
from backy2_core.engine.lease import Lease
from backy2_core.engine.seals import content_digest
from backy2_core.engine.stored_map import batches
from backy2_core.errors import BackyError, BlobConflictError, BlobGoneError, ExchangeError
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.model.blob import BlobId, BlobState, BlobUid, job_token_of
from backy2_core.model.block import Geometry
from backy2_core.model.segment import (
    ENTRY_BYTES,
    LOST_ENTRY,
    SEGMENT_BLOCKS,
    SPARSE_ENTRY,
    VersionDigest,
    digest_of,
    pack_entry,
    segment_blocks,
    segment_count,
)
from backy2_core.model.version import NewVersion, Version, VersionFilter, VersionState

log = logging.getLogger(__name__)

_SEGMENTS_A_BATCH = 64


def arrive(engine: Engine, lease: Lease, version: ArrivingVersion, blocks: Iterable[ArrivingBlock]) -> Version:
    """Record a version that comes from elsewhere, under the lease of an import; return it, valid or damaged.

    Raises :class:`ExchangeError` where blocks contradict the version, one another or what is recorded already, and
    :class:`backy2_core.errors.VersionExistsError` where the uid is taken. If one of these is raised, the version is not there.
    """
    had_copy = read_head(engine.data, version.uid) is not None
    made = engine.meta.create_version(lease.id, _new_version(version))
    try:
        arrival = _Arrival(engine, lease, made)
        digest = arrival.take_in(blocks)
        _check(version, digest, arrival.lost)
        digest = engine.seals.sealed(made, digest)
        # Not before all of it has arrived: of what was given up half way, nothing may be left but unseen blobs.
        if engine.meta.set_blob_state(arrival.damaged, BlobState.DAMAGED, BlobState.UNSEEN):
            mark_users(engine.meta, arrival.damaged)
        if had_copy:
            write_copy(engine, made, digest, version.statistics, damaged=version.damaged)
        arrived = engine.meta.finish_version(lease.id, made.id, digest, None, damaged=version.damaged)
    except BaseException:
        _take_back(engine, made)
        raise
    # From here on it is there, and is never taken back: a version that is removed counts as given up for good.
    _complete(engine, version, None if had_copy else arrived)
    return arrived


def _complete(engine: Engine, version: ArrivingVersion, uncopied: Version | None) -> None:
    """Write what may come later than a version: its statistics, and the copy of one that had none.

    The copy not before, as backups do: of what is given up half way no row remains, and every cleanup would refuse a store
    that knows a version which the database does not. A cleanup writes what is missing.
    """
    try:
        engine.meta.add_statistics(version.statistics)
        if uncopied is not None:
            write_copy(engine, uncopied, uncopied.digest, version.statistics, damaged=version.damaged)
    except BackyError as error:
        log.warning("Version %s is there, but not all that belongs to it: %s", version.uid, error)


def _new_version(version: ArrivingVersion) -> NewVersion:
    return NewVersion(
        uid=version.uid,
        name=version.name,
        snapshot_name=version.snapshot_name,
        geometry=version.geometry,
        hash=version.hash,
        source=version.source,
        source_identity=version.source_identity,
        base=version.base,
        hints_digest=version.hints_digest,
        tags=version.tags,
        expire=version.expire,
        date=version.date,
        protected=version.protected,
        arriving=True,
        key=version.key,
    )


class _Arrival:
    """The blocks of one version on their way into its map. ``lost`` of them did not come; the blobs that are known where they
    are from to be missing or wrong are ``damaged``."""

    def __init__(self, engine: Engine, lease: Lease, version: Version) -> None:
        self._engine = engine
        self._lease = lease
        self._version = version
        self._digest = VersionDigest(version.geometry)
        self.lost = 0
        self.damaged: set[BlobId] = set()
        self._foreign = False

    def take_in(self, blocks: Iterable[ArrivingBlock]) -> bytes:
        """Record and append all blocks; return the version's digest."""
        segments = _by_segment(self._version.geometry, blocks)
        for batch in batches(segments, _SEGMENTS_A_BATCH):
            self._lease.check()
            ids = self._take_over([block for _, arrived in batch for block in arrived])
            self._append([self._segment(index, arrived, ids) for index, arrived in batch])
        return self._digest.digest()

    def _take_over(self, blocks: Sequence[ArrivingBlock]) -> dict[BlobUid, BlobId]:
        new = {block.blob.uid: block.blob for block in reversed(blocks) if block.blob is not None}
        if not self._foreign and any(job_token_of(uid) is None for uid in new):
            begin_take_over(self._engine.data)
            self._foreign = True
        blobs = [block.blob for block in blocks if block.blob is not None]
        try:
            taken = self._engine.meta.take_over_blobs(self._lease.id, self._engine.store, blobs)
        except BlobConflictError as error:
            raise _conflict(error, blocks) from error
        ids = {blob.uid: number for blob, number in zip(blobs, taken, strict=True)}
        self.damaged.update(ids[block.blob.uid] for block in blocks if block.blob is not None and block.damaged)
        return ids

    def _segment(self, index: int, blocks: Sequence[ArrivingBlock], ids: dict[BlobUid, BlobId]) -> NewSegment:
        count = segment_blocks(self._version.geometry, index)
        entries = bytearray(LOST_ENTRY * count)
        fresh = set()
        for block in blocks:
            at = (block.number - index * SEGMENT_BLOCKS) * ENTRY_BYTES
            entry = SPARSE_ENTRY
            if block.blob is not None:
                number = ids[block.blob.uid]
                fresh.add(number)
                entry = pack_entry(number, block.blob.checksum)
            entries[at : at + ENTRY_BYTES] = entry
        self.lost += count - len(blocks)
        digest = digest_of(entries)
        self._digest.add(digest)
        return NewSegment(bytes(entries), digest, tuple(sorted(fresh)))

    def _append(self, segments: Sequence[NewSegment]) -> None:
        meta = self._engine.meta
        try:
            meta.append_segments(self._lease.id, self._version.id, segments)
        except BlobGoneError as error:
            # Taken over just now, so it is known to be damaged, or a cleanup deletes it. Damage may be referred to.
            records = meta.read_blobs([BlobId(number) for number in error.blob_ids])
            known = {number for number, record in records.items() if record.state is BlobState.DAMAGED}
            if known != set(error.blob_ids):
                raise
            kept = [
                NewSegment(segment.data, segment.digest, tuple(n for n in segment.fresh if n not in known))
                for segment in segments
            ]
            meta.append_segments(self._lease.id, self._version.id, kept)


def _by_segment(geometry: Geometry, blocks: Iterable[ArrivingBlock]) -> Iterator[tuple[int, Sequence[ArrivingBlock]]]:
    """Every segment of the version in order, with the blocks of it that arrived."""
    expected = 0
    for index, group in groupby(_in_order(geometry, blocks), lambda block: block.number // SEGMENT_BLOCKS):
        yield from ((missing, ()) for missing in range(expected, index))
        yield index, list(group)
        expected = index + 1
    yield from ((missing, ()) for missing in range(expected, segment_count(geometry)))


def _in_order(geometry: Geometry, blocks: Iterable[ArrivingBlock]) -> Iterator[ArrivingBlock]:
    last = -1
    for block in blocks:
        if not last < block.number < geometry.count:
            raise ExchangeError(
                f"{_place(block)}block {block.number} is out of order: expected one from {last + 1} to {geometry.count - 1}."
                " Nothing was changed."
            )
        if block.blob is not None and block.blob.size != geometry.length(block.number):
            raise ExchangeError(
                f"{_place(block)}block {block.number} has {block.blob.size} bytes, expected"
                f" {geometry.length(block.number)}. Nothing was changed."
            )
        last = block.number
        yield block


def _conflict(error: BlobConflictError, blocks: Sequence[ArrivingBlock]) -> ExchangeError:
    named = set(error.uids)
    block = [block for block in blocks if block.blob is not None and block.blob.uid in named][-1]
    return ExchangeError(
        f"{_place(block)}block {block.number} refers to blob {error.uids[0]}, which is known with other contents or is being"
        " deleted: one of both is wrong. Nothing was changed."
    )


def _place(block: ArrivingBlock) -> str:
    return f"Line {block.line}: " if block.line else ""


def _check(version: ArrivingVersion, digest: bytes, lost: int) -> None:
    if lost and not version.damaged:
        raise ExchangeError(f"{lost} blocks of version {version.uid} are missing. Nothing was changed.")
    if version.digest and content_digest(version.digest) != digest:
        raise ExchangeError(
            f"The blocks of version {version.uid} do not fit its digest: some were changed on the way. Nothing was changed."
        )


def _take_back(engine: Engine, version: Version) -> None:
    try:
        # Not if it was finished all the same, and only the answer was lost.
        arriving = VersionFilter(uid_prefix=version.uid, states=frozenset({VersionState.ARRIVING}))
        if any(found.id == version.id for found in engine.meta.versions(arriving)):
            engine.meta.remove_version(version.id, protected_too=True)
    except BackyError as error:
        log.warning("What was recorded of version %s is left for the next cleanup: %s", version.uid, error)
