"""INVARIANT 5: corrupt, short, too long, missing and swapped blobs are reported, and the rest is restored."""

from __future__ import annotations

import pytest

from backy2_core.errors import DataBackendError, RefusedError, TransformError, UsageError
from backy2_core.model.event import DamageFound
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, bytes_of, counts_of, hint, image
from tests.engine.transforms import WrongKey, Zip

B = b"b" * BLOCK
KINDS = {
    "corrupt": b"b" * 100 + b"!" + b"b" * (BLOCK - 101),
    "short": B[:-1],
    "empty": b"",
    "too-long": B + b"b",
    "zeros": bytes(BLOCK),
    "missing": None,
}
VALID, DAMAGED = VersionState.VALID, VersionState.DAMAGED


@pytest.fixture(params=sorted(KINDS))
def damaged(place, request):
    """The versions whole, first, shared (all of different images) and the uid of a broken blob of the last two."""
    versions = place.uid(image("axc."), name="whole"), place.uid(image("abcb")), place.uid(image("zzb"), name="shared")
    return *versions, place.damage(B, KINDS[request.param])


def test_a_restore_reports_the_damage_and_writes_all_the_rest(place, damaged):
    _, first, _, blob = damaged
    result, content = place.restore(first)
    assert result.damaged_blocks == 2
    assert {(d.block, d.blob_uid) for d in result.damage} == {(1, blob), (3, blob)}
    assert all(d.reason for d in result.damage)
    assert content == image("a.c.")


def test_a_restore_over_an_old_file_leaves_damaged_blocks_alone_and_restores_the_rest(place, damaged):
    path = place.target()
    path.write_bytes(b"#" * 4 * BLOCK)
    result, content = place.restore(damaged[1], path=path, force=True)
    assert result.damaged_blocks == 2
    assert (content[:BLOCK], content[2 * BLOCK : 3 * BLOCK]) == (b"a" * BLOCK, b"c" * BLOCK)


def test_a_scrub_reports_the_damage_and_checks_all_the_rest(place, damaged):
    _, first, _, blob = damaged
    result = place.scrub(first)
    assert (result.damaged_blocks, result.checked_blocks) == (2, 2)
    assert {(d.block, d.blob_uid) for d in result.damage} == {(1, blob), (3, blob)}


@pytest.mark.parametrize("find", ["restore", "scrub"])
def test_every_version_that_shares_the_blob_becomes_damaged_and_no_other(place, damaged, find):
    whole, first, shared, _ = damaged
    getattr(place, find)(first)
    assert [place.state(uid) for uid in (whole, first, shared)] == [VALID, DAMAGED, DAMAGED]
    assert place.restored(whole) == image("axc.")


@pytest.mark.parametrize("find", ["restore", "scrub"])
def test_a_damaged_blob_leaves_deduplication(place, damaged, find):
    getattr(place, find)(damaged[1])
    result = place.backup(image("abc"))
    assert counts_of(result) == (3, 1, 2, 0, 0)
    assert result.version.state is VALID
    assert place.restored(result.version.uid) == image("abc")


def test_each_damaged_block_is_told_to_listeners(place, damaged):
    place.restore(damaged[1])
    found = [event for event in place.events if isinstance(event, DamageFound)]
    assert sorted((event.block, event.blob_uid) for event in found) == [(1, damaged[3]), (3, damaged[3])]


def test_a_repaired_version_becomes_valid_by_a_full_scrub_only(place, damaged):
    _, first, shared, blob = damaged
    place.scrub(first)
    place.blob_file(blob).write_bytes(B)
    for percent in (1, 50, 99):
        assert place.scrub(first, percent=percent).damaged_blocks == 0
        assert place.state(first) is DAMAGED
    place.restored(first)
    assert place.state(first) is DAMAGED
    assert place.scrub(first).damaged_blocks == 0
    assert place.state(first) is VALID
    assert place.state(shared) is DAMAGED
    place.scrub(shared)
    assert place.state(shared) is VALID


def test_a_repaired_blob_takes_part_in_deduplication_again(place, damaged):
    place.scrub(damaged[1])
    place.blob_file(damaged[3]).write_bytes(B)
    place.scrub(damaged[1])
    assert counts_of(place.backup(image("abc"))) == (3, 0, 3, 0, 0)


def test_a_version_that_is_not_repaired_stays_damaged_after_a_full_scrub(place, damaged):
    for _ in range(2):
        assert place.scrub(damaged[1]).damaged_blocks == 2
        assert place.state(damaged[1]) is DAMAGED


def test_a_partial_scrub_that_finds_damage_marks_it(place):
    uid = place.uid(image("b"))
    place.damage(B, None)
    while place.scrub(uid, percent=50).damaged_blocks == 0:
        assert place.state(uid) is VALID
    assert place.state(uid) is DAMAGED


