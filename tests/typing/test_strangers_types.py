"""Types reach a stranger: the door type-checks under ``mypy --strict`` against the installed packages and their markers."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from backy2_core import api, api_commands
from tests.house.tree import PACKAGES, ROOT

pytest.importorskip("mypy", reason="mypy is not installed: pip install mypy to have the types of the door checked")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which our packages are installed, as mypy sees it; their requirements come from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for package in PACKAGES:
        (site / package).symlink_to(ROOT / package)
    for found in Path(sysconfig.get_path("purelib")).iterdir():
        if not found.name.startswith(("__", "_", "backy2")) and not (site / found.name).exists():
            (site / found.name).symlink_to(found)
    return folder / "bin" / "python"


def check(python: Path, folder: Path, *modules: Path) -> list[str]:
    """What mypy says of modules of a stranger."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--python-executable", str(python)]
    done = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache"), "--config-file", "", *map(str, modules)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_a_strangers_module_type_checks_and_a_wrong_one_does_not(python: Path, tmp_path: Path) -> None:
    every = tmp_path / "every_name.py"
    lines = [f"from backy2_core.api import {name} as {name}" for name in api.__all__]
    lines += [f"from backy2_core.api_commands import {name} as command_{name}" for name in api_commands.__all__]
    every.write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = check(python, tmp_path, every, HERE / "stranger.py", HERE / "wrong.py")
    wrong = [line for line in said if "wrong.py" in line and ": error:" in line]
    assert [line for line in said if "wrong.py" not in line] == []
    expected = {
        number: found[1]
        for number, line in enumerate((HERE / "wrong.py").read_text(encoding="utf-8").splitlines(), 1)
        if (found := re.search(r"# \[([\w-]+)\]$", line))
    }
    assert {int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]") for line in wrong} == expected
