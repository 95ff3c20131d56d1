"""Whole jobs with the transforms that seal: backups, restores, scrubs, after every change of configuration."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time

import pytest

from backy2_core.errors import DataBackendError, KeyringError, RefusedError
from backy2_core.model.version import VersionState
from backy2_core.plugins.discovery import TRANSFORMS
from tests.engine.conftest import place
from tests.engine.place import BLOCK, counts_of, hint, image, numbered
from tests.transforms.chains import CHAINS, OTHER_RING, RING, engine_of
from tests.transforms.originals import Sealer

__all__ = ["place"]

NOISE = random.Random(1).randbytes(2 * BLOCK)
LONG = numbered(600)
"""More than a worker reads at a time."""
CONTENT = image("abc..a") + numbered(3) + NOISE + image("", tail="the end")


def chains(place):
    """How the blobs of all records are sealed: names of steps, by checksum of the record."""
    rows = place.sql("SELECT coalesce(c.spec, '') FROM backy2_blobs b LEFT JOIN backy2_chains c ON b.chain = c.id")
    return [tuple(name for name, _ in json.loads(spec or "[]")) for (spec,) in rows]


@pytest.mark.parametrize("names", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("block_size", [512, 4096, 65536])
def test_what_was_sealed_is_restored_and_scrubbed(place, names, block_size):
    engine = engine_of(place, names, block_size=block_size)
    uid = place.uid(CONTENT, engine=engine)
    assert place.restored(uid, engine=engine) == CONTENT
    assert place.scrub(uid, engine=engine, source=True).damaged_blocks == 0
    assert place.scrub(uid, engine=engine).damaged_blocks == 0


@pytest.mark.parametrize("names", CHAINS.values(), ids=CHAINS)
def test_nothing_of_the_blocks_is_in_the_store_in_clear_once_it_is_encrypted(place, names):
    place.backup(image("", tail="secret words" * 300) + NOISE, engine=engine_of(place, names))
    stored = b"".join(place.blob_file(uid).read_bytes() for uid in place.objects())
    assert (NOISE[:64] in stored) is ("aes_gcm" not in names)
    assert (b"secret" in stored) is ("aes_gcm" not in names)


def test_a_block_that_hardly_gets_smaller_is_encrypted_as_it_is(place):
    place.backup(NOISE + image("a"), engine=engine_of(place, CHAINS["both"]))
    assert sorted(chains(place)) == [("aes_gcm",), ("aes_gcm",), ("zstd", "aes_gcm")]
    sizes = sorted(place.blob_file(uid).stat().st_size for uid in place.objects())
    assert sizes[0] < 100
    assert sizes[1:] == [BLOCK + 40] * 2


@pytest.mark.parametrize("names", CHAINS.values(), ids=CHAINS)
def test_equal_blocks_are_stored_once_within_a_version_and_across_versions(place, names):
    engine = engine_of(place, names)
    first = place.backup(image("abcab"), engine=engine)
    assert counts_of(first) == (5, 3, 2, 0, 0)
    again = place.backup(image("cabd"), engine=engine_of(place, names))
    assert counts_of(again) == (4, 1, 3, 0, 0)
    assert len(place.objects()) == 4


@pytest.mark.parametrize("names", CHAINS.values(), ids=CHAINS)
def test_an_incremental_with_hints_reads_and_seals_what_they_name(place, names):
    content = bytearray(numbered(300))
    base = place.uid(bytes(content), engine=engine_of(place, names))
    for block in (3, 130, 299):
        content[block * BLOCK] ^= 0xFF
    engine = engine_of(place, names, sanity_check_blocks=20)
    result = place.backup(bytes(content), base=base, hints=[hint(3), hint(130), hint(299)], engine=engine)
    assert counts_of(result) == (3, 3, 0, 0, 297)
    assert place.restored(result.version.uid, engine=engine) == content
    assert place.scrub(result.version.uid, engine=engine).damaged_blocks == 0


def test_the_plain_then_compressed_then_encrypted_blocks_of_one_version_are_all_read(place):
    """The configuration goes on from chain to chain, and back; each increment is of another one."""
    content, base, made = bytearray(numbered(10)), None, []
    for block, names in enumerate([*CHAINS.values(), ("aes_gcm", "zstd"), (), CHAINS["both"]]):
        content[block * BLOCK : (block + 1) * BLOCK] = numbered(1, seed=50 + block)
        engine = engine_of(place, names, level=1 + block)
        base = place.uid(bytes(content), base=base, hints=[hint(block)] if base else None, engine=engine)
        made.append((base, bytes(content)))
    assert set(chains(place)) == {(), ("zstd",), ("aes_gcm",), ("zstd", "aes_gcm")}
    for names in ((), CHAINS["both"]):
        engine = engine_of(place, names)
        for uid, wanted in made:
            assert place.restored(uid, engine=engine) == wanted
            assert place.scrub(uid, engine=engine).damaged_blocks == 0


def test_blocks_that_the_original_sealed_stay_readable_beside_ours(place):
    """One version of them alone, and one that refers to some and has others sealed anew."""
    old = place.uid(image("abcd"), engine=place.engine_with([("backy2_v1", Sealer())], Sealer))
    ours = engine_of(place, CHAINS["both"])
    new = place.uid(image("abxd"), base=old, hints=[hint(2)], engine=ours)
    assert sorted(chains(place)) == [*[("backy2_v1",)] * 4, ("zstd", "aes_gcm")]
    for uid, wanted in ((old, image("abcd")), (new, image("abxd"))):
        assert place.restored(uid, engine=ours) == wanted
        assert place.scrub(uid, engine=ours).damaged_blocks == 0


def test_clear_and_encrypted_blocks_are_not_shared_and_those_of_other_levels_are(place):
    for names, level, written in (((), 1, 3), (("zstd",), 1, 0), (CHAINS["both"], 1, 3), (CHAINS["both"], 9, 0)):
        result = place.backup(image("abc"), engine=engine_of(place, names, level=level))
        assert counts_of(result)[1] == written, (names, level)


@pytest.fixture
def broken_off(place):
    """A function that begins a backup with a chain, and breaks it off once some blobs were recorded."""

    def strike():
        until = time.monotonic() + 20
        while not place.records() and time.monotonic() < until:
            time.sleep(0.005)
        raise DataBackendError("the disk is gone")

    def begin(names):
        place.data.run("put", strike, call=550)
        with pytest.raises(DataBackendError, match="the disk is gone"):
            place.backup(LONG, engine=engine_of(place, names, buffer_bytes=1, flush_bytes=1))
        place.data.heal()
        assert 0 < len(place.records()) < 600
        [version] = place.versions()
        return version.uid

    return begin


@pytest.mark.parametrize("names", CHAINS.values(), ids=CHAINS)
def test_a_backup_that_broke_off_is_continued_under_the_same_chain(place, names, broken_off):
    uid = broken_off(names)
    assert place.uid(resume=uid, engine=engine_of(place, names)) == uid
    assert place.restored(uid, engine=engine_of(place, ())) == LONG
    assert set(chains(place)) == {names}


def test_a_backup_that_was_begun_encrypted_is_not_continued_in_clear(place, broken_off):
    uid = broken_off(CHAINS["both"])
    with pytest.raises(RefusedError, match="another key"):
        place.backup(resume=uid, engine=engine_of(place, CHAINS["zstd"]))


def test_a_backup_that_was_begun_in_clear_may_go_on_encrypted(place, broken_off):
    uid = broken_off(CHAINS["zstd"])
    place.backup(resume=uid, engine=engine_of(place, CHAINS["both"]))
    assert set(chains(place)) == {CHAINS["zstd"], CHAINS["both"]}
    assert place.restored(uid, engine=engine_of(place, ())) == LONG
    assert place.scrub(uid, engine=engine_of(place, ())).damaged_blocks == 0


def harmed(place, harm):
    """A version of which one sealed blob was harmed, and that blob's uid."""
    uid = place.uid(numbered(5), engine=engine_of(place, CHAINS["both"]))
    broken = sorted(place.objects())[2]
    path = place.blob_file(broken)
    other = place.blob_file(sorted(place.objects())[3]).read_bytes()
    blob = path.read_bytes()
    path.write_bytes(
        {
            "changed": blob[:30] + bytes([blob[30] ^ 1]) + blob[31:],
            "cut": blob[:-1],
            "extended": blob + b"x",
            "emptied": b"",
            "swapped": other,
        }[harm]
    )
    return uid, broken


