"""The options that stand before the verb."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from backy2_core import __version__


class _Overview(argparse.Action):
    """``--help`` before the verb: the options and every verb in a line."""

    def __init__(self, option_strings: Sequence[str], dest: str, const: Callable[[], None], **kwargs: Any) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, **kwargs)
        self._show = const

    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        self._show()
        parser.exit()


def build_parser(program: str, description: str | None, show_overview: Callable[[], None]) -> argparse.ArgumentParser:
    """The parser of the global options; all from the verb on is left in ``words``, options included."""
    parser = argparse.ArgumentParser(
        prog=program, description=description, add_help=False, usage=f"{program} [OPTION...] COMMAND [ARGUMENT...]"
    )
    add = parser.add_argument
    add("-h", "--help", action=_Overview, const=show_overview, help="show this help and exit")
    add("-V", "--version", action="version", version=__version__, help="show the version number and exit")
    add(
        "-c",
        "--config",
        "--configfile",
        metavar="FILE",
        help="the configuration to use, instead of $BACKY2_CONFIG or the first of the usual places",
    )
    add(
        "-m",
        "--machine-output",
        action="store_true",
        help="output for programs; only warnings and errors on the console",
    )
    add("-s", "--skip-header", action="store_true", help="leave out the names of the columns (not in json and yaml)")
    add("-r", "--human-readable", action="store_true", help="show sizes as 125 KiB or 1 MiB, not in bytes")
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-v", "--verbose", action="store_true", help="show all log records (level DEBUG)")
    loudness.add_argument("-q", "--quiet", action="store_true", help="show warnings and errors only, no progress")
    add("-d", "--debug", action="store_true", help="show the traceback of an error")
    add("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
