"""Appends finished segments to the map of a version, in order, and keeps the version's digest."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.draft import Draft
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.errors import BlobGoneError, MetaBackendError
from backy2_core.model.blob import BlobId
from backy2_core.model.job import JobId
from backy2_core.model.segment import SegmentId, VersionDigest
from backy2_core.model.version import Version

log = logging.getLogger(__name__)

_BATCH = 2048


class Appender:
    """The map of one version, growing. Used by one thread."""

    def __init__(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        self._meta = meta
        self._job = job
        self._version = version
        self._digest = VersionDigest(version.geometry)
        self.length = 0

    def take_stock(self) -> StoredMap:
        """Take in the digests of the segments that are in the map of a continued version already; return that map."""
        stored = StoredMap(self._version)
        for batch in batches(self._meta.read_map(self._version.id), _BATCH):
            self._add_stored(batch, stored)
        return stored

    def append(self, drafts: Sequence[Draft]) -> list[tuple[Draft, int]]:
        """Append the drafts, all or none.

        If some of the blobs they were settled as are gone by now (rule 8 of the cleanup protocol), nothing is appended,
        and the blocks that must be stored again are returned.
        """
        try:
            self._meta.append_segments(self._job, self._version.id, [draft.pack() for draft in drafts])
        except BlobGoneError as error:
            log.info("Job %d: %s", self._job, error)
            gone = [(draft, block) for draft in drafts for block in draft.reopen(map(BlobId, error.blob_ids))]
            if not gone:
                raise
            return gone
        for draft in drafts:
            self._digest.add(draft.digest)
        self.length += len(drafts)
        return []

    def digest(self) -> bytes:
        """The digest of the version, once all segments are appended."""
        return self._digest.digest()

    def _add_stored(self, segments: Sequence[SegmentId], stored: StoredMap) -> None:
        digests = self._meta.read_digests(set(segments))
        for segment in segments:
            if segment not in digests:
                raise MetaBackendError(f"The map of version {self._version.uid} lacks segment {segment}; remove it.")
            self._digest.add(digests[segment])
            stored.add(segment, digests[segment])
        self.length += len(segments)
