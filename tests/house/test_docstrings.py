"""Whatever is public says what it does for its caller."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import modules, parsed

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def undocumented(module: Path) -> Iterator[str]:
    """``file:line name`` of each public module, class, function and method without a docstring.

    A method of a class with bases may do without: it may override one whose docstring is the contract. So may a test of
    the conformance kit: its name states the promise.
    """
    tree = parsed(module)
    if not ast.get_docstring(tree):
        yield f"{module}:1 the module"
    yield from _undocumented_in(module, tree, overriding=False)


def _undocumented_in(module: Path, parent: ast.Module | ast.ClassDef, *, overriding: bool) -> Iterator[str]:
    for node in parent.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith(("_", "test_")):
            continue
        may_override = overriding and not isinstance(node, ast.ClassDef)
        if not ast.get_docstring(node) and not may_override and not _is_overload_or_setter(node):
            yield f"{module}:{node.lineno} {node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_in(module, node, overriding=bool(node.bases))


def _is_overload_or_setter(node: Documented) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(name == "overload" or name.endswith((".overload", ".setter")) for name in names)


def test_every_public_thing_has_a_docstring() -> None:
    missing = [place for module in modules() for place in undocumented(module)]
    assert not missing, "\n".join(missing)


def test_the_first_paragraph_of_a_docstring_is_a_sentence() -> None:
    wrong = [
        f"{module}:{getattr(node, 'lineno', 1)} {text[:60]!r}"
        for module in modules()
        for node in ast.walk(parsed(module))
        if isinstance(node, Documented) and (text := ast.get_docstring(node))
        if not text.split("\n\n", 1)[0].rstrip().endswith((".", ":", "?"))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_check_finds_what_is_missing(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "def f(): ...\n"
        "def test_f(): ...\n"
        "def _g(): ...\n"
        "class A:\n    def m(self): ...\n"
        "class B(A):\n    '''B.'''\n    def m(self): ...\n    class C: ...\n"
    )
    assert [line.split()[-1] for line in undocumented(sample)] == ["module", "f", "A", "m", "C"]
