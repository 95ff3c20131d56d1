"""Help: the overview of all verbs, and the verb ``help``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TextIO

from cliff.command import Command

from backy2_core.cli.catalogue import Catalogue, VerbSummary

if TYPE_CHECKING:
    from backy2_core.cli.app import BackyApp

_FOOTER = "`backy2 COMMAND --help` shows the options, an example and the exit codes of a command."


def write_overview(parser: argparse.ArgumentParser, catalogue: Catalogue, out: TextIO) -> None:
    """The global options, then every verb with its summary; a broken one says why it is."""
    parser.print_help(out)
    summaries = list(catalogue.summaries())
    width = max(len(each.name) for each in summaries)
    out.write("\ncommands:\n")
    for each in summaries:
        out.write(f"  {each.name:<{width}}  {_describe(each)}\n")
    out.write(f"\n{_FOOTER}\n")


def _describe(summary: VerbSummary) -> str:
    text = f"(broken) {summary.broken}" if summary.broken else summary.summary
    return f"{text} [{summary.distribution}]" if summary.distribution and not summary.broken else text


class Help(Command):
    """Show the help of a command."""

    app: BackyApp

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The words of a verb's name."""
        parser = super().get_parser(prog_name)
        parser.add_argument("verb", nargs="*", metavar="COMMAND", help="the command; without it all are listed")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Show the overview, or what ``COMMAND --help`` shows."""
        if parsed_args.verb:
            return self.app.run_subcommand([*parsed_args.verb, "--help"])
        self.app.show_overview(self.app.stdout)
        return 0
