"""What the house tests look at: the files of the project, without what tools and others leave beside them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("backy2_core", "backy2_plugins")
_LEFT_BY_TOOLS = {"build", "dist", "node_modules"}


def modules() -> list[Path]:
    """The modules of core and plugins, as paths from the root."""
    return sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def parsed(module: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), str(module))


def project_files() -> Iterator[Path]:
    """Every text file of the project, from the root; hidden folders only where they are ours."""
    for path in sorted(ROOT.rglob("*")):
        short = path.relative_to(ROOT)
        if path.is_file() and not any(_is_foreign(part) for part in short.parts):
            yield short


def _is_foreign(part: str) -> bool:
    hidden = part.startswith(".") and part not in (".ci", ".gitignore")
    return hidden or part in _LEFT_BY_TOOLS or part == "__pycache__" or part.endswith(".egg-info")
