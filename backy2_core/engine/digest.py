"""Checksums of clear blocks, and the quick test for zeros."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

from backy2_core.errors import ConfigError
from backy2_core.model.segment import LEAF_BYTES

HashFunction = Callable[[memoryview], bytes]


@lru_cache(maxsize=32)
def hash_function(name: str) -> HashFunction:
    """The function that makes a block's checksum: ``blake3``, or one that :mod:`hashlib` has by this name.

    It may be called from several threads at once and releases the interpreter's lock on blocks of 2 KiB and more.
    Raises :class:`ConfigError` for an unknown name, or one whose checksums are too short to tell blocks apart.
    """
    if name == "blake3":
        return _blake3()
    try:
        length = hashlib.new(name).digest_size
    except ValueError as error:
        raise ConfigError(
            f"hash_function: there is no hash function {name!r}; expected blake3, or one of"
            f" {', '.join(sorted(hashlib.algorithms_guaranteed))}."
        ) from error
    if length < LEAF_BYTES:
        raise ConfigError(f"hash_function: {name!r} makes checksums of {length} bytes; expected at least {LEAF_BYTES}.")
    constructor = getattr(hashlib, name, None)
    if constructor is None:
        return lambda data: hashlib.new(name, data).digest()
    return lambda data: bytes(constructor(data).digest())


def _blake3() -> HashFunction:
    from blake3 import blake3

    return lambda data: blake3(data).digest()


class ZeroTest:
    """Tells whether a buffer of at most ``largest`` bytes is all zero; any thread may ask."""

    def __init__(self, largest: int) -> None:
        # b"\0" * n is a written page; bytes(n) may be the shared zero page, which compares no slower but measures falsely.
        self._zeros = b"\0" * largest

    def __call__(self, data: memoryview) -> bool:
        """True if every byte of ``data`` is zero. Comparing with ``==`` would be ten times slower, see limits."""
        return self._zeros.startswith(data)
