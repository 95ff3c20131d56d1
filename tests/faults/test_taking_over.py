"""Faults 18 and 19: databases of the original that its own upgrade left half way, or whose uids are paths."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.original import Original
from tests.faults.site import BLOCK, DAMAGE, Site, blocks


@pytest.fixture
def original(site: Site) -> Original:
    """Two plain versions of the original in our store."""
    made = Original(site.store)
    made.back_up(blocks([1, 2, 0, 3]) + b"tail", "one")
    made.back_up(blocks([2, 4]), "two")
    return made


def _content(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [line for line in connection.iterdump() if "backy2_" not in line]


@pytest.mark.parametrize("same", [False, True], ids=["beside", "in-one-database"])
def test_fault_18_a_database_that_the_originals_upgrade_left_half_way_is_taken_over(
    same: bool, site: Site, original: Original
) -> None:
    """The upgrade of 2.9's SQLite database breaks and leaves a column too many; every later release then fails on it.

    Here the columns count and not the revision: all of it comes over, and its tables stay as they are.
    """
    path = site.database if same else site.folder / "original.sqlite"
    if same:
        path.unlink()
    original.write_database(path, half_upgraded=True)
    before = _content(path)
    if same:
        site.ok("initdb")
    for outcome in ("valid", "here already"):
        ended = site.run("adopt", *([] if same else [f"sqlite:///{path}"]), "--format", "json")
        assert ended.code == 0, ended
        assert [row["outcome"] for row in ended.record] == [outcome, outcome]
    assert _content(path) == before
    one, two = (backup.uid for backup in original.backups)
    assert site.restored(one) == blocks([1, 2, 0, 3]) + b"tail"
    assert site.restored(two) == blocks([2, 4])
    assert site.restored(site.backup(blocks([9, 4]), "-f", two, hints=[_first_block()])) == blocks([9, 4])


def test_fault_18_the_stump_of_a_failed_migration_is_taken_over_as_damaged(site: Site, original: Original) -> None:
    """On SQLite the original's migrate-encryption fails and leaves a version with few of its rows.

    Here it comes over as what it is, and the whole ones beside it are whole.
    """
    stump = original.back_up(blocks(range(1, 30)), "stump")
    path = site.folder / "original.sqlite"
    original.write_database(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE versions SET valid = 0 WHERE uid = ?", (stump,))
        connection.execute("DELETE FROM blocks WHERE version_uid = ? AND id > 3", (stump,))
    ended = site.run("adopt", f"sqlite:///{path}", "--format", "json")
    assert ended.code == DAMAGE, ended
    assert {row["name"]: row["outcome"] for row in ended.record} == {"one": "valid", "two": "valid", "stump": "damaged"}
    target = site.target()
    assert site.call("restore", stump, f"file://{target}").code == DAMAGE
    assert site.call("backup", "-f", stump, site.url, "vm").code != 0
    assert target.read_bytes()[: 4 * BLOCK] == blocks(range(1, 5))


@pytest.mark.parametrize("uid", ["../../../secret", "/etc/hostname", "ab", "a" * 31 + "/", ""])
def test_fault_19_a_uid_in_a_database_is_never_used_as_a_path(uid: str, site: Site, original: Original) -> None:
    """The original took any text as a uid, so that it read and deleted files outside its store."""
    secret = site.folder / "secret.blob"
    secret.write_bytes(blocks([2]))
    rows = original.backups[1].rows
    rows[0] = replace(rows[0], uid=uid)
    path = site.folder / "original.sqlite"
    original.write_database(path)
    ended = site.call("adopt", f"sqlite:///{path}", "--format", "json")
    assert ended.code in (DAMAGE, 23), ended
    one, two = (backup.uid for backup in original.backups)
    assert {row["uid"]: row["outcome"] for row in ended.record}[two] in ("damaged", "failed")
    assert site.call("restore", two, f"file://{site.target()}").code != 0
    assert site.restored(one) == blocks([1, 2, 0, 3]) + b"tail"
    site.ok("adopt", "--finish", f"sqlite:///{shutil.copy(path, site.folder / 'copy.sqlite')}")
    site.call("rm", two)
    site.ok("cleanup", "--full")
    assert secret.read_bytes() == blocks([2])


def _first_block() -> dict[str, object]:
    return {"offset": 0, "length": BLOCK, "exists": "true"}
