"""Opening a blob that the original encrypted: unwrap its key, decrypt, unpack.

A blob is a tag (16 bytes), a nonce (16 bytes) and the ciphertext of AES-256-GCM without associated data. The clear text is one
zstandard frame, which holds the block. The key is one of its own for each blob; its envelope is this key, wrapped by the
master key according to RFC 3394 (40 bytes).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from backy2_core.api import BlobDamagedError, KeyringError, Sealed, Transform, TransformError
from backy2_plugins.transforms.backy2_v1.keys import FORMER, KEY, MasterKey

ENVELOPE_BYTES = 40
TAG_BYTES = 16
NONCE_BYTES = 16
LZ4_MAGIC = b"\x04\x22\x4d\x18"

_HEAD_BYTES = TAG_BYTES + NONCE_BYTES


class Opener(Transform):
    """Opens with any of the given master keys. Unwrapping proves the key, so that trying one is safe."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        self._keys = tuple(keys)
        self._unpackers = _Unpackers()

    @property
    def parameters(self) -> dict[str, str | int]:
        return {}

    def seal(self, data: memoryview) -> Sealed | None:
        raise TransformError("The transform backy2_v1 only opens what the original stored, it seals nothing.")

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        frame = _decrypt(self._unwrap(envelope), data)
        if frame[:4] == LZ4_MAGIC:
            # What was sealed is what is there, so this is no damage; and nobody who ran a release can have such blobs.
            raise TransformError(
                "A blob holds an LZ4 frame, which no release of the original wrote, only its source code of one day in "
                "May 2020. It was decrypted rightly, but cannot be unpacked here."
            )
        return memoryview(self._unpack(frame, clear_size))

    def _unwrap(self, envelope: bytes) -> bytes:
        if len(envelope) != ENVELOPE_BYTES:
            raise TransformError(
                f"The envelope recorded with a blob that the original encrypted has {len(envelope)} bytes, expected "
                f"{ENVELOPE_BYTES}. Its record was edited, or imported from a wrong dump."
            )
        for key in self._keys:
            try:
                return aes_key_unwrap(key.raw, envelope)
            except InvalidUnwrap:
                continue
        raise KeyringError(
            f"A blob that the original encrypted cannot be opened with the known keys (fingerprints: "
            f"{', '.join(key.fingerprint for key in self._keys)}). This proves nothing about the blob: it needs another key. "
            f"Put the key that the original had into {KEY}, or an earlier one into {FORMER}."
        )

    def _unpack(self, frame: bytes, clear_size: int) -> bytes:
        try:
            # The library makes room for the size that a frame states, whatever bound it is given.
            stated = zstandard.frame_content_size(frame)
            if stated > clear_size:
                raise BlobDamagedError(f"its zstandard frame holds {stated} bytes, expected at most {clear_size}")
            return self._unpackers.own.decompress(frame, max_output_size=clear_size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise BlobDamagedError(
                f"it was decrypted rightly, but does not hold one zstandard frame of at most {clear_size} bytes: {error}"
            ) from error


class _Unpackers(threading.local):
    """A decompressor a thread: one must not be used by two at once, and making one takes longer than opening 4 KiB."""

    def __init__(self) -> None:
        self.own = zstandard.ZstdDecompressor()


def _decrypt(key: bytes, blob: memoryview) -> bytes:
    """The frame, once its tag is found right."""
    if len(blob) < _HEAD_BYTES:
        raise BlobDamagedError(f"it has {len(blob)} bytes, fewer than its tag and nonce need")
    tag, nonce = bytes(blob[:TAG_BYTES]), bytes(blob[TAG_BYTES:_HEAD_BYTES])
    decryptor = Cipher(algorithms.AES(key), modes.GCM(nonce, tag)).decryptor()
    frame = decryptor.update(blob[_HEAD_BYTES:])
    try:
        decryptor.finalize()
    except InvalidTag as error:
        raise BlobDamagedError("its tag is wrong under the right key: the stored bytes were changed") from error
    return frame