def test_swapped_blobs_are_both_damaged(place):
    uid = place.uid(image("abc"))
    one, other = place.blob_of(B), place.blob_of(b"c" * BLOCK)
    place.data.swap(one, other)
    result, content = place.restore(uid)
    assert {(d.block, d.blob_uid) for d in result.damage} == {(1, one), (2, other)}
    assert content == image("a..")
    place.data.heal()
    assert place.scrub(uid).damaged_blocks == 0
    assert place.restored(uid) == image("abc")


def test_a_backup_on_a_base_that_is_damaged_is_refused(place, damaged):
    place.scrub(damaged[1])
    with pytest.raises(RefusedError, match=damaged[1]):
        place.backup(image("abcb"), base=damaged[1], hints=[])
    assert len(place.versions()) == 3


def test_a_backup_that_kept_a_block_proven_damaged_meanwhile_is_not_valid(place):
    """The blob is found damaged after the base was named, by a scrub of another version that shares it."""
    base, other = place.uid(image("ab")), place.uid(image("b"), name="other")
    blob = place.damage(B, None)
    place.data.run("write_document", lambda: place.scrub(other))
    result = place.backup(image("xb"), base=base, hints=[hint(0)], engine=place.engine_with(sanity_check_blocks=0))
    assert result.version.state is DAMAGED
    assert place.restore(result.version.uid)[0].damage[0].blob_uid == blob


def test_a_cleanup_keeps_damaged_versions_and_their_whole_blobs(place, damaged):
    place.scrub(damaged[1])
    place.cleanup(full=True)
    assert place.restore(damaged[1])[1] == image("a.c.")


@pytest.mark.parametrize("job", ["scrub", "restore"])
def test_a_store_that_does_not_answer_proves_nothing(place, job):
    uid = place.uid(image("abc"))
    place.data.fail("get", DataBackendError("the store timed out", retryable=True), call=2)
    with pytest.raises(DataBackendError, match="timed out"):
        getattr(place, job)(uid)
    assert place.state(uid) is VALID
    assert place.live_jobs() == []
    assert place.scrub(uid).damaged_blocks == 0
    assert counts_of(place.backup(image("abc")))[2] == 3


def test_a_transient_error_beside_damage_marks_nothing_as_whole(place, damaged):
    place.scrub(damaged[1])
    place.data.fail("get", DataBackendError("the store timed out", retryable=True), times=99)
    with pytest.raises(DataBackendError):
        place.scrub(damaged[1])
    assert place.state(damaged[1]) is DAMAGED


def test_a_wrong_key_proves_nothing(place):
    """A transform that cannot open anything ends the job and leaves the version as it was."""
    uid = place.uid(image("abc"), engine=place.engine_with([("zip", Zip())]))
    engine = place.engine_with([], lambda name, parameters: WrongKey())
    for job in (place.scrub, place.restore):
        with pytest.raises(TransformError, match="key"):
            job(uid, engine=engine)
    assert place.state(uid) is VALID


def test_a_scrub_against_the_source_reports_differences_and_marks_nothing(place):
    uid = place.uid(image("ab.d", "tail"))
    place.write(image("axyd", "tall"))
    result = place.scrub(uid, source=True)
    assert (sorted(result.differences), result.different_blocks, result.damaged_blocks) == ([1, 2, 4], 3, 0)
    assert place.state(uid) is VALID
    assert place.restored(uid) == image("ab.d", "tail")


def test_a_full_scrub_checks_every_block(place):
    assert place.scrub(place.uid(image("ab.b..", "x"))).checked_blocks == 7


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_a_percentage_that_cannot_be_meant_is_refused(place, percent):
    with pytest.raises(UsageError, match=str(percent)):
        place.scrub(place.uid(image("a")), percent=percent)


def test_bytes_restored_are_checked_even_if_the_database_calls_the_version_valid(place):
    """Damage that nobody scrubbed yet is found by the restore itself."""
    uid = place.uid(image("b" * 300))
    place.damage(B, KINDS["corrupt"])
    result, content = place.restore(uid)
    assert result.damaged_blocks == 300
    assert content == bytes(300 * BLOCK)


def test_only_the_first_thousand_damaged_blocks_are_named(place):
    uid = place.uid(image("b" * 1200))
    place.damage(B, None)
    result = place.scrub(uid)
    assert (result.damaged_blocks, len(result.damage)) == (1200, 1000)


def test_a_lost_blob_that_nobody_noticed_is_still_trusted_until_it_is_proven(place):
    """What deduplication trusts is the record; the first scrub or restore finds out, for every version."""
    place.uid(image("ab"))
    place.damage(B, None)
    second = place.backup(image("b"))
    assert bytes_of(second)[2] == BLOCK
    place.scrub(second.version.uid)
    assert {v.state for v in place.versions()} == {DAMAGED}
