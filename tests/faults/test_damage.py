"""Faults 11 to 13, 16 and 17: blobs that are damaged or gone, and what restore and scrub say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.site import BLOCK, DAMAGE, TARGET, USAGE, Site, blocks

CONTENT = blocks([1, 2, 0, 3, 2])


def _damage(path: Path, way: str) -> None:
    data = path.read_bytes()
    path.chmod(0o600)
    if way == "missing":
        path.unlink()
    elif way == "short":
        path.write_bytes(data[:-1])
    elif way == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(data[:99] + b"!" + data[100:])


@pytest.mark.parametrize("options", [(), ("-s",), ("-f",)], ids=["new", "sparse", "over-an-old-file"])
@pytest.mark.parametrize("way", ["wrong", "short", "empty", "missing"])
def test_fault_11_a_restore_with_damaged_blocks_says_so_and_writes_the_rest(
    way: str, options: tuple[str, ...], site: Site
) -> None:
    """The original wrote wrong bytes to the target and ended with 0; a missing blob ended it half way."""
    uid, twin = site.backup(CONTENT), site.backup(blocks([2, 5]), name="twin")
    _damage(site.blob(blocks([2])), way)
    target = site.target()
    if options == ("-f",):
        target.write_bytes(bytes(len(CONTENT)))
    restored = site.call("restore", *options, uid, f"file://{target}", "--format", "json")
    assert (restored.code, restored.record["damaged_blocks"]) == (DAMAGE, 2)
    assert target.read_bytes() == blocks([1, 0, 0, 3, 0])
    assert site.state(uid) == site.state(twin) == "damaged"


@pytest.mark.parametrize("percent", ["1", "5", "50", "99"])
def test_fault_12_a_partial_scrub_that_hits_nothing_does_not_make_a_damaged_version_valid(
    percent: str, site: Site
) -> None:
    """The original's did, even where it had looked at nothing at all."""
    uid = site.backup(blocks([1, 2, 3]))
    path = site.blob(blocks([2]))
    _damage(path, "wrong")
    assert site.call("scrub", uid).code == DAMAGE
    for _ in range(8):
        assert site.call("scrub", "-p", percent, uid).code in (0, DAMAGE)
        assert site.state(uid) == "damaged"
    path.write_bytes(blocks([2]))
    site.ok("scrub", "-p", percent, uid)
    assert site.state(uid) == "damaged"
    site.ok("scrub", uid)
    assert site.state(uid) == "valid"


@pytest.mark.parametrize("percent", ["0", "-1", "101"])
def test_fault_12_a_scrub_of_nothing_is_refused(percent: str, site: Site) -> None:
    """With ``-p 0`` the original made any version valid."""
    uid = site.backup(CONTENT)
    assert site.call("scrub", "-p", percent, uid).code == USAGE


@pytest.mark.parametrize("readers", [1, 4])
def test_fault_13_a_scrub_looks_at_every_blob_though_some_are_missing(readers: int, site: Site) -> None:
    """The original's stopped at the first missing blob, blamed it again and again, and hung at the end."""
    site.configure(core={"workers": readers})
    uid = site.backup(blocks(range(1, 301)))
    twin = site.backup(blocks([301, 7]), name="twin")
    other = site.backup(blocks([302, 8]), name="other")
    broken = {7: "missing", 150: "missing", 151: "missing", 299: "wrong"}
    uids = {number: site.blob(blocks([number])).name.removesuffix(".blob") for number in broken}
    for number, way in broken.items():
        _damage(site.blob(blocks([number])), way)
    found = site.run("scrub", uid, "--format", "json", timeout_s=30)
    assert (found.code, found.record["damaged_blocks"], found.record["checked_blocks"]) == (DAMAGE, 4, 296)
    assert [found.err.count(name) for name in uids.values()] == [1, 1, 1, 1]
    assert [site.state(version) for version in (uid, twin, other)] == ["damaged", "damaged", "valid"]


@pytest.mark.parametrize("find", ["check", "scrub", "restore"])
def test_fault_16_a_lost_blob_is_stored_again_by_the_next_backup_once_it_was_found_missing(
    find: str, site: Site
) -> None:
    """In the original every later backup went on referring to it.

    Here whoever looks first takes it out of deduplication; the quick check, made for every day, reads no block for that.
    """
    uid = site.backup(CONTENT)
    _damage(site.blob(blocks([2])), "missing")
    arguments = {"check": (), "scrub": (uid,), "restore": (uid, f"file://{site.target()}")}
    assert site.call(find, *arguments[find]).code == DAMAGE
    assert site.state(uid) == "damaged"
    assert site.restored(site.backup()) == CONTENT


def test_fault_17_a_restore_takes_a_larger_target_and_refuses_a_smaller_one(
    site: Site, loop_device: Callable[[Path], str], tmp_path: Path
) -> None:
    """The original refused larger ones, and for RBD images accepted those that were too small."""
    uid = site.backup(CONTENT)
    for kind in ("file", "device"):
        path = tmp_path / kind
        path.write_bytes(b"#" * (len(CONTENT) + BLOCK))
        target = loop_device(path) if kind == "device" else str(path)
        site.ok("restore", "-f", uid, f"file://{target}")
        assert Path(target).read_bytes() == CONTENT + b"#" * BLOCK
        small = tmp_path / f"small-{kind}"
        small.write_bytes(b"#" * (len(CONTENT) - BLOCK))
        target = loop_device(small) if kind == "device" else str(small)
        refused = site.call("restore", "-f", uid, f"file://{target}")
        assert refused.code == TARGET
        assert str(len(CONTENT)) in refused.err
        assert Path(target).read_bytes() == b"#" * (len(CONTENT) - BLOCK)
