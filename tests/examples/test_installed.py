"""Core and examples, installed by pip side by side, do one job together: as an administrator would have them."""

from __future__ import annotations

import json
import os
import random
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT

pytestmark = [
    pytest.mark.xdist_group("packaging"),
    pytest.mark.skipif(
        shutil.which("qemu-nbd") is None, reason="qemu-nbd is missing; install it with: apt-get install qemu-utils"
    ),
]
EXAMPLES = ("backy2-fsspec", "backy2-prometheus", "backy2-qcow2")
BUILDING = ("setuptools", "_distutils_hack", "pkg_resources", "wheel")
MIB = 1024 * 1024
CONFIG = """
[data_backend]
type = fsspec
url = file://{folder}/store
options =
    auto_mkdir=false

[listener:prometheus]
textfile = {folder}/backy2.prom

[source:qcow2]
simultaneous_reads = 2
create_options = cluster_size=128k
"""


class Installation:
    """A virtual environment in which only pip put something, and a folder with a configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / "bin" / "python"
        self.environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BACKY2", "XDG"))
        } | {"HOME": str(folder / "home"), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}

    def run(self, *command: object) -> str:
        """What a command that must succeed puts out."""
        done = subprocess.run(
            [str(part) for part in command],
            env=self.environ,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def backy2(self, *arguments: object) -> str:
        """The program itself."""
        program = self.folder / "venv" / "bin" / "backy2"
        return self.run(program, "--config", self.folder / "plugins.cfg", *arguments)

    def see(self, folders: list[Path]) -> None:
        """Let the environment see these folders, behind what it has itself."""
        (packages,) = self.folder.glob("venv/lib/python*/site-packages")
        (packages / "libraries.pth").write_text("".join(f"{folder}\n" for folder in folders))


def copies(folder: Path) -> list[Path]:
    """The core and the examples, copied, since pip builds in the folder that it is given."""
    core = folder / "core"
    core.mkdir(parents=True)
    for name in PACKAGES:
        shutil.copytree(ROOT / name, core / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "LICENSE", "MANIFEST.in", "README.md"):
        shutil.copy(ROOT / name, core / name)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "tests")
    return [
        core,
        *(shutil.copytree(ROOT / "examples" / name, folder / "examples" / name, ignore=ignored) for name in EXAMPLES),
    ]


def libraries() -> list[Path]:
    """Where the libraries are that the tests run with: nothing is fetched from anywhere."""
    return [Path(folder) for folder in site.getsitepackages() if Path(folder).is_dir()]


def building_tools(folder: Path) -> Path:
    """A folder with what builds packages, and nothing else of the environment that the tests run in."""
    folder.mkdir()
    for place in libraries():
        for name in BUILDING:
            for found in [*place.glob(name), *place.glob(f"{name}-*")]:
                (folder / found.name).symlink_to(found)
    return folder


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Core and examples, installed from their folders."""
    here = Installation(tmp_path_factory.mktemp("installed"))
    (here.folder / "home").mkdir()
    here.run(sys.executable, "-m", "venv", "--without-pip", here.folder / "venv")
    here.see([building_tools(here.folder / "tools")])
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    sources = copies(here.folder / "sources")
    here.run(sys.executable, "-m", "pip", "--python", here.python, "install", *offline, *sources)
    here.see(libraries())
    (here.folder / "plugins.cfg").write_text(CONFIG.format(folder=here.folder))
    here.backy2("initdb")
    return here


def image(path: Path) -> bytes:
    """A qcow2 image with data and holes; what the device in it holds."""
    content = bytearray(20 * MIB)
    content[2 * MIB : 5 * MIB] = random.Random(1).randbytes(3 * MIB)
    content[13 * MIB : 14 * MIB] = random.Random(2).randbytes(MIB)
    path.with_suffix(".raw").write_bytes(content)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", path.with_suffix(".raw"), path], check=True)
    return bytes(content)


def content_of(path: Path) -> bytes:
    raw = path.with_suffix(".read")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
    return raw.read_bytes()


def test_each_example_is_found_as_a_distribution_of_its_own(installation: Installation) -> None:
    assert installation.run(installation.python, "-c", "import backy2_core; print(backy2_core.__file__)").startswith(
        str(installation.folder / "venv")
    )
    rows = json.loads(installation.backy2("plugins", "list", "-f", "json"))
    # Others may be installed where the tests run, and be seen through the libraries.
    found = {row["distribution"]: row["state"] for row in rows}
    assert {name: found.get(name) for name in EXAMPLES} == dict.fromkeys(EXAMPLES, "ok")
    assert "secret_options" in installation.backy2("plugins", "show", "fsspec")


def test_one_configuration_uses_all_of_them(installation: Installation) -> None:
    folder = installation.folder
    content = image(folder / "vm.qcow2")
    subprocess.run(["qemu-img", "snapshot", "-c", "monday", folder / "vm.qcow2"], check=True)
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 9 0 4M", folder / "vm.qcow2"], check=True, stdout=subprocess.DEVNULL
    )
    installation.backy2("backup", "-s", "monday", f"qcow2://{folder}/vm.qcow2@monday", "vm")
    installation.backy2("backup", "-s", "now", f"qcow2://{folder}/vm.qcow2", "vm")
    rows = json.loads(installation.backy2("ls", "-f", "json"))
    versions = {row["snapshot_name"]: row["uid"] for row in rows}
    installation.backy2("scrub", versions["now"])
    installation.backy2("restore", versions["monday"], f"qcow2://{folder}/restored.qcow2")
    installation.backy2("restore", versions["now"], f"file://{folder}/restored.raw")
    assert content_of(folder / "restored.qcow2") == content
    assert (folder / "restored.raw").read_bytes() == b"\x09" * 4 * MIB + content[4 * MIB :]

    assert list((folder / "store").glob("??/??/*.blob")), "the blobs lie in the store of fsspec"
    figures = (folder / "backy2.prom").read_text()
    for line in (
        'backy2_backups_total{name="vm"} 2.0',
        'backy2_backup_last_valid{name="vm"} 1.0',
        'backy2_scrub_last_damaged_blocks{name="vm"} 0.0',
        'backy2_restore_last_damaged_blocks{name="vm"} 0.0',
    ):
        assert line in figures.splitlines(), figures


def test_a_failure_is_told_and_changes_no_other_figure(installation: Installation) -> None:
    folder = installation.folder
    image(folder / "other.qcow2")
    installation.backy2("backup", f"qcow2://{folder}/other.qcow2", "other")
    (version,) = json.loads(installation.backy2("ls", "other", "-f", "json"))
    program = [folder / "venv" / "bin" / "backy2", "--config", folder / "plugins.cfg"]
    failed = subprocess.run(
        [*program, "restore", version["uid"], f"qcow2://{folder}/other.qcow2"],
        env=installation.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 13, failed.stderr
    assert "exists already" in failed.stderr
    figures = (folder / "backy2.prom").read_text()
    assert 'backy2_job_failures_total{kind="restore",name="other"} 1.0' in figures
    assert 'backy2_backup_last_valid{name="other"} 1.0' in figures
