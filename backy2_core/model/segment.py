"""The block map, cut into segments that versions share.

A segment describes up to 128 consecutive blocks. Packed, each block is an entry of 24 bytes: the id of its blob as a
signed little-endian 64-bit integer, then the *leaf*, the first 16 bytes of the block's checksum (all bits 0 where the
block is sparse, all 1 where it is lost). The id says where the bytes are, the leaf what they must be: so a swapped id
is found at that very block. The digest of a segment is BLAKE2b-256 over its leaves in order; that of a version is
BLAKE2b-256 over its geometry and the digests of its segments.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from backy2_core.model.blob import LOST, SPARSE, BlobId
from backy2_core.model.block import Geometry

SegmentId = NewType("SegmentId", int)
"""Number of a segment's row in the meta backend; never used twice."""

SEGMENT_BLOCKS = 128
LEAF_BYTES = 16
ENTRY_BYTES = 8 + LEAF_BYTES
DIGEST_BYTES = 32
NO_LEAF = b"\0" * LEAF_BYTES
SPARSE_ENTRY = struct.pack("<q", SPARSE) + NO_LEAF
LOST_LEAF = b"\xff" * LEAF_BYTES
LOST_ENTRY = struct.pack("<q", LOST) + LOST_LEAF

_ENTRY = struct.Struct(f"<q{LEAF_BYTES}s")


@dataclass(frozen=True, slots=True)
class Entry:
    """Which blob a block is, and what its checksum begins with."""

    blob: BlobId
    leaf: bytes


def leaf_of(checksum: bytes) -> bytes:
    """The leaf of a block with this checksum (at least 16 bytes long)."""
    return checksum[:LEAF_BYTES]


def pack_entry(blob: BlobId, checksum: bytes) -> bytes:
    """One packed entry of a stored block."""
    return _ENTRY.pack(blob, checksum[:LEAF_BYTES])


def unpack(data: bytes) -> list[Entry]:
    """The entries of a packed segment, in order of blocks."""
    return [Entry(BlobId(blob), leaf) for blob, leaf in _ENTRY.iter_unpack(data)]


@lru_cache(maxsize=512)
def _ids_only(count: int) -> struct.Struct:
    return struct.Struct("<" + f"q{LEAF_BYTES}x" * count)


@lru_cache(maxsize=512)
def _leaves_only(count: int) -> struct.Struct:
    return struct.Struct("<" + f"8x{LEAF_BYTES}s" * count)


def block_ids(data: bytes) -> tuple[int, ...]:
    """The blob id of each block of a packed segment, in order, sparse and lost ones included."""
    return _ids_only(len(data) // ENTRY_BYTES).unpack(data)


def blob_ids(data: bytes) -> set[BlobId]:
    """The distinct ids of stored blobs in a packed segment, without sparse and lost blocks."""
    return {BlobId(blob) for blob in block_ids(data) if blob > 0}


def entry_count(data: bytes) -> int:
    """Number of blocks that a packed segment describes."""
    return len(data) // ENTRY_BYTES


def digest_of(data: bytes | bytearray) -> bytes:
    """The digest of a packed segment: over its leaves only, so that moving a blob changes nothing."""
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES, person=b"backy2 segment")
    hasher.update(b"".join(_leaves_only(len(data) // ENTRY_BYTES).unpack(data)))
    return hasher.digest()


class VersionDigest:
    """The digest of a whole version, taken over its size, its block size, and the digests of its segments in order."""

    def __init__(self, geometry: Geometry) -> None:
        self._hasher = hashlib.blake2b(digest_size=DIGEST_BYTES, person=b"backy2 version")
        self._hasher.update(struct.pack("<QQ", geometry.size_bytes, geometry.block_size))

    def add(self, segment_digest: bytes) -> None:
        """Take in the digest of the next segment."""
        self._hasher.update(segment_digest)

    def digest(self) -> bytes:
        """The digest over what was taken in so far."""
        return self._hasher.digest()


def segment_count(geometry: Geometry) -> int:
    """Number of segments in the map of a device of this geometry."""
    return -(-geometry.count // SEGMENT_BLOCKS)


def segment_blocks(geometry: Geometry, segment: int) -> int:
    """Number of blocks in the ``segment``-th segment (from 0)."""
    return max(0, min(SEGMENT_BLOCKS, geometry.count - segment * SEGMENT_BLOCKS))
