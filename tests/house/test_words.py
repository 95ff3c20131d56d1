"""The project speaks of itself only, and what it promises in words is done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.house.tree import ROOT, modules, parsed, project_files

# Written in pieces, so that this file passes its own test.
FOREIGN_WORDS = (
    r"(?<![\w./-])/" + "work/",
    r"(?<![\w./-])/" + "root/",
    "pypi" + r"\.org",
    "files.python" + "hosted",
    "index" + "-url",
    r"\bassist" + r"ants?\b",
    r"\bchat" + "bot",
    r"\blanguage " + "model",
)
PROMISES = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*no" + r"qa(?!:)")


def test_no_file_speaks_of_the_machine_or_the_way_it_was_written() -> None:
    pattern = re.compile("|".join(FOREIGN_WORDS), re.IGNORECASE)
    assert _lines_with(pattern, project_files()) == []


def test_no_file_promises_to_be_finished_later() -> None:
    assert _lines_with(PROMISES, project_files()) == []


def test_every_exception_from_a_check_names_the_check() -> None:
    assert _lines_with(BARE_IGNORE, (path for path in project_files() if path.suffix == ".py")) == []


@pytest.mark.parametrize("module", modules(), ids=str)
def test_no_function_is_a_stub(module: Path) -> None:
    # A hook spec has no body of its own: pluggy calls implementations only.
    if module.name == "hookspecs.py":
        return
    stubs = [
        f"{module}:{node.lineno}"
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc)
    ]
    assert not stubs


@pytest.mark.parametrize("module", modules(), ids=str)
def test_nothing_is_caught_without_a_name(module: Path) -> None:
    bare = [
        f"{module}:{node.lineno}"
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert not bare


@pytest.mark.parametrize("module", modules(), ids=str)
def test_only_the_command_line_prints(module: Path) -> None:
    if module.parts[:2] == ("backy2_core", "cli"):
        return
    prints = [
        f"{module}:{node.lineno}"
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not prints


def _lines_with(pattern: re.Pattern[str], files: Iterable[Path]) -> list[str]:
    found: list[str] = []
    for path in files:
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{n} {line.strip()[:80]}" for n, line in enumerate(text.split("\n"), 1) if pattern.search(line)
        ]
    return found
