"""Writes ``plugins.cfg.example`` from what core and plugins declare: ``make docs``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from backy2_core.api import Setting
from backy2_core.config.core import CORE_SETTINGS
from backy2_core.config.keys import KEY_SETTINGS
from backy2_core.config.load import SCHEDULE_SETTINGS
from backy2_core.config.values import render_value
from backy2_core.plugins.discovery import (
    DATA_BACKENDS,
    FORMATTERS,
    LISTENERS,
    META_BACKENDS,
    OWN_DISTRIBUTION,
    SOURCES,
    TRANSFORMS,
)
from backy2_core.plugins.registry import PluginRegistry

INTRODUCTION = """\
# The configuration of backy2. A line with "#" and a space explains, a line with "#" and no space is a setting with its
# default: take the "#" away (from the section's line, too) and change the value.
#
# Only the first of these files is read: the one named with --config, the one named by $BACKY2_CONFIG,
# ~/.config/backy2/plugins.cfg, /etc/backy2/plugins.cfg, /etc/backy.cfg. The last one is the file of backy2 2.x, which is
# understood as it stands. Without any file, blobs and an SQLite database are kept in ~/.local/share/backy2.
#
# Sizes may have k, M, G or T behind them (powers of 1024), times s, m, h or d. A list has commas or white space between
# its items. A percent sign is written %%. These are replaced when the value is used:
#   %(key)s             the value of that key, of this section or of [DEFAULT]
#   %(env:NAME)s        an environment variable
#   %(file:/path)s      the text of a file
#   %(command:words)s   what a shell command prints
"""
SAMPLES = {
    (DATA_BACKENDS, "file", "path"): "/var/lib/backy2/data",
    (META_BACKENDS, "sql", "engine"): "sqlite:////var/lib/backy2/backy2.sqlite",
}
"""For required settings, which have no default."""
KEY_SAMPLE = "%(file:/etc/backy2/main.key)s"
SCHEDULE_SAMPLE = {"interval": "1d", "keep": "14", "sla": "6h"}
NAMED = {SOURCES: "source", TRANSFORMS: "transform", LISTENERS: "listener", FORMATTERS: "formatter"}
WIDTH = 118


def render() -> str:
    """The whole file."""
    return f"{INTRODUCTION}\n" + "\n\n".join(_paragraphs()) + "\n"


def own_plugins(registry: PluginRegistry, group: str) -> list[tuple[str, Sequence[Setting]]]:
    """Name and settings of our own plugins of one group, whatever else is installed."""
    names = [e.name for e in registry.entries if e.group == group and e.distribution == OWN_DISTRIBUTION]
    return [(name, registry.settings(registry.load(group, name))) for name in names]


def _paragraphs() -> Iterator[str]:
    registry = PluginRegistry()
    yield "[backy2]\n" + "\n".join(_setting(setting, "") for setting in CORE_SETTINGS)
    for group, section, title in (
        (DATA_BACKENDS, "data_backend", "Where blobs are."),
        (META_BACKENDS, "meta_backend", "Where versions, block maps and blob records are."),
    ):
        for name, settings in own_plugins(registry, group):
            lines = [_setting(setting, SAMPLES.get((group, name, setting.name), "")) for setting in settings]
            yield "\n".join([f"# {title}", f"#[{section}]", f"#type = {name}", *lines])
    for group, kind in NAMED.items():
        for name, settings in own_plugins(registry, group):
            if settings:
                yield "\n".join([f"#[{kind}:{name}]", *(_setting(setting, "") for setting in settings)])
    yield "\n".join(
        [
            "# A master key: one of them opens the store. Any number of them. Once there is one, the store has a key.",
            "#[key:main]",
            _setting(KEY_SETTINGS[0], KEY_SAMPLE, raw=True),
        ]
    )
    schedule = [_setting(setting, SCHEDULE_SAMPLE[setting.name]) for setting in SCHEDULE_SETTINGS]
    yield "\n".join(
        ["# How often versions with the tag of this name are made. Any number of them.", "#[schedule:daily]", *schedule]
    )


def _setting(setting: Setting, sample: str, *, raw: bool = False) -> str:
    text = " ".join(setting.help.split()).rstrip(".") + "."
    if setting.choices:
        text += f" One of: {', '.join(setting.choices)}."
    if setting.required:
        text += " Required."
    value = sample or render_value(setting.type, setting.default)
    lines = textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
    value = value if raw else value.replace("%", "%%")
    return "\n".join([*lines, f"#{setting.name} = {value}".rstrip()])


if __name__ == "__main__":
    print(render(), end="")
