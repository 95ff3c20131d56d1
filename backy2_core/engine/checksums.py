"""Checksums as they are recorded: plain ones, or keyed where blobs are sealed under the store key.

In an encrypted store the database must not tell who has which block, nor may anybody find by guessing whether a known block is
there. So the recorded checksum is BLAKE2b-256, keyed with a secret of the store, over the plain checksum of the block.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from backy2_core.contracts.keyring import Keyring
from backy2_core.engine.digest import HashFunction, hash_function
from backy2_core.errors import KeyringError

PURPOSE = "backy2 checksum"
KEYED_BYTES = 32

_STORE_KEY = re.compile(r"[0-9a-f]{16}")


class Checksums:
    """Makes the function for what a blob's record says: its hash and its key. Any thread may use it."""

    def __init__(self, keyring: Keyring | None = None) -> None:
        self._keyring = keyring
        self._made = lru_cache(maxsize=64)(self._make)

    def function(self, hash_name: str, key: str) -> HashFunction:
        """The function from clear bytes to the checksum that is recorded.

        Raises :class:`KeyringError` if ``key`` is a store key other than the one that is open, and
        :class:`backy2_core.errors.ConfigError` for an unknown hash function.
        """
        return self._made(hash_name, key)

    def _make(self, hash_name: str, key: str) -> HashFunction:
        plain = hash_function(hash_name)
        if not is_store_key(key):
            return plain
        if self._keyring is None or self._keyring.key_id != key:
            opened = f"store key {self._keyring.key_id}" if self._keyring else "no store key"
            raise KeyringError(
                f"A block was sealed under store key {key}, but here {opened} is open. Is this the right store, and is its"
                " keys.json whole? `backy2 key check` says more."
            )
        secret = self._keyring.derive(PURPOSE)
        return lambda data: hashlib.blake2b(plain(data), digest_size=KEYED_BYTES, key=secret).digest()


def is_store_key(key: str) -> bool:
    """True if a record's ``key`` is the id of a store key, under which checksums are keyed; False for "" and for keys that
    transforms keep by themselves."""
    return _STORE_KEY.fullmatch(key) is not None


def checksum_bytes(hash_name: str, key: str) -> int:
    """Length of a recorded checksum."""
    return KEYED_BYTES if is_store_key(key) else len(hash_function(hash_name)(memoryview(b"")))
