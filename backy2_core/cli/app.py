"""The application: cliff's, with our global options, our verbs and our way to end."""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import os
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from cliff.app import App

from backy2_core import __version__
from backy2_core.cli.catalogue import Catalogue
from backy2_core.cli.formats import DEFAULT_FORM
from backy2_core.cli.help import Help, write_overview
from backy2_core.cli.logs import Logging, command_line, journal
from backy2_core.cli.masking import mask_for, masked_words
from backy2_core.cli.options import build_parser
from backy2_core.cli.outcome import EXIT_USAGE, Outcome, OutputClosed, outcome_of
from backy2_core.errors import ConfigError, DamageError, KeyringError, NotFoundError, RefusedError, UsageError
from backy2_core.plugins.discovery import installed_entries

if TYPE_CHECKING:
    from backy2_core.cli.progress import Bar, ProgressBoard
    from backy2_core.config.load import Config
    from backy2_core.plugins.registry import PluginRegistry

log = logging.getLogger(__name__)

_PLAIN_ENDS = (DamageError, KeyringError, NotFoundError, OutputClosed, RefusedError, UsageError)
"""Errors whose message says all: their traceback would only hide the rest of the log file."""

DESCRIPTION = "Backs up block devices in deduplicated blocks, and restores them."


class BackyApp(App):
    """One run of ``backy2``; serves for one call of :meth:`run`.

    Differs from cliff's application: global options only before the verb, no interactive mode, every exception
    becomes its exit code, and the log file is told of the run.
    """

    NAME = "backy2"

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        self.entries = installed_entries()
        self.catalogue = Catalogue(self.entries)
        super().__init__(DESCRIPTION, __version__, self.catalogue, stdout=stdout, stderr=stderr)
        self.catalogue.add_command("help", Help)
        # cliff's completion knows nothing of the options before the verb, and completes with verbs behind every word.
        del self.catalogue.commands["complete"]
        self.words: list[str] = []
        """The arguments behind the verb."""
        self.options = argparse.Namespace(
            config=None,
            machine_output=False,
            skip_header=False,
            human_readable=False,
            verbose=False,
            quiet=False,
            debug=False,
        )
        self._process_name = self.NAME
        self._bar: Bar | None = None
        self._recorded = False
        self._argv: list[str] = []

    @functools.cached_property
    def registry(self) -> PluginRegistry:
        """The plugins of this run, without those that the configuration switches off."""
        # Imported here: it brings every contract with it, and the list of verbs needs none.
        from backy2_core.plugins.switches import configured_registry

        try:
            return configured_registry(self.config, self.entries)
        except ConfigError:
            # Whoever needs the configuration fails with this very error; listing the plugins does not need it.
            return configured_registry(None, self.entries)

    @functools.cached_property
    def config(self) -> Config:
        """The configuration of this run. Raises :class:`ConfigError`, each time anew."""
        # Imported here: `--help` and a mistyped verb need no configuration.
        from backy2_core.config.load import load_config

        return load_config(self.options.config)

    @property
    def machine_form(self) -> str:
        """The form of the machine format: the release of the original that it is like."""
        try:
            return self.config.core.machine_output
        except ConfigError:
            # Whoever needs the configuration fails with this very error; listing the plugins does not need it.
            return DEFAULT_FORM

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """Ours in place of cliff's."""
        return build_parser(self.NAME, description, lambda: self.show_overview(self.stdout))

    def show_overview(self, out: TextIO) -> None:
        """Write the help of the whole program."""
        try:
            write_overview(self.parser, self.catalogue, out)
            out.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error

    def make_progress(self) -> ProgressBoard:
        """What shows how far a job is: a bar on a terminal or lines in the log, and the process title."""
        # Imported here: a list shows no progress.
        from backy2_core.cli.progress import Bar, LogLines, ProgressBoard, Title

        silent = self.options.machine_output or self.options.quiet or os.environ.get("TERM") == "dumb"
        if self.stderr.isatty() and not silent:
            self._bar = Bar(self.stderr)
        return ProgressBoard([Title(self._process_name), self._bar or LogLines()])

    def run(self, argv: list[str]) -> int:
        """Run one command line and return its exit code; raises nothing."""
        self._argv = argv
        _hide_secrets(argv)
        try:
            self.options = self.parser.parse_args(argv)
            if not self.options.words:
                self.show_overview(self.stderr)
                return EXIT_USAGE
        except (SystemExit, OutputClosed) as end:
            return outcome_of(end).exit_code
        except OSError as error:  # the help, on a full disk
            self.stderr.write(f"ERROR: {error.strerror}\n")
            return outcome_of(error).exit_code
        self._logging = Logging(self.stderr, self._console_level(), self._make_room, mask_for(argv))
        try:
            return self._run_to_outcome()
        finally:
            self._logging.close()

    def run_subcommand(self, argv: list[str]) -> int:
        """Find the verb, parse its arguments, run it. Errors pass through."""
        _check_text(argv)
        factory, name, self.words = self.catalogue.find_command(argv)
        command = factory(self, self.options, cmd_name=name)
        parsed = command.get_parser(f"{self.NAME} {name}").parse_args(self.words)
        self._record_start()
        return command.run(parsed)

    def _make_room(self) -> None:
        if self._bar is not None:
            self._bar.clear()

    def _console_level(self) -> int:
        if self.options.machine_output or self.options.quiet:
            return logging.WARNING
        return logging.DEBUG if self.options.verbose else logging.INFO

    def _run_to_outcome(self) -> int:
        failure: BaseException | None = None
        try:
            outcome = Outcome(self.run_subcommand(self.options.words))
            self._flush_output()
        except BaseException as error:  # the end of the line: whatever it is becomes an exit code here
            outcome, failure = outcome_of(error), error
        self._report(outcome, failure)
        return outcome.exit_code

    def _flush_output(self) -> None:
        try:
            self.stdout.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error

    def _record_start(self) -> None:
        """Open the log file and write the command line to it."""
        if self._recorded:
            return
        self._recorded = True
        try:
            config = self.config
        except ConfigError:
            # Whoever needs the configuration fails with this very error; listing the plugins does not need it.
            return
        self._process_name = config.core.process_name
        self._logging.open_file(config.core.logfile)
        journal.info("$ %s", command_line(self._argv))
        for notice in config.notices:
            log.warning("%s", notice)

    def _report(self, outcome: Outcome, failure: BaseException | None) -> None:
        """Tell the console and the log file how it ended."""
        if isinstance(failure, SystemExit) and outcome.exit_code == 0:
            return
        self._record_start()
        if failure is None:
            (journal.info if outcome.exit_code == 0 else journal.error)(outcome.log_line)
            return
        plain = isinstance(failure, _PLAIN_ENDS) or not isinstance(failure, Exception)
        journal.error(outcome.log_line, exc_info=None if plain else failure)
        argparse_told = type(failure) is SystemExit
        if outcome.message and not argparse_told:
            self._complain(outcome, failure)

    def _complain(self, outcome: Outcome, failure: BaseException) -> None:
        self._make_room()
        text = outcome.message or ""
        if outcome.unexpected:
            details = f"details are in the log file {self._logging.path}; " if self._logging.path else ""
            text = f"{text}; {details}run with --debug for the traceback"
        text = mask_for(self._argv)(text)
        # Where nobody reads standard error any more, there is nobody to tell.
        with contextlib.suppress(OSError):
            if self.options.debug:
                traceback.print_exception(failure, file=self.stderr)
            self.stderr.write(f"ERROR: {text}\n")
            self.stderr.flush()


def _check_text(words: Sequence[str]) -> None:
    """Refuse bytes that are no text: no database takes them, and what was done until it refuses would be half done."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"The argument {os.fsencode(word)!r} is not text in UTF-8; names and paths must be."
                " Nothing was done; where a file is meant, give it another name."
            ) from error


def _hide_secrets(argv: Sequence[str]) -> None:
    """Take secrets that were given as arguments out of the list of processes, which is open to every user."""
    if masked_words(argv) != list(argv):
        # Imported here: hardly any command needs it.
        import setproctitle

        setproctitle.setproctitle(command_line(argv))
