"""A module holds one idea, a function does one thing: neither is long."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house.tree import ROOT, modules, parsed

MODULE_LINES = 300
FUNCTION_LINES = 40
LONGER_MODULES = {
    # One class of about fifty methods that are all signature and docstring; cut in two, it would be read as two contracts.
    Path("backy2_core/contracts/meta_backend.py"): 430,
}


def test_a_module_has_at_most_300_lines() -> None:
    lengths = {module: (ROOT / module).read_text(encoding="utf-8").count("\n") for module in modules()}
    long = [f"{m}: {n} lines" for m, n in lengths.items() if n > LONGER_MODULES.get(m, MODULE_LINES)]
    assert not long, "\n".join(long)
    assert all(lengths[module] > MODULE_LINES for module in LONGER_MODULES), "an exception is not needed any more"


def test_a_function_has_at_most_40_lines() -> None:
    long = [
        f"{module}:{node.lineno} {node.name} has {length} lines"
        for module in modules()
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)
