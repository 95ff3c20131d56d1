"""Fault 14: a blob that the original encrypted is damaged, or the key is not the right one."""

from __future__ import annotations

import pytest

from tests.faults.original import Original
from tests.faults.site import DAMAGE, KEYRING, Site, blocks

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def _configure(site: Site, key: bytes | None) -> None:
    site.configure(more=f"[transform:backy2_v1]\nencryption_key = {key.hex()}" if key else "")


@pytest.fixture
def original(site: Site) -> Original:
    """Three sealed versions of the original, taken over: whole, first, and shared (which has a block of the first)."""
    made = Original(site.store, KEY)
    made.back_up(blocks([7, 8, 0]), "whole")
    made.back_up(blocks(range(1, 40)), "first")
    made.back_up(blocks([50, 20]), "shared")
    made.write_database(site.folder / "original.sqlite")
    _configure(site, KEY)
    site.ok("adopt", f"sqlite:///{site.folder}/original.sqlite")
    return made


def _damaged(data: bytes, way: str) -> bytes | None:
    ways = {
        "tag": b"!" + data[1:],
        "ciphertext": data[:-1] + bytes([data[-1] ^ 1]),
        "cut": data[:-1],
        "cut-to-its-head": data[:20],
        "empty": b"",
    }
    return ways.get(way)


@pytest.mark.parametrize("way", ["tag", "ciphertext", "cut", "cut-to-its-head", "empty", "missing"])
def test_fault_14_a_damaged_encrypted_blob_is_found_and_marked_and_all_others_are_checked(
    way: str, site: Site, original: Original
) -> None:
    """The later releases' scrub ended with 100 at such a blob, and marked nothing."""
    whole, first, shared = (backup.uid for backup in original.backups)
    path = original.blob(blocks([20]))
    data = _damaged(path.read_bytes(), way)
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    found = site.call("scrub", first, "--format", "json")
    assert (found.code, found.record["damaged_blocks"], found.record["checked_blocks"]) == (DAMAGE, 1, 38), found
    assert path.name.removesuffix(".blob") in found.err
    assert [site.state(uid) for uid in (whole, first, shared)] == ["valid", "damaged", "damaged"]
    target = site.target()
    assert site.call("restore", first, f"file://{target}").code == DAMAGE
    assert target.read_bytes() == blocks([*range(1, 20), 0, *range(21, 40)])
    assert site.restored(whole) == blocks([7, 8, 0])


@pytest.mark.parametrize("key", [OTHER, None], ids=["another-key", "no-key"])
def test_fault_14_a_wrong_key_is_an_error_that_marks_nothing(key: bytes | None, site: Site, original: Original) -> None:
    """A key that does not fit proves nothing about the blobs; with the right one all is well."""
    _, uid, _ = (backup.uid for backup in original.backups)
    _configure(site, key)
    for argv in (("scrub", uid), ("scrub", "-p", "99", uid), ("restore", uid, f"file://{site.target()}")):
        refused = site.call(*argv)
        assert refused.code == KEYRING, refused
        assert KEY.hex() not in refused.err
        assert OTHER.hex() not in refused.err
    assert site.rows("SELECT DISTINCT state FROM backy2_versions") == [(2,)]
    assert site.rows("SELECT count(*) FROM backy2_blobs WHERE state = 3") == [(0,)]
    _configure(site, KEY)
    site.ok("scrub", uid)
    assert site.restored(uid) == blocks(range(1, 40))