@pytest.mark.parametrize("harm", ["changed", "cut", "extended", "emptied", "swapped"])
@pytest.mark.parametrize("job", ["restore", "scrub"])
def test_a_harmed_blob_is_found_and_the_rest_is_restored(place, job, harm):
    uid, broken = harmed(place, harm)
    result = getattr(place, job)(uid, engine=engine_of(place, CHAINS["both"]))
    damage = (result[0] if job == "restore" else result).damage
    assert [each.blob_uid for each in damage] == [broken]
    assert place.state(uid) is VersionState.DAMAGED
    if job == "restore":
        assert sum(a != b for a, b in zip(result[1], numbered(5), strict=True)) <= BLOCK


@pytest.mark.parametrize("job", ["restore", "scrub"])
@pytest.mark.parametrize("ring", [OTHER_RING, None], ids=["another", "none"])
def test_another_store_key_or_none_ends_the_job_before_the_target_is_touched_and_marks_nothing(place, job, ring):
    uid = place.uid(CONTENT, engine=engine_of(place, CHAINS["both"]))
    engine, path = engine_of(place, (), ring=ring), place.target()
    with pytest.raises(KeyringError, match=RING.key_id):
        getattr(place, job)(uid, engine=engine, **({"path": path} if job == "restore" else {}))
    assert not path.exists()
    assert place.state(uid) is VersionState.VALID
    assert place.restored(uid, engine=engine_of(place, ())) == CONTENT


@pytest.mark.parametrize("name", ["zstd", "aes_gcm"])
def test_a_plugin_is_looked_at_without_its_library(name):
    probe = (
        "import sys; from backy2_core.plugins.registry import PluginRegistry; r = PluginRegistry();"
        f"r.settings(r.load({TRANSFORMS!r}, {name!r})); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert {"cryptography", "zstandard"}.isdisjoint(done.stdout.split())
