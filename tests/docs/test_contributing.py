"""CONTRIBUTING.md names every make target and every folder of tests; README says what is not there, and it is not."""

from __future__ import annotations

import re

from backy2_core.plugins.discovery import GROUPS, OWN_DISTRIBUTION, TRANSFORMS, installed_entries
from tests.docs import pages
from tests.house.tree import ROOT

PAGE = "CONTRIBUTING.md"


def test_every_make_target_is_named_and_no_other() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [phony] = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    rows = next(pages.tables(pages.sections(PAGE, 2)["Make targets"]))[1:]
    named = {name for row in rows for name in pages.named(row[0])}
    assert named == {f"make {target}" for target in phony.split() if target != "help"}


def test_every_folder_of_tests_is_named() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Which tests prove what"]))[1:]
    named = [name for row in rows for name in pages.named(row[0])]
    folders = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert set(named) == folders
    assert len(named) == len(set(named))


def test_the_readme_names_what_there_is_and_not_what_there_is_not() -> None:
    text = pages.sections("README.md", 2)["What is not there yet"]
    there, _, missing = text.partition("It does not have:")
    ours = [entry for entry in installed_entries({}) if entry.distribution == OWN_DISTRIBUTION]
    for entry in ours:
        if entry.group in GROUPS[:3]:
            assert entry.name in pages.named(there), entry
    verbs = {entry.name.replace("_", " ") for entry in ours if entry.group == "backy2.commands"}
    [line] = [part for part in missing.split("- ") if part.startswith("the verbs")]
    assert set(pages.named(line)).isdisjoint(verbs)
    assert {"aes_gcm", "zstd"} <= {entry.name for entry in ours if entry.group == TRANSFORMS}


def test_the_readme_begins_with_the_two_commands_and_what_they_print() -> None:
    first, second = pages.blocks("README.md")[:2]
    assert pages.text_of("README.md").startswith("# backy2\n\n```sh\n")
    assert first.text == "make demo\nmake test\n"
    demo = (ROOT / "demo/demo.py").read_text(encoding="utf-8")
    headlines = [line.removeprefix("== ") for line in second.text.splitlines() if line.startswith("== ")]
    assert headlines
    for headline in headlines:
        assert f'tell("{headline}")' in demo
    assert second.text.endswith("\nidentical\n")
