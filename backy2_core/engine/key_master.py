"""Master keys: what an administrator keeps, and by which the store key is wrapped."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from backy2_core.errors import ConfigError
from backy2_core.model.secret import Secret, key_fingerprint

KEY_BYTES = 32
ORIGINAL_ID = "encryption_key"
"""Id of the key that a configuration of the original holds."""

_DIGITS = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 random bytes with a name; the bytes are never shown."""

    id: str
    raw: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Eight digits that tell this key from others, and from which it cannot be had."""
        return key_fingerprint(self.raw)

    def __str__(self) -> str:
        return f"{self.id} (fingerprint {self.fingerprint})"


@dataclass(frozen=True, slots=True)
class ConfiguredKey:
    """A master key that the configuration names, read only when it is needed: a command may have to be run for it.

    ``read`` raises :class:`ConfigError` where it cannot be had.
    """

    id: str
    read: Callable[[], MasterKey]


def parse_master_key(key_id: str, secret: Secret, where: str) -> MasterKey:
    """The key that this text means: 64 hexadecimal digits, or 32 bytes in base64.

    Raises :class:`ConfigError` that names ``where`` and never shows the text.
    """
    text = secret.reveal().strip()
    raw = bytes.fromhex(text) if _DIGITS.fullmatch(text) else _from_base64(text)
    if raw is None:
        raise ConfigError(
            f"{where}: a key is 64 hexadecimal digits, or base64 of 32 bytes, and what is there is neither. "
            "`backy2 key new` makes one."
        )
    return MasterKey(key_id, raw)


def _from_base64(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == KEY_BYTES else None
