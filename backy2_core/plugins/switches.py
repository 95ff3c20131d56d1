"""Which plugins the configuration switches off."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.config.load import Config
from backy2_core.errors import ConfigError
from backy2_core.plugins.discovery import LISTENERS, PluginEntry, installed_entries, switch_off
from backy2_core.plugins.groups import SWITCHABLE, group_of, no_group, notations, short
from backy2_core.plugins.registry import PluginRegistry

PLUGINS_KEY, LISTENERS_KEY = "disabled_plugins", "disabled_listeners"
"""Keys of section ``[backy2]``."""


def configured_registry(config: Config | None, entries: Sequence[PluginEntry] | None = None) -> PluginRegistry:
    """A registry without the plugins that the configuration switches off; with None nothing is."""
    found = installed_entries() if entries is None else entries
    return PluginRegistry(found if config is None else switch_off(found, _reasons(config, found)))


def check_switches(config: Config) -> None:
    """Raise :class:`ConfigError` for an entry of ``disabled_plugins`` that means no group. Its name need not be installed."""
    for written in config.core.disabled_plugins:
        word, colon, _ = written.rpartition(":")
        if colon and group_of(word) not in SWITCHABLE:
            raise ConfigError(f"{config.origin}, section [backy2], key {PLUGINS_KEY}: {written}: {no_group(word)}")


def _reasons(config: Config, entries: Sequence[PluginEntry]) -> dict[str, str]:
    core = config.core
    found = {f"{short(LISTENERS)}:{name}": LISTENERS_KEY for name in core.disabled_listeners}
    found |= {each: PLUGINS_KEY for written in core.disabled_plugins for each in notations(written, entries)}
    return {
        each: f"{key} in {config.origin} names it; `backy2 plugins enable {each}` switches it on"
        for each, key in found.items()
    }
