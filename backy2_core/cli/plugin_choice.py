"""Which plugin the arguments of ``plugins show``, ``check``, ``disable`` and ``enable`` mean."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Collection, Sequence

from backy2_core.errors import NotFoundError, UsageError
from backy2_core.plugins.discovery import PluginEntry
from backy2_core.plugins.groups import SWITCHABLE, group_of, no_group, short


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add GROUP and NAME; GROUP:NAME is one word."""
    parser.add_argument("group", nargs="?", metavar="GROUP", help="the group, such as data_backends or sources")
    parser.add_argument("name", metavar="NAME", help="the plugin's name, or GROUP:NAME")


def chosen_groups(
    entries: Sequence[PluginEntry], parsed_args: argparse.Namespace, groups: Collection[str] = SWITCHABLE
) -> tuple[list[str], str]:
    """The groups in which the name is installed, at least one, and the name.

    Raises :class:`UsageError` for a group that there is not, :class:`NotFoundError` for a name.
    """
    word, name = parsed_args.group, parsed_args.name
    if word is None and ":" in name:
        word, _, name = name.rpartition(":")
    if word is not None and group_of(word) not in groups:
        raise UsageError(f"{word}:{name}: {no_group(word)}")
    looked_at = groups if word is None else [group_of(word)]
    found = sorted({entry.group for entry in entries if entry.name == name and entry.group in looked_at})
    if not found:
        where = f" in group {short(str(group_of(word)))}" if word else ""
        known = {entry.name for entry in entries if entry.group in looked_at}
        close = difflib.get_close_matches(name, sorted(known), n=2)
        hint = f"Did you mean {' or '.join(close)}? " if close else ""
        raise NotFoundError(f"There is no plugin {name!r}{where}. {hint}`backy2 plugins list` lists those there are.")
    return found, name


def chosen_one(
    entries: Sequence[PluginEntry], parsed_args: argparse.Namespace, groups: Collection[str] = SWITCHABLE
) -> tuple[str, str]:
    """Group and name of the one plugin that is meant. Raises :class:`UsageError` where several groups have the name, too."""
    found, name = chosen_groups(entries, parsed_args, groups)
    if len(found) > 1:
        choices = " or ".join(f"{short(group)}:{name}" for group in found)
        raise UsageError(f"Plugins of several groups are called {name!r}; say which: {choices}.")
    return found[0], name
