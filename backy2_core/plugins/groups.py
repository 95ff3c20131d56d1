"""How people write which plugin they mean: ``data_backends:file``, ``source:rbd``, or a bare name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from backy2_core.plugins.discovery import COMMANDS, GROUPS, PREFIX, PluginEntry

SWITCHABLE = tuple(group for group in GROUPS if group != COMMANDS)
"""A command cannot be switched off: nobody runs it without typing its name."""


def group_of(word: str) -> str | None:
    """The entry-point group that people call so: ``sources``, ``source`` or ``backy2.sources``."""
    return next((group for group in GROUPS if word in (group, short(group), short(group).removesuffix("s"))), None)


def no_group(word: str) -> str:
    """What to say of a word that names no group of plugins with settings."""
    if group_of(word) == COMMANDS:
        return "a command has neither settings, promises nor a switch: nobody runs it without typing its name"
    names = [short(group) for group in SWITCHABLE]
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The groups are: {', '.join(names)}."
    return f"there is no group {word!r}. {hint}"


def short(group: str) -> str:
    """A group without the prefix that all have."""
    return group.removeprefix(PREFIX)


def notations(written: str, entries: Iterable[PluginEntry]) -> list[str]:
    """The plugins that an entry of ``disabled_plugins`` means, as GROUP:NAME: one, or all installed ones of a bare name."""
    word, colon, name = written.rpartition(":")
    if colon:
        group = group_of(word)
        return [f"{short(group)}:{name}"] if group in SWITCHABLE else []
    return sorted({entry.notation for entry in entries if entry.name == written and entry.group in SWITCHABLE})
