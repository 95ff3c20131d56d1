"""What verbs are made of: a plain one, one that prints a list, and one that prints a record."""

from __future__ import annotations

import argparse
import inspect
import textwrap
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from autopage.argparse import RawDescriptionHelpFormatter
from cliff.command import Command
from cliff.display import DisplayCommandBase
from cliff.formatters.base import Formatter, ListFormatter, SingleFormatter
from cliff.lister import Lister
from cliff.show import ShowOne

from backy2_core.cli.arrangement import Arrangement
from backy2_core.cli.formats import (
    DEFAULT,
    LATER_FORM,
    MACHINE,
    FormatOption,
    FormatterShelf,
    normalised,
    wanted_format,
)
from backy2_core.cli.outcome import OutputClosed
from backy2_core.errors import BackyError, UsageError
from backy2_core.plugins.discovery import FORMATTERS

if TYPE_CHECKING:
    from stevedore.extension import ExtensionManager

    from backy2_core.assembly import Installation
    from backy2_core.cli.app import BackyApp


class Verb(Command):
    """A verb whose docstring is its help: a line, then a paragraph.

    ``example`` are commands for the help, ``exits`` the errors that its exit codes come from. ``is_job`` is True for a verb
    that may run long, and so shows its progress.
    """

    app: BackyApp
    example: ClassVar[str] = ""
    exits: ClassVar[Sequence[type[BackyError]]] = ()
    is_job: ClassVar[bool] = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own arguments. Called more than once, each time for a parser of its own."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """cliff's parser with the verb's own arguments, before any that cliff's subclasses add."""
        parser = super().get_parser(prog_name)
        parser.formatter_class = RawDescriptionHelpFormatter
        self.add_arguments(parser)
        return parser

    def get_epilog(self) -> str:
        """The example and the exit codes.

        cliff's own epilog is left out: to learn whether a verb comes from a plugin it reads the file lists of all installed
        distributions, at every call. ``backy2 --help`` says it.
        """
        example = textwrap.indent(inspect.cleandoc(self.example), "  ")
        codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in self.exit_codes().items())
        own = f"example:\n{example}\n\nexit codes:\n{codes}"
        hooks = [text for hook in self._hooks if hook.obj is not None and (text := hook.obj.get_epilog())]
        return "\n\n".join([own, *hooks])

    @classmethod
    def exit_codes(cls) -> dict[int, str]:
        """The exit codes that this verb may end with, and what each means."""
        errors: list[type[BackyError]] = [UsageError, *cls.exits]
        meanings = {error.exit_code: first_line(error) for error in errors}
        return {0: "All is well.", **dict(sorted(meanings.items())), BackyError.exit_code: "Anything unexpected."}

    @contextmanager
    def installation(self) -> Iterator[Installation]:
        """The installation that the configuration describes, open for the time of the ``with``."""
        # Imported here: the list of all verbs must not load the assembly, nor what it loads.
        from backy2_core.assembly import open_installation

        progress = self.app.make_progress() if self.is_job else None
        with open_installation(self.app.config, self.app.registry, progress) as installation:
            yield installation


class PlainVerb(Verb):
    """A verb that prints no result."""

    @abstractmethod
    def act(self, parsed_args: argparse.Namespace) -> None:
        """Do the work."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """cliff's entry."""
        self.act(parsed_args)


