"""Sections ``[key:ID]``: what they may hold."""

from __future__ import annotations

import re

from backy2_core.contracts.settings import Setting, SettingType

KEY_SETTINGS = (
    Setting(
        "secret",
        SettingType.SECRET,
        None,
        "A master key that opens the store: 64 hexadecimal digits, or base64 of 32 random bytes. `backy2 key new` makes one.",
        required=True,
    ),
)
KEY_TEXTS = ("encryption_key", "former_encryption_keys")
"""Keys of other sections whose values are keys, too."""

_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_key_id(key_id: str) -> None:
    """Raise :class:`ValueError` unless a master key may be called so."""
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError(
            f"{key_id!r} is no name of a key; it has 1 to 64 letters, digits, dots, dashes and underscores, and begins with "
            "one of the first two"
        )
