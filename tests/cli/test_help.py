"""The help of the verbs, and the pages made from it."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from backy2_core import errors
from backy2_core.cli.app import BackyApp
from backy2_core.cli.reference import pages
from backy2_core.cli.verbs import Verb
from tests.cli.conftest import Backy
from tests.cli.test_global_options import VERBS

DOCS = Path(__file__).parents[2] / "docs"
OWN = [verb for verb in VERBS if verb != "help"]


def make_verb(name: str) -> Verb:
    app = BackyApp(io.StringIO(), io.StringIO())
    made = app.catalogue.load_verb(name)(app, app.options, cmd_name=name)
    assert isinstance(made, Verb)
    return made


@pytest.mark.parametrize("verb", OWN)
def test_the_help_has_a_summary_an_example_and_exit_codes(backy: Backy, verb: str) -> None:
    text = backy.ok(*verb.split(), "--help")
    assert text.startswith(f"usage: backy2 {verb} ")
    assert f"\nexample:\n  backy2 {verb}" in text.replace(" --help", "")
    codes = re.findall(r"^  (\d+) +\S", text.partition("exit codes:")[2], re.MULTILINE)
    assert {"0", "2", "11", "100"} <= set(codes)
    assert codes == sorted(codes, key=int)


@pytest.mark.parametrize("verb", OWN)
def test_the_examples_are_understood(verb: str) -> None:
    made = make_verb(verb)
    joined = made.example.replace("\\\n", " ")
    commands = [part for line in joined.splitlines() for part in line.split("|") if part.strip().startswith("backy2 ")]
    assert commands
    for command in commands:
        words = shlex.split(command)[1:]
        words = words[words.index(verb.split()[0]) + len(verb.split()) :]
        made.app.words = words
        made.get_parser(f"backy2 {verb}").parse_args(words)


@pytest.mark.parametrize("verb", OWN)
def test_every_option_says_what_it_does(verb: str) -> None:
    page = pages()[f"commands/{verb.replace(' ', '-')}.md"]
    for line in page.splitlines():
        if line.startswith("- `"):
            assert len(line.partition("`: ")[2]) > 10, line


def test_the_pages_are_those_that_the_code_makes() -> None:
    made = pages()
    assert {name: (DOCS / name).read_text(encoding="utf-8") for name in made} == made, "run `make docs`"


def test_there_is_no_page_of_a_verb_that_is_no_more() -> None:
    assert {f"commands/{path.name}" for path in (DOCS / "commands").glob("*.md")} == {
        name for name in pages() if name.startswith("commands/")
    }


def test_the_page_of_exit_codes_has_every_code_of_the_error_tree() -> None:
    page = pages()["exit-codes.md"]
    codes = {
        thing.exit_code
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, errors.BackyError)
    }
    assert len(codes) > 10
    for code in codes:
        assert f"\n| {code} |" in page
