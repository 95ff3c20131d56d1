"""Making sure that what a version was sealed with can be opened, before anything else is begun."""

from __future__ import annotations

from collections.abc import Iterator

from backy2_core.engine.context import Engine
from backy2_core.engine.fetch import MOST_SWELLING, room_for
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.errors import BlobDamagedError, BlobNotFoundError
from backy2_core.model.blob import BlobRecord, BlobState
from backy2_core.model.segment import SegmentId, blob_ids

_SEGMENTS = 64
"""Segments that are looked at, spread over the whole version: mixed versions were made by switching encryption on once."""
_BATCH = 16
_TRIES = 3
"""Blobs that may turn out damaged before a chain is left unproven; damage is for the job itself to report."""


def prove_keys(engine: Engine, stored_map: StoredMap) -> None:
    """Open one blob of each chain of transforms that is met in the version, as far as a look at some of it tells.

    Raises :class:`backy2_core.errors.TransformError` (a wrong or missing key, a transform that is not installed) where one
    cannot be opened; no state was changed, and no target touched.
    """
    tries: dict[str, int] = {}
    for record in _sealed(engine, stored_map):
        sane = record.stored_size <= MOST_SWELLING * record.size
        if sane and tries.get(record.transforms, 0) < _TRIES:
            proven = _opens(engine, record)
            tries[record.transforms] = _TRIES if proven else tries.get(record.transforms, 0) + 1


def _sealed(engine: Engine, stored_map: StoredMap) -> Iterator[BlobRecord]:
    for segments in batches(_spread(stored_map), _BATCH):
        found = engine.meta.read_segments(set(segments)).values()
        blobs = {blob for segment in found for blob in blob_ids(segment.data)}
        for record in engine.meta.read_blobs(blobs).values():
            if record.transforms and record.state is not BlobState.DELETING:
                yield record


def _spread(stored_map: StoredMap) -> Iterator[SegmentId]:
    step = -(-len(stored_map) // _SEGMENTS)
    return (stored_map.id(index) for index in range(0, len(stored_map), max(1, step)))


def _opens(engine: Engine, record: BlobRecord) -> bool:
    buffer = memoryview(bytearray(room_for(record)))
    try:
        length = engine.data.get(record.uid, buffer)
        engine.chain.unseal(record, buffer[:length])
    except (BlobNotFoundError, BlobDamagedError):
        return False
    return True
