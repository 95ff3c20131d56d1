"""Real distributions of strangers, built and installed by pip; and the real program beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DISTRIBUTIONS = Path(__file__).parent / "distributions"
GOOD = (
    "stranger-source",
    "stranger-data-backend",
    "stranger-meta-backend",
    "stranger-transform",
    "stranger-formatter",
    "stranger-listener",
    "stranger-command",
)
BROKEN = ("stranger-broken", "stranger-twin-one", "stranger-twin-two")


def install(target: Path, work: Path, names: Sequence[str]) -> Path:
    """Let pip build and install the distributions into the folder ``target``, without asking any network."""
    folders = [shutil.copytree(DISTRIBUTIONS / name, work / name) for name in names]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, *folders]
    subprocess.run([*command, "--no-index", "--no-deps", "--no-build-isolation", "--no-compile"], check=True)
    return target


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plugin of each role, each from a distribution of its own."""
    return install(tmp_path_factory.mktemp("good"), tmp_path_factory.mktemp("build"), GOOD)


@pytest.fixture(scope="session")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with distributions whose plugins are wrong or claim one name."""
    return install(tmp_path_factory.mktemp("broken"), tmp_path_factory.mktemp("build"), BROKEN)


@dataclass
class Program:
    """``backy2`` with a home folder and a configuration of its own, and with other distributions installed."""

    folder: Path
    installed: Sequence[Path]
    config: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it; the exit code must be ``code``."""
        path = self.folder / "plugins.cfg"
        path.write_text(self.config, encoding="utf-8")
        environ = {
            **os.environ,
            "BACKY2_CONFIG": str(path),
            "HOME": str(self.folder),
            "PYTHONPATH": os.pathsep.join(map(str, self.installed)),
            **self.variables,
        }
        command = [str(Path(sys.executable).parent / "backy2"), *arguments]
        done = subprocess.run(command, env=environ, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """The rows of a command that prints a list."""
        rows = json.loads(self.run(*arguments, "--format", "json").stdout)
        assert isinstance(rows, list)
        return rows


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A small image: something that can be compressed, zeros, and a short last block."""
    path = tmp_path / "image"
    path.write_bytes(b"".join(b"line %d\n" % n for n in range(100_000)) + bytes(3 << 20) + os.urandom(70_000))
    return path
