"""Sealed blobs of a store, a few of each way in which they were sealed: by them keys are proved."""

from __future__ import annotations

from collections.abc import Iterator

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.key_document import V1
from backy2_core.engine.key_master import MasterKey
from backy2_core.engine.key_wrap import WRAPPED_EXTRA_BYTES, unwrap
from backy2_core.engine.stored_map import batches
from backy2_core.model.blob import BlobRecord, BlobState, StoreId
from backy2_core.model.segment import SegmentId, blob_ids
from backy2_core.model.version import FINISHED, Version, VersionFilter

_SEGMENTS = 64
_BATCH = 16
_V1_CHAIN = f'[["{V1}",{{}}]]'
_V1_WRAPPED_BYTES = 32 + WRAPPED_EXTRA_BYTES


def sealed_blobs(meta: MetaBackend, store: StoreId, most_versions: int = 200) -> Iterator[BlobRecord]:
    """Records of sealed blobs of this store: of the newest versions, and of up to 64 segments spread over each."""
    versions = sorted(meta.versions(VersionFilter(states=FINISHED)), key=lambda version: version.date, reverse=True)
    seen: set[SegmentId] = set()
    for version in versions[:most_versions]:
        for segments in batches(_spread(meta, version, seen), _BATCH):
            found = meta.read_segments(set(segments)).values()
            blobs = {blob for segment in found for blob in blob_ids(segment.data)}
            for record in meta.read_blobs(blobs).values():
                if record.store == store and record.transforms and record.state is not BlobState.DELETING:
                    yield record


def opens_original(meta: MetaBackend, store: StoreId, key: MasterKey) -> bool:
    """True if one of these blobs was encrypted by the original under this key."""
    # The envelope of a chain ends with that of its last step, and this is the only one.
    return any(
        record.transforms == _V1_CHAIN and unwrap(key.raw, record.envelope[-_V1_WRAPPED_BYTES:]) is not None
        for record in sealed_blobs(meta, store)
    )


def _spread(meta: MetaBackend, version: Version, seen: set[SegmentId]) -> Iterator[SegmentId]:
    step = max(1, -(-meta.map_length(version.id) // _SEGMENTS))
    for index, segment in enumerate(meta.read_map(version.id)):
        if index % step == 0 and segment not in seen:
            seen.add(segment)
            yield segment
