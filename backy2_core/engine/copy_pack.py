"""Packs: pieces of block maps, 16 blocks each, with all that is known of these blocks.

A pack begins with ``backy2 pack 1`` and a line feed, and ends with the BLAKE2b-256 of all before. Between are frames: a
length (4 bytes, little-endian) and so many bytes of JSON, compressed with zlib. The first is the pack's head; then comes one
for every eight pieces.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from backy2_core.errors import DamageError
from backy2_core.model.blob import LOST, SPARSE, BlobId, BlobRecord, BlobUid, NewBlob
from backy2_core.model.segment import DIGEST_BYTES

PIECE_BLOCKS = 16
PACK_PIECES = 2048

_FRAME_PIECES = 8
_MAGIC = b"backy2 pack 1\n"
_PERSON = b"backy2 pack"
_LENGTH = struct.Struct("<I")
_LEVEL = 3
"""Most of a frame is checksums, which nothing makes smaller; higher levels only take longer."""
_SPARSE, _LOST = -1, -2

Known = BlobRecord | BlobId
"""What is known of a block: its blob, or that it is :data:`SPARSE` or :data:`LOST`."""
Copied = NewBlob | BlobId
"""The same, out of a pack."""


class _Description(NamedTuple):
    """What many blobs share."""

    hash: str
    key: str
    transforms: str
    size: int
    date: datetime


class PackBuilder:
    """A pack in the making. Used by one thread."""

    def __init__(self) -> None:
        self._pieces = 0
        self._waiting: list[Known] = []
        self._frames: list[bytes] = []
        self._descriptions: dict[_Description, int] = {}

    def __len__(self) -> int:
        """Number of pieces."""
        return self._pieces

    def add(self, blocks: Sequence[Known]) -> None:
        """Put in the next piece: 16 blocks; only the last piece of all may have fewer."""
        self._waiting += blocks
        self._pieces += 1
        if self._pieces % _FRAME_PIECES == 0:
            self._close_frame()

    def finish(self) -> bytes:
        """The bytes of the pack."""
        if self._waiting:
            self._close_frame()
        descriptions = [(*shared, date.isoformat(timespec="microseconds")) for *shared, date in self._descriptions]
        head = _packed({"pieces": self._pieces, "descriptions": descriptions})
        frames = b"".join(_LENGTH.pack(len(frame)) + frame for frame in (head, *self._frames))
        return _MAGIC + frames + _checksum(_MAGIC, frames)

    def _close_frame(self) -> None:
        blocks, self._waiting = self._waiting, []
        records = [block for block in blocks if not isinstance(block, int)]
        kinds = [[number, sum(1 for _ in same)] for number, same in groupby(map(self._kind, blocks))]
        members: dict[str, Any] = {
            "kinds": kinds,
            "uids": " ".join([record.uid for record in records]),
            "checksums": " ".join([record.checksum.hex() for record in records]),
        }
        if any(record.stored_size != record.size for record in records):
            members["stored_sizes"] = [record.stored_size for record in records]
        if any(record.envelope for record in records):
            members["envelopes"] = [base64.b64encode(record.envelope).decode() for record in records]
        self._frames.append(_packed(members))

    def _kind(self, block: Known) -> int:
        if isinstance(block, int):
            return _SPARSE if block == SPARSE else _LOST
        description = _Description(block.hash, block.key, block.transforms, block.size, block.date)
        return self._descriptions.setdefault(description, len(self._descriptions))


class OpenPack:
    """A pack that was read and found to be as it was written. All of it stays compressed but the frame last asked for."""

    def __init__(self, frames: Sequence[bytes], descriptions: Sequence[_Description]) -> None:
        self.size_bytes = sum(map(len, frames))
        self._frames = frames
        self._descriptions = descriptions
        self._at = -1
        self._blocks: list[Copied] = []

    def piece(self, position: int) -> Sequence[Copied]:
        """The blocks of the piece at this position, from 0."""
        frame, number = divmod(position, _FRAME_PIECES)
        if frame != self._at:
            self._blocks = list(_blocks(json.loads(zlib.decompress(self._frames[frame])), self._descriptions))
            self._at = frame
        return self._blocks[number * PIECE_BLOCKS : (number + 1) * PIECE_BLOCKS]


def open_pack(name: str, content: bytes | None) -> OpenPack:
    """A pack, checked. Raises :class:`DamageError` if it is missing or not as it was written."""
    if content is None:
        raise DamageError(f"{name} is missing from the store.")
    if not content.startswith(_MAGIC):
        raise DamageError(f"{name} is no pack that this release can read.")
    body, checksum = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if _checksum(body) != checksum:
        raise DamageError(f"{name} is damaged: its checksum does not fit.")
    head, *frames = _frames(body)
    descriptions = [
        _Description(hash_name, key, transforms, size, datetime.fromisoformat(date))
        for hash_name, key, transforms, size, date in json.loads(zlib.decompress(head))["descriptions"]
    ]
    return OpenPack(frames, descriptions)


def _blocks(members: dict[str, Any], descriptions: Sequence[_Description]) -> Iterator[Copied]:
    uids, checksums = iter(members["uids"].split()), iter(members["checksums"].split())
    sizes, envelopes = iter(members.get("stored_sizes", ())), iter(members.get("envelopes", ()))
    for number, count in members["kinds"]:
        if number < 0:
            yield from [SPARSE if number == _SPARSE else LOST] * count
            continue
        shared = descriptions[number]
        for _ in range(count):
            yield NewBlob(
                uid=BlobUid(next(uids)),
                size=shared.size,
                stored_size=next(sizes, shared.size),
                hash=shared.hash,
                checksum=bytes.fromhex(next(checksums)),
                key=shared.key,
                transforms=shared.transforms,
                envelope=base64.b64decode(next(envelopes, "")),
                date=shared.date,
            )


def _frames(body: bytes) -> Iterator[bytes]:
    at = len(_MAGIC)
    while at < len(body):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        yield body[at : at + length]
        at += length


def _packed(members: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(members, separators=(",", ":")).encode(), _LEVEL)


def _checksum(*parts: bytes) -> bytes:
    hasher = hashlib.blake2b(digest_size=DIGEST_BYTES, person=_PERSON)
    for part in parts:
        hasher.update(part)
    return hasher.digest()
