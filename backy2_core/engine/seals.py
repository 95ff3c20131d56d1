"""Seals of versions: in an encrypted store nobody without its key can make the database speak of another image.

The digest of a version says which block is where, but whoever can write to the database can make a new one. So behind the
digest (32 bytes) stands a seal (32 bytes): BLAKE2b, keyed with what the keyring derives for :data:`PURPOSE`, over the digest
and what tells the version from others. The seals of versions that were there before the store had a key stand in a document
of the store, made together with the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from functools import cached_property

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.keyring import Keyring
from backy2_core.errors import DamageError
from backy2_core.model.segment import DIGEST_BYTES
from backy2_core.model.version import Version

PURPOSE = "backy2 version"
FORMAT = 1


class UnsealedError(DamageError):
    """Nobody can tell whether what the database says of this version was changed."""


class Seals:
    """Makes and checks seals; without a keyring there are none. Used by the thread that runs the command.

    ``trust_unsealed`` believes versions without a seal.
    """

    def __init__(
        self, keyring: Keyring | None = None, data: DataBackend | None = None, *, trust_unsealed: bool = False
    ) -> None:
        self._keyring = keyring
        self._data = data
        self._trust_unsealed = trust_unsealed

    def sealed(self, version: Version, digest: bytes) -> bytes:
        """What is recorded as the digest of a version: its digest, and the seal where the store has a key."""
        return digest + seal_of(self._keyring, version, digest) if self._keyring else digest

    def check(self, version: Version) -> None:
        """Raise :class:`DamageError` where the seal of a version proves that its row was changed, and
        :class:`UnsealedError` where it has none and should."""
        if self._keyring is None:
            return
        digest, seal = content_digest(version.digest), version.digest[DIGEST_BYTES:]
        expected = seal_of(self._keyring, version, digest)
        if seal and not hmac.compare_digest(seal, expected):
            raise DamageError(
                f"What the database says of version {version.uid} ({version.name}) was changed: its seal does not fit "
                "its name, date, size and digest. Nothing was read or written. Restore the database from a copy, or `backy2 "
                "recover` a new one."
            )
        if not seal and not self._trust_unsealed and self._former.get(version.uid) != expected.hex():
            raise UnsealedError(
                f"Version {version.uid} ({version.name}) is not sealed, though the store is encrypted: somebody changed the "
                "database, or it was made by a process that did not know the key. Nothing was read or written. With "
                "trust_clear_copies = yes in [backy2] it is believed all the same."
            )

    @cached_property
    def _former(self) -> Mapping[str, str]:
        name = former_document(self._keyring) if self._keyring else ""
        text = self._data.read_document(name) if self._data and name else None
        try:
            members = json.loads(text or b"{}")
            return {str(uid): str(seal) for uid, seal in members.get("seals", {}).items()}
        except (ValueError, AttributeError):
            return {}


def content_digest(recorded: bytes) -> bytes:
    """The digest of a version without the seal behind it."""
    return recorded[:DIGEST_BYTES]


def seal_of(keyring: Keyring, version: Version, digest: bytes) -> bytes:
    """The seal of a version with this digest."""
    geometry = version.geometry
    told = [version.uid, version.name, version.snapshot_name, version.date.isoformat(timespec="microseconds")]
    text = json.dumps([*told, geometry.size_bytes, geometry.block_size, digest.hex()], separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES, key=keyring.derive(PURPOSE)).digest()


def former_document(keyring: Keyring) -> str:
    """Name of the document with the seals of versions that were there before this key."""
    return f"seals-{keyring.key_id}.json"


def render_former(keyring: Keyring, versions: Iterable[Version]) -> bytes:
    """The text of that document: the seal of each version that has a digest and no seal."""
    unsealed = (version for version in versions if len(version.digest) == DIGEST_BYTES)
    seals = {version.uid: seal_of(keyring, version, version.digest).hex() for version in unsealed}
    return json.dumps({"format": FORMAT, "seals": seals}, indent=1).encode()
