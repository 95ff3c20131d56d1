"""docs/plugins/first-plugin.md works as it stands, from the first command to the wheel."""

from __future__ import annotations

import site
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.shell import Example, examples, run

PAGE = "docs/plugins/first-plugin.md"
PROGRAMS = {"pip": "-m pip", "pytest": "-m pytest", "backy2": "-m backy2_core.cli.main"}
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""pip takes the 0 as "no isolation": what builds is there already, and nothing is fetched."""

pytestmark = pytest.mark.xdist_group("plugins")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that sees the libraries of the tests, in which only the page installs something."""
    folder = tmp_path / "work"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # Lines that begin with an import are run: only so are the .pth files of the other folder read, too.
    seen = "".join(f"import site; site.addsitedir({place!r})\n" for place in site.getsitepackages())
    (packages / "libraries.pth").write_text(seen)
    for name, module in PROGRAMS.items():
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" {module} "$@"\n')
        program.chmod(0o755)
    return folder


def as_activated(environment: Path) -> Iterator[Example]:
    """The blocks of the page, as in a shell in which the environment was activated."""
    exports = {"PATH": f"{environment}/bin:$PATH", "PYTHONDONTWRITEBYTECODE": "1", **OFFLINE}
    before = "".join(f'export {name}="{value}"\n' for name, value in exports.items())
    for example in examples(PAGE):
        yield replace(example, script=before + example.script)


def test_the_page_works_as_it_stands(environment: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for example in as_activated(environment):
        run(example, home)
    assert (home / "dist").exists()


def test_the_page_goes_all_the_way() -> None:
    scripts = "".join(example.script for example in examples(PAGE))
    for command in (
        "plugins new",
        "pip install -e",
        "pytest",
        "plugins list",
        "plugins show",
        "plugins check",
        "wheel",
    ):
        assert command in scripts, command
    assert [block.text for block in pages.blocks(PAGE) if block.info == "sh"] == [
        'python3 -m venv work\n. work/bin/activate\npip install "$SOURCE"\n'
    ], "all but the making of the environment is run"
