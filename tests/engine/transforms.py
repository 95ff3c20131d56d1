"""Transforms of the tests' own: real ones, reversible, each with something that can go wrong."""

from __future__ import annotations

import hashlib
import zlib

from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import BlobDamagedError, TransformError


class Zip(Transform):
    """zlib, with the checksum of the sealed bytes in the envelope. Leaves alone what does not get smaller."""

    def __init__(self, level=6):
        self._level = level

    @property
    def parameters(self):
        return {"level": self._level}

    def seal(self, data):
        packed = zlib.compress(bytes(data), self._level)
        if len(packed) >= len(data):
            return None
        return Sealed(memoryview(packed), hashlib.sha256(packed).digest()[:4])

    def unseal(self, data, envelope, clear_size):
        if hashlib.sha256(data).digest()[:4] != envelope:
            raise BlobDamagedError("the zipped bytes are not those of the envelope")
        opener = zlib.decompressobj()
        clear = opener.decompress(bytes(data), clear_size)
        if opener.unconsumed_tail:
            raise BlobDamagedError("the zipped bytes unpack to more than was sealed")
        return memoryview(clear)


class Mask(Transform):
    """Turns bits by a key; the key's id is recorded, the key is not."""

    def __init__(self, key=0x55):
        self._key = key

    @property
    def parameters(self):
        return {"key": f"k{self._key}"}

    @property
    def key(self):
        return f"k{self._key}"

    def seal(self, data):
        return Sealed(memoryview(bytes(b ^ self._key for b in data)))

    def unseal(self, data, envelope, clear_size):
        return memoryview(bytes(b ^ self._key for b in data))


class Wide(Transform):
    """Writes each byte as eight: what is stored is eight times as long as the block."""

    @property
    def parameters(self):
        return {}

    def seal(self, data):
        return Sealed(memoryview(bytes(data) * 8))

    def unseal(self, data, envelope, clear_size):
        return data[: len(data) // 8]


class WrongKey(Mask):
    """Cannot open anything."""

    def unseal(self, data, envelope, clear_size):
        raise TransformError("this blob needs another key")


def make(name, parameters):
    """Makes what opens blobs, from what was recorded."""
    if name == "zip":
        return Zip(parameters["level"])
    if name == "mask":
        return Mask(int(parameters["key"][1:]))
    if name == "wide":
        return Wide()
    raise TransformError(f"there is no transform {name}")
