"""The master keys that a configuration names, and how a document that was sealed is known."""

from __future__ import annotations

from functools import partial

from backy2_core.config.load import Config
from backy2_core.engine.key_master import ConfiguredKey, MasterKey, parse_master_key


def configured_keys(config: Config) -> list[ConfiguredKey]:
    """All of them; none is read yet."""
    return [ConfiguredKey(key_id, partial(read_key, config, key_id)) for key_id in config.key_ids]


def read_key(config: Config, key_id: str) -> MasterKey:
    """This master key. Raises :class:`backy2_core.errors.ConfigError` where it is not there, or is no key."""
    secret = config.key_secret(key_id)
    return parse_master_key(key_id, secret, config.key_place(key_id))


def is_sealed(document: bytes) -> bool:
    """True if a document of the store was sealed under a store key."""
    # Imported here: only encrypted stores need the library that it brings.
    from backy2_core.wrappers.sealed_documents import MAGIC

    return document.startswith(MAGIC)
