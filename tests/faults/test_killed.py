"""Faults 2, 7, 8 and 20: what a killed backup leaves, and what a cleanup does beside one that runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.crash.world import World
from tests.faults.site import REFUSED, Ended, Site, blocks, ended

OLD = blocks([1, 2, 0, 3] * 100)
NEW = blocks([n + 1 for n in range(400)], seed=2)
FIRST_HALF = [{"offset": 0, "length": len(NEW) // 2, "exists": "true"}]


def _plain(site: Site) -> tuple[str, ...]:
    site.image.write_bytes(NEW)
    return ()


def _with_a_base(site: Site) -> tuple[str, ...]:
    base = site.backup(OLD)
    site.image.write_bytes(NEW[: len(NEW) // 2] + OLD[len(NEW) // 2 :])
    return ("-f", base, "-r", str(site.hints_file(FIRST_HALF)))


@pytest.mark.parametrize("arguments", [_plain, _with_a_base])
def test_fault_02_a_killed_backup_is_never_made_valid_by_a_scrub(
    arguments: Callable[[Site], tuple[str, ...]], site: Site
) -> None:
    """The original left a full set of sparse rows, and a scrub then called that version of zeros valid.

    Here it is incomplete, no scrub takes it, nothing restores from it or builds on it; only continuing it makes it valid.
    """
    options = arguments(site)
    process = site.slow_backup(*options)
    process.kill()
    assert ended(process).code == -signal.SIGKILL
    uid, target = site.incomplete(), site.target()
    for scrub in ([], ["-p", "1"], ["-p", "99"], ["-s", site.url]):
        assert site.call("scrub", *scrub, uid).code == REFUSED
        assert site.state(uid) == "incomplete"
    assert site.call("restore", uid, f"file://{target}").code == REFUSED
    assert not target.exists()
    assert site.call("backup", "-f", uid, site.url, "vm").code == REFUSED
    site.let_leases_run_out()
    assert site.call("scrub", uid).code == REFUSED
    site.ok("backup", "-c", uid, *options, site.url, "vm")
    assert site.restored(uid) == site.image.read_bytes()


def _cleaned_until_the_end_of(process: subprocess.Popen[str], site: Site) -> Ended:
    """Run full cleanups beside a backup, which must succeed."""
    rounds = 0
    while process.poll() is None:
        site.ok("cleanup", "--full")
        rounds += process.poll() is None
    done = ended(process)
    assert done.code == 0, done
    assert rounds, "the backup was over too soon to show anything"
    return done


def test_fault_07_a_block_that_a_running_backup_found_stays_though_its_version_goes(site: Site) -> None:
    """In the original a block that a long backup had deduplicated against could be deleted before that backup ended.

    Here removals and cleanups beside it take nothing that it found.
    """
    shared = blocks(range(1, 201))
    gone = site.backup(shared, name="gone")
    site.image.write_bytes(shared + NEW)
    process = site.slow_backup()
    site.ok("rm", gone)
    done = _cleaned_until_the_end_of(process, site)
    assert site.restored(done.out.strip()) == shared + NEW


def test_fault_07_a_base_that_is_removed_under_an_incremental_backup_does_no_harm(site: Site) -> None:
    """The later releases held the base's rows in memory without locking it, so that its blocks went meanwhile."""
    options = _with_a_base(site)
    process = site.slow_backup(*options)
    site.ok("rm", options[1])
    done = _cleaned_until_the_end_of(process, site)
    assert site.restored(done.out.strip()) == site.image.read_bytes()


@pytest.mark.parametrize(
    ("point", "arrival"),
    [
        ("before meta.sweep_segments", 1),
        ("before meta.sweep_blobs", 1),
        ("before meta.sweep_blobs", 3),
        ("after meta.sweep_blobs", 2),
        ("before data.delete", 1),
    ],
)
def test_fault_08_a_block_found_between_listing_and_deletion_is_not_lost(
    point: str, arrival: int, world: World
) -> None:
    """The original checked first and deleted then, and a backup that found the block in between referred to nothing.

    Here a cleanup is stopped at that very place, the same content is backed up, and the cleanup goes on.
    """
    going = world.new_image(60, fresh=1.0)
    world.backed_up(going)
    (version,) = world.valid()
    world.remove(version)
    cleanup = world.start("cleanup", {"full": True}, points=[point], arrival=arrival, action="stop")
    world.wait_stopped(cleanup)
    world.backed_up(world.same_image(going))
    os.kill(cleanup.pid, signal.SIGCONT)
    assert world.wait(cleanup).exit == 0
    world.check_valid_versions()
    world.settle()


def test_fault_20_a_version_is_not_written_by_two_processes_at_once(site: Site) -> None:
    """The later releases deleted their lock files, so that two processes could hold the same lock.

    Here the second one is refused, and the first one comes to its end.
    """
    site.image.write_bytes(NEW)
    process = site.slow_backup()
    process.terminate()
    ended(process)
    uid = site.incomplete()
    first = site.slow_backup("-c", uid)
    second = site.run("backup", "-c", uid, site.url, "vm")
    assert second.code == REFUSED, second
    assert ended(first).code == 0
    assert site.restored(uid) == NEW
