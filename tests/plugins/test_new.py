"""``backy2 plugins new``: for every role a package that is clean, installs, passes its tests, and works at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from backy2_core.api import API_VERSION
from backy2_core.cli.skeleton import LONGEST_NAME, ROLES, NewPlugin, render
from backy2_core.plugins.discovery import COMMANDS, GROUPS
from tests.house.tree import ROOT
from tests.plugins.conftest import Program

pytestmark = pytest.mark.xdist_group("plugins")

NAMES = {
    "source": "plainfile",
    "data_backend": "shelf",
    "meta_backend": "told-sql",
    "transform": "zlib",
    "formatter": "markdown",
    "listener": "lines",
    "command": "disk_sizes",
}
TESTS = {"meta_backend": ("-k", "log_is_told or schema or removed or tag or threads")}
"""The whole suite of meta backends takes twenty seconds; here it is seen to be run, and ``sql`` runs all of it elsewhere."""
BIN = Path(sys.executable).parent


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A package of each role, as the command writes them."""
    folder = tmp_path_factory.mktemp("begun")
    program = Program(folder, [])
    for role, name in NAMES.items():
        done = program.run("plugins", "new", role, name, str(folder / role))
        assert f"cd {folder / role}" in done.stdout
    return {role: folder / role for role in NAMES}


