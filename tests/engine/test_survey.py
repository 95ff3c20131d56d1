"""One look at the store finds what is missing, of a wrong size, surplus or there at last, and accuses nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from backy2_core.engine import survey as room
from backy2_core.engine.lease import running_job
from backy2_core.engine.survey import survey
from backy2_core.errors import DataBackendError, JobLostError
from backy2_core.exchange.arrival import arrive
from backy2_core.exchange.arriving import ArrivingBlock, ArrivingVersion
from backy2_core.model.blob import UNKNOWN_SIZE, BlobState, NewBlob, blob_uid
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobKind, JobState
from backy2_core.model.version import VersionState, VersionUid
from tests.engine.place import BLOCK, image, numbered

VALID, DAMAGED = VersionState.VALID, VersionState.DAMAGED
A, B, C = (letter * BLOCK for letter in (b"a", b"b", b"c"))
STRANGER = "0123456789abcdef0123456789abcdef"


def put(place, uid, content=b"x"):
    """An object of which the database knows nothing."""
    path = place.blob_file(uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def states(place):
    """State and stored size of each record, by uid."""
    rows = place.sql(f"SELECT uid, state, stored_size FROM {place.table('blobs')}")
    return {uid: (BlobState(state), size) for uid, state, size in rows}


def unsee(place, uid, size=None):
    """Let a record be as if it had come with an import."""
    blobs = place.table("blobs")
    place.sql(f"UPDATE {blobs} SET state = ? WHERE uid = ?", BlobState.UNSEEN, uid)
    if size is not None:
        place.sql(f"UPDATE {blobs} SET stored_size = ? WHERE uid = ?", size, uid)


def faults(found):
    return (found.missing.count, found.wrong_size.count, found.orphans.count, found.foreign.count)


def take_over(place, *uids):
    """Record blobs as an import does."""
    with running_job(place.engine, JobKind.IMPORT, "test") as lease:
        blobs = [NewBlob(uid, BLOCK, BLOCK, "blake3", b"c" * 32) for uid in uids]
        return place.meta.take_over_blobs(lease.id, place.engine.store, blobs)


def take_in(place, uid):
    """Let a version arrive that consists of this blob."""
    version = ArrivingVersion(VersionUid(str(uuid4())), "vm", "", datetime.now(UTC), Geometry(BLOCK, BLOCK), "blake3")
    with running_job(place.engine, JobKind.IMPORT, "test") as lease:
        arrive(place.engine, lease, version, [ArrivingBlock(0, NewBlob(uid, BLOCK, BLOCK, "blake3", b"c" * 32), 0)])


def test_a_sound_store_has_no_faults(place):
    place.uid(image("ab.c"))
    found = survey(place.engine)
    assert faults(found) == (0, 0, 0, 0)
    assert (found.records, found.objects, found.object_bytes) == (3, 3, 3 * BLOCK)
    assert (found.unseen, found.found, found.on_the_way, found.deleting, found.condemned) == (0, 0, 0, 0, 0)
    assert not len(found.broken)


def test_an_empty_store_and_database_have_no_faults(place):
    assert faults(survey(place.engine)) == (0, 0, 0, 0)


def test_a_missing_object_is_named(place):
    place.uid(image("abc"))
    uid = place.damage(B, None)
    found = survey(place.engine)
    assert faults(found) == (1, 0, 0, 0)
    (finding,) = found.missing.named
    assert (finding.uid, finding.recorded_size, finding.found_size) == (uid, BLOCK, None)
    assert place.meta.find_records(place.engine.store, [uid])[uid].id == finding.id
    assert finding.id in found.broken


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK + 1])
def test_an_object_of_a_wrong_size_is_named(place, size):
    place.uid(image("abc"))
    uid = place.damage(B, b"b" * size)
    found = survey(place.engine)
    assert faults(found) == (0, 1, 0, 0)
    (finding,) = found.wrong_size.named
    assert (finding.uid, finding.recorded_size, finding.found_size) == (uid, BLOCK, size)
    assert found.wrong_size.size_bytes == size
    assert list(found.broken.without(room.IdSet())) == [finding.id]


def test_nothing_is_marked_unless_asked_for(place):
    uid = place.uid(image("abc"))
    place.damage(A, None)
    place.damage(B, b"b")
    before = place.sql(f"SELECT * FROM {place.table('blobs')}")
    survey(place.engine)
    assert place.sql(f"SELECT * FROM {place.table('blobs')}") == before
    assert place.state(uid) is VALID


@pytest.mark.parametrize("new", [None, b"b"], ids=["missing", "wrong size"])
def test_proven_damage_is_marked_at_the_blob_and_at_every_version_that_uses_it(place, new):
    uids = [place.uid(image(letters), name=letters) for letters in ("ab", "bc", "ac")]
    removed = place.uid(image("bd"), name="removed")
    place.meta.remove_version(place.version(removed).id)
    uid = place.damage(B, new)
    found = survey(place.engine, mark=True)
    assert sum(faults(found)) == 1
    assert [place.state(each) for each in uids] == [DAMAGED, DAMAGED, VALID]
    assert place.state(removed) is VersionState.REMOVED
    assert {blob for blob, (state, _) in states(place).items() if state is BlobState.DAMAGED} == {uid}


def test_damage_is_found_again_until_it_is_mended(place):
    uid = place.uid(image("ab"))
    blob = place.damage(B, None)
    for _ in range(2):
        assert survey(place.engine, mark=True).missing.count == 1
    put(place, blob, B)
    assert faults(survey(place.engine, mark=True)) == (0, 0, 0, 0)
    assert place.state(uid) is DAMAGED
    place.scrub(uid)
    assert place.state(uid) is VALID


def test_objects_without_a_record_are_surplus_once_their_job_is_over(place):
    with running_job(place.engine, JobKind.BACKUP, "test") as over:
        put(place, orphan := blob_uid(over.job.token, 0), b"12")
    with running_job(place.engine, JobKind.BACKUP, "test") as live:
        put(place, blob_uid(live.job.token, 0))
        put(place, STRANGER, b"123")
        found = survey(place.engine)
    assert faults(found) == (0, 0, 1, 1)
    assert found.on_the_way == 1
    assert [(each.uid, each.id, each.found_size) for each in found.orphans.named] == [(orphan, None, 2)]
    assert [(each.uid, each.recorded_size, each.found_size) for each in found.foreign.named] == [(STRANGER, None, 3)]
    assert (found.orphans.size_bytes, found.foreign.size_bytes) == (2, 3)


def test_an_object_of_a_job_that_began_and_ended_meanwhile_is_no_surplus(place):
    def job():
        with running_job(place.engine, JobKind.BACKUP, "test") as lease:
            put(place, blob_uid(lease.job.token, 0))

    place.data.run("list_blobs", job)
    found = survey(place.engine)
    assert faults(found) == (0, 0, 0, 0)
    assert found.on_the_way == 1


def test_unseen_blobs_that_are_there_become_stored(place):
    place.uid(image("abc"))
    a, b, c = (place.blob_of(content) for content in (A, B, C))
    unsee(place, a)
    unsee(place, b, UNKNOWN_SIZE)
    found = survey(place.engine)
    assert (found.unseen, found.found) == (2, 2)
    assert states(place) == dict.fromkeys((a, b, c), (BlobState.STORED, BLOCK))


def test_unseen_blobs_that_are_missing_or_of_a_wrong_size_stay(place):
    place.uid(image("abc"))
    a, b, c = (place.blob_of(content) for content in (A, B, C))
    for uid in (a, b, c):
        unsee(place, uid)
    place.damage(A, None)
    place.damage(B, b"b")
    found = survey(place.engine)
    assert faults(found) == (1, 1, 0, 0)
    assert found.found == 1
    assert states(place) == {a: (BlobState.UNSEEN, BLOCK), b: (BlobState.UNSEEN, BLOCK), c: (BlobState.STORED, BLOCK)}


def test_a_survey_may_leave_unseen_blobs_as_they_are(place):
    place.uid(image("a"))
    unsee(place, uid := place.blob_of(A))
    assert survey(place.engine, see=False).found == 0
    assert states(place) == {uid: (BlobState.UNSEEN, BLOCK)}


def test_a_blob_recorded_after_the_listing_began_is_not_seen_by_it(place):
    """Rule 10: its object may have gone before it was recorded."""
    put(place, STRANGER, A)
    place.data.run("list_blobs", lambda: take_in(place, STRANGER))
    found = survey(place.engine)
    assert (found.found, found.missing.count) == (0, 0)
    assert states(place) == {STRANGER: (BlobState.UNSEEN, BLOCK)}
    assert survey(place.engine).found == 1


def test_what_a_failed_import_left_is_not_seen_so_that_a_cleanup_spares_its_objects(place):
    put(place, STRANGER, A)
    take_over(place, STRANGER)
    found = survey(place.engine)
    assert (found.unseen, found.found) == (1, 0)
    for _ in range(2):
        place.cleanup(full=True)
    assert states(place) == {}
    assert place.objects() == {STRANGER}


@pytest.mark.parametrize("content", [None, A[1:]], ids=["missing", "wrong size"])
def test_what_a_failed_import_spoke_of_is_no_damage(place, content):
    take_over(place, STRANGER)
    if content:
        put(place, STRANGER, content)
    assert faults(survey(place.engine, mark=True)) == (0, 0, 0, 0)
    assert states(place) == {STRANGER: (BlobState.UNSEEN, BLOCK)}


def test_a_blob_recorded_after_the_listing_began_is_not_missing_from_it(place):
    place.data.run("list_blobs", lambda: take_in(place, STRANGER), after=True)
    assert faults(survey(place.engine)) == (0, 0, 0, 0)
    assert survey(place.engine).missing.count == 1


class Bent:
    """A data backend whose listing is bent."""

    def __init__(self, inner, bend):
        self.inner = inner
        self.bend = bend

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def list_blobs(self):
        return self.bend(list(self.inner.list_blobs()))


@pytest.mark.parametrize(
    "bend",
    [
        lambda rows: iter([]),
        lambda rows: iter(rows[::2]),
        lambda rows: (type(row)(row.uid, row.stored_size + 1) for row in rows),
    ],
    ids=["empty", "half", "wrong"],
)
def test_what_a_listing_says_wrongly_is_asked_for_again(place, bend):
    uid = place.uid(numbered(20))
    unsee(place, place.blob_of(numbered(20)[:BLOCK]))
    place.data.inner = Bent(place.data.inner, bend)
    found = survey(place.engine, mark=True)
    assert faults(found) == (0, 0, 0, 0)
    assert found.found == 1
    assert place.state(uid) is VALID


def test_a_store_that_cannot_be_asked_proves_nothing(place):
    uid = place.uid(image("abc"))
    place.damage(B, None)
    place.data.fail("stored_size", DataBackendError("time-out"))
    with pytest.raises(DataBackendError, match="time-out"):
        survey(place.engine, mark=True)
    assert place.state(uid) is VALID
    assert {state for state, _ in states(place).values()} == {BlobState.STORED}


def test_nothing_is_believed_once_the_lease_is_lost(place):
    uid = place.uid(image("abc"))
    place.damage(B, None)

    def lose():
        place.sql(f"UPDATE {place.table('jobs')} SET state = ?", JobState.EXPIRED)

    place.data.run("stored_size", lose)
    with pytest.raises(JobLostError), running_job(place.engine, JobKind.SCRUB, "check") as lease:
        survey(place.engine, lease, mark=True)
    assert place.state(uid) is VALID


def test_blobs_that_wait_for_their_deletion_are_no_fault(place):
    place.uid(image("a"), name="kept")
    place.meta.remove_version(place.version(place.uid(image("ab"), name="gone")).id)
    place.data.fail("delete", DataBackendError("time-out"))
    with pytest.raises(DataBackendError, match="time-out"):
        place.cleanup()
    place.damage(B, None)
    found = survey(place.engine)
    assert faults(found) == (0, 0, 0, 0)
    assert (found.records, found.deleting) == (1, 1)


def test_other_stores_of_the_database_are_left_out(place):
    place.uid(image("ab"))
    place.sql(f"UPDATE {place.table('blobs')} SET store = store + 1")
    found = survey(place.engine)
    assert (found.records, found.missing.count, found.orphans.count) == (0, 0, 2)


def test_only_the_first_thousand_of_a_kind_are_kept_by_name(place, monkeypatch):
    monkeypatch.setattr(room, "MOST_NAMED", 10)
    uid = place.uid(numbered(50))
    for blob in place.objects():
        os.unlink(place.blob_file(blob))
    found = survey(place.engine, mark=True)
    assert (found.missing.count, len(found.missing.named), len(found.broken)) == (50, 10, 50)
    assert found.missing.size_bytes == 50 * BLOCK
    assert {state for state, _ in states(place).values()} == {BlobState.DAMAGED}
    assert place.state(uid) is DAMAGED


class Told:
    """A progress that remembers what it was told."""

    def __init__(self):
        self.calls = []

    def begin(self, action, total, unit):
        self.calls.append((action, total, unit))

    def advance(self, done):
        self.calls.append(done)

    def finish(self):
        self.calls.append("finish")


def test_the_listing_shows_how_far_it_is(place):
    place.uid(numbered(50))
    engine = place.engine_with()
    object.__setattr__(engine, "progress", told := Told())
    survey(engine)
    assert told.calls[0] == (f"Listing the store at {place.data.location}", 50, "objects")
    assert told.calls[-2:] == [50, "finish"]
