"""Output formatters by name: all are offered, only the chosen one is loaded."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from cliff.formatters.base import Formatter
from stevedore.extension import Extension

from backy2_core.plugins.discovery import FORMATTERS

if TYPE_CHECKING:
    from backy2_core.plugins.registry import PluginRegistry

DEFAULT = "table"
MACHINE = "machine"


class FormatterShelf:
    """The formatters of our own group, in the shape in which cliff looks at its plugins.

    cliff would load and make every formatter to fill its help. Here iterating yields only the one that the command line
    asks for, so that its options join the parser; :meth:`names` still offers all.
    """

    def __init__(self, registry: PluginRegistry, wanted: str) -> None:
        self._registry = registry
        self._wanted = wanted
        self._made: dict[str, Extension[Formatter]] = {}

    def names(self) -> list[str]:
        """The names of all installed formatters; none is imported for it."""
        return self._registry.names(FORMATTERS)

    def __iter__(self) -> Iterator[Extension[Formatter]]:
        if self._wanted in self.names():
            yield self[self._wanted]

    def __getitem__(self, name: str) -> Extension[Formatter]:
        if name not in self._made:
            plugin = self._registry.load(FORMATTERS, name)
            formatter = self._registry.call(plugin, "backy2_make_formatter")
            self._made[name] = Extension(name, plugin.entry.entry_point, type(formatter), formatter)
        return self._made[name]


def wanted_format(words: Sequence[str], default: str, add_arguments: Callable[[argparse.ArgumentParser], None]) -> str:
    """The format that the arguments of a verb ask for, told before its parser can be complete.

    ``add_arguments`` adds the verb's own arguments; where ``-f`` is among them, it is not the formatter's.
    """
    probe = _Probe(add_help=False)
    add_arguments(probe)
    try:
        probe.add_argument("-f", "--format", dest="formatter")
    except argparse.ArgumentError:
        probe.add_argument("--format", dest="formatter")
    found = argparse.Namespace(formatter=default)
    # The parser proper will say what is wrong; what was found up to there is good enough.
    with contextlib.suppress(_Incomplete):
        probe.parse_known_args(words, found)
    return str(found.formatter or default)


class _Incomplete(Exception):
    """The arguments cannot be parsed."""


class _Probe(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Incomplete(message)
