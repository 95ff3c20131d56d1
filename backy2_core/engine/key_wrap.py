"""Wrapping one key by another: AES key wrap, RFC 3394. Unwrapping proves the key, so trying one is safe."""

from __future__ import annotations

WRAPPED_EXTRA_BYTES = 8
"""A wrapped key is longer than the key by these."""


def wrap(master_key: bytes, key: bytes) -> bytes:
    """``key`` (a multiple of 8 bytes, at least 16), readable only with the master key of 16, 24 or 32 bytes."""
    # Imported here and below: only who uses keys needs the library.
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    return aes_key_wrap(master_key, key)


def unwrap(master_key: bytes, wrapped: bytes) -> bytes | None:
    """The key that was wrapped; None if this is not the master key, or the bytes are not what :func:`wrap` gave."""
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

    try:
        return aes_key_unwrap(master_key, wrapped)
    except InvalidUnwrap:
        return None
