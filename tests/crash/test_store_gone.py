"""A store that disappears under a job, or before it: an error, but never damage, since nothing is proven.

INVARIANTS 5 and 6: a missing disk must not make versions damaged, and nothing may be deleted or restored on its word.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.disks import Disk, LoopDisk, MemoryDisk, mounted
from tests.crash.world import World
from tests.crash.zygote import Zygote

DATA_BACKEND = 14


@pytest.fixture
def memory_disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 4 MiB in memory."""
    with mounted(MemoryDisk(tmp_path / "disk"), 4 * 1024) as disk:
        yield disk


@pytest.fixture
def loop_disk(tmp_path: Path) -> Iterator[LoopDisk]:
    """A disk of 6 MiB in a file."""
    disk = LoopDisk(tmp_path / "disk")
    with mounted(disk, 6 * 1024):
        yield disk


@pytest.mark.parametrize("kind", ["scrub", "restore"])
def test_a_store_whose_files_vanish_with_their_folder_under_a_job_is_not_damaged(kind: str, world: World) -> None:
    world.backed_up(world.new_image(100))
    (version,) = world.valid()
    arguments = {"uid": version.uid} | ({"target": f"file://{world.folder}/target"} if kind == "restore" else {})
    job = world.start(kind, arguments, points=["before data.get"], arrival=10, action="stop")
    world.wait_stopped(job)
    store, away = world.store / "data", world.store / "away"
    away.mkdir()
    for folder in store.iterdir():
        folder.rename(away / folder.name)
    store.rmdir()
    os.kill(job.pid, signal.SIGCONT)
    ended = world.wait(job)
    assert ended.exit == DATA_BACKEND, ended
    assert "is gone" in ended.message
    with world.meta() as meta:
        world.check_nothing_damaged(meta)
    away.rename(store)
    world.check_valid_versions()


@pytest.mark.parametrize("kind", ["scrub", "restore"])
def test_a_store_that_is_unmounted_under_a_job_is_not_damaged(
    kind: str, loop_disk: LoopDisk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, store=loop_disk.path)
    world.backed_up(world.new_image(100))
    (version,) = world.valid()
    arguments = {"uid": version.uid} | ({"target": f"file://{world.folder}/target"} if kind == "restore" else {})
    job = world.start(kind, arguments, points=["before data.get"], arrival=10, action="stop")
    world.wait_stopped(job)
    loop_disk.unmount(lazily=True)
    os.kill(job.pid, signal.SIGCONT)
    ended = world.wait(job)
    # Who holds the folder open may read on; who does not must not take the empty place for the store.
    assert ended.exit in (0, DATA_BACKEND), ended
    with world.meta() as meta:
        world.check_nothing_damaged(meta)
    loop_disk.mount_again()
    world.check_valid_versions()
    world.settle()


@pytest.mark.parametrize("kind", ["backup", "scrub", "restore", "cleanup"])
def test_a_store_that_is_not_mounted_is_not_taken_for_an_empty_one(
    kind: str, loop_disk: LoopDisk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, store=loop_disk.path)
    for _ in range(2):
        world.backed_up(world.new_image(100))
    version = world.valid()[0]
    arguments = {
        "backup": world.backup_arguments(world.new_image()),
        "scrub": {"uid": version.uid},
        "restore": {"uid": version.uid, "target": f"file://{world.folder}/target"},
        "cleanup": {"full": True},
    }
    loop_disk.unmount()
    refused = world.run(kind, arguments[kind])
    assert refused.exit == DATA_BACKEND
    assert "mounted" in refused.message
    with world.meta() as meta:
        world.check_nothing_damaged(meta)
    loop_disk.mount_again()
    world.check_valid_versions()
    world.settle()


@pytest.mark.parametrize("kind", ["scrub", "restore"])
def test_a_disk_that_reports_read_errors_is_not_damaged(
    kind: str, loop_disk: LoopDisk, quick_folder: Path, zygote: Zygote
) -> None:
    """The file below the loop device is cut, so that reading beyond its end is an I/O error."""
    world = World(quick_folder, zygote, 1, store=loop_disk.path)
    world.backed_up(world.new_image(200, fresh=1.0))
    (version,) = world.valid()
    loop_disk.unmount()
    whole = loop_disk.image.with_suffix(".whole")
    shutil.copyfile(loop_disk.image, whole)
    loop_disk.mount_again()
    arguments = {"uid": version.uid} | ({"target": f"file://{world.folder}/target"} if kind == "restore" else {})
    job = world.start(kind, arguments, points=["before data.get"], arrival=1, action="stop")
    world.wait_stopped(job)
    os.truncate(loop_disk.image, 1024 * 1024)
    os.kill(job.pid, signal.SIGCONT)
    ended = world.wait(job)
    assert ended.exit == DATA_BACKEND, ended
    assert "Input/output error" in ended.message
    with world.meta() as meta:
        world.check_nothing_damaged(meta)
    loop_disk.unmount(lazily=True)
    whole.rename(loop_disk.image)
    loop_disk.mount_again()
    world.check_valid_versions()


def test_a_backup_whose_store_is_unmounted_does_not_write_into_the_empty_place(
    memory_disk: Disk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, store=memory_disk.path)
    arguments = world.backup_arguments(world.new_image(150, fresh=1.0))
    job = world.start("backup", arguments, points=["after data.put"], arrival=20, action="stop")
    world.wait_stopped(job)
    memory_disk.unmount(lazily=True)
    os.kill(job.pid, signal.SIGCONT)
    world.wait(job)
    assert list(memory_disk.path.iterdir()) == []
