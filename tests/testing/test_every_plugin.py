"""Every plugin of ours runs the conformance suite of its role, and the suites need nothing but pytest."""

from __future__ import annotations

import ast
import functools
import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

import pytest

from backy2_core.plugins.gate import ROLES
from tests.house.tree import PACKAGES, ROOT, modules, parsed

SUITES = {
    "source": "SourceSuite",
    "data backend": "DataBackendSuite",
    "meta backend": "MetaBackendSuite",
    "transform": "TransformSuite",
    "listener": "ListenerSuite",
    "formatter": "FormatterSuite",
}
KIT = [module for module in modules() if module.parts[:2] == ("backy2_core", "testing")]


def own_plugins() -> list[tuple[str, EntryPoint]]:
    """Role and entry point of each plugin of this distribution that is no command."""
    return [
        (role.title, point)
        for group, role in sorted(ROLES.items())
        for point in sorted(entry_points(group=group))
        if point.dist is not None and point.dist.name == "backy2"
    ]


@functools.cache
def suites_run() -> list[tuple[str, set[str]]]:
    """Each suite that a class of a test module derives from, and what the module imports."""
    return list(_suites_run())


def _suites_run() -> Iterator[tuple[str, set[str]]]:
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "Suite)" not in text:
            continue
        tree = ast.parse(text)
        imported = set(_imported(tree))
        derived = {
            node.name: [ast.unparse(base) for base in node.bases]
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        }
        for name in derived:
            if name.startswith("Test"):
                yield from ((suite, imported) for suite in _ancestors(name, derived))


def _ancestors(name: str, derived: dict[str, list[str]]) -> Iterator[str]:
    """Everything that a class derives from, by way of others in its module."""
    for base in derived.get(name, ()):
        yield base
        yield from _ancestors(base, derived)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Modules of plugins that are imported, and the ``from`` names of them too, also by way of our own helpers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            helper = ROOT / (node.module.replace(".", "/") + ".py")
            if node.module.startswith("tests.") and helper.exists():
                yield from _imported(ast.parse(helper.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("role", "point"), own_plugins(), ids=lambda value: getattr(value, "name", value))
def test_every_plugin_of_ours_runs_the_suite_of_its_role(role: str, point: EntryPoint) -> None:
    suite = SUITES[role]
    running = [base for base, imported in suites_run() if base == suite and _is_of(point.module, imported)]
    assert running, f"no test derives from {suite} and imports {point.module}"


def test_there_is_a_suite_for_every_role() -> None:
    assert set(SUITES) == {role.title for role in ROLES.values()}


def test_sources_that_can_be_restored_to_run_the_suite_of_targets_too() -> None:
    for role, point in own_plugins():
        if role == "source" and hasattr(importlib.import_module(point.module), "backy2_open_target"):
            running = [
                imported for base, imported in suites_run() if base == "TargetSuite" and _is_of(point.module, imported)
            ]
            assert running, f"no test derives from TargetSuite and imports {point.module}"


def _is_of(module: str, imported: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in imported)


def test_the_kit_needs_nothing_but_pytest_and_what_the_core_needs_itself() -> None:
    allowed = set(sys.stdlib_module_names) | {"pytest", "cliff", *PACKAGES}
    foreign = {
        f"{module}: {name}"
        for module in KIT
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
        if name.partition(".")[0] not in allowed
    }
    assert foreign == set()


def test_the_kit_skips_by_what_is_declared_and_never_by_a_name() -> None:
    names = {point.name for _, point in own_plugins()}
    conditions = [
        (f"{module}:{node.lineno}", node.test)
        for module in KIT
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.If) and "pytest.skip(" in "".join(ast.unparse(done) for done in node.body)
    ]
    assert len(conditions) > 20
    by_name = [
        (place, part.value)
        for place, condition in conditions
        for part in ast.walk(condition)
        if isinstance(part, ast.Constant) and part.value in names
    ]
    assert by_name == []
