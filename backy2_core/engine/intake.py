"""Blocks that were read and must become blobs: looked up, stored once, made durable, recorded, in this order.

INVARIANT 1 lives here: a blob's record is written only after the flush that made it durable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.draft import Draft
from backy2_core.model.blob import BlobId, BlobUid, DedupKey, JobToken, NewBlob, StoreId, blob_uid
from backy2_core.model.job import JobId

MAX_BATCH = 8192
_MOST_UNRECORDED = 4 * MAX_BATCH


@dataclass(slots=True)
class PendingBlob:
    """A blob on its way into the store, and the blocks that wait for its id."""

    key: DedupKey
    uid: BlobUid
    waiting: list[tuple[Draft, int]]
    blob: NewBlob | None = None


@dataclass(slots=True)
class Batch:
    """Stored blobs that wait for one flush."""

    blobs: list[PendingBlob] = field(default_factory=list)
    stored_bytes: int = 0


class Intake:
    """Knows which blocks are stored, on their way, or new. Used by one thread only."""

    def __init__(
        self,
        meta: MetaBackend,
        store: StoreId,
        job: JobId,
        token: JobToken,
        hash_name: str,
        key: str,
        *,
        deduplicate: bool,
    ) -> None:
        self._meta = meta
        self._store = store
        self._job = job
        self._token = token
        self._hash_name = hash_name
        self._key = key
        self._deduplicate = deduplicate
        self._next = 0
        self._on_the_way: dict[DedupKey, PendingBlob] = {}
        self._unrecorded: dict[BlobUid, PendingBlob] = {}
        self.batch = Batch()

    @property
    def is_full(self) -> bool:
        """True while so many blobs wait to be recorded that reading more would only take memory."""
        return len(self._unrecorded) >= _MOST_UNRECORDED

    @property
    def discardable(self) -> list[BlobUid]:
        """Uids given out that nobody ever tried to record: if the backup fails, their objects may be deleted at once."""
        return list(self._unrecorded)

    def look_up(self, keys: Sequence[DedupKey]) -> dict[DedupKey, BlobId]:
        """Those of ``keys`` that are recorded as stored."""
        if not self._deduplicate:
            return {}
        wanted = {key for key in keys if key not in self._on_the_way}
        return dict(self._meta.find_blobs(self._store, self._hash_name, self._key, wanted)) if wanted else {}

    def join(self, key: DedupKey, draft: Draft, block: int) -> bool:
        """Let a block wait for a blob of the same content that is on its way already; False if there is none."""
        pending = self._on_the_way.get(key) if self._deduplicate else None
        if pending is None:
            return False
        pending.waiting.append((draft, block))
        return True

    def admit(self, key: DedupKey, draft: Draft, block: int) -> PendingBlob:
        """A new blob with a uid of its own. INVARIANT 3: a uid is given out once."""
        pending = PendingBlob(key, blob_uid(self._token, self._next), [(draft, block)])
        self._next += 1
        self._on_the_way[key] = pending
        self._unrecorded[pending.uid] = pending
        return pending

    def stored(self, blobs: Sequence[NewBlob]) -> None:
        """These were put; they wait for the next flush."""
        for blob in blobs:
            pending = self._unrecorded[blob.uid]
            pending.blob = blob
            self.batch.blobs.append(pending)
            self.batch.stored_bytes += blob.stored_size

    def take_batch(self) -> Batch:
        """What is to be flushed now; a new batch begins."""
        batch, self.batch = self.batch, Batch()
        return batch

    def record(self, batch: Batch) -> None:
        """Record blobs that are durable by now, and tell their ids to the blocks that wait."""
        for pending in batch.blobs:
            # From here on a failure leaves open whether the records were committed.
            del self._unrecorded[pending.uid]
        blobs = [pending.blob for pending in batch.blobs if pending.blob is not None]
        ids = self._meta.add_blobs(self._job, self._store, blobs)
        for pending, blob_id in zip(batch.blobs, ids, strict=True):
            if self._on_the_way.get(pending.key) is pending:
                del self._on_the_way[pending.key]
            for draft, block in pending.waiting:
                draft.settle(block, blob_id, pending.key.checksum)
