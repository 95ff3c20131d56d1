"""Sealing for the bare loops: zstd level 1 and AES-256-GCM on reused objects and buffers, and nothing else."""

from __future__ import annotations

import os
import threading
from typing import Protocol

from benchmarks.sizes import KIB

LEVEL = 1
MOST_PERCENT = 95
ROOM_BYTES = 4 * KIB
"""How much longer than its block a buffer for a blob must be."""

_PACKED, _RAW = b"\x01", b"\x00"
_NONCE_BYTES, _TAG_BYTES = 12, 16
_HEAD_BYTES = len(_PACKED) + _NONCE_BYTES


class Sealing(Protocol):
    """What is done with a block before it is written, and undone after it was read. Any thread may use it."""

    def seal(self, block: memoryview) -> memoryview:
        """The bytes to be written; they last until this thread seals again."""

    def unseal(self, blob: memoryview) -> memoryview:
        """The block of these bytes; it lasts until this thread unseals again."""


class NoSealing:
    """Blobs are the blocks themselves."""

    def seal(self, block: memoryview) -> memoryview:
        """The block."""
        return block

    def unseal(self, blob: memoryview) -> memoryview:
        """The blob."""
        return blob


class ZstdAes(threading.local):
    """A blob is a byte that says whether it was compressed, a nonce, the ciphertext and a tag. The key is no secret."""

    def __init__(self) -> None:
        # Imported here: the plain loops do not pay for the start of these libraries.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from zstandard import ZstdCompressor, ZstdDecompressor

        self._cipher = AESGCM(bytes(32))
        self._compressor = ZstdCompressor(level=LEVEL)
        self._decompressor = ZstdDecompressor()
        self._buffer = memoryview(bytearray())

    def seal(self, block: memoryview) -> memoryview:
        """See :class:`Sealing`; a block that stays over 95 % of its size is encrypted as it is."""
        frame: bytes | memoryview = self._compressor.compress(block)
        packed = len(frame) * 100 <= len(block) * MOST_PERCENT
        if not packed:
            frame = block
        blob = self._room(_HEAD_BYTES + len(frame) + _TAG_BYTES)
        blob[:_HEAD_BYTES] = (_PACKED if packed else _RAW) + os.urandom(_NONCE_BYTES)
        self._cipher.encrypt_into(blob[1:_HEAD_BYTES], frame, None, blob[_HEAD_BYTES:])
        return blob

    def unseal(self, blob: memoryview) -> memoryview:
        """See :class:`Sealing`; raises InvalidTag or ZstdError for other bytes than were sealed."""
        clear = self._room(len(blob) - _HEAD_BYTES - _TAG_BYTES)
        self._cipher.decrypt_into(blob[1:_HEAD_BYTES], blob[_HEAD_BYTES:], None, clear)
        return clear if blob[:1] == _RAW else memoryview(self._decompressor.decompress(clear))

    def _room(self, length: int) -> memoryview:
        if len(self._buffer) < length:
            self._buffer = memoryview(bytearray(length))
        return self._buffer[:length]


def sealing(sealed: bool) -> Sealing:
    """What seals, or does nothing."""
    return ZstdAes() if sealed else NoSealing()
