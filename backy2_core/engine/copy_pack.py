"""Packs: up to 256 segments of block maps, each with all that is known of its blocks.

A pack begins with ``backy2 pack 1`` and a line feed, and ends with the BLAKE2b-256 of all before. Between are frames: a
length (4 bytes, little-endian) and so many bytes of JSON, compressed with zlib. The first is the pack's head; then comes one
for each segment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from backy2_core.errors import DamageError
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord, BlobUid, NewBlob
from backy2_core.model.segment import DIGEST_BYTES, LOST_ENTRY, SPARSE_ENTRY, digest_of, pack_entry

PACK_SEGMENTS = 256

_MAGIC = b"backy2 pack 1\n"
_PERSON = b"backy2 pack"
_LENGTH = struct.Struct("<I")
_LEVEL = 3
"""Half of a frame is checksums, which nothing makes smaller; higher levels only take longer."""
_SPARSE, _LOST = -1, -2

Known = BlobRecord | BlobId
"""What is known of a block: its blob, or that it is :data:`SPARSE` or :data:`LOST`."""


class CopiedSegment(NamedTuple):
    """A segment out of a pack: its digest as it was recorded, and what is known of its blocks."""

    digest: bytes
    blocks: list[NewBlob | BlobId]

    @property
    def is_whole(self) -> bool:
        """True if these are the blocks that the digest was taken over."""
        return digest_of(b"".join(map(_entry, self.blocks))) == self.digest


class _Description(NamedTuple):
    """What many blobs share."""

    hash: str
    key: str
    transforms: str
    size: int
    date: datetime


@dataclass(frozen=True, slots=True)
class OpenPack:
    """A pack that was read and found to be as it was written. Its segments stay compressed until they are asked for."""

    frames: tuple[bytes, ...]
    descriptions: tuple[_Description, ...]
    size_bytes: int

    def segment(self, position: int) -> CopiedSegment:
        """The segment at this position, from 0."""
        members = json.loads(zlib.decompress(self.frames[position]))
        return CopiedSegment(bytes.fromhex(members["digest"]), list(self._blocks(members)))

    def _blocks(self, members: dict[str, Any]) -> Iterator[NewBlob | BlobId]:
        uids, checksums = iter(members["uids"].split()), iter(members["checksums"].split())
        sizes, envelopes = iter(members.get("stored_sizes", ())), iter(members.get("envelopes", ()))
        for number, count in members["kinds"]:
            if number < 0:
                yield from [SPARSE if number == _SPARSE else LOST] * count
                continue
            description = self.descriptions[number]
            for _ in range(count):
                yield NewBlob(
                    uid=BlobUid(next(uids)),
                    size=description.size,
                    stored_size=next(sizes, description.size),
                    hash=description.hash,
                    checksum=bytes.fromhex(next(checksums)),
                    key=description.key,
                    transforms=description.transforms,
                    envelope=base64.b64decode(next(envelopes, "")),
                    date=description.date,
                )


class PackBuilder:
    """A pack in the making. Used by one thread."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._descriptions: dict[_Description, int] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, digest: bytes, blocks: Sequence[Known]) -> None:
        """Put in the next segment."""
        records = [block for block in blocks if not isinstance(block, int)]
        kinds = [[number, sum(1 for _ in same)] for number, same in groupby(map(self._kind, blocks))]
        members: dict[str, Any] = {
            "digest": digest.hex(),
            "kinds": kinds,
            "uids": " ".join([record.uid for record in records]),
            "checksums": " ".join([record.checksum.hex() for record in records]),
        }
        if any(record.stored_size != record.size for record in records):
            members["stored_sizes"] = [record.stored_size for record in records]
        if any(record.envelope for record in records):
            members["envelopes"] = [base64.b64encode(record.envelope).decode() for record in records]
        self._frames.append(_packed(members))

    def finish(self) -> bytes:
        """The bytes of the pack."""
        descriptions = [(*shared, date.isoformat(timespec="microseconds")) for *shared, date in self._descriptions]
        head = _packed({"segments": len(self._frames), "descriptions": descriptions})
        frames = b"".join(_LENGTH.pack(len(frame)) + frame for frame in (head, *self._frames))
        return _MAGIC + frames + _checksum((_MAGIC, frames))

    def _kind(self, block: Known) -> int:
        if isinstance(block, int):
            return _SPARSE if block == SPARSE else _LOST
        description = _Description(block.hash, block.key, block.transforms, block.size, block.date)
        return self._descriptions.setdefault(description, len(self._descriptions))


def open_pack(name: str, content: bytes | None) -> OpenPack:
    """A pack, checked. Raises :class:`DamageError` if it is missing or not as it was written."""
    if content is None:
        raise DamageError(f"{name} is missing from the store.")
    if not content.startswith(_MAGIC):
        raise DamageError(f"{name} is no pack that this release can read.")
    body, checksum = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if _checksum((body,)) != checksum:
        raise DamageError(f"{name} is damaged: its checksum does not fit.")
    head, *frames = _frames(body)
    members = json.loads(zlib.decompress(head))
    descriptions = tuple(
        _Description(hash_name, key, transforms, size, datetime.fromisoformat(date))
        for hash_name, key, transforms, size, date in members["descriptions"]
    )
    return OpenPack(tuple(frames), descriptions, len(content))


def _frames(body: bytes) -> Iterator[bytes]:
    at = len(_MAGIC)
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        yield body[at : at + length]
        at += length


def _packed(members: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(members, separators=(",", ":")).encode(), _LEVEL)


def _checksum(parts: Iterable[bytes]) -> bytes:
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES, person=_PERSON)
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def _entry(block: NewBlob | BlobId) -> bytes:
    if isinstance(block, int):
        return SPARSE_ENTRY if block == SPARSE else LOST_ENTRY
    # The digest is of leaves only, so any id above 0 will do.
    return pack_entry(BlobId(1), block.checksum)
