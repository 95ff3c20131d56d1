"""Chains of transforms through backup, restore and scrub, also after the configuration changed."""

from __future__ import annotations

import random

import pytest

from backy2_core.errors import TransformError
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, counts_of, hint, image, numbered
from tests.engine.transforms import Mask, Wide, Zip, make

CONTENT = image("abc..") + numbered(3) + b"\x01\x02" * 50
CHAINS = {
    "zip": [("zip", Zip())],
    "mask": [("mask", Mask())],
    "zip-mask": [("zip", Zip()), ("mask", Mask())],
    "mask-zip": [("mask", Mask()), ("zip", Zip(1))],
}


@pytest.mark.parametrize("steps", CHAINS.values(), ids=CHAINS)
def test_a_sealed_version_is_restored_and_scrubbed(place, steps):
    engine = place.engine_with(steps, make)
    uid = place.uid(CONTENT, engine=engine)
    assert place.restored(uid, engine=engine) == CONTENT
    assert place.scrub(uid, engine=engine, source=True).damaged_blocks == 0


def test_what_is_stored_is_sealed(place):
    place.backup(image("abc"), engine=place.engine_with([("zip", Zip())], make))
    assert all(place.blob_file(uid).stat().st_size < 100 for uid in place.objects())


def test_a_block_that_a_step_left_alone_is_stored_clear(place):
    noise = random.Random(1).randbytes(BLOCK)
    engine = place.engine_with([("zip", Zip())], make)
    uid = place.uid(noise, engine=engine)
    assert place.blob_file(place.blob_of(noise)).exists()
    assert place.restored(uid, engine=engine) == noise


def test_versions_and_blocks_of_many_chains_live_side_by_side(place):
    """Each increment is sealed by another configuration; the last version mixes them all."""
    content, base, made = bytearray(numbered(8)), None, []
    for block, steps in enumerate([[], *CHAINS.values(), []]):
        content[block * BLOCK : (block + 1) * BLOCK] = numbered(1, seed=50 + block)
        engine = place.engine_with(steps, make)
        base = place.uid(bytes(content), base=base, hints=[hint(block)] if base else None, engine=engine)
        made.append((base, bytes(content)))
    plain = place.engine_with([], make)
    for uid, wanted in made:
        assert place.restored(uid, engine=plain) == wanted
        assert place.scrub(uid, engine=plain).damaged_blocks == 0


def test_blobs_of_another_key_are_not_shared(place):
    first = place.backup(image("abc"), engine=place.engine_with([("mask", Mask(1))], make))
    second = place.backup(engine=place.engine_with([("mask", Mask(2))], make))
    assert counts_of(first)[1] == counts_of(second)[1] == 3
    assert place.restored(second.version.uid, engine=place.engine_with([], make)) == image("abc")


def test_blobs_of_another_compression_are_shared(place):
    place.backup(image("abc"), engine=place.engine_with([("zip", Zip())], make))
    assert counts_of(place.backup(image("abc"))) == (3, 0, 3, 0, 0)


def corrupt_sealed(place, steps):
    """A version of which one sealed blob is corrupt, and its engine."""
    engine = place.engine_with(steps, make)
    uid = place.uid(image("abc"), engine=engine)
    broken = sorted(place.objects())[1]
    data = bytearray(place.blob_file(broken).read_bytes())
    data[len(data) // 2] ^= 0xFF
    place.blob_file(broken).write_bytes(data)
    return uid, engine, broken


def test_corrupt_bytes_under_a_transform_that_checks_nothing_are_found_by_the_checksum(place):
    uid, engine, broken = corrupt_sealed(place, [("mask", Mask())])
    assert [damage.blob_uid for damage in place.scrub(uid, engine=engine).damage] == [broken]
    result, content = place.restore(uid, engine=engine)
    assert (result.damaged_blocks, content.count(bytes(BLOCK))) == (1, 1)
    assert place.state(uid) is VersionState.DAMAGED


@pytest.mark.parametrize("job", ["restore", "scrub"])
def test_corrupt_bytes_that_a_transform_cannot_open_are_damage_and_the_rest_is_restored(place, job):
    uid, engine, broken = corrupt_sealed(place, [("zip", Zip())])
    try:
        result = getattr(place, job)(uid, engine=engine)
    except TransformError as error:
        raise AssertionError(f"ended by {error}") from error
    damage = (result[0] if job == "restore" else result).damage
    assert [d.blob_uid for d in damage] == [broken]
    assert place.state(uid) is VersionState.DAMAGED


def test_a_transform_that_is_not_there_ends_the_job_and_proves_nothing(place):
    uid = place.uid(image("abc"), engine=place.engine_with([("unknown", Mask())], make))
    for job in (place.restore, place.scrub):
        with pytest.raises(TransformError, match="unknown"):
            job(uid, engine=place.engine_with([], make))
    assert place.state(uid) is VersionState.VALID
    assert place.live_jobs() == []


def test_a_transform_may_make_blocks_longer(place):
    engine = place.engine_with([("wide", Wide())], make)
    uid = place.uid(image("ab"), engine=engine)
    assert place.restored(uid, engine=engine) == image("ab")
