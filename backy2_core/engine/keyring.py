"""The keyring of a store: its one secret, and the keys that are derived from it.

Keys are derived by HKDF (RFC 5869) with SHA-256, an empty salt, and the purpose in UTF-8 as ``info``. The id of a store key are
the first eight bytes for the purpose ``key id``, in hex.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence

from backy2_core.contracts.keyring import Keyring
from backy2_core.model.secret import Secret

STORE_KEY_BYTES = 32
MOST_BYTES = 64

_KEY_ID = "key id"
_KEY_ID_BYTES = 8
_DIGEST = "sha256"
_DIGEST_BYTES = 32


class StoreKeyring(Keyring):
    """A keyring of these 32 bytes, which it never shows; ``former`` are keys of other programs in hex, by kind."""

    __slots__ = ("_former", "_key_id", "_store_key")

    def __init__(self, store_key: bytes, former: Mapping[str, Sequence[Secret]] | None = None) -> None:
        if len(store_key) != STORE_KEY_BYTES:
            raise ValueError(f"a store key has {STORE_KEY_BYTES} bytes, not {len(store_key)}")
        self._store_key = store_key
        self._former = {kind: tuple(keys) for kind, keys in (former or {}).items()}
        self._key_id = self.derive(_KEY_ID, _KEY_ID_BYTES).hex()

    @property
    def key_id(self) -> str:
        """See the contract."""
        return self._key_id

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """See the contract; raises :class:`ValueError` for more than 64 bytes."""
        if not 0 < length <= MOST_BYTES:
            raise ValueError(f"keys of 1 to {MOST_BYTES} bytes are derived, not {length}")
        return hkdf_sha256(self._store_key, purpose.encode(), length)

    def former_keys(self, kind: str) -> tuple[Secret, ...]:
        """See the contract."""
        return self._former.get(kind, ())

    def reveal(self) -> bytes:
        """The store key itself, for being wrapped by a master key."""
        return self._store_key

    def __repr__(self) -> str:
        return f"StoreKeyring({self._key_id})"


def new_store_key() -> bytes:
    """A store key that nobody knows yet."""
    return secrets.token_bytes(STORE_KEY_BYTES)


def hkdf_sha256(key: bytes, info: bytes, length: int, salt: bytes = b"") -> bytes:
    """Derive ``length`` bytes from ``key`` by RFC 5869 with SHA-256."""
    extracted = hmac.digest(salt or bytes(_DIGEST_BYTES), key, _DIGEST)
    made, block = b"", b""
    for counter in range(1, -(-length // _DIGEST_BYTES) + 1):
        block = hmac.digest(extracted, block + info + bytes([counter]), _DIGEST)
        made += block
    return made[:length]
