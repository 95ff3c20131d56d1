"""Daemons of the cluster are killed and started again under a backup and under a restore: nothing hangs, nothing is wrong.

A command goes on when the daemon is back, or ends with the exit code of its source or target if that takes too long; the
next one then does all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ceph.world import SOURCE, TARGET, Running, World, own_pool
from tests.sources.rbd_images import MIB, Image
from tests.support.ceph import Cluster

SIZE = 8 * MIB
BLOCK = 64 * 1024
SLOW = "bandwidth_read = {}\nbandwidth_write = {}"
BACKED_UP, RESTORED = "vm", "restored"
PATIENCE_S = 90


@pytest.fixture
def world(tmp_path: Path, own_ceph: Cluster) -> Iterator[World]:
    """An installation whose store takes some seconds for all of the image."""
    with own_pool(own_ceph) as pool:
        yield World(tmp_path, pool, store=SLOW.format(SIZE // 4, SIZE // 4))


@pytest.fixture
def image(world: World) -> Image:
    """An image that is full of data."""
    image = world.pool.image(SIZE, order=20)
    image.write(0, random.Random(1).randbytes(SIZE))
    return image


def test_a_backup_goes_on_when_the_osd_is_back(world: World, image: Image) -> None:
    running = _begun(world, "-m", "backup", image.url, BACKED_UP)
    _restart_osd(world)
    assert running.wait(PATIENCE_S) == 0, running.said()
    _expect_right(world, image)


def test_a_restore_goes_on_when_the_osd_is_back(world: World, image: Image) -> None:
    uid = world.backup(image)
    running = _begun(world, "restore", uid, world.pool.url(RESTORED))
    _restart_osd(world)
    assert running.wait(PATIENCE_S) == 0, running.said()
    assert world.exported(RESTORED) == world.expected[uid]


@pytest.mark.soak
def test_backup_and_restore_go_on_when_the_monitor_is_back(world: World, image: Image) -> None:
    for words in (["-m", "backup", image.url, BACKED_UP], ["restore", f"latest:{BACKED_UP}", world.pool.url(RESTORED)]):
        running = _begun(world, *words)
        world.pool.cluster.kill_mon()
        time.sleep(0.5)
        world.pool.cluster.start_mon()
        assert running.wait(PATIENCE_S) == 0, running.said()
    _expect_right(world, image)
    assert world.exported(RESTORED) == world.exported(image.name)


@pytest.mark.soak
def test_without_an_osd_commands_end_in_order_and_the_next_ones_do_all(tmp_path: Path, own_ceph: Cluster) -> None:
    with own_pool(own_ceph) as pool:
        short = "osd_timeout = 2\nmon_timeout = 2\nconnect_timeout = 2"
        world = World(tmp_path, pool, source=short, store=SLOW.format(SIZE // 4, SIZE // 4))
        image = pool.image(SIZE, order=20)
        image.write(0, random.Random(1).randbytes(SIZE))
        running = _begun(world, "-m", "backup", image.url, BACKED_UP)
        own_ceph.kill_osd()
        assert running.wait(PATIENCE_S) == SOURCE, running.said()
        own_ceph.start_osd()
        uid = world.backup(image)
        assert [name.startswith("backy2-") for name in image.names()] == [True]

        running = _begun(world, "restore", uid, pool.url(RESTORED))
        own_ceph.kill_osd()
        assert running.wait(PATIENCE_S) == TARGET, running.said()
        own_ceph.start_osd()
        _repeat(lambda: world.call("restore", "--force", uid, pool.url(RESTORED)).code == 0)
        assert world.exported(RESTORED) == world.expected[uid]


def test_without_a_monitor_a_command_ends_in_order_and_the_next_one_does_all(tmp_path: Path, own_ceph: Cluster) -> None:
    with own_pool(own_ceph) as pool:
        world = World(tmp_path, pool, source="connect_timeout = 2\nmon_timeout = 2")
        image = pool.image(MIB, order=18)
        own_ceph.kill_mon()
        began = time.monotonic()
        assert world.call("backup", image.url, BACKED_UP).code == SOURCE
        assert time.monotonic() - began < PATIENCE_S / 3
        own_ceph.start_mon()
        world.backup(image)
        world.check_all()


def _begun(world: World, *words: str) -> Running:
    """A command, started, that moves blocks already: it has stored one, or has made the image to restore to."""
    import rbd

    running, store = world.start(*words), world.folder / "store"
    stored = _files(store)
    while _files(store) == stored if "backup" in words else RESTORED not in rbd.RBD().list(world.pool.ioctx):
        assert running.process.poll() is None, running.said()
        time.sleep(0.02)
    # All takes seconds, since the store is slow.
    time.sleep(0.5)
    return running


def _files(folder: Path) -> int:
    return sum(path.is_file() and path.stat().st_size >= BLOCK for path in folder.rglob("*"))


def _restart_osd(world: World) -> None:
    world.pool.cluster.kill_osd()
    time.sleep(0.5)
    world.pool.cluster.start_osd()


def _expect_right(world: World, image: Image) -> None:
    """The newest version is what its snapshot is."""
    for row in world.versions():
        world.remember(image, row["uid"])
    world.check_all()


def _repeat(work: Callable[[], bool]) -> None:
    """The client that failed may hold the image for some seconds."""
    deadline = time.monotonic() + PATIENCE_S
    while not work():
        assert time.monotonic() < deadline
        time.sleep(0.5)
