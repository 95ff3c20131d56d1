"""The metadata copies in an encrypted store: sealed when they are written, opened and proven when they are read.

A sealed document is :data:`MAGIC`, a salt of 24 bytes, the ciphertext, and a tag of 16 bytes. It is AES-256-GCM with a nonce of
zeros under a key that seals once: HKDF-Expand (RFC 5869) with SHA-256 of what the keyring derives for :data:`PURPOSE`, with the
salt as ``info``. The document's name is associated data, so that none can be put in another's place.
"""

from __future__ import annotations

import hmac
import logging
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.keyring import Keyring
from backy2_core.wrappers.forwarding import ForwardingDataBackend

log = logging.getLogger(__name__)

MAGIC = b"backy2 sealed 1\n"
PURPOSE = "documents"
PREFIXES = ("versions/", "maps/")

_SALT_BYTES = 24
_NONCE = bytes(12)


class SealedDocumentsDataBackend(ForwardingDataBackend):
    """Seals the documents that tell of versions; blobs and all other documents pass as they are.

    A document that was not sealed under its name with the key of this store reads as empty, after a warning: whoever
    needs it finds it damaged. ``trust_clear`` lets those pass that are not sealed at all, as they were written before the
    store was encrypted; nobody can tell whether they were changed since.
    """

    def __init__(self, inner: DataBackend, keyring: Keyring, *, trust_clear: bool = False) -> None:
        super().__init__(inner)
        self._key = keyring.derive(PURPOSE)
        self._trust_clear = trust_clear

    def write_document(self, name: str, data: bytes) -> None:
        """Sealed, where it tells of a version."""
        self.inner.write_document(name, self._seal(name, data))

    def create_document(self, name: str, data: bytes) -> bool:
        """Sealed, where it tells of a version."""
        return self.inner.create_document(name, self._seal(name, data))

    def read_document(self, name: str) -> bytes | None:
        """Opened, where it tells of a version."""
        data = self.inner.read_document(name)
        return data if data is None or not name.startswith(PREFIXES) else self._open(name, data)

    def _seal(self, name: str, data: bytes) -> bytes:
        if not name.startswith(PREFIXES):
            return data
        salt = os.urandom(_SALT_BYTES)
        return MAGIC + salt + self._cipher(salt).encrypt(_NONCE, data, name.encode())

    def _open(self, name: str, data: bytes) -> bytes:
        if not data.startswith(MAGIC):
            if self._trust_clear:
                return data
            log.warning(
                "%s in the store at %s is not sealed, though the store is encrypted: it was written before that, or by somebody"
                " else, and is not trusted. `backy2 cleanup --full` writes it anew where the database has its version.",
                name,
                self.location,
            )
            return b""
        salt, sealed = data[len(MAGIC) :][:_SALT_BYTES], data[len(MAGIC) + _SALT_BYTES :]
        try:
            return self._cipher(salt).decrypt(_NONCE, sealed, name.encode())
        except InvalidTag:
            log.warning("%s in the store at %s was changed, or put in another's place.", name, self.location)
            return b""

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, salt + b"\x01", "sha256"))
