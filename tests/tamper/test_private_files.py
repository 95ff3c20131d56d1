"""Whatever a command leaves or uses on the way is its owner's alone, however open the umask is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.config.interpolation import readable_by_others
from tests.faults.site import blocks, wait_until
from tests.tamper.conftest import KEY
from tests.tamper.world import World


@pytest.fixture
def open_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


@pytest.mark.usefixtures("open_umask")
def test_every_file_of_an_installation_is_private(world: World) -> None:
    """The world was made under the umask of the machine; this adds to it under one that takes nothing away."""
    site = world.site
    before = {path for path in site.folder.rglob("*") if path.is_file()}
    site.database.unlink()
    site.ok("recover")
    uid = site.ok("-m", "backup", site.url, "vm2").strip()
    site.ok("export", uid, str(site.folder / "dump"))
    site.ok("key", "new", str(site.folder / "new.key"))
    made = {path for path in site.folder.rglob("*") if path.is_file()} - before | {site.database, site.log}
    assert len(made) > 3
    assert [path for path in made if readable_by_others(path.stat())] == []
    assert [path for path in site.store.rglob("*") if path.is_dir() and path.stat().st_mode & 0o077] == []


def test_a_dump_from_standard_input_is_kept_in_a_file_without_a_name(world: World, tmp_path: Path) -> None:
    site = world.site
    site.ok("export", world.uid("new"), str(site.folder / "dump"))
    spool = tmp_path / "spool"
    spool.mkdir()
    command = [sys.executable, "-m", "backy2_core.cli.main", "-c", str(site.folder / "plugins.cfg"), "import", "-"]
    environment = os.environ | {"TMPDIR": str(spool)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        # The first line and a little more: the import waits for the rest of the second.
        process.stdin.write((site.folder / "dump").read_bytes()[:60])
        process.stdin.flush()
        wait_until(lambda: bool(_numbers(process.pid, spool)))
        modes = [os.stat(f"/proc/{process.pid}/fd/{number}").st_mode for number in _numbers(process.pid, spool)]
        assert modes
        assert all(mode & 0o077 == 0 for mode in modes)
        assert list(spool.iterdir()) == []
        process.communicate(b"", timeout=60)


def test_the_environment_of_a_command_does_not_keep_the_key_in_its_arguments(world: World) -> None:
    """A key from the environment is in no list of processes."""
    site = world.site
    site.configure(more="[key:main]\nsecret = %(env:BACKY2_KEY)s")
    site.image.write_bytes(blocks(range(1, 60)))
    process = site.start("backup", site.url, "vm", slow=True, env=os.environ | {"BACKY2_KEY": KEY})
    shown = set()

    def look() -> bool:
        shown.add(Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        return any("Backing up" in title for title in shown) or process.poll() is not None

    wait_until(look)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(shown) > 1
    assert not any(KEY in title for title in shown)


def _open_files(pid: int) -> dict[str, str]:
    """What each descriptor of a process leads to."""
    found = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found[path.name] = os.readlink(path)
    return found


def _numbers(pid: int, folder: Path) -> list[str]:
    # A file with a name may be there for a moment: the library tries whether the folder can be written to.
    found = _open_files(pid).items()
    return [number for number, name in found if str(folder) in name and name.endswith("(deleted)")]
