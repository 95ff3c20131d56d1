"""docs/plugins/README.md: its hooks are those of the code, and its example is a plugin that works."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backy2_core import api
from backy2_core.contracts import hookspecs
from backy2_core.plugins.discovery import GROUPS, OWN_DISTRIBUTION, RESTRICTION
from backy2_core.plugins.gate import RESULTS, ROLES
from backy2_core.plugins.registry import PluginState
from tests.docs import pages
from tests.plugins.conftest import Program

PAGE = "docs/plugins/README.md"
OWN_WORDS = ("backy2_api_version", "backy2_shelf", "backy2_core", "backy2_plugins")


def hooks() -> dict[str, str]:
    """Every hook with its signature, as it would be written."""
    return {
        name: f"def {name}{inspect.signature(function)}: ...".replace("'", "")
        for name, function in vars(hookspecs).items()
        if name.startswith("backy2_") and inspect.isfunction(function)
    }


def file_named(name: str) -> str:
    """The block of the page that follows the file's name."""
    match = re.search(rf"^`{re.escape(name)}`[^\n]*:\n\n```python\n(.*?)^```$", pages.text_of(PAGE), re.M | re.S)
    assert match is not None, name
    return match[1]


def test_every_hook_is_there_with_its_exact_signature() -> None:
    block = next(block for block in pages.blocks(PAGE) if "def backy2_settings() ->" in block.text)
    unbroken = re.sub(r"\(\n\s+(.*)\n\)", r"(\1)", block.text)
    assert unbroken.splitlines() == list(hooks().values())
    table = next(pages.tables(pages.sections(PAGE, 2)["Hooks"]))
    assert [pages.named(row[0])[0] for row in table[1:]] == list(hooks())


def test_no_hook_is_named_that_is_not_there() -> None:
    named = set(re.findall(r"\bbacky2_[a-z_]+", pages.text_of(PAGE))) - set(OWN_WORDS)
    assert named == set(hooks())


def test_every_role_is_there_with_its_group_hook_and_class() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Roles"]))[1:]
    assert {pages.named(row[1])[0] for row in rows} == set(GROUPS)
    for row in rows:
        group = pages.named(row[1])[0]
        if group in ROLES:
            assert (row[0], row[4]) == (ROLES[group].title, f"`{ROLES[group].required_hook}`")
            classes = {getattr(api, name) for name in pages.named(row[5])}
            assert classes >= set(RESULTS[ROLES[group].required_hook])
            importlib.import_module(pages.named(row[6])[0])


def test_every_suite_is_there_with_its_fixture() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Conformance suites"]))[1:]
    for module, suite, fixture in ([pages.named(cell)[0] for cell in row] for row in rows):
        found = getattr(importlib.import_module(module), suite)
        assert hasattr(found, fixture), f"{suite} has no fixture {fixture}"
    kit = {name for name in _kit() if name.endswith("Suite")}
    assert {pages.named(row[1])[0] for row in rows} == kit


def test_every_state_is_explained() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Is it found? Does it load?"]))[1:]
    assert [pages.named(row[0])[0] for row in rows] == [state.value for state in PluginState]
    assert f"`{RESTRICTION}`" in pages.text_of(PAGE)
    assert f"now {api.API_VERSION}." in pages.text_of(PAGE)


def test_the_settings_shown_can_be_declared() -> None:
    block = next(block for block in pages.blocks(PAGE) if block.text.startswith("Setting("))
    for line in block.text.splitlines():
        assert isinstance(eval(line, vars(api).copy()), api.Setting)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """The example, written out, built and installed into a folder of its own."""
    work = tmp_path / "work"
    work.mkdir()
    for name in ("setup.py", "backy2_shelf.py", "test_shelf.py"):
        (work / name).write_text(file_named(name), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", tmp_path / "installed", work]
    subprocess.run([*command, "--no-index", "--no-deps", "--no-build-isolation", "--no-compile"], check=True)
    return tmp_path


@pytest.mark.xdist_group("plugins")
def test_the_example_is_found_used_and_keeps_every_promise(shelf: Path) -> None:
    config = f"[data_backend]\ntype = shelf\nfolder = {shelf}/shelf\n"
    config += f"[meta_backend]\nengine = sqlite:///{shelf}/backy2.sqlite\n"
    program = Program(shelf, [shelf / "installed"], config)
    [row] = [row for row in program.rows("plugins", "list") if row["name"] == "shelf"]
    assert (row["distribution"], row["state"], row["api"]) == ("backy2-shelf", "ok", api.API_VERSION)
    assert [row["key"] for row in program.rows("plugins", "show", "shelf")] == ["folder"]

    image = shelf / "image"
    image.write_bytes(bytes(range(256)) * 40_000)
    program.run("initdb")
    program.run("backup", f"file://{image}", "vm")
    program.run("restore", "latest:vm", f"file://{shelf}/restored")
    assert (shelf / "restored").read_bytes() == image.read_bytes()
    program.run("rm", "latest:vm")
    program.run("cleanup", "--full")

    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shelf.py"]
    done = subprocess.run(suite, cwd=shelf / "work", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert OWN_DISTRIBUTION in (shelf / "work" / "setup.py").read_text()


def _kit() -> set[str]:
    names: set[str] = set()
    for module in ("source", "snapshots", "data_backend", "meta_backend", "transform", "formatter", "listener"):
        names |= set(vars(importlib.import_module(f"backy2_core.testing.{module}")))
    return names
