"""The tools of the house find nothing: ruff, mypy, import-linter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

BIN = Path(sys.executable).parent


def complaints(*command: str) -> str:
    """What a tool says, or nothing if it is content."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_ruff_finds_nothing() -> None:
    found = complaints(str(BIN / "ruff"), "check", "--no-cache", "--output-format", "concise", ".")
    assert not found, found


def test_the_code_is_formatted() -> None:
    found = complaints(str(BIN / "ruff"), "format", "--no-cache", "--check", ".")
    assert not found, found


@pytest.mark.timeout(600)
def test_mypy_strict_finds_nothing() -> None:
    found = complaints(sys.executable, "-m", "mypy")
    assert not found, found


def test_the_floors_of_the_house_are_kept() -> None:
    found = complaints(str(BIN / "lint-imports"), "--no-cache")
    assert not found, found


def test_a_check_fails_when_there_is_something_to_find(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import os\nx: int = 'a'\n")
    config = str(ROOT / "pyproject.toml")
    assert "F401" in complaints(str(BIN / "ruff"), "check", "--no-cache", "--config", config, str(wrong))
    assert "Incompatible types" in complaints(sys.executable, "-m", "mypy", "--config-file", config, str(wrong))