@pytest.fixture(scope="session")
def installed(begun: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed all of them."""
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, *begun.values()]
    subprocess.run([*command, "--no-index", "--no-deps", "--no-build-isolation", "--no-compile"], check=True)
    return target


@pytest.fixture
def program(installed: Path, tmp_path: Path) -> Program:
    """backy2 with all of them, and a configuration that selects them."""
    config = f"""
        [backy2]
        transforms = zlib
        [data_backend]
        type = shelf
        folder = {tmp_path}/shelf
        [meta_backend]
        type = told-sql
        engine = sqlite:///{tmp_path}/database.sqlite
        [listener:lines]
        file = {tmp_path}/lines
    """
    return Program(tmp_path, [installed], re.sub("^ +", "", config, flags=re.MULTILINE))


def run(*command: object, cwd: Path, variables: dict[str, str] | None = None) -> str:
    """What a command that must succeed prints."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_group_of_plugins_has_its_role() -> None:
    assert list(ROLES.values()) == list(GROUPS)
    assert set(ROLES) == set(NAMES)


@pytest.mark.parametrize("role", NAMES)
def test_ruff_finds_nothing_in_what_was_written(begun: dict[str, Path], role: str) -> None:
    run(BIN / "ruff", "check", "--no-cache", ".", cwd=begun[role])
    run(BIN / "ruff", "format", "--no-cache", "--check", ".", cwd=begun[role])


def test_mypy_strict_finds_nothing_in_what_was_written(begun: dict[str, Path], tmp_path: Path) -> None:
    path = os.pathsep.join(map(str, [*begun.values(), ROOT]))
    packages = [word for role, name in NAMES.items() for word in ("-p", NewPlugin(role, name).package)]
    config = ["--config-file", begun["source"] / "pyproject.toml", "--cache-dir", tmp_path]
    run(sys.executable, "-m", "mypy", *config, *packages, cwd=tmp_path, variables={"MYPYPATH": path})


@pytest.mark.parametrize("role", NAMES)
@pytest.mark.parametrize("name", ["p9", "a-" * (LONGEST_NAME // 2 - 1) + "bc"])
def test_names_of_every_length_leave_the_code_in_form(tmp_path: Path, role: str, name: str) -> None:
    for path, text in render(NewPlugin(role, name)):
        assert not re.search(r"@\w+@", text), path
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    run(BIN / "ruff", "check", "--no-cache", ".", cwd=tmp_path)
    run(BIN / "ruff", "format", "--no-cache", "--check", ".", cwd=tmp_path)


@pytest.mark.parametrize("role", NAMES)
def test_every_package_has_what_a_package_needs(begun: dict[str, Path], role: str) -> None:
    folder, new = begun[role], NewPlugin(role, NAMES[role])
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", ".gitignore", ".ci/check"):
        assert (folder / name).read_text(encoding="utf-8").strip(), name
    assert os.access(folder / ".ci/check", os.X_OK)
    run("sh", "-n", folder / ".ci/check", cwd=folder)
    assert (folder / new.package / "py.typed").exists()
    module = (folder / new.package / "__init__.py").read_text(encoding="utf-8")
    assert role == "command" or f"\nbacky2_api_version = {API_VERSION}\n" in module
    readme = (folder / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([^`]+\.py)`", readme, re.MULTILINE))
    written = {str(path.relative_to(folder)) for path in folder.rglob("*.py")}
    assert listed == {name for name in written if "/" in name and not name.startswith("build/")}


def test_nothing_is_imported_but_the_doors_of_backy2(begun: dict[str, Path]) -> None:
    for role, folder in begun.items():
        package = folder / NewPlugin(role, NAMES[role]).package
        for path in package.rglob("*.py"):
            found = set(re.findall(r"^\s*(?:from|import) (backy2_core[\w.]*)", path.read_text(), re.MULTILINE))
            assert found <= {"backy2_core.api", "backy2_core.api_commands"}, path


def test_each_is_found_and_loads(program: Program) -> None:
    rows = {(row["group"], row["name"]): row for row in program.rows("plugins", "list")}
    for role, name in NAMES.items():
        new = NewPlugin(role, name)
        row = rows[new.group, name]
        assert (row["distribution"], row["version"], row["state"]) == (new.distribution, "0.1.0", "ok")
        assert row["api"] == ("" if new.group == COMMANDS else API_VERSION)


@pytest.mark.parametrize("role", NAMES)
def test_its_own_tests_pass(begun: dict[str, Path], installed: Path, role: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS.get(role, ())]
    printed = run(*command, cwd=begun[role], variables={"PYTHONPATH": str(installed)})
    found = re.search(r"(\d+) passed", printed)
    assert found is not None
    assert int(found[1]) >= (2 if role == "command" else 10)


def test_all_of_them_work_together_at_once(program: Program, image: Path, tmp_path: Path) -> None:
    program.run("initdb")
    program.run("backup", f"plainfile://{image}", "web")
    program.run("restore", "latest:web", f"plainfile://{tmp_path}/restored")
    assert (tmp_path / "restored").read_bytes() == image.read_bytes()
    program.run("scrub", "latest:web", "-s", f"plainfile://{image}")
    assert program.run("ls", "-c", "name", "-f", "markdown").stdout == "| name |\n| --- |\n| web |\n"
    size = image.stat().st_size
    assert program.rows("disk", "sizes") == [{"name": "web", "versions": 1, "largest_bytes": size}]
    stored = sum(path.stat().st_size for path in (tmp_path / "shelf/blobs").iterdir())
    assert stored < size - (3 << 20), "zlib packed what can be packed"
    assert " backup of web is valid, " in (tmp_path / "lines").read_text()

    failed = program.run("restore", "latest:web", f"plainfile://{tmp_path}/restored", code=13)
    assert "is there already" in failed.stderr
    assert " restore web failed: " in (tmp_path / "lines").read_text()
    program.run("rm", "latest:web", "--force")
    program.run("cleanup", "--full")
    assert not any((tmp_path / "shelf/blobs").iterdir())


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("source", ("sources:plainfile", "--url", "plainfile://{image}")),
        ("source", ("sources:plainfile", "--target", "--url", "plainfile://{image}-not-there-yet")),
        ("data_backend", ("data_backend",)),
        ("meta_backend", ("meta_backend",)),
        ("transform", ("transforms:zlib",)),
        ("formatter", ("formatters:markdown",)),
        ("listener", ("listeners:lines", "--events")),
    ],
)
def test_the_live_check_finds_every_promise_kept(
    program: Program, image: Path, role: str, words: Sequence[str]
) -> None:
    program.run("initdb")
    rows = program.rows("plugins", "check", *(word.format(image=image) for word in words))
    assert [row for row in rows if row["verdict"] == "broken"] == []
    assert len([row for row in rows if row["verdict"] == "kept"]) >= 2, role


@pytest.mark.parametrize(
    ("role", "name", "reason"),
    [
        ("data_backend", "Shelf", "is no name"),
        ("data_backend", "9p", "is no name"),
        ("data_backend", "two words", "is no name"),
        ("data_backend", "end-", "is no name"),
        ("data_backend", "../etc", "is no name"),
        ("data_backend", "", "is no name"),
        ("source", "with_line", "is no name"),
        ("data_backend", "core", "one of backy2 itself"),
        ("transform", "plugins", "one of backy2 itself"),
        ("data_backend", "a" * (LONGEST_NAME + 1), "is too long"),
        ("shop", "shelf", "invalid choice"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, role: str, name: str, reason: str) -> None:
    done = Program(tmp_path, []).run("plugins", "new", role, name, "here", code=2)
    assert reason in done.stderr
    assert not (tmp_path / "here").exists()


def test_the_name_of_another_plugin_is_refused(tmp_path: Path) -> None:
    done = Program(tmp_path, []).run("plugins", "new", "data_backend", "file", code=17)
    assert "distribution backy2 " in done.stderr
    assert "Choose another name" in done.stderr
    assert not (tmp_path / "backy2-file").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    program = Program(tmp_path, [])
    program.run("plugins", "new", "formatter", "markdown_table")
    readme = tmp_path / "backy2-markdown-table" / "README.md"
    readme.write_text("mine")
    done = program.run("plugins", "new", "formatter", "markdown_table", code=17)
    assert "is not empty" in done.stderr
    assert readme.read_text() == "mine"


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path: Path) -> None:
    program = Program(tmp_path, [])
    (tmp_path / "empty").mkdir()
    program.run("plugins", "new", "command", "hello", "empty")
    assert (tmp_path / "empty" / "setup.py").exists()
    (tmp_path / "file").write_text("mine")
    assert "cannot be written" in program.run("plugins", "new", "command", "hello", "file", code=2).stderr
