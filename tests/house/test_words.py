"""The project speaks of itself only, and what it promises in words is done."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tests.house.tree import ROOT, modules, parsed, project_files

Node = TypeVar("Node", bound=ast.AST)

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


def test_no_function_is_a_stub() -> None:
    stubs = [
        place
        for place, node in _nodes(ast.Raise)
        # A hook spec has no body of its own: pluggy calls implementations only.
        if "NotImplementedError" in ast.unparse(node) and "/hookspecs.py:" not in place
    ]
    assert not stubs, "\n".join(stubs)


def test_nothing_is_caught_without_a_name() -> None:
    bare = [place for place, node in _nodes(ast.ExceptHandler) if node.type is None]
    assert not bare, "\n".join(bare)


def test_only_the_command_line_prints() -> None:
    prints = [
        place
        for place, node in _nodes(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "print" and not place.startswith("backy2_core/cli/")
    ]
    assert not prints, "\n".join(prints)


def _nodes(kind: type[Node]) -> Iterator[tuple[str, Node]]:
    """(``file:line``, node) of every node of that kind in core and plugins."""
    for module in modules():
        for node in ast.walk(parsed(module)):
            if isinstance(node, kind):
                yield f"{module}:{getattr(node, 'lineno', 1)}", node


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
