"""The keys of the installation: the configured master keys, and where the store keeps what they open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from backy2_core.config.load import Config
from backy2_core.engine.key_master import ConfiguredKey, MasterKey, parse_master_key
from backy2_core.engine.key_opening import open_keyring
from backy2_core.engine.key_place import KeyPlace
from backy2_core.engine.keyring import StoreKeyring


@dataclass(frozen=True, slots=True)
class Keys:
    """``makes`` says whether a store without keys is to get some."""

    place: KeyPlace
    configured: Sequence[ConfiguredKey]
    makes: bool

    def open(self) -> StoreKeyring | None:
        """The keyring of the store, see :func:`backy2_core.engine.key_opening.open_keyring`."""
        return open_keyring(self.place, self.configured, makes=self.makes)


def configured_keys(config: Config) -> list[ConfiguredKey]:
    """The master keys that the configuration names; none of them is read yet."""
    return [ConfiguredKey(key_id, partial(read_key, config, key_id)) for key_id in config.key_ids]


def read_key(config: Config, key_id: str) -> MasterKey:
    """This master key. Raises :class:`backy2_core.errors.ConfigError` where it is not there, or is no key."""
    secret = config.key_secret(key_id)
    return parse_master_key(key_id, secret, config.key_place(key_id))
