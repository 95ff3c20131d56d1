"""Disks that are full or read-only: a clear error, nothing lost, and the backup goes on when there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.model.version import VersionState
from tests.crash.disks import Disk, LoopDisk, MemoryDisk, mounted
from tests.crash.world import World
from tests.crash.zygote import Zygote

TARGET, DATA_BACKEND, META_BACKEND = 13, 14, 15


@pytest.fixture(params=[MemoryDisk, LoopDisk])
def store_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk of 6 MiB for the store."""
    with mounted(request.param(tmp_path / "disk"), 6 * 1024) as disk:
        yield disk


@pytest.fixture
def memory_disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 2 MiB in memory."""
    with mounted(MemoryDisk(tmp_path / "disk"), 2 * 1024) as disk:
        yield disk


@pytest.mark.parametrize("free_kib", [0, 50, 300])
def test_a_full_store_ends_the_backup_clearly_and_a_cleanup_makes_room_to_continue_it(
    free_kib: int, store_disk: Disk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, store=store_disk.path)
    for _ in range(2):
        world.backed_up(world.new_image(100, fresh=1.0))
    store_disk.fill(leave=free_kib * 1024)
    name = world.new_image(130, fresh=1.0)
    failed = world.run("backup", world.backup_arguments(name))
    assert failed.exit == DATA_BACKEND
    assert str(world.store / "data") in failed.message
    assert "No space left on device" in failed.message
    world.check_valid_versions()
    (incomplete,) = world.versions(VersionState.INCOMPLETE)
    # Removing works on a full disk, too; it must not need room to make room.
    world.remove(world.valid()[0])
    assert world.cleanup().freed_bytes >= 100 * 4096 - 4096
    world.check_valid_versions()
    store_disk.make_room()
    world.backed_up(name, resume=incomplete.uid)
    world.settle()


@pytest.mark.parametrize("free_kib", [0, 8, 24, 48, 80, 160])
def test_a_full_disk_under_the_database_ends_the_backup_clearly_and_it_is_continued(
    free_kib: int, memory_disk: Disk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, home=memory_disk.path)
    world.backed_up(world.new_image(100))
    memory_disk.fill(leave=free_kib * 1024)
    name = world.new_image(250, fresh=0.9)
    failed = world.run("backup", world.backup_arguments(name))
    assert failed.exit == META_BACKEND, failed
    assert str(memory_disk.path / "meta.sqlite") in failed.message
    assert "full" in failed.message
    memory_disk.make_room()
    world.check_valid_versions()
    world.let_leases_run_out()
    for incomplete in world.versions(VersionState.INCOMPLETE):
        world.backed_up(name, resume=incomplete.uid)
    world.settle()


def test_a_full_disk_under_the_target_ends_the_restore_clearly(
    memory_disk: Disk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1)
    world.backed_up(world.new_image(200, fresh=1.0))
    (version,) = world.valid()
    memory_disk.fill(leave=300 * 1024)
    target = memory_disk.path / "target"
    failed = world.run("restore", {"uid": version.uid, "target": f"file://{target}"})
    assert failed.exit == TARGET
    assert str(target) in failed.message
    assert "No space left on device" in failed.message
    world.check_valid_versions()
    memory_disk.make_room()
    assert world.run("restore", {"uid": version.uid, "target": f"file://{target}", "force": True}).exit == 0
    world.check_content(target, version.name)


def test_a_read_only_store_can_be_read_and_says_clearly_that_it_cannot_be_written(
    store_disk: Disk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, store=store_disk.path)
    for _ in range(3):
        world.backed_up(world.new_image(80))
    going, kept, _ = world.valid()
    world.remove(going)
    store_disk.options("ro")
    name = world.new_image(80)
    for kind, arguments in (("backup", world.backup_arguments(name)), ("cleanup", {"full": True})):
        failed = world.run(kind, arguments)
        assert failed.exit == DATA_BACKEND, (kind, failed)
        assert str(world.store / "data") in failed.message
        assert "Read-only file system" in failed.message
    world.check_valid_versions()
    assert world.run("scrub", {"uid": kept.uid}).exit == 0
    target = world.folder / "target"
    assert world.run("restore", {"uid": kept.uid, "target": f"file://{target}"}).exit == 0
    world.check_content(target, kept.name)
    store_disk.options("rw")
    (incomplete,) = world.versions(VersionState.INCOMPLETE)
    world.backed_up(name, resume=incomplete.uid)
    world.settle()


def test_a_read_only_database_says_clearly_that_it_cannot_be_written(
    memory_disk: Disk, quick_folder: Path, zygote: Zygote
) -> None:
    world = World(quick_folder, zygote, 1, home=memory_disk.path)
    world.backed_up(world.new_image(80))
    memory_disk.options("ro")
    failed = world.run("backup", world.backup_arguments(world.new_image(80)))
    assert failed.exit == META_BACKEND
    assert str(memory_disk.path / "meta.sqlite") in failed.message
    memory_disk.options("rw")
    world.settle()
