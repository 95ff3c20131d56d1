"""The example plugins are packages of their own: they know the public door only, and keep the rules of this house."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.test_docstrings import undocumented
from tests.house.test_size import FUNCTION_LINES, MODULE_LINES
from tests.house.tree import ROOT

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/setup.py"))
MODULES = sorted(module for example in EXAMPLES for module in example.glob("backy2_*/**/*.py"))
TESTS = sorted(module for example in EXAMPLES for module in example.glob("tests/**/*.py"))
DOOR, KIT = "backy2_core.api", "backy2_core.testing"


def imported(module: Path) -> set[str]:
    """The modules that a module imports anywhere in it."""
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_there_are_three() -> None:
    assert [example.name for example in EXAMPLES] == ["backy2-fsspec", "backy2-prometheus", "backy2-qcow2"]


def test_only_the_public_door_is_imported() -> None:
    ours = {(module.name, name) for module in MODULES for name in imported(module) if name.startswith("backy2_")}
    packages = tuple(example.name.replace("-", "_") for example in EXAMPLES)
    assert {(module, name) for module, name in ours if name != DOOR and not name.startswith(packages)} == set()


def test_their_tests_import_the_door_and_the_kit_and_nothing_else_of_ours() -> None:
    used = {name for module in TESTS for name in imported(module) if name.partition(".")[0] in ("backy2_core", "tests")}
    assert {name for name in used if name != DOOR and not name.startswith(f"{KIT}.")} == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT / "examples")))
def test_modules_are_short_and_documented(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert text.count("\n") <= MODULE_LINES
    assert list(undocumented(module.relative_to(ROOT))) == []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES, node.name
            assert not any(isinstance(part, ast.Name) and part.id == "print" for part in ast.walk(node)), node.name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_says_what_it_is_how_it_is_installed_and_where_it_ends(example: Path) -> None:
    text = (example / "README.md").read_text(encoding="utf-8")
    assert [part for part in ("## Install", "## Configure", "## Limits", "## Tests") if part not in text] == []
    assert f"pip install ./examples/{example.name}" in text
    assert (example / example.name.replace("-", "_") / "py.typed").exists()


def test_the_page_of_examples_names_each() -> None:
    page = (ROOT / "docs" / "plugins" / "examples.md").read_text(encoding="utf-8")
    assert [example.name for example in EXAMPLES if f"../../examples/{example.name}/README.md" not in page] == []
