"""The commands that the pages show, taken apart by the parsers of the program itself."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise

from backy2_core.cli.app import BackyApp
from backy2_core.cli.options import build_parser
from tests.docs import pages

SHELL = ("sh", "ini", "cron")
_PUNCTUATION = "|&;()<>"
_TAKES_NAMES = ("ceph", "grep", "ln", "pgrep", "pip")
"""Commands of which the word ``backy2`` is an argument, and no command."""
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")


def shown_commands(block: pages.Block) -> Iterator[list[str]]:
    """The arguments of each ``backy2`` in a block of shell, of a systemd unit, or of a crontab."""
    if block.info.split()[:1] not in [[info] for info in SHELL]:
        return
    text = re.sub(r"\\\n\s*", " ", block.text)
    for line in text.splitlines():
        if block.info != "ini" or line.startswith("Exec"):
            yield from _in_line(line)


def inline_commands(page: str) -> Iterator[list[str]]:
    """The words behind ``backy2`` of each such text in backticks; they may be less than a whole command."""
    for text in re.findall(r"`backy2 ([^`]+)`", pages.prose(page)):
        yield shlex.split(text)


def understand(words: Sequence[str]) -> None:
    """Let the program's parsers read the arguments; ValueError if they cannot. A variable may stand for a date."""
    words = ["2031-12-31" if option == "-e" and word[0] == "$" else word for option, word in pairwise(["", *words])]
    app = BackyApp(io.StringIO(), io.StringIO())
    try:
        options = build_parser("backy2", "", lambda: None).parse_args(list(words))
        _, name, app.words = app.catalogue.find_command(options.words)
        verb = app.catalogue.load_verb(name)(app, options, cmd_name=name)
        verb.get_parser(f"backy2 {name}").parse_args(app.words)
    except SystemExit as error:
        if error.code:
            raise ValueError(f"backy2 {shlex.join(words)} is not understood") from error


def unknown_words(words: Sequence[str]) -> list[str]:
    """What is neither a verb nor an option of it; values are let pass."""
    app = BackyApp(io.StringIO(), io.StringIO())
    known = _options(build_parser("backy2", "", lambda: None))
    rest = list(words)
    while rest and rest[0].startswith("-"):
        if rest.pop(0) not in known:
            return [words[0]]
    if not rest:
        return []
    _, name, app.words = app.catalogue.find_command(rest)
    verb = app.catalogue.load_verb(name)(app, app.options, cmd_name=name)
    known = _options(verb.get_parser(f"backy2 {name}"))
    return [word for word in app.words if word.startswith("-") and word != "-" and word not in known]


def _options(parser: argparse.ArgumentParser) -> set[str]:
    # The help lists every option there is; argparse has no public way to ask.
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", parser.format_help()))


def _in_line(line: str) -> Iterator[list[str]]:
    for inner in _SUBSTITUTION.findall(line):
        yield from _in_line(inner)
    lexer = shlex.shlex(_SUBSTITUTION.sub("SUBSTITUTED", line), posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace_split = True
    words: list[str] | None = None
    first = ""
    for token in lexer:
        first = "" if set(token) <= set(_PUNCTUATION) else first or token
        if first in _TAKES_NAMES:
            continue
        if words is None:
            words = [] if re.fullmatch(r"(.*=)?(.*/bin/)?backy2", token) else None
        elif set(token) <= set(_PUNCTUATION):
            yield words
            words = None
        else:
            words.append(token)
    if words is not None:
        yield words
