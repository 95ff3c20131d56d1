"""A segment of a new version while its blocks are still on their way."""

from __future__ import annotations

from collections.abc import Iterable

from backy2_core.contracts.meta_backend import KeptSegment, NewSegment
from backy2_core.model.blob import BlobId
from backy2_core.model.segment import (
    ENTRY_BYTES,
    SEGMENT_BLOCKS,
    SPARSE_ENTRY,
    block_ids,
    digest_of,
    pack_entry,
)


class Draft:
    """One segment, filled in any order; :attr:`waiting` counts the blocks that are not known yet.

    A fresh draft is all sparse. ``kept`` is a stored segment that is taken over as it is, with its digest.
    """

    __slots__ = ("_entries", "_fresh", "_kept", "digest", "index", "waiting")

    def __init__(self, index: int, blocks: int, kept: KeptSegment | None = None, digest: bytes = b"") -> None:
        self.index = index
        self.digest = digest
        """The digest of the segment; of one that was not kept, as it was last packed."""
        self.waiting = 0
        self._kept = kept
        self._entries = bytearray(blocks * ENTRY_BYTES)
        self._fresh: set[BlobId] = set()

    @property
    def is_new(self) -> bool:
        """False for a stored segment that is taken over as it is, which takes next to no memory."""
        return self._kept is None

    @property
    def first_block(self) -> int:
        """Number of the first block of this segment."""
        return self.index * SEGMENT_BLOCKS

    def keep(self, start: int, stop: int, base: bytes) -> None:
        """Take blocks ``start`` to ``stop`` over from the same segment of the base, packed."""
        first = (start - self.first_block) * ENTRY_BYTES
        last = (stop - self.first_block) * ENTRY_BYTES
        self._entries[first:last] = base[first:last]

    def settle(self, block: int, blob: BlobId, checksum: bytes) -> None:
        """A block that was waited for turned out to be this blob, by look-up or by recording it."""
        at = (block - self.first_block) * ENTRY_BYTES
        self._entries[at : at + ENTRY_BYTES] = pack_entry(blob, checksum)
        self._fresh.add(blob)
        self.waiting -= 1

    def clear(self, block: int) -> None:
        """A block that was waited for turned out to be all zero."""
        at = (block - self.first_block) * ENTRY_BYTES
        self._entries[at : at + ENTRY_BYTES] = SPARSE_ENTRY
        self.waiting -= 1

    def reopen(self, blobs: Iterable[BlobId]) -> list[int]:
        """The blocks that were settled as one of these blobs; they are waited for again."""
        lost = self._fresh.intersection(blobs)
        self._fresh -= lost
        ids = block_ids(bytes(self._entries)) if lost else ()
        blocks = [self.first_block + n for n, blob in enumerate(ids) if blob in lost]
        self.waiting += len(blocks)
        return blocks

    def pack(self) -> NewSegment | KeptSegment:
        """The finished segment, for appending to the map."""
        if self._kept is not None:
            return self._kept
        self.digest = digest_of(self._entries)
        return NewSegment(bytes(self._entries), self.digest, tuple(sorted(self._fresh)))
