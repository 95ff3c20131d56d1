"""Output formatters by name: all are offered, only the chosen one is loaded."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from cliff.formatters.base import Formatter
from stevedore.extension import Extension

from backy2_core.plugins.discovery import FORMATTERS

if TYPE_CHECKING:
    from backy2_core.plugins.registry import PluginRegistry

DEFAULT = "table"
MACHINE = "machine"
DEFAULT_FORM, LATER_FORM = "2.9", "2.13"
"""The values of the setting ``machine_output``: whose form the machine format has, see :mod:`backy2_core.config.core`."""


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
        """The names of all installed formatters, those too that are switched off; none is imported for it."""
        return self._registry.known(FORMATTERS)

    def __iter__(self) -> Iterator[Extension[Formatter]]:
        if self._wanted in self._registry.names(FORMATTERS):
            yield self[self._wanted]

    def __getitem__(self, name: str) -> Extension[Formatter]:
        if name not in self._made:
            plugin = self._registry.load(FORMATTERS, name)
            formatter = self._registry.call(plugin, "backy2_make_formatter")
            self._made[name] = Extension(name, plugin.entry.entry_point, type(formatter), formatter)
        return self._made[name]


class FormatOption:
    """What the values of ``-f`` mean: a format, or else the columns to show, as in the original's later releases.

    Serves as the type of the option of one parser; :attr:`columns` are those asked for, in that order.
    """

    def __init__(self, formats: Collection[str], columns: Sequence[str]) -> None:
        self._formats = sorted(formats)
        self._columns = {normalised(column): column for column in columns}
        self._format = DEFAULT
        self.columns: list[str] = []

    def take_over(self, parser: argparse.ArgumentParser) -> None:
        """Become the type of the option that cliff added to ``parser``."""
        # argparse has no public way to find an option that somebody else has added.
        option = parser._option_string_actions["--format"]
        self._format = str(option.default)
        option.choices, option.metavar, option.type = None, "FORMAT", self
        option.help = (
            f"the output format: {', '.join(self._formats)} (default: {self._format}); or the columns to show, in that"
            " order: COLUMN,COLUMN"
        )

    def __call__(self, text: str) -> str:
        """The format that is asked for up to here. Names that mean nothing are an error that says what there is."""
        if text in self._formats:
            self._format = text
            return text
        names = [name.strip() for name in text.split(",")]
        unknown = [name for name in names if normalised(name) not in self._columns]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"{unknown[0]!r} is neither a column nor a format; the columns are: {', '.join(self._columns.values())};"
                f" the formats are: {', '.join(self._formats)}"
            )
        self.columns = list(dict.fromkeys(self._columns[normalised(name)] for name in names))
        return self._format


def normalised(column: str) -> str:
    """The name of a column as it is compared: without regard to case, ``_`` for a blank."""
    return column.lower().strip().replace(" ", "_")


def wanted_format(
    words: Sequence[str],
    formats: Collection[str],
    default: str,
    add_arguments: Callable[[argparse.ArgumentParser], None],
) -> str:
    """The format that the arguments of a verb ask for, told before its parser can be complete.

    ``add_arguments`` adds the verb's own arguments; where ``-f`` is among them, it is not the formatter's.
    """
    probe = _Probe(add_help=False)
    add_arguments(probe)
    try:
        probe.add_argument("-f", "--format", dest="formatter", action="append")
    except argparse.ArgumentError:
        probe.add_argument("--format", dest="formatter", action="append")
    found = argparse.Namespace(formatter=[])
    # The parser proper will say what is wrong; what was found up to there is good enough.
    with contextlib.suppress(_Incomplete):
        probe.parse_known_args(words, found)
    return next((text for text in reversed(found.formatter) if text in formats), default)


class _Incomplete(Exception):
    """The arguments cannot be parsed."""


class _Probe(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Incomplete(message)
