"""Faults 1, 15 and 29: a store that cannot be written, a crash in the middle of it, a source that cannot be read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.disks import Disk, LoopDisk, MemoryDisk, mounted
from tests.faults.site import BLOCK, DATA_BACKEND, REFUSED, SOURCE, Site, blocks, ended, wait_until


class Unwritable:
    """A store on a disk of its own, and a way to forbid writing to it and to allow it again."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def forbid(self, way: str) -> None:
        if way == "full":
            self._disk.fill(leave=0)
        elif way == "read-only":
            self._disk.options("ro")
        else:
            self._flag("+i")

    def allow(self, way: str) -> None:
        if way == "full":
            self._disk.make_room()
        elif way == "read-only":
            self._disk.options("rw")
        else:
            self._flag("-i")

    def _flag(self, flag: str) -> None:
        # Permission bits do not stop root, this flag does.
        folders = [path for path in self._disk.path.rglob("*") if path.is_dir() and path.name != "lost+found"]
        subprocess.run(["chattr", flag, *map(str, folders)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 4 MiB."""
    with mounted(LoopDisk(tmp_path / "disk"), 4 * 1024) as made:
        yield made


@pytest.mark.parametrize(("way", "count"), [("full", 3), ("full", 400), ("read-only", 400), ("forbidden", 3)])
def test_fault_01_a_store_that_cannot_be_written_is_an_error_and_makes_no_valid_version(
    way: str, count: int, disk: Disk, tmp_path: Path
) -> None:
    """The original called the backup done and the version valid though no blob was stored; with many blocks it hung.

    Here the command ends with an error that names the store, the version is not valid, and it can be continued.
    """
    site, store = Site(tmp_path / "site", store=disk.path / "data"), Unwritable(disk)
    site.ok("initdb")
    before = site.backup(blocks(range(1, 9)), name="before")
    store.forbid(way)
    content = blocks(range(1, count + 1), seed=1)
    site.image.write_bytes(content)
    failed = site.run("-m", "backup", site.url, "vm")
    assert (failed.code, failed.out) == (DATA_BACKEND, ""), failed
    assert str(site.store) in failed.err
    uid = site.incomplete()
    for refused in (("restore", uid, f"file://{site.target()}"), ("scrub", uid)):
        assert site.call(*refused).code not in (0, 20)
    assert site.restored(before) == blocks(range(1, 9))
    store.allow(way)
    site.ok("backup", "-c", uid, site.url, "vm")
    assert site.restored(uid) == content
    assert len(site.objects()) == 8 + count


@pytest.mark.parametrize("count", [3, 400])
def test_fault_01_a_store_that_was_never_writable_is_an_error(count: int, tmp_path: Path) -> None:
    """As above, where the store was not even made before."""
    with mounted(MemoryDisk(tmp_path / "disk"), 1024) as disk:
        site = Site(tmp_path / "site", store=disk.path / "data")
        site.ok("initdb")
        site.image.write_bytes(blocks(range(1, count + 1)))
        disk.options("ro")
        failed = site.run("-m", "backup", site.url, "vm")
        assert (failed.code, failed.out) == (DATA_BACKEND, ""), failed
        assert str(site.store) in failed.err
        assert not [version for version in site.versions() if version["state"] == "valid"]


def test_fault_15_a_killed_backup_leaves_no_torn_blob_under_its_name(site: Site) -> None:
    """The original wrote blobs in place, so that a crash left half ones under their final names.

    Here a file whose name ends in .blob is whole whenever the process is killed.
    """
    site.configure({"block_size": "64k"})
    content = os.urandom(48 * 65536)
    site.image.write_bytes(content)
    pieces = {content[at : at + 65536] for at in range(0, len(content), 65536)}
    process = site.slow_backup(after=1)
    wait_until(lambda: len(site.objects()) > 0, process)
    process.kill()
    ended(process)
    found = [path.read_bytes() for path in site.store.glob("??/??/*.blob")]
    assert 0 < len(found) < 48
    assert set(found) <= pieces
    site.let_leases_run_out()
    site.ok("cleanup", "--full")
    assert site.restored(site.backup()) == content


def test_fault_29_a_source_with_read_errors_ends_the_backup(site: Site, tmp_path: Path) -> None:
    """The original's reader died of an I/O error, and the backup waited for it for ever.

    Here the command ends with an error, and no version is valid.
    """
    disk = LoopDisk(tmp_path / "disk")
    with mounted(disk, 6 * 1024):
        site.image = disk.path / "image"
        site.image.write_bytes(os.urandom(4 * 1024 * 1024))
        disk.unmount()
        disk.mount_again()
        os.truncate(disk.image, 1024 * 1024)
        failed = site.run("backup", site.url, "vm")
    assert failed.code == SOURCE, failed
    assert "Input/output error" in failed.err
    assert {version["state"] for version in site.versions()} <= {"incomplete"}


def test_fault_29_a_source_that_shrinks_under_a_backup_ends_it(site: Site) -> None:
    """As above, where the source is a file that somebody cuts meanwhile."""
    site.configure(slow_bytes_s=6_000_000)
    site.image.write_bytes(blocks(range(1, 6001)))
    process = site.slow_backup()
    os.truncate(site.image, 100 * BLOCK)
    failed = ended(process)
    assert (failed.code, failed.out) == (SOURCE, ""), failed
    assert site.call("restore", site.incomplete(), f"file://{site.target()}").code == REFUSED
