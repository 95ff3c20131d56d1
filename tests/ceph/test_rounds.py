"""A file system in an RBD image lives on for twenty nights: each night's backup is what the snapshot of that night was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ceph.disk import Disk, check_file_system, skip_without_tools
from tests.ceph.world import World, own_pool
from tests.sources.rbd_images import MIB
from tests.support.ceph import Cluster

ROUNDS = 20


def test_every_night_is_restored_as_it_was(tmp_path: Path, ceph: Cluster) -> None:
    _live(tmp_path, ceph, seed=1, size_bytes=24 * MIB, order=19, block_size="64k")


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("size_mib", "order", "block_size"), [(64, 22, "256k"), (64, 16, "1M"), (256, 23, "4M"), (48, 20, "64k")]
)
@pytest.mark.parametrize("seed", range(100, 103))
def test_every_night_is_restored_as_it_was_for_long(
    tmp_path: Path, ceph: Cluster, seed: int, size_mib: int, order: int, block_size: str
) -> None:
    _live(tmp_path, ceph, seed=seed, size_bytes=size_mib * MIB, order=order, block_size=block_size, rounds=40)


def _live(
    tmp_path: Path, ceph: Cluster, *, seed: int, size_bytes: int, order: int, block_size: str, rounds: int = ROUNDS
) -> None:
    skip_without_tools()
    with own_pool(ceph) as pool:
        world = World(tmp_path, pool, block_size=block_size)
        disk = Disk(tmp_path, pool, seed, size_bytes=size_bytes, order=order)
        uids = [world.backup(disk.image)]
        order_of_things = [happening for _ in range(-(-rounds // 10)) for happening in disk.happenings]
        disk.draw.shuffle(order_of_things)
        for happening in order_of_things[:rounds]:
            happening()
            disk.write()
            uids.append(world.backup(disk.image))
            _expect_tidy(disk)
        assert len(set(world.expected.values())) == len(uids) == rounds + 1
        for uid in uids:
            file = world.check_file(uid)
            check_file_system(file)
            file.unlink()
            world.check_image(uid)


def _expect_tidy(disk: Disk) -> None:
    """One snapshot is left of all that backups made; those of others are still there."""
    assert sum(name.startswith("backy2-") for name in disk.image.names()) == 1
