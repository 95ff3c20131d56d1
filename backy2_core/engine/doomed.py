"""Deleting blobs whose records are ``deleting``: first the objects, then the records. Rule 7 of the cleanup protocol.

Any cleanup finishes what another left: the state is final, deleting twice is harmless, and uids never come back. So a blob
that the store keeps (an object lock, a missing right) keeps its record in that state, and the next cleanup tries again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.engine.context import Engine
from backy2_core.errors import BlobsKeptError
from backy2_core.model.blob import BlobUid

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Deletion:
    """How many blobs are gone and their bytes, how many the store kept, and what it said of them last."""

    gone: int
    freed_bytes: int
    kept: int
    reason: str


def delete_doomed(engine: Engine) -> Deletion:
    """Delete all doomed blobs of this store, except those that it keeps."""
    count = freed = kept = after = 0
    reason = ""
    while batch := engine.meta.doomed_blobs(engine.store, after, _BATCH):
        staying, said = _delete(engine.data, [blob.uid for blob in batch])
        gone = [blob for blob in batch if blob.uid not in staying]
        count += engine.meta.forget_blobs([blob.id for blob in gone])
        freed += sum(max(0, blob.stored_size) for blob in gone)  # that of a lost one may never have been known
        kept += len(batch) - len(gone)
        reason = said or reason
        after = batch[-1].id
    return Deletion(count, freed, kept, reason)


def _delete(data: DataBackend, uids: Sequence[BlobUid]) -> tuple[Collection[str], str]:
    """The uids that stay, and why."""
    try:
        data.delete(uids)
    except BlobsKeptError as error:
        return set(error.uids), str(error)
    return (), ""
