"""Verb ``plugins show``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.plugin_choice import add_choice, chosen_groups
from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, NotFoundError, PluginError
from backy2_core.plugins.discovery import DATA_BACKENDS, META_BACKENDS
from backy2_core.plugins.groups import short

if TYPE_CHECKING:
    from backy2_core.contracts.settings import Setting

_HIDDEN = "(not shown)"


class PluginsShow(ListVerb):
    """Show the settings that a plugin takes, and their values.

    A row for each key that the plugin's section of the configuration may hold: its type, its
    default, what it may be, other names of the key, and the value in force with the place that it
    comes from: "default", or file, section and key. The text of a secret is never shown. Where
    plugins of several groups have the name, all are shown; GROUP (data_backends, sources, ...)
    narrows it.
    """

    example = """
    backy2 plugins show data_backends file
    backy2 plugins show meta_backends:sql -f yaml
    """
    exits = (PluginError, NotFoundError)
    columns = (
        "group",
        "plugin",
        "key",
        "type",
        "default",
        "required",
        "choices",
        "help",
        "aliases",
        "value",
        "from",
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """One word or two."""
        add_choice(parser)

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a setting."""
        from backy2_core.plugins.switches import configured_registry

        # One that is switched off is shown, too.
        registry = configured_registry(None, self.app.entries)
        groups, name = chosen_groups(self.app.entries, parsed_args)
        for group in groups:
            declared = registry.settings(registry.load(group, name))
            for setting, cells in zip(declared, self._in_force(group, name, declared), strict=True):
                yield group, name, *_cells(setting), *cells

    def _in_force(self, group: str, name: str, declared: Sequence[Setting]) -> Iterator[tuple[str, str]]:
        """For each setting its value, and where it comes from."""
        try:
            config = self.app.config
            if group in (DATA_BACKENDS, META_BACKENDS):
                section = short(group).removesuffix("s")
                selected = config.type_of(section) == name
            else:
                section, selected = f"{short(group).removesuffix('s')}:{name}", True
        except ConfigError:
            # The settings can be looked up while the configuration is being mended.
            yield from (("", "the configuration cannot be read") for _ in declared)
            return
        for setting in declared:
            if not selected:
                yield "", f"not selected: [{section}] has another type"
                continue
            value, place = config.in_force(section, setting)
            yield _text(setting, value), place


def _cells(setting: Setting) -> Sequence[Any]:
    choices, aliases = ",".join(setting.choices), ",".join(setting.aliases)
    default = _text(setting, setting.default)
    return setting.name, setting.type.value, default, setting.required, choices, setting.help, aliases


def _text(setting: Setting, value: Any) -> Any:
    from backy2_core.contracts.settings import SettingType

    if value is None:
        return ""
    if setting.type is SettingType.SECRET:
        return _HIDDEN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
