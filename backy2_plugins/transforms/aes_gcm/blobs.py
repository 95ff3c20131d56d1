"""Encrypted blobs: a salt, from which the blob's own key comes, then what AES-256-GCM makes of the block.

A blob is the salt (24 bytes), the ciphertext, and the tag (16 bytes). Its key is HKDF-Expand (RFC 5869) with SHA-256 of
the blob key of the store, with the salt as ``info``; the blob key is what the keyring derives for the purpose ``aes_gcm blob``.
Each such key is used once. Therefore its nonce may be anything, and is zero.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backy2_core.api import BlobDamagedError, Keyring, Sealed, Transform

PURPOSE = "aes_gcm blob"
SALT_BYTES = 24
TAG_BYTES = 16
NONCE = bytes(12)

_COUNTER = b"\x01"


@dataclass(frozen=True, slots=True)
class BlobKey:
    """The key of a store from which those of all its blobs come; never shown."""

    raw: bytes = field(repr=False)

    def own_key(self, salt: bytes | memoryview) -> bytes:
        """The key of one blob: the first 32 bytes that HKDF-Expand gives for this salt."""
        return hmac.digest(self.raw, b"".join((salt, _COUNTER)), "sha256")


class AesGcm(Transform):
    """Seals and opens under the store key of this keyring."""

    def __init__(self, keyring: Keyring, format_number: int) -> None:
        self._key_id = keyring.key_id
        self._parameters: dict[str, str | int] = {"format": format_number, "key": keyring.key_id}
        self._context = f"backy2 aes_gcm {format_number} {keyring.key_id}".encode()
        self._blob_key = BlobKey(keyring.derive(PURPOSE))

    @property
    def parameters(self) -> dict[str, str | int]:
        return self._parameters

    @property
    def key(self) -> str:
        return self._key_id

    def seal(self, data: memoryview) -> Sealed:
        sealed = memoryview(bytearray(SALT_BYTES + len(data) + TAG_BYTES))
        sealed[:SALT_BYTES] = salt = os.urandom(SALT_BYTES)
        AESGCM(self._blob_key.own_key(salt)).encrypt_into(NONCE, data, self._context, sealed[SALT_BYTES:])
        return Sealed(sealed)

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        size = len(data) - SALT_BYTES - TAG_BYTES
        if not 0 <= size <= clear_size:
            extra = SALT_BYTES + TAG_BYTES
            raise BlobDamagedError(f"it has {len(data)} bytes, expected {extra} to {extra + clear_size}")
        clear = memoryview(bytearray(size))
        try:
            AESGCM(self._blob_key.own_key(data[:SALT_BYTES])).decrypt_into(
                NONCE, data[SALT_BYTES:], self._context, clear
            )
        except InvalidTag as error:
            raise BlobDamagedError("its tag is wrong under the right key: the stored bytes were changed") from error
        return clear
