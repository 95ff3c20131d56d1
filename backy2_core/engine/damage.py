"""Collecting damage while a job goes on, and marking what it touches in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.engine.idset import IdSet
from backy2_core.engine.requests import BlockDamage
from backy2_core.engine.seals import UnsealedError
from backy2_core.engine.store import check_place, store_of
from backy2_core.engine.stored_map import StoredMap, batches, read_stored_map
from backy2_core.errors import DamageError
from backy2_core.model.blob import BlobId, BlobRecord, BlobState
from backy2_core.model.event import DamageFound, Event
from backy2_core.model.segment import block_ids
from backy2_core.model.version import Version, VersionFilter, VersionState

log = logging.getLogger(__name__)

MOST_NAMED = 1000
_BATCH = 10_000

UNMARKED = frozenset({VersionState.INCOMPLETE, VersionState.REMOVED, VersionState.PURGED})
"""States that damage, or its absence, does not change."""


class DamageReport:
    """The damaged blocks of one version, as they are found. The first 1000 are kept by name."""

    def __init__(self, version: Version, notify: Callable[[Event], None]) -> None:
        self.count = 0
        self._named: list[BlockDamage] = []
        self.blobs: set[BlobId] = set()
        self._version = version
        self._notify = notify

    @property
    def damage(self) -> tuple[BlockDamage, ...]:
        """The damaged blocks that are kept by name, in order."""
        return tuple(sorted(self._named, key=lambda damage: damage.block))

    def add(self, block: int, record: BlobRecord | None, reason: str) -> None:
        """A block cannot be had. With a ``record``, the blob itself is proven to be missing or wrong."""
        uid = record.uid if record else ""
        self.count += 1
        if record is not None:
            self.blobs.add(record.id)
        if len(self._named) < MOST_NAMED:
            self._named.append(BlockDamage(block, uid, reason))
        log.error("Version %s, block %d (blob %s): %s", self._version.uid, block, uid or "unknown", reason)
        self._notify(DamageFound(self._version, block, uid, reason))


def mark_damage(meta: MetaBackend, version: Version, blobs: Collection[BlobId]) -> None:
    """Take proven blobs out of deduplication, and mark every version that refers to one of them damaged.

    The blobs come first: whoever refers to one later is refused, whoever did before is found by the scan.
    """
    if blobs:
        meta.set_blob_state(blobs, BlobState.DAMAGED, BlobState.STORED)
        meta.set_blob_state(blobs, BlobState.DAMAGED, BlobState.UNSEEN)
        mark_users(meta, set(blobs))
    meta.set_version_state(version.id, VersionState.DAMAGED, UNMARKED)


def mark_blobs(meta: MetaBackend, blobs: IdSet) -> None:
    """The same for any number of proven blobs, found by no single version; in bounded memory."""
    for ids in batches((BlobId(number) for number in blobs.without(IdSet())), _BATCH):
        meta.set_blob_state(ids, BlobState.DAMAGED, BlobState.STORED)
        meta.set_blob_state(ids, BlobState.DAMAGED, BlobState.UNSEEN)
    mark_users(meta, blobs)


def mark_users(meta: MetaBackend, blobs: set[BlobId] | IdSet) -> None:
    """Mark every valid version that refers to one of these blobs damaged, as the blobs are already."""
    for version in _users(meta, blobs):
        meta.set_version_state(version.id, VersionState.DAMAGED, UNMARKED)


def trusted_map(engine: Engine, version: Version) -> StoredMap:
    """The checked map of a version whose blobs are in the open store.

    Where the map is damaged, or the seal does not fit, the version is marked so, and :class:`DamageError` raised; where the
    blobs are elsewhere, :class:`StoreIdentityError`; where a seal is missing, :class:`UnsealedError`, and nothing is marked.
    """
    try:
        stored_map = read_stored_map(engine.meta, version)
    except DamageError:
        mark_damage(engine.meta, version, ())
        raise
    check_place(engine.meta, stored_map, engine.store)
    _check_seal(engine, stored_map)
    return stored_map


def _check_seal(engine: Engine, stored_map: StoredMap) -> None:
    version = stored_map.version
    try:
        engine.seals.check(version)
    except UnsealedError:
        raise
    except DamageError:
        # One without any blob may be of another store, with another key.
        if store_of(engine.meta, stored_map.ids()) is not None:
            mark_damage(engine.meta, version, ())
        raise


def _users(meta: MetaBackend, blobs: set[BlobId] | IdSet) -> list[Version]:
    segments = IdSet()
    for rows in meta.scan_segments(with_data=True):
        segments.add_all(row.id for row in rows if not blobs.isdisjoint(block_ids(row.data)))
    versions = meta.versions(VersionFilter(states=frozenset({VersionState.VALID})))
    return [version for version in versions if any(segment in segments for segment in meta.read_map(version.id))]
