"""Verb ``plugins show``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import NotFoundError, PluginError, UsageError
from backy2_core.plugins.discovery import COMMANDS

if TYPE_CHECKING:
    from backy2_core.contracts.settings import Setting

_PREFIX = "backy2."


class PluginsShow(ListVerb):
    """Show the settings that a plugin takes.

    A row for each key that the plugin's section of the configuration may hold. Where plugins of
    several groups have the name, all are shown; GROUP (data_backends, sources, ...) narrows it.
    """

    example = """
    backy2 plugins show data_backends file
    backy2 plugins show sql -f yaml
    """
    exits = (PluginError, NotFoundError)
    columns = ("group", "plugin", "key", "type", "default", "required", "choices", "help")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """One word or two."""
        parser.add_argument("group", nargs="?", metavar="GROUP", help="the group, such as data_backends")
        parser.add_argument("name", metavar="NAME", help="the plugin's name")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a setting."""
        registry, name = self.app.registry, parsed_args.name
        groups = [group for group in self._groups(parsed_args.group) if name in registry.names(group)]
        if not groups:
            where = f" in group {parsed_args.group}" if parsed_args.group else ""
            raise NotFoundError(f"There is no plugin {name!r}{where}; `backy2 plugins list` lists those there are.")
        for group in groups:
            for setting in registry.settings(registry.load(group, name)):
                yield group, name, *_cells(setting)

    def _groups(self, wanted: str | None) -> list[str]:
        groups = sorted({entry.group for entry in self.app.registry.entries} - {COMMANDS})
        if wanted is None:
            return groups
        found = [group for group in groups if wanted in (group, group.removeprefix(_PREFIX))]
        if not found:
            names = ", ".join(group.removeprefix(_PREFIX) for group in groups)
            raise UsageError(f"There is no group {wanted!r} with settings; the groups are: {names}.")
        return found


def _cells(setting: Setting) -> Sequence[Any]:
    from backy2_core.contracts.settings import SettingType

    hidden = setting.type is SettingType.SECRET or setting.default is None
    default = "" if hidden else _text(setting.default)
    return setting.name, setting.type.value, default, setting.required, ",".join(setting.choices), setting.help


def _text(default: Any) -> Any:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return ",".join(map(str, default)) if isinstance(default, (list, tuple)) else default
