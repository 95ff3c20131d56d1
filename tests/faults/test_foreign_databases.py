"""Fault 5: a full cleanup on the word of a database that is empty, another one's, or out of date."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.site import DATA_BACKEND, Site, blocks, ended, wait_until

FORCES = [("--full",), ("-f",), (), ("--full", "--dry-run")]


def _empty(site: Site, folder: Path) -> Site:
    """A database that nothing was ever recorded in."""
    other = Site(folder, store=site.store)
    other.ok("initdb")
    return other


def _of_another(site: Site, folder: Path) -> Site:
    """The database of an installation with a store and versions of its own, whose configuration names the wrong store."""
    other = Site(folder)
    other.ok("initdb")
    other.backup(blocks(range(500, 520)))
    other.store = site.store
    other.configure()
    return other


def _out_of_date(site: Site, folder: Path) -> Site:
    """A copy of the right database, made before the last backup."""
    other = Site(folder, store=site.store)
    shutil.copy(site.database, other.database)
    site.backup(blocks(range(600, 620)), name="new")
    return other


@pytest.mark.parametrize("options", FORCES, ids=" ".join)
@pytest.mark.parametrize("wrong", [_empty, _of_another, _out_of_date])
def test_fault_05_a_cleanup_with_the_wrong_database_is_refused_and_deletes_nothing(
    wrong: Callable[[Site, Path], Site], options: tuple[str, ...], site: Site
) -> None:
    """The original deleted the whole store, and the exit code was 0."""
    uid = site.backup(blocks(range(1, 50)))
    other = wrong(site, site.folder / "other")
    before = site.files()
    refused = other.call("cleanup", *options)
    assert refused.code == DATA_BACKEND, refused
    assert "database" in refused.err
    after = site.files()
    assert {name: after.get(name) for name in before} == before
    assert site.restored(uid) == blocks(range(1, 50))


def test_fault_05_what_a_killed_backup_put_is_not_deleted_by_an_empty_database(site: Site) -> None:
    """A store that no version was finished in does not look like nobody's."""
    site.image.write_bytes(blocks(range(1, 3001)))
    process = site.slow_backup()
    wait_until(lambda: len(site.objects()) > 0, process)
    process.kill()
    ended(process)
    objects = site.objects()
    other = _empty(site, site.folder / "other")
    other.call("cleanup", "--full")
    assert site.objects() == objects


def test_fault_05_blobs_of_the_original_are_not_deleted_by_a_database_that_knows_nothing_of_them(site: Site) -> None:
    """A store that the original filled: blobs by their names, and no word of who put them."""
    chance = random.Random(5)
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    for _ in range(40):
        tail = "".join(chance.choice(alphabet) for _ in range(22))
        uid = hashlib.md5(tail.encode()).hexdigest()[:10] + tail
        path = site.store / uid[:2] / uid[2:4] / f"{uid}.blob"
        path.parent.mkdir(parents=True)
        path.write_bytes(chance.randbytes(100))
    before = site.objects()
    assert len(before) == 40
    for _ in range(2):
        site.call("cleanup", "--full")
    gone = site.backup(blocks(range(1, 9)))
    site.ok("rm", gone)
    for _ in range(2):
        site.ok("cleanup", "--full")
    assert site.objects() == before


def test_fault_05_a_full_cleanup_does_no_harm_to_a_backup_that_runs_on_another_host(site: Site) -> None:
    """The original looked for other processes on its own host only, and deleted what they had just put.

    Here a process that the cleanup cannot see but in the database keeps what it put and what it found.
    """
    content = blocks(range(1, 1001))
    site.image.write_bytes(content)
    process = site.slow_backup()
    wait_until(lambda: len(site.objects()) > 0, process)
    site.ok("cleanup", "--full")
    assert process.poll() is None, "the backup was over too soon to show anything"
    site.ok("cleanup", "--full")
    done = ended(process)
    assert done.code == 0, done
    assert site.restored(done.out.strip()) == content
