"""The original's master keys, as they are configured and as the store keeps them, and how messages speak of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from backy2_core.api import ConfigError, Keyring, KeyringError, Secret, Settings, key_fingerprint

KIND = "backy2_v1"
"""How the keyring calls the original's keys."""
SECTION = "section [transform:backy2_v1]"
KEY = f"{SECTION}, key encryption_key (section [DEFAULTS] in a backy.cfg of the original)"
FORMER = f"{SECTION}, key former_encryption_keys"

_DIGITS = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 bytes that wrap the key of each blob; never shown."""

    raw: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Eight digits that tell this key from others, and from which it cannot be had."""
        return key_fingerprint(self.raw)


def read_keys(settings: Settings, keyring: Keyring | None = None) -> tuple[MasterKey, ...]:
    """Every configured key, the current one first, and then those that the store keeps.

    Raises :class:`ConfigError` for one that is not a key, without showing it, and :class:`KeyringError` if there is none.
    """
    current = [_master_key(text, KEY) for text in _texts(settings["encryption_key"], "")]
    former = [_master_key(text, FORMER) for text in _texts(settings["former_encryption_keys"], r"[\s,]+")]
    kept = [MasterKey(bytes.fromhex(key.reveal())) for key in (keyring.former_keys(KIND) if keyring else ())]
    if not current and not former and not kept:
        raise KeyringError(
            f"A blob was encrypted by the original, and there is no key to open it. Put the original's encryption_key into "
            f"{KEY}: 64 hexadecimal digits."
        )
    return tuple(dict.fromkeys([*current, *former, *kept]))


def _texts(secret: Secret | None, separator: str) -> Sequence[str]:
    text = secret.reveal().strip() if secret else ""
    return [part for part in (re.split(separator, text) if separator else [text]) if part]


def _master_key(text: str, where: str) -> MasterKey:
    if not _DIGITS.fullmatch(text):
        raise ConfigError(f"{where}: a key is 64 hexadecimal digits (32 bytes), and what is there is not.")
    return MasterKey(bytes.fromhex(text))
