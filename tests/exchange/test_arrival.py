"""Versions that arrive: whole or not at all, their blobs unseen until somebody looked."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backy2_core.engine.foreign import finish_take_over
from backy2_core.engine.lease import running_job
from backy2_core.engine.survey import survey
from backy2_core.errors import DataBackendError, ExchangeError, VersionExistsError
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.model.blob import UNKNOWN_SIZE, BlobState, BlobUid, NewBlob, blob_uid
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobKind
from backy2_core.model.version import VersionFilter, VersionState, VersionUid
from tests.engine.place import BLOCK, image

UID = VersionUid("d91be794-2f21-11e7-b961-a44e314f9270")
DATE = datetime(2017, 5, 2, 10, 26, 48, tzinfo=UTC)


def foreign_uid(letter):
    """A uid as the original makes them."""
    text = f"{letter * 21}Z".translate(str.maketrans("lIO01", "mJP23"))
    return BlobUid(hashlib.md5(text.encode()).hexdigest()[:10] + text)


def store_object(place, letter, content=None):
    """An object in the store that no record speaks of; its blob."""
    content = letter.encode() * BLOCK if content is None else content
    uid = foreign_uid(letter)
    path = place.blob_file(uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return blob_of(letter)


def blob_of(letter, **changed):
    """The blob of a block of this letter."""
    checksum = hashlib.blake2b(letter.encode() * BLOCK).digest()
    return replace(NewBlob(foreign_uid(letter), BLOCK, BLOCK, "blake2b", checksum), **changed)


def version_of(blocks, **changed):
    """A version that is about to arrive."""
    version = ArrivingVersion(UID, "vm", "", DATE, Geometry(blocks * BLOCK, BLOCK), "blake2b")
    return replace(version, **changed)


def take_in(place, version, blocks):
    """Let a version arrive in a job of its own."""
    with running_job(place.engine, JobKind.IMPORT, "a test") as lease:
        return arrive(place.engine, lease, version, blocks)


def numbered(letters, **blobs):
    """The blocks of an image of these letters; a full stop is sparse."""
    return [
        ArrivingBlock(number, None if letter == "." else blobs.get(letter, blob_of(letter)), line=number + 3)
        for number, letter in enumerate(letters)
    ]


def states(place):
    """The states of all blobs by uid."""
    return {row[0]: BlobState(row[1]) for row in place.sql(f"SELECT uid, state FROM {place.table('blobs')}")}


def test_what_arrives_is_as_it_was_told_and_restores_identically(place):
    for letter in "ab":
        store_object(place, letter)
    told = version_of(5, tags=frozenset({"t"}), protected=True, expire=DATE, snapshot_name="s", source="x://y")
    version = take_in(place, told, numbered("ab.ba"))
    for name in ("uid", "name", "snapshot_name", "date", "geometry", "hash", "source", "protected", "expire", "tags"):
        assert getattr(version, name) == getattr(told, name)
    assert version.state is VersionState.VALID
    assert place.restored(UID) == image("ab.ba")


def test_a_version_of_many_segments_with_gaps_arrives(place):
    store_object(place, "a")
    blocks = [ArrivingBlock(n, blob_of("a") if n in (0, 700, 1299) else None) for n in range(1300)]
    take_in(place, version_of(1300), blocks)
    assert place.restored(UID) == image("".join("a" if n in (0, 700, 1299) else "." for n in range(1300)))


def test_blobs_are_unseen_and_not_offered_until_a_scrub_found_them(place):
    store_object(place, "a")
    take_in(place, version_of(1), numbered("a"))
    assert set(states(place).values()) == {BlobState.UNSEEN}
    with_hash = place.engine_with(hash_function="blake2b")
    assert place.backup(image("a"), engine=with_hash).statistics.counts.blocks_written == 1
    place.scrub(UID)
    assert states(place)[foreign_uid("a")] is BlobState.STORED


def test_lost_blocks_are_damage_and_never_zeros(place):
    store_object(place, "a")
    version = take_in(place, version_of(3, damaged=True), [numbered("a")[0], ArrivingBlock(2, None)])
    assert version.state is VersionState.DAMAGED
    result, _ = place.restore(UID)
    assert [damage.block for damage in result.damage] == [1]


def test_a_whole_segment_may_be_lost(place):
    store_object(place, "a")
    take_in(place, version_of(300, damaged=True), [ArrivingBlock(299, blob_of("a"))])
    result, _ = place.restore(UID)
    assert result.damaged_blocks == 299


def test_a_block_known_to_be_damaged_is_not_offered_and_damages_its_version(place):
    store_object(place, "a")
    block = numbered("a")[0]._replace(damaged=True)
    assert take_in(place, version_of(1), [block]).state is VersionState.DAMAGED
    assert states(place)[foreign_uid("a")] is BlobState.DAMAGED
    other = version_of(1, uid=VersionUid("e91be794-2f21-11e7-b961-a44e314f9270"))
    assert take_in(place, other, numbered("a")).state is VersionState.DAMAGED


@pytest.mark.parametrize(
    ("version", "blocks", "message"),
    [
        (version_of(3), numbered("ab"), "1 blocks"),
        (version_of(2), [*numbered("a"), ArrivingBlock(0, None, line=4)], "Line 4"),
        (version_of(1), numbered("a."), "Line 4"),
        (version_of(1), numbered("a", a=blob_of("a", size=BLOCK - 1)), "Line 3"),
        (version_of(1, digest=b"x" * 32), numbered("a"), "digest"),
        (version_of(3), [*numbered("a."), ArrivingBlock(2, blob_of("a", checksum=b"x" * 64), line=5)], "Line 5"),
    ],
    ids=["missing", "twice", "surplus", "size", "digest", "conflict"],
)
def test_what_contradicts_itself_is_refused_and_nothing_remains(place, version, blocks, message):
    store_object(place, "a")
    with pytest.raises(ExchangeError, match=message):
        take_in(place, version, blocks)
    assert list(place.meta.versions(VersionFilter())) == []
    place.cleanup(full=True)
    assert place.records() == set()
    assert place.objects() == {foreign_uid("a")}
    take_in(place, version_of(1), numbered("a"))
    assert place.restored(UID) == image("a")


def test_what_contradicts_a_record_is_refused(place):
    store_object(place, "a")
    take_in(place, version_of(1), numbered("a"))
    other = version_of(1, uid=VersionUid("e91be794-2f21-11e7-b961-a44e314f9270"))
    with pytest.raises(ExchangeError, match="Line 3"):
        take_in(place, other, numbered("a", a=blob_of("a", checksum=b"x" * 64)))
    assert place.restored(UID) == image("a")


def test_what_was_finished_is_never_taken_back(place, caplog):
    store_object(place, "a")
    place.data.fail("write_document", DataBackendError("full"))
    assert take_in(place, version_of(1), numbered("a")).state is VersionState.VALID
    assert "full" in caplog.text
    assert place.restored(UID) == image("a")
    assert place.cleanup().written_copies == 1


def test_what_was_finished_stays_where_only_the_answer_is_lost(place, monkeypatch):
    store_object(place, "a")
    real = place.meta.finish_version

    def finish(*args, **named):
        real(*args, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(place.meta, "finish_version", finish)
    with pytest.raises(KeyboardInterrupt):
        take_in(place, version_of(1), numbered("a"))
    place.cleanup()
    assert place.restored(UID) == image("a")


def test_a_uid_that_is_there_is_refused(place):
    store_object(place, "a")
    take_in(place, version_of(1), numbered("a"))
    with pytest.raises(VersionExistsError):
        take_in(place, version_of(1), numbered("a"))
    assert place.restored(UID) == image("a")


def test_a_version_that_was_removed_may_come_again(place):
    store_object(place, "a")
    for clean in (False, True):
        version = take_in(place, version_of(1), numbered("a"))
        assert place.restored(UID) == image("a")
        place.meta.remove_version(version.id)
        if clean:
            place.cleanup()
    take_in(place, version_of(1), numbered("a"))
    assert place.restored(UID) == image("a")


def test_a_cleanup_spares_what_another_program_may_use_until_the_take_over_is_finished(place):
    ours = place.uid(image("q"))
    store_object(place, "a")
    version = take_in(place, version_of(1), numbered("a"))
    place.scrub(UID)
    place.meta.remove_version(version.id)
    place.meta.remove_version(place.version(ours).id)
    foreseen = place.cleanup(full=True, dry_run=True)
    done = place.cleanup(full=True)
    assert (foreseen.spared_blobs, foreseen.deleted_blobs) == (done.spared_blobs, done.deleted_blobs) == (1, 1)
    assert place.objects() == {foreign_uid("a")}
    finish_take_over(place.data)
    assert place.cleanup(dry_run=True).deleted_blobs == 1
    assert place.cleanup().deleted_blobs == 1
    assert place.objects() == set()


def test_a_cleanup_frees_no_less_than_nothing_where_a_size_was_never_known(place):
    sealed = {
        "stored_size": UNKNOWN_SIZE,
        "key": "backy2_v1",
        "transforms": '[["backy2_v1",{}]]',
        "envelope": b"k" * 40,
    }
    store_object(place, "a")
    version = take_in(place, version_of(2), numbered("ab", a=blob_of("a", **sealed), b=blob_of("b", **sealed)))
    survey(place.engine, mark=True)
    finish_take_over(place.data)
    place.meta.remove_version(version.id)
    assert place.cleanup(dry_run=True).freed_bytes == BLOCK
    assert place.cleanup().freed_bytes == BLOCK


def test_a_uid_in_our_shape_is_foreign_all_the_same_if_no_job_here_made_it(place):
    uid = blob_uid("0123456789abcdef", 5)
    path = place.blob_file(uid)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a" * BLOCK)
    store_object(place, "b")
    version = take_in(place, version_of(2), numbered("ab", a=blob_of("a", uid=uid)))
    place.scrub(UID)
    place.meta.remove_version(version.id)
    assert place.cleanup(full=True).spared_blobs == 2


def test_the_unseen_lose_their_record_and_never_their_object(place):
    store_object(place, "a")
    version = take_in(place, version_of(1), numbered("a"))
    finish_take_over(place.data)
    place.meta.remove_version(version.id)
    assert place.cleanup(full=True).deleted_blobs == 0
    assert place.records() == set()
    assert place.objects() == {foreign_uid("a")}
