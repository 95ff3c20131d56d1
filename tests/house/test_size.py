"""A module holds one idea, a function does one thing: neither is long."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.tree import ROOT, modules, parsed

MODULE_LINES = 300
FUNCTION_LINES = 40
LONGER_MODULES = {
    # One class of about fifty methods that are all signature and docstring; cut in two, it would be read as two contracts.
    Path("backy2_core/contracts/meta_backend.py"): 360,
}


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_module_has_at_most_300_lines(module: Path) -> None:
    lines = (ROOT / module).read_text(encoding="utf-8").count("\n")
    limit = LONGER_MODULES.get(module, MODULE_LINES)
    assert lines <= limit, f"{module} has {lines} lines, {limit} are allowed"


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_function_has_at_most_40_lines(module: Path) -> None:
    long = [
        f"{module}:{node.lineno} {node.name} has {length} lines"
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)
