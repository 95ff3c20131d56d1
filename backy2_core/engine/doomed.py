"""Deleting blobs whose records are ``deleting``: first the objects, then the records. Rule 7 of the cleanup protocol.

Any cleanup finishes what another left: the state is final, deleting twice is harmless, and uids never come back.
"""

from __future__ import annotations

from backy2_core.engine.context import Engine

_BATCH = 1000


def delete_doomed(engine: Engine) -> tuple[int, int]:
    """Delete all doomed blobs of this store; return their number and their bytes."""
    count = freed = after = 0
    while batch := engine.meta.doomed_blobs(engine.store, after, _BATCH):
        engine.data.delete([blob.uid for blob in batch])
        count += engine.meta.forget_blobs([blob.id for blob in batch])
        freed += sum(max(0, blob.stored_size) for blob in batch)  # that of a lost one may never have been known
        after = batch[-1].id
    return count, freed