class Displaying(DisplayCommandBase[Any], Verb):
    """A verb that prints its result through a formatter.

    ``columns`` are all that it has; ``default_columns`` those shown if none are asked for, where they are not all;
    ``machine_columns`` and ``later_machine_columns`` those of the machine format and of its later form, where they differ.
    ``record_type`` goes before each line of the machine format, not in its later form. ``size_columns`` hold bytes without
    saying so in their name.
    """

    columns: ClassVar[Sequence[str]]
    default_columns: ClassVar[Sequence[str]] = ()
    machine_columns: ClassVar[Sequence[str]] = ()
    later_machine_columns: ClassVar[Sequence[str]] = ()
    record_type: ClassVar[str | None] = None
    size_columns: ClassVar[Sequence[str]] = ()
    formatter_class: ClassVar[type[Formatter]]

    failure: BackyError | None = None
    """Set by a verb that has a result and failed all the same: raised once the result is printed."""
    with_fractions: bool = False
    """True while what is printed shows the fractions of seconds: the original did so in machine output, up to 2.10.1."""

    @property
    def formatter_default(self) -> str:
        """``machine`` under ``-m``, else a table."""
        return MACHINE if self.app.options.machine_output else DEFAULT

    def _load_formatter_plugins(self) -> ExtensionManager[Any]:
        """Ours, from the group ``backy2.formatters``.

        The method that cliff offers for replacing the formatters loads all that are installed; ours are found by the plugin
        registry, which says whose a broken one is, and only the chosen one is loaded. cliff uses no more of the result
        than :class:`FormatterShelf` has.
        """
        names = self.app.registry.names(FORMATTERS)
        wanted = wanted_format(self.app.words, names, self.formatter_default, self.add_arguments)
        return cast("ExtensionManager[Any]", FormatterShelf(self.app.registry, wanted))

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The verb's own arguments, then the formatter's; where both have a short option, it is the verb's."""
        with warnings.catch_warnings():
            # cliff warns of each option that gives way; here that is what is wanted.
            warnings.filterwarnings("ignore", message="Ignoring option string")
            parser = super().get_parser(prog_name)
        self._format = FormatOption(self._formatter_plugins.names(), self.columns)
        self._format.take_over(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Check what the formatter is asked for before the work is done; then work, print, and fail if need be."""
        self._check_columns(parsed_args.columns)
        formatter = self._formatter_plugins[parsed_args.formatter].obj
        if not isinstance(formatter, self.formatter_class):
            raise UsageError(f"The format {parsed_args.formatter!r} cannot show what this command prints.")
        machine = parsed_args.formatter == MACHINE
        later = machine and self.app.machine_form == LATER_FORM
        self.with_fractions = machine and not later
        parsed_args.record_type = None if later else self.record_type
        parsed_args.skip_header = self.app.options.skip_header
        self._arrangement = Arrangement(
            self.columns,
            self._format.columns,
            parsed_args.columns,
            (self.later_machine_columns if later else self.machine_columns if machine else ()) or self.default_columns,
            self.size_columns if self.app.options.human_readable else None,
        )
        parsed_args.columns = [*self._format.columns, *parsed_args.columns]
        code = super().run(parsed_args)
        if self.failure is not None:
            raise self.failure
        return code

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """Print, and notice if nobody reads it."""
        parsed_args.columns = self._arrangement.shown
        try:
            code = super().produce_output(parsed_args, column_names, data)  # type: ignore[safe-super] # Lister or ShowOne
            self.app.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error
        return code

    def _check_columns(self, wanted: Sequence[str]) -> None:
        known = {normalised(column) for column in self.columns}
        unknown = [column for column in wanted if normalised(column) not in known]
        if unknown:
            raise UsageError(f"There is no column {unknown[0]!r}; the columns are: {', '.join(self.columns)}.")


class ListVerb(Displaying, Lister):
    """A verb that prints rows."""

    formatter_class = ListFormatter

    @abstractmethod
    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """The rows, each with a value for every column."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """cliff's entry."""
        rows = [self._arrangement.row(cells) for cells in self.rows(parsed_args)]
        return self._arrangement.names, rows


class RecordVerb(Displaying, ShowOne):
    """A verb that prints one record."""

    formatter_class = SingleFormatter

    @abstractmethod
    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Do the work; a value for every column."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Sequence[Any]]:
        """cliff's entry."""
        return self._arrangement.names, self._arrangement.row(self.record(parsed_args))


def first_line(thing: type) -> str:
    """The first sentence of a class's docstring."""
    return (thing.__doc__ or "").strip().partition("\n")[0]
