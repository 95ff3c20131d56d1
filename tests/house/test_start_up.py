"""Nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("alembic", "blake3", "boto3", "botocore", "cryptography", "rados", "rbd", "sqlalchemy", "zstandard")
PROBE = """
import json, sys
from backy2_core.cli.main import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
sys.stdout.flush()
print()
print(json.dumps([code or 0, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def imported(home: Path, *arguments: str) -> set[str]:
    """The top-level modules that a command, which must succeed, has imported when it ends."""
    environ = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], env=environ, capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


def test_help_imports_neither_a_database_nor_a_store(tmp_path: Path) -> None:
    assert imported(tmp_path, "--help").isdisjoint(HEAVY)


@pytest.mark.parametrize("verb", ["backup", "ls", "restore", "scrub", "cleanup"])
def test_the_help_of_a_verb_imports_neither_a_database_nor_a_store(tmp_path: Path, verb: str) -> None:
    assert imported(tmp_path, verb, "--help").isdisjoint(HEAVY)


def test_a_list_imports_the_database_but_no_migrations_and_no_store(tmp_path: Path) -> None:
    # The first one sets up the database, which needs alembic.
    imported(tmp_path, "ls")
    modules = imported(tmp_path, "ls")
    assert modules.isdisjoint(set(HEAVY) - {"sqlalchemy", "blake3"})
    assert "sqlalchemy" in modules


def test_the_door_for_plugins_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, backy2_core.api; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()).isdisjoint(HEAVY)
