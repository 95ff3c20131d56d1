"""Loading all listeners: the one role of which many serve at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from backy2_core.config.load import MissingSettingError
from backy2_core.contracts.listener import Listener
from backy2_core.contracts.settings import Setting, Settings
from backy2_core.errors import BackyError, ConfigError, PluginError
from backy2_core.plugins.discovery import LISTENERS
from backy2_core.plugins.registry import LoadedPlugin, PluginRegistry

log = logging.getLogger(__name__)

SettingsOf = Callable[[str, Sequence[Setting]], Settings]
"""Gives the parsed section of the listener of that name, which declares these settings."""


@dataclass(frozen=True, slots=True)
class LoadedListener:
    """A listener and the plugin it came from."""

    plugin: LoadedPlugin
    listener: Listener


def load_listeners(
    registry: PluginRegistry, settings_of: SettingsOf, *, disabled: Collection[str], required: Collection[str]
) -> list[LoadedListener]:
    """Make every installed listener that is not ``disabled``, by name.

    One that cannot be made, or that lacks a setting, is a warning in the log and left out, unless it is ``required``:
    then its error is raised. A mistake in a listener's section of the configuration is always raised.
    """
    names = registry.names(LISTENERS)
    contradictory = sorted(set(required) & set(disabled))
    if contradictory:
        raise ConfigError(f"listeners are both required and disabled: {', '.join(contradictory)}")
    missing = sorted(set(required) - set(registry.known(LISTENERS)))
    if missing:
        raise PluginError(f"required listeners are not installed: {', '.join(missing)}")
    for name in sorted(set(required) - set(names)):
        registry.load(LISTENERS, name)  # says by what it is switched off
    made = [_make(registry, settings_of, name, name in required) for name in names if name not in disabled]
    return [listener for listener in made if listener is not None]


def _make(registry: PluginRegistry, settings_of: SettingsOf, name: str, required: bool) -> LoadedListener | None:
    try:
        plugin = registry.load(LISTENERS, name)
        settings = settings_of(name, registry.settings(plugin))
        return LoadedListener(plugin, registry.call(plugin, "backy2_make_listener", settings=settings))
    except BackyError as error:
        if required or (isinstance(error, ConfigError) and not isinstance(error, MissingSettingError)):
            raise
        log.warning("listener %s is left out: %s", name, error)
        return None
