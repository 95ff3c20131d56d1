"""Stored blocks: their uids, their records, their states."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NewType

BlobId = NewType("BlobId", int)
"""Number of a blob's record in the meta backend; never used twice, never 0."""
BlobUid = NewType("BlobUid", str)
"""Name of a blob in its data backend; never used twice."""
StoreId = NewType("StoreId", int)
"""Number of a store in the meta backend, which knows it by its identity."""
JobToken = NewType("JobToken", str)
"""16 lower-case hex digits, drawn at random for each job; part of the uid of each blob that the job stores."""

SPARSE = BlobId(0)
"""In a block map: the block is all zero and not stored."""
LOST = BlobId(-1)
"""In a block map: nothing is known of this block; it is damage, never zeros."""
UNKNOWN_SIZE = -1
"""Stored size of an unseen blob whose length in the store is not known before it was looked at."""

BLOBS_PER_FOLDER = 256


class BlobState(enum.IntEnum):
    """What is known of a stored blob. Being condemned is a mark beside the state, not a state."""

    STORED = 1
    UNSEEN = 2
    """Came with an import or adoption; not offered to look-ups until it was found in the store."""
    DAMAGED = 3
    """Proven missing or wrong; leaves deduplication, and every version that uses it is damaged."""
    DELETING = 4
    """Final: the object goes, then the record."""


@dataclass(frozen=True, slots=True)
class NewBlob:
    """A blob that was put and made durable, about to be recorded.

    ``size`` is of the clear block, ``stored_size`` of the bytes in the store. ``transforms`` is the chain that sealed
    it, in the notation of :mod:`backy2_core.engine.chain` (empty: stored as it is); ``envelope`` holds what a transform
    needs for just this blob and does not keep in the blob itself. ``date`` is None for now, by the database's clock.
    """

    uid: BlobUid
    size: int
    stored_size: int
    hash: str
    checksum: bytes
    key: str = ""
    transforms: str = ""
    envelope: bytes = b""
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """What the meta backend knows of a blob. ``stored_size`` is ``UNKNOWN_SIZE`` for some that are unseen."""

    id: BlobId
    store: StoreId
    uid: BlobUid
    size: int
    stored_size: int
    hash: str
    checksum: bytes
    key: str
    transforms: str
    envelope: bytes
    state: BlobState
    date: datetime


class DedupKey(NamedTuple):
    """What two blocks must share to be one blob: the clear bytes' checksum and length.

    The rest of the look-up (store, hash, key) is the same for all of one backup. A tuple, since it is hashed several times
    for each block read, which a tuple does several times faster than a dataclass.
    """

    checksum: bytes
    size: int


def blob_uid(token: JobToken, number: int) -> BlobUid:
    """The uid of the ``number``-th blob (from 0) that the job ``token`` stores: 32 lower-case hex digits.

    Four digits choose the folder, 16 are the job's token, 12 the number. 256 blobs in a row share a folder, and each
    job begins at a folder of its own, so that writing stays local and the folders fill evenly over many jobs.
    """
    folder = (int(token[:4], 16) + number // BLOBS_PER_FOLDER) & 0xFFFF
    return BlobUid(f"{folder:04x}{token}{number:012x}")


def job_token_of(uid: str) -> JobToken | None:
    """The token of the job that made this uid, or None if the uid is not of our making."""
    if len(uid) != 32 or not set(uid) <= set("0123456789abcdef"):
        return None
    token = JobToken(uid[4:20])
    return token if blob_uid(token, int(uid[20:], 16)) == uid else None
