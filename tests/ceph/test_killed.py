"""Backups of an RBD image are killed by SIGKILL, at each step and at any moment: nothing is lost, and the next run tidies up.

After each kill all versions that were valid are, and the snapshots of others are there. After the next backup one snapshot of
our own making is left, that of the newest version, and no version is incomplete.
At the end every valid version is restored and compared.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ceph.dying import READY
from tests.ceph.world import Running, World, own_pool
from tests.sources.rbd_images import KIB, MIB
from tests.support.ceph import Cluster

_SNAPSHOTS = "backy2_plugins.sources.rbd.snapshots:RbdSnapshots"
_OWNERSHIP = "backy2_plugins.sources.rbd.ownership"
_DATABASE = "backy2_plugins.meta_backends.sql.backend:SqlMetaBackend"
_STORE = "backy2_plugins.data_backends.file.backend:FileDataBackend"
POINTS = {
    "before the entry": f"before {_OWNERSHIP}:claim",
    "entry to snapshot": f"after {_OWNERSHIP}:claim",
    "snapshot to difference": f"after {_SNAPSHOTS}.create",
    "in the difference": f"after {_SNAPSHOTS}.changes",
    "difference to version": "after backy2_core.engine.snapshot_backup:changes_since",
    "version to blocks": f"after {_DATABASE}.create_version",
    "blocks to valid": f"after {_STORE}.put",
    "right before valid": f"before {_DATABASE}.finish_version",
    "right after valid": f"after {_DATABASE}.finish_version",
    "valid to removal": f"before {_SNAPSHOTS}.remove",
    "removal to entry": f"before {_OWNERSHIP}:disclaim",
    "after the removal": f"after {_SNAPSHOTS}.remove",
}
BLOCKS = 128
SIZE = BLOCKS * 64 * KIB
THEIRS = "of-a-person"
NAME = "vm"
MOST_TRIES = 12
LEASE_S = 300
"""By default, so that nothing here ends by itself."""


class Site:
    """An image that is backed up each night, and a snapshot of it that somebody else made."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.draw = random.Random(seed)
        self.image = world.pool.image(SIZE, order=19)
        self.image.write(0, self.draw.randbytes(MIB))
        world.backup(self.image)
        self.image.take(THEIRS)

    def change(self, blocks: int = 32) -> None:
        """The image is written to."""
        with self.image.opened() as opened:
            for number in self.draw.sample(range(BLOCKS), blocks):
                opened.write(self.draw.randbytes(8 * KIB), number * 64 * KIB)

    def start(self, point: str) -> Running:
        """A backup that is killed at the point, or lives if there is none; it returns when the backup begins."""
        running = self.world.start("-m", "backup", self.image.url, NAME, module="tests.ceph.dying", before=[point])
        while READY not in running.said():
            assert running.process.poll() is None, running.said()
            time.sleep(0.005)
        return running

    def look_after(self) -> None:
        """What must hold after a kill; then what died is continued or the next backup is made, which must leave all tidy."""
        self._expect_nothing_lost()
        self.world.let_leases_run_out()
        interrupted = [row["uid"] for row in self.world.versions() if row["state"] == "incomplete"]
        if interrupted and self.draw.random() < 0.5:
            newest = interrupted[0]
            self.world.ok("backup", "-c", newest, self.image.url, NAME)
            self.world.remember(self.image, newest)
        else:
            self.change(blocks=3)
            newest = self.world.backup(self.image)
        self._expect_nothing_lost()
        self._expect_tidy(newest)

    def _expect_nothing_lost(self) -> None:
        valid = {row["uid"]: row for row in self.world.versions() if row["state"] == "valid"}
        assert set(self.world.expected) <= set(valid), "a version that was valid is not any more"
        for uid in set(valid) - set(self.world.expected):
            # It became valid before the kill.
            self.world.remember(self.image, uid)
        assert THEIRS in self.image.names()

    def _expect_tidy(self, newest: str) -> None:
        assert {row["state"] for row in self.world.versions()} == {"valid"}
        snapshot = self.world.version(newest)["snapshot_name"]
        assert sorted(self.image.names()) == sorted([snapshot, THEIRS])
        with self.image.opened(read_only=True) as opened:
            entries = [key for key, _ in opened.metadata_list()]
        # One that is killed between its entry and its snapshot leaves the entry, which goes a day later.
        assert f"backy2.snapshot/{snapshot}" in entries


@pytest.fixture
def site(tmp_path: Path, ceph: Cluster) -> Iterator[Site]:
    """A site in a pool of its own."""
    with own_pool(ceph) as pool:
        yield Site(World(tmp_path, pool), seed=1)


def test_a_kill_at_each_step_loses_nothing_and_the_next_backup_tidies_up(site: Site) -> None:
    for name, point in POINTS.items():
        site.change(blocks=4)
        assert site.start(point).wait() == -signal.SIGKILL, f"it was not killed at {name}"
        site.look_after()
    site.world.check_all()


def test_a_kill_at_any_moment_loses_nothing_and_the_next_backup_tidies_up(site: Site) -> None:
    _kill_at_random(site, kills=4)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_kills_at_any_moment_lose_nothing(site: Site) -> None:
    _kill_at_random(site, kills=50)


def test_two_kills_in_a_row_are_tidied_up_by_the_one_that_lives(site: Site) -> None:
    for first, second in (
        ("snapshot to difference", "version to blocks"),
        ("right before valid", "entry to snapshot"),
        ("valid to removal", "blocks to valid"),
    ):
        for name in (first, second):
            site.change(blocks=4)
            assert site.start(POINTS[name]).wait() == -signal.SIGKILL, f"it was not killed at {name}"
        site.look_after()
    site.world.check_all()


def test_a_backup_after_a_kill_waits_for_no_lease_but_leaves_what_it_protects(site: Site) -> None:
    assert site.start(POINTS["snapshot to difference"]).wait() == -signal.SIGKILL
    base, left = (name for name in site.image.names() if name != THEIRS)
    began = time.monotonic()
    site.world.backup(site.image)
    assert time.monotonic() - began < LEASE_S / 2
    assert {base, left} <= set(site.image.names())
    site.world.let_leases_run_out()
    site.world.backup(site.image)
    assert not {base, left} & set(site.image.names())


def _kill_at_random(site: Site, kills: int) -> None:
    site.change()
    began = time.monotonic()
    assert site.start("").wait() == 0
    typical_s = time.monotonic() - began
    done = tries = 0
    while done < kills:
        tries += 1
        assert tries <= kills * MOST_TRIES, "most backups ended before the signal came"
        site.change()
        running = site.start("")
        time.sleep(site.draw.uniform(0, typical_s))
        running.process.kill()
        done += running.wait() == -signal.SIGKILL
        site.look_after()
    site.world.check_all()
