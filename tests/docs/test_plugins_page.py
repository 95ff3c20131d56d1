"""docs/plugins: the index and the page of each role say what the code says; names that they use are there."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cliff.columns
import cliff.command
import pytest

from backy2_core import api, api_commands
from backy2_core.cli.skeleton import ROLES as NEW_ROLES
from backy2_core.contracts import hookspecs
from backy2_core.model import event
from backy2_core.plugins.discovery import COMMANDS, GROUPS, RESTRICTION
from backy2_core.plugins.gate import RESULTS, ROLES
from backy2_core.plugins.registry import PluginState
from tests.docs import pages
from tests.house.tree import ROOT

FOLDER = "docs/plugins"
PAGE = f"{FOLDER}/README.md"
ROLE_PAGES = {group: f"{FOLDER}/{role.replace('_', '-')}.md" for role, group in NEW_ROLES.items()}
BY_HAND = ("README", "first-plugin", "publishing", "compatibility", "checking", "api-changes")
WRITTEN = [*(f"{FOLDER}/{name}.md" for name in BY_HAND), *ROLE_PAGES.values()]
KIT = ("source", "snapshots", "data_backend", "meta_backend", "transform", "formatter", "listener", "durability")
SUITE = re.compile(r"`(backy2_core\.testing\.\w+)\.(\w+)`")
OTHER_CLASSES = {"FormattableColumn": cliff.columns.FormattableColumn, "FixedKeyring": None, "Outage": None}


def hooks() -> list[str]:
    """The names of all hooks."""
    found = [name for name, thing in vars(hookspecs).items() if inspect.isfunction(thing)]
    return [name for name in found if name.startswith("backy2_")]


def kit() -> dict[str, Any]:
    """What the modules of the suites export or define."""
    found: dict[str, Any] = {}
    for name in KIT:
        found |= vars(importlib.import_module(f"backy2_core.testing.{name}"))
    return found


def test_the_index_names_every_page_and_every_page_is_there() -> None:
    linked = {link.partition("#")[0] for link in pages.links(PAGE)}
    there = {path.name for path in (ROOT / FOLDER).glob("*.md")} - {"README.md"}
    assert there <= linked


def test_every_role_is_in_the_index_with_its_page_group_hook_and_class() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Roles"]))[1:]
    assert {pages.named(row[1])[0] for row in rows} == set(GROUPS)
    for row in rows:
        group = pages.named(row[1])[0]
        title, link = re.fullmatch(r"\[(.+)\]\((.+)\)", row[0]).groups()  # type: ignore[union-attr]
        assert f"{FOLDER}/{link}" == ROLE_PAGES[group]
        if group in ROLES:
            assert (title, row[4]) == (ROLES[group].title, f"`{ROLES[group].required_hook}`")
            classes = {getattr(api, name) for name in pages.named(row[5])}
            assert classes >= set(RESULTS[ROLES[group].required_hook])
            importlib.import_module(pages.named(row[6])[0])


def test_every_hook_is_on_the_page_of_a_role() -> None:
    on_pages = {hook for page in ROLE_PAGES.values() for hook in re.findall(r"\[`(backy2_\w+)`\]", pages.text_of(page))}
    assert on_pages == set(hooks()) - {"backy2_settings"}


@pytest.mark.parametrize("group", [group for group in GROUPS if group != COMMANDS])
def test_the_page_of_a_role_names_its_hooks_and_their_classes(group: str) -> None:
    rows = next(pages.tables(pages.text_of(ROLE_PAGES[group])))[1:]
    assert (pages.named(rows[0][0])[0], rows[0][2]) == (ROLES[group].required_hook, "required")
    for row in rows:
        [hook] = pages.named(row[0])
        expected = {each.__name__ for each in RESULTS.get(hook, ()) if each.__module__ != "builtins"}
        assert set(pages.named(row[1])) == expected, hook


@pytest.mark.parametrize("page", ROLE_PAGES.values(), ids=Path)
def test_the_page_of_a_role_says_all_that_an_author_asks(page: str) -> None:
    text = pages.text_of(page)
    assert any("bites" in title for title in pages.sections(page, 2))
    assert {"Capabilities", "Testing"} <= set(pages.sections(page, 2))
    assert re.search(r"backy2 plugins new \w+ NAME", text)
    assert "plugins check" in text


def test_every_suite_is_on_a_page_with_fixtures_that_it_has() -> None:
    named = set()
    for page in ROLE_PAGES.values():
        for table in pages.tables(pages.text_of(page)):
            if table[0][:2] != ["suite", "fixture"]:
                continue
            suite: Any = None
            for row in table[1:]:
                if found := SUITE.search(row[0]):
                    suite = getattr(importlib.import_module(found[1]), found[2])
                    named.add(found[2])
                assert hasattr(suite, pages.named(row[1])[0]), f"{suite.__name__} has no fixture {row[1]}"
    assert named == {name for name in kit() if name.endswith("Suite")}


def test_the_suites_of_the_index_are_there_with_their_fixtures() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Conformance suites"]))[1:]
    for module, suite, fixture in ([pages.named(cell)[0] for cell in row] for row in rows):
        assert hasattr(getattr(importlib.import_module(module), suite), fixture), f"{suite} has no fixture {fixture}"
    roles = {name for name in kit() if name.endswith("Suite") and "Durability" not in name}
    assert {pages.named(row[1])[0] for row in rows} == roles


@pytest.mark.parametrize("page", WRITTEN, ids=Path)
def test_every_class_and_member_that_a_page_names_is_there(page: str) -> None:
    there = {**vars(api), **vars(api_commands), **kit(), **OTHER_CLASSES}
    for name in re.findall(r"`([A-Z][a-z]+[A-Za-z]*(?:\.\w+)?)`", pages.prose(page)):
        owner, _, member = name.partition(".")
        if "shelf" in owner.lower() or owner.startswith("True"):
            continue
        assert owner in there, name
        fields = getattr(there[owner], "__dataclass_fields__", {})
        assert not member or hasattr(there[owner], member) or member in fields, name


@pytest.mark.parametrize("page", WRITTEN, ids=Path)
def test_every_module_and_hook_that_a_page_names_is_there(page: str) -> None:
    text = pages.text_of(page)
    for module, member in re.findall(r"`(backy2_core(?:\.[a-z_]+)+)(?:\.([A-Z]\w+))?`", text):
        found = importlib.import_module(module)
        assert not member or hasattr(found, member), f"{module}.{member}"
    written = set(re.findall(r"\bbacky2_(?:open|make|list|move|settings)\w*", text))
    assert written <= set(hooks())


def test_every_event_is_explained() -> None:
    rows = next(pages.tables(pages.sections(ROLE_PAGES["backy2.listeners"], 2)["Events"]))[1:]
    assert [pages.named(row[0])[0] for row in rows] == [each.__name__ for each in event.Event.__args__]


def test_every_capability_of_stores_is_explained() -> None:
    rows = next(pages.tables(pages.sections(ROLE_PAGES["backy2.data_backends"], 2)["Capabilities"]))[1:]
    assert [pages.named(row[0])[0] for row in rows] == list(api.DataCapabilities.__dataclass_fields__)


def test_every_class_for_commands_is_explained_and_the_example_is_one() -> None:
    page = ROLE_PAGES[COMMANDS]
    rows = next(pages.tables(pages.text_of(page)))[1:]
    for name, *_, implemented in rows:
        verb = getattr(api_commands, pages.named(name)[0])
        assert all(hasattr(verb, each) or each == "columns" for each in pages.named(implemented))
    assert set(re.findall(r"\w+", pages.text_of(page))) >= set(api_commands.__all__) - {"Verb"}
    [block] = [block for block in pages.blocks(page) if block.info == "python"]
    scope: dict[str, Any] = {}
    exec(block.text, scope)
    assert issubclass(scope["Sizes"], cliff.command.Command)


@pytest.mark.parametrize("page", WRITTEN, ids=Path)
def test_every_block_of_python_can_be_read(page: str) -> None:
    for block in pages.blocks(page):
        if block.info == "python":
            compile(block.text, page, "exec")


def test_the_packaging_shown_is_taken_by_pip(tmp_path: Path) -> None:
    [block] = [block for block in pages.blocks(f"{FOLDER}/publishing.md") if block.info == "python"]
    (tmp_path / "setup.py").write_text(block.text)
    (tmp_path / "backy2_shelf").mkdir()
    (tmp_path / "backy2_shelf" / "__init__.py").touch()
    (tmp_path / "backy2_shelf" / "py.typed").touch()
    command = [sys.executable, "-W", "error", "setup.py", "-q", "egg_info"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    points = (tmp_path / "backy2_shelf.egg-info" / "entry_points.txt").read_text()
    assert "shelf = backy2_shelf" in points


def test_the_version_and_what_is_provisional_are_those_of_the_door() -> None:
    text = pages.text_of(f"{FOLDER}/compatibility.md")
    assert f"\nbacky2_api_version = {api.API_VERSION}\n" in text
    provisional = [hook for hook in hooks() if "Provisional" in (getattr(hookspecs, hook).__doc__ or "")]
    section = pages.sections(f"{FOLDER}/compatibility.md", 2)["Provisional parts"]
    assert re.findall(r"`(backy2_\w+)`", section) == provisional


def test_every_state_is_explained() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Is it found? Does it load?"]))[1:]
    assert [pages.named(row[0])[0] for row in rows] == [state.value for state in PluginState]
    assert f"`{RESTRICTION}`" in pages.text_of(PAGE)
    assert f"now {api.API_VERSION}." in pages.text_of(PAGE)


def test_the_settings_shown_can_be_declared() -> None:
    block = next(block for block in pages.blocks(PAGE) if block.text.startswith("Setting("))
    for line in block.text.splitlines():
        assert isinstance(eval(line, vars(api).copy()), api.Setting)
