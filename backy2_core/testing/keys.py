"""A keyring for tests of transforms that seal with a key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from backy2_core.contracts.keyring import Keyring
from backy2_core.model.secret import Secret


class FixedKeyring(Keyring):
    """A keyring whose keys follow from a word: the same word, the same keys. Not secret at all.

    ``former`` are the keys of other programs by their kind, in hex, the newest first.
    """

    def __init__(self, word: str = "one", former: Mapping[str, Sequence[str]] | None = None) -> None:
        self._word = word.encode()
        self._former = former or {}

    @property
    def key_id(self) -> str:
        """16 hex digits that follow from the word."""
        return hashlib.blake2b(self._word, digest_size=8, person=b"key id").hexdigest()

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """Bytes that follow from the word, the purpose and the length."""
        if not 0 < length <= hashlib.blake2b.MAX_DIGEST_SIZE:
            raise ValueError(f"{length} bytes cannot be derived; expected 1 to {hashlib.blake2b.MAX_DIGEST_SIZE}")
        return hashlib.blake2b(purpose.encode(), digest_size=length, key=self._word).digest()

    def former_keys(self, kind: str) -> tuple[Secret, ...]:
        """As given."""
        return tuple(Secret(key) for key in self._former.get(kind, ()))
