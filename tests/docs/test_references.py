"""Links, paths, commands and settings in the pages are those that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backy2_core.errors import UsageError
from tests.docs import commands, pages

PAGES = [str(page) for page in pages.pages()]
OURS = r"(?:backy2_core|backy2_plugins|tests|docs|demo|benchmarks|\.ci)/[\w./*-]*"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in pages.links(page):
        target, _, anchor = link.partition("#")
        path = (Path(page).parent / target) if target else Path(page)
        assert (pages.ROOT / path).exists(), link
        if anchor:
            assert anchor in pages.anchors(path), link


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    for name in re.findall(rf"`({OURS})`", pages.prose(page)):
        assert list(pages.ROOT.glob(name.rstrip("/"))), name


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_shown_is_understood(page: str) -> None:
    for block in pages.blocks(page):
        for words in commands.shown_commands(block):
            commands.understand(words)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_mentioned_is_there(page: str) -> None:
    for words in commands.inline_commands(page):
        assert commands.unknown_words(words) == [], words


def test_every_page_below_docs_is_in_an_index() -> None:
    reached, waiting = set(), [Path("README.md")]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = [link.partition("#")[0] for link in pages.links(page)]
        waiting += [
            (pages.ROOT / page.parent / target).resolve().relative_to(pages.ROOT) for target in targets if target
        ]
    assert set(pages.pages()) <= reached


def test_commands_are_found_wherever_they_stand() -> None:
    text = (
        "x=$(backy2 ls vm1 -f value | awk '{ print $1 }') # backy2 no\n"
        "timeout 5 /usr/bin/backy2 -q \\\n    scrub a && backy2 jobs > file\n"
        'for u in "$(backy2 ls)"; do backy2 rm "$u"; done\n'
    )
    found = list(commands.shown_commands(pages.Block(Path("x"), "sh run", text)))
    assert found == [["ls", "vm1", "-f", "value"], ["-q", "scrub", "a"], ["jobs"], ["ls"], ["rm", "$u"]]
    unit = pages.Block(Path("x"), "ini", "Description=backy2 nothing\nExecStart=/usr/bin/backy2 cleanup\n")
    assert list(commands.shown_commands(unit)) == [["cleanup"]]


@pytest.mark.parametrize("words", [["lss"], ["ls", "--nothing"], ["backup"], ["--nothing", "ls"]])
def test_commands_that_are_not_understood_are_found(words: list[str]) -> None:
    with pytest.raises((ValueError, UsageError)):
        commands.understand(words)


def test_options_that_are_not_there_are_found() -> None:
    assert commands.unknown_words(["ls", "--nothing", "-t", "tag"]) == ["--nothing"]
    assert commands.unknown_words(["backup", "-c", "UID"]) == []
