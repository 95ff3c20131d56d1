"""Switching a plugin off and on: what is written into the configuration, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backy2_core.config.edit import write_lists
from backy2_core.config.load import Config
from backy2_core.plugins.discovery import DATA_BACKENDS, LISTENERS, META_BACKENDS, TRANSFORMS, PluginEntry
from backy2_core.plugins.groups import notations, short
from backy2_core.plugins.switches import LISTENERS_KEY, PLUGINS_KEY

if TYPE_CHECKING:
    from backy2_core.cli.app import BackyApp

log = logging.getLogger(__name__)


def disable(app: BackyApp, group: str, name: str) -> None:
    """Write the plugin into ``disabled_plugins``."""
    core, mine = app.config.core, f"{short(group)}:{name}"
    if mine in _written(core.disabled_plugins, app.entries) or (group == LISTENERS and name in core.disabled_listeners):
        log.info("%s is switched off already", mine)
        return
    _write(app, {PLUGINS_KEY: [*core.disabled_plugins, mine]})
    log.info("%s is switched off; `backy2 plugins enable %s` switches it on", mine, mine)
    if _is_selected(app.config, group, name):
        log.warning("the configuration selects %s: commands that need it will fail", mine)


def enable(app: BackyApp, group: str, name: str) -> None:
    """Take the plugin out of ``disabled_plugins`` and ``disabled_listeners``."""
    core, mine = app.config.core, f"{short(group)}:{name}"
    plugins = _without(mine, core.disabled_plugins, app.entries)
    listeners = [each for each in core.disabled_listeners if group != LISTENERS or each != name]
    if (plugins, listeners) == (list(core.disabled_plugins), list(core.disabled_listeners)):
        log.info("%s is not switched off by the configuration", mine)
    else:
        _write(app, {PLUGINS_KEY: plugins, LISTENERS_KEY: listeners})
        log.info("%s is switched on", mine)
    for entry in app.entries:
        if (entry.group, entry.name) == (group, name) and entry.disabled:
            log.warning("%s stays switched off: %s", mine, entry.disabled)


def _written(disabled: Sequence[str], entries: Sequence[PluginEntry]) -> list[str]:
    return [each for written in disabled for each in notations(written, entries)]


def _without(mine: str, disabled: Sequence[str], entries: Sequence[PluginEntry]) -> list[str]:
    """What is left; a bare name that means others too becomes those."""
    left: list[str] = []
    for written in disabled:
        meant = notations(written, entries)
        left += [each for each in meant if each != mine] if mine in meant else [written]
    return left


def _write(app: BackyApp, values: dict[str, list[str]]) -> None:
    path, made = write_lists(app.options.config, values)
    if made:
        log.warning(
            "the configuration file %s was made: what it does not say is as before, but an empty database now waits for"
            " `backy2 initdb`",
            path,
        )


def _is_selected(config: Config, group: str, name: str) -> bool:
    if group in (DATA_BACKENDS, META_BACKENDS):
        return config.type_of(short(group).removesuffix("s")) == name
    if group == TRANSFORMS:
        return name in config.core.transforms
    return group == LISTENERS and name in config.core.required_listeners
