"""Tells every listener of every event. A listener that fails changes nothing but the log."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from backy2_core.config.load import Config
from backy2_core.model.event import Event
from backy2_core.plugins.listeners import LoadedListener, load_listeners
from backy2_core.plugins.registry import PluginRegistry

log = logging.getLogger(__name__)


class Listeners:
    """All installed listeners that are not disabled. Used by the thread that runs the command."""

    def __init__(self, config: Config, plugins: PluginRegistry) -> None:
        self._listeners: list[LoadedListener] = load_listeners(
            plugins,
            lambda name, declared: config.plugin_settings(f"listener:{name}", declared),
            disabled=config.core.disabled_listeners,
            required=config.core.required_listeners,
        )

    def notify(self, event: Event) -> None:
        """Tell each listener in turn."""
        for loaded in self._listeners:
            try:
                loaded.listener.notify(event)
            except Exception as error:  # whatever a stranger's listener does, the backup goes on
                log.error("%s failed at %s: %r", loaded.plugin, type(event).__name__, error, exc_info=True)

    def close(self) -> None:
        """Close each listener."""
        for loaded in self._listeners:
            try:
                loaded.listener.close()
            except Exception as error:  # as above
                log.error("%s failed when it was closed: %r", loaded.plugin, error, exc_info=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
