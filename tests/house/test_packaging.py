"""What is installed is whole: a wheel built from the tree works without the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import backy2_core
from tests.house.tree import PACKAGES, ROOT, modules

pytestmark = pytest.mark.xdist_group("packaging")
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built in a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "LICENSE", "MANIFEST.in", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, copy / name)
    subprocess.run([*PIP, "wheel", *OFFLINE, "--wheel-dir", copy / "wheels", copy], check=True)
    (wheel,) = (copy / "wheels").iterdir()
    return wheel


def test_the_wheel_holds_every_module_the_type_markers_and_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    expected = {str(module) for module in modules()} | {f"{package}/py.typed" for package in PACKAGES}
    expected |= {str(path.relative_to(ROOT)) for path in (ROOT / "backy2_core/cli/skeletons").rglob("*.in")}
    assert expected <= set(names)
    assert any(name.endswith("/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, f"backy2-{backy2_core.__version__}.dist-info"}


def test_the_installed_program_works_without_the_tree(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    subprocess.run([*PIP, "install", *OFFLINE, "--target", target, wheel], check=True)
    (tmp_path / "image").write_bytes(os.urandom(1 << 20))
    environ = {**os.environ, "PYTHONPATH": str(target), "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert run("-c", "import backy2_core; print(backy2_core.__file__)").startswith(str(target))
    assert run(str(target / "bin" / "backy2"), "--version").strip() == backy2_core.__version__
    run(str(target / "bin" / "backy2"), "plugins", "new", "formatter", "markdown")
    assert (tmp_path / "backy2-markdown" / "setup.py").exists()
    run(str(target / "bin" / "backy2"), "backup", f"file://{tmp_path}/image", "vm")
    run(str(target / "bin" / "backy2"), "restore", "latest:vm", f"file://{tmp_path}/restored")
    assert (tmp_path / "restored").read_bytes() == (tmp_path / "image").read_bytes()


@pytest.mark.parametrize(
    ("group", "folder"),
    [("backy2.commands", "backy2_core/cli/commands"), ("backy2.data_backends", "backy2_plugins/data_backends")]
    + [
        (f"backy2.{name}", f"backy2_plugins/{name}")
        for name in ("sources", "meta_backends", "formatters", "listeners", "transforms")
    ],
)
def test_every_plugin_in_the_tree_has_its_entry_point_and_the_other_way_round(group: str, folder: str) -> None:
    marker = "def get_parser|class \\w+\\((?:\\w+Verb)\\)" if group == "backy2.commands" else "^backy2_api_version"
    files = [*(ROOT / folder).glob("*.py"), *(ROOT / folder).glob("*/__init__.py")]
    written = {
        path.stem if path.name != "__init__.py" else path.parent.name
        for path in files
        if re.search(marker, path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    found = [point for point in entry_points(group=group) if point.dist and point.dist.name == "backy2"]
    assert {point.module.rpartition(".")[2] for point in found} == written
    assert {re.sub("[ -]", "_", point.name) for point in found} == {name.rstrip("_") for name in written}


def test_the_version_is_written_in_one_place_and_the_changelog_knows_it() -> None:
    release = re.match(r"\d+\.\d+\.\d+", backy2_core.__version__)
    assert release is not None
    assert f"## [{release[0]}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
