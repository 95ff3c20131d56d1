"""Which verbs there are: found by entry point, each imported only when it is run or listed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cliff.command import Command
from cliff.commandmanager import CommandManager

from backy2_core.errors import PluginError, UsageError
from backy2_core.plugins.discovery import COMMANDS, OWN_DISTRIBUTION, PluginEntry, seen_entries
from backy2_core.plugins.guard import Unusable, import_with_care


@dataclass(frozen=True, slots=True)
class VerbSummary:
    """One line of the list of verbs. ``distribution`` is empty for our own, ``broken`` for one that can be used."""

    name: str
    summary: str
    distribution: str
    broken: str


class Catalogue(CommandManager):
    """The installed verbs by name; a name of several words is an entry point with ``_`` between them.

    Differs from cliff's own in three ways: it imports no verb before it is asked for, it takes whole names only (so that
    a plugin installed later cannot change what a shortened name in a script means), and two distributions that claim one
    verb are an error that names both.
    """

    def __init__(self, entries: Sequence[PluginEntry]) -> None:
        self._entries = entries
        self._claims: dict[str, list[PluginEntry]] = {}
        super().__init__()
        # Where cliff looks for hooks of a verb. Given to its constructor, some releases warn that this will go.
        self.namespace = COMMANDS
        self.load_commands(COMMANDS)

    def load_commands(self, namespace: str) -> None:
        """Take note of the verbs of one entry-point group; imports nothing."""
        self.group_list.append(namespace)
        for entry in seen_entries(self._entries, namespace):
            name = entry.name.replace("_", " ")
            self._claims.setdefault(name, []).append(entry)
            self.commands[name] = entry.entry_point

    def find_command(self, argv: list[str]) -> tuple[type[Command], str, list[str]]:
        """The class of the verb that ``argv`` begins with, its name, and the arguments behind it.

        Raises :class:`UsageError` with near matches if there is none, :class:`PluginError` if it cannot be used.
        """
        words = list(itertools.takewhile(lambda word: not word.startswith("-"), argv))
        for count in range(len(words), 0, -1):
            name = " ".join(words[:count])
            if name in self.commands:
                return self.load_verb(name), name, argv[count:]
        raise UsageError(self._unknown(words or argv))

    def load_verb(self, name: str) -> type[Command]:
        """Import the verb of exactly this name."""
        claims = self._claims.get(name, [])
        if len(claims) > 1:
            owners = " and ".join(f"{claim.distribution} {claim.version}" for claim in claims)
            raise PluginError(f"The command {name!r} is claimed by {owners}; uninstall one of them.")
        try:
            verb = import_with_care(claims[0].value if claims else name, self.commands[name].load)
        except Unusable as error:
            raise PluginError(f"{_owner(name, claims)} cannot be used: {error}") from error
        if not (isinstance(verb, type) and issubclass(verb, Command)):
            raise PluginError(f"{_owner(name, claims)} cannot be used: it is no subclass of cliff.command.Command")
        return verb

    def summaries(self) -> Iterator[VerbSummary]:
        """Every verb by name, with the first line of its docstring; a broken one is listed, too."""
        for name in sorted(self.commands):
            claims = self._claims.get(name, [])
            owner = claims[0].distribution if claims and claims[0].distribution != OWN_DISTRIBUTION else ""
            try:
                summary = (self.load_verb(name).__doc__ or "").strip().partition("\n")[0].rstrip(".")
                yield VerbSummary(name, summary, owner, "")
            except PluginError as error:
                yield VerbSummary(name, "", owner, str(error))

    def _unknown(self, words: Sequence[str]) -> str:
        import difflib

        near = [name for name in sorted(self.commands) if name.split()[0] == words[0] or name.startswith(words[0])]
        for text in (" ".join(words[:2]), words[0]):
            near += [name for name in difflib.get_close_matches(text, sorted(self.commands)) if name not in near]
        hint = f"Did you mean: {', '.join(near)}?" if near else "`backy2 --help` lists the commands."
        return f"There is no command {words[0]!r}. {hint}"


def _owner(name: str, claims: Sequence[PluginEntry]) -> str:
    whose = f" of distribution {claims[0].distribution} {claims[0].version}" if claims else ""
    return f"The command {name!r}{whose}"
