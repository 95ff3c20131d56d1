"""The daily check finds what is wrong between database and store and within the database, and cries for nothing else."""

from __future__ import annotations

import logging

import pytest

from backy2_core.contracts.data_backend import DataCapabilities
from backy2_core.engine.health import check_health
from backy2_core.engine.health_lines import Faults, Verdict
from backy2_core.engine.lease import running_job
from backy2_core.engine.retention import remove
from backy2_core.errors import DataBackendError
from backy2_core.model.blob import BlobState, blob_uid
from backy2_core.model.job import JobKind, JobState, NewJob
from backy2_core.model.version import VersionState
from tests.engine.edits import (
    MAP_EDITS,
    SEGMENT_EDITS,
    edit_map,
    edit_segment,
    lost_id,
    segment_rows,
    sparse_id,
    unknown_id,
)
from tests.engine.place import BLOCK, image, numbered

VALID, DAMAGED = VersionState.VALID, VersionState.DAMAGED
B = b"b" * BLOCK
ALL = (
    "versions",
    "segments",
    "missing_blobs",
    "wrong_sizes",
    "surplus_objects",
    "unused_blobs",
    "jobs",
    "incomplete_versions",
    "metadata_copies",
    "unknown_versions",
)


def checked(place, *, engine=None, dry_run=False):
    """The lines of a check by name, and its verdict."""
    report = check_health(engine or place.engine, dry_run=dry_run)
    assert tuple(line.what for line in report.lines)[: len(ALL)] == ALL
    return {line.what: line for line in report.lines}, report.verdict


def problems(place, **more):
    """The lines that have problems, as {what: how many}."""
    lines, _ = checked(place, **more)
    return {what: line.problems for what, line in lines.items() if line.problems}


def rows(place):
    """All that a check could change."""
    return [place.sql(f"SELECT * FROM {place.table(table)}") for table in ("blobs", "versions", "segments", "jobs")]


def head(place, uid):
    return place.folder / "data" / "backy2" / "versions" / f"{uid}.json"


def test_all_is_well_with_a_sound_database_and_store(place):
    place.uid(image("ab.c") + b"tail")
    place.uid(numbered(300), name="big")
    place.uid(b"", name="empty")
    lines, verdict = checked(place)
    assert verdict is Verdict.OK
    assert {line.problems for line in lines.values()} == {0}
    assert {line.detail for line in lines.values()} == {""}
    assert [lines[what].checked for what in ("versions", "segments", "missing_blobs", "surplus_objects")] == [
        3,
        4,
        304,
        304,
    ]
    assert (lines["metadata_copies"].checked, lines["unknown_versions"].checked) == (3, 3)


def test_all_is_well_with_nothing_at_all(place):
    assert checked(place)[1] is Verdict.OK


def test_all_is_well_with_blocks_of_several_sizes(place):
    place.uid(image("abc") + b"tail")
    for size in (BLOCK // 2, 2 * BLOCK, 512):
        place.uid(image("a..bc") + b"tail", engine=place.engine_with(block_size=size), name=str(size))
    place.uid(numbered(260), name="base")
    place.uid(numbered(130), name="smaller")
    assert problems(place) == {}


@pytest.mark.parametrize(("new", "what"), [(None, "missing_blobs"), (b"b", "wrong_sizes"), (B + b"b", "wrong_sizes")])
def test_damage_in_the_store_is_found_and_marked(place, new, what):
    uids = [place.uid(image(letters), name=letters) for letters in ("ab", "ac", "cb")]
    blob = place.damage(B, new)
    lines, verdict = checked(place)
    assert verdict is Verdict.DAMAGE
    assert {what: line.problems for what, line in lines.items() if line.problems} == {what: 1, "versions": 2}
    assert lines[what].detail.startswith(blob)
    assert [place.state(uid) for uid in uids] == [DAMAGED, VALID, DAMAGED]
    ((state,),) = place.sql(f"SELECT state FROM {place.table('blobs')} WHERE uid = ?", blob)
    assert state == BlobState.DAMAGED
    assert problems(place) == {what: 1, "versions": 2}


def test_blobs_that_were_marked_leave_deduplication(place):
    place.uid(image("ab"))
    place.damage(B, None)
    checked(place)
    uid = place.uid(image("ab"), name="again")
    assert place.restored(uid) == image("ab")


def test_a_dry_run_finds_the_same_and_writes_nothing(place):
    uid, other = place.uid(image("ab")), place.uid(image("cd"), name="other")
    edit_segment(place, unknown_id, row=1)
    place.damage(B, None)
    place.sql(
        f"UPDATE {place.table('blobs')} SET state = ? WHERE uid = ?", BlobState.UNSEEN, place.blob_of(b"a" * BLOCK)
    )
    before = rows(place)
    found = problems(place, dry_run=True)
    assert rows(place) == before
    assert found == {"versions": 2, "segments": 1, "missing_blobs": 1}
    assert found == problems(place)
    assert (place.state(uid), place.state(other)) == (DAMAGED, DAMAGED)
    assert place.sql(f"SELECT COUNT(*) FROM {place.table('blobs')} WHERE state = ?", BlobState.UNSEEN) == [(0,)]


@pytest.mark.parametrize("edit", [*SEGMENT_EDITS, sparse_id, lost_id])
def test_an_edited_segment_is_found_and_its_versions_marked(place, edit):
    uid, other = place.uid(image("abcd")), place.uid(image("xy"), name="other")
    edit_segment(place, edit)
    lines, verdict = checked(place)
    assert verdict is Verdict.DAMAGE
    assert {what: line.problems for what, line in lines.items() if line.problems} == {"versions": 1, "segments": 1}
    assert (place.state(uid), place.state(other)) == (DAMAGED, VALID)


@pytest.mark.parametrize("at", [0, 7, 8, 23, 24 * 3 + 9])
def test_one_turned_byte_of_a_segment_is_found(place, at):
    uid = place.uid(image("abcd"))
    ((number, data),) = segment_rows(place)
    turned = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
    place.sql(f"UPDATE {place.table('segments')} SET data = ? WHERE id = ?", turned, number)
    assert problems(place)["versions"] == 1
    assert place.state(uid) is DAMAGED


def test_a_segment_that_is_cut_within_an_entry_is_found(place):
    place.uid(image("abcd"))
    place.sql(f"UPDATE {place.table('segments')} SET data = substr(data, 1, 40)")
    assert problems(place) == {"versions": 1, "segments": 1}


def test_an_edited_digest_of_a_segment_is_found(place):
    place.uid(image("abcd"))
    place.sql(f"UPDATE {place.table('segments')} SET digest = ?", bytes(32))
    assert problems(place) == {"versions": 1, "segments": 1}


@pytest.mark.parametrize("edit", MAP_EDITS)
def test_an_edited_map_is_found_and_its_version_alone_marked(place, edit):
    uid, other = place.uid(numbered(300)), place.uid(numbered(1), name="other")
    edit_map(place, uid, edit)
    assert problems(place)["versions"] == 1
    assert (place.state(uid), place.state(other)) == (DAMAGED, VALID)


@pytest.mark.parametrize(
    ("column", "value"),
    [("size_bytes", 300 * BLOCK - 1), ("block_size", 2 * BLOCK), ("digest", bytes(32))],
)
def test_an_edited_version_is_found(place, column, value):
    uid = place.uid(numbered(300))
    place.sql(f"UPDATE {place.table('versions')} SET {column} = ? WHERE uid = ?", value, uid)
    assert problems(place)["versions"] == 1


def test_a_version_without_any_map_is_found(place):
    place.uid(image("ab"))
    place.sql(f"DELETE FROM {place.table('maps')}")
    assert problems(place) == {"versions": 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [("checksum", bytes(32)), ("size", BLOCK - 1), ("size", 2 * BLOCK), ("state", 4), ("uid", "x" * 32)],
)
def test_an_edited_record_is_found(place, column, value):
    uid, other = place.uid(image("abc")), place.uid(image("ac"), name="other")
    place.sql(f"UPDATE {place.table('blobs')} SET {column} = ? WHERE uid = ?", value, place.blob_of(B))
    assert problems(place)["versions"] == 1
    assert (place.state(uid), place.state(other)) == (DAMAGED, VALID)


@pytest.mark.parametrize(("blobs", "size"), [(image("abc"), 2 * BLOCK), (b"tail", 5)], ids=["all", "the last"])
def test_records_of_another_size_than_the_blocks_are_found(place, blobs, size):
    uid = place.uid(image("abc") + b"tail")
    for number in range(0, len(blobs), BLOCK):
        blob = place.blob_of(blobs[number : number + BLOCK])
        place.sql(f"UPDATE {place.table('blobs')} SET size = ? WHERE uid = ?", size, blob)
    assert problems(place) == {"versions": 1, "segments": 1}
    assert place.state(uid) is DAMAGED


def test_a_record_that_is_gone_is_found_and_its_object_is_surplus(place):
    uid = place.uid(image("abc"))
    place.sql(f"DELETE FROM {place.table('blobs')} WHERE uid = ?", place.blob_of(B))
    assert problems(place) == {"versions": 1, "segments": 1, "surplus_objects": 1}
    assert place.state(uid) is DAMAGED


def test_records_of_the_blobs_of_two_blocks_that_were_swapped_are_found(place):
    uid = place.uid(image("abc"))
    b, c = place.blob_of(B), place.blob_of(b"c" * BLOCK)
    (old_b,), (old_c,) = (place.sql(f"SELECT checksum FROM {place.table('blobs')} WHERE uid = ?", x)[0] for x in (b, c))
    for blob, checksum in ((b, old_c), (c, old_b)):
        place.sql(f"UPDATE {place.table('blobs')} SET checksum = ? WHERE uid = ?", checksum, blob)
    assert problems(place) == {"versions": 1, "segments": 1}
    assert place.state(uid) is DAMAGED


def test_a_segment_that_versions_share_is_looked_at_once(place):
    place.uid(numbered(300))
    for number in range(5):
        place.uid(numbered(300), name=f"vm{number}")
    lines, _ = checked(place)
    assert (lines["versions"].checked, lines["segments"].checked) == (6, 3)
    edit_segment(place, sparse_id, row=1)
    assert problems(place) == {"versions": 6, "segments": 1}


def test_damage_that_was_found_before_is_told_until_a_scrub_found_all_right(place):
    uid = place.uid(image("ab"))
    place.sql(f"UPDATE {place.table('versions')} SET state = ?", DAMAGED)
    lines, verdict = checked(place)
    assert verdict is Verdict.DAMAGE
    assert (lines["versions"].problems, uid in lines["versions"].detail) == (1, True)
    place.scrub(uid)
    assert problems(place) == {}


def test_surplus_objects_are_a_note_that_says_what_to_do(place):
    with running_job(place.engine, JobKind.BACKUP, "test") as lease:
        orphan = place.blob_file(blob_uid(lease.job.token, 0))
    stranger = place.blob_file("0123456789abcdef0123456789abcdef")
    for path in (orphan, stranger):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    lines, verdict = checked(place)
    assert verdict is Verdict.NOTE
    assert lines["surplus_objects"].problems == 2
    assert "`backy2 cleanup --full`" in lines["surplus_objects"].detail
    place.cleanup(full=True)
    lines, _ = checked(place)
    assert not orphan.exists()
    assert lines["surplus_objects"].problems == 1
    assert "cleanup" not in lines["surplus_objects"].detail


def test_what_waits_for_a_cleanup_is_no_problem_and_half_a_cleanup_is_a_note(place):
    uid = place.uid(image("ab"))
    place.uid(image("a"), name="kept")
    remove(place.engine, place.version(uid))
    with running_job(place.engine, JobKind.BACKUP, "live"):
        place.cleanup()
        lines, verdict = checked(place)
    assert verdict is Verdict.OK
    assert (lines["unused_blobs"].checked, lines["unused_blobs"].problems) == (1, 0)
    assert "1 wait" in lines["unused_blobs"].detail
    place.data.fail("delete", DataBackendError("time-out"))
    with pytest.raises(DataBackendError, match="time-out"):
        place.cleanup()
    lines, verdict = checked(place)
    assert (verdict, lines["unused_blobs"].problems) == (Verdict.NOTE, 1)
    place.cleanup()
    assert problems(place) == {}


def die(place, **more):
    """A job that was killed, and whose lease ran out."""
    job = place.meta.begin_job(NewJob(JobKind.BACKUP, "host", 42, "file:///image as vm", 60.0, **more))
    place.sql(f"UPDATE {place.table('jobs')} SET lease_until = renewed - 1 WHERE id = ?", job.id)
    return job


def test_jobs_that_died_are_told_once(place):
    die(place)
    lines, verdict = checked(place)
    assert (verdict, lines["jobs"].problems) == (Verdict.NOTE, 1)
    assert "`backy2 cleanup --full`" in lines["jobs"].detail
    assert problems(place) == {}


def test_jobs_that_live_are_counted_without_the_check_itself(place):
    with running_job(place.engine, JobKind.BACKUP, "live"):
        lines, verdict = checked(place)
    assert (verdict, lines["jobs"].checked, lines["jobs"].problems) == (Verdict.OK, 1, 0)


def test_incomplete_versions_are_a_note_where_nobody_works_on_them(place):
    place.write(image("ab"))
    place.data.fail("flush", DataBackendError("full"))
    with pytest.raises(DataBackendError):
        place.backup()
    lines, verdict = checked(place)
    assert (verdict, lines["incomplete_versions"].problems) == (Verdict.NOTE, 1)
    (version,) = place.versions()
    assert version.uid in lines["incomplete_versions"].detail
    assert "backup -c" in lines["incomplete_versions"].detail

    found = []
    place.data.run("flush", lambda: found.append(checked(place)))
    place.backup(resume=version.uid)
    assert (found[0][0]["incomplete_versions"].checked, found[0][0]["incomplete_versions"].problems) == (1, 0)
    assert found[0][1] is Verdict.OK


def test_a_version_without_a_copy_of_its_metadata_is_a_mismatch(place):
    uid = place.uid(image("ab"))
    head(place, uid).unlink()
    lines, verdict = checked(place)
    assert (verdict, lines["metadata_copies"].problems) == (Verdict.MISMATCH, 1)
    assert lines["metadata_copies"].detail.startswith(uid)
    assert place.state(uid) is VALID


def test_a_copy_that_is_damaged_cut_or_of_other_contents_is_a_mismatch(place):
    uid, other = place.uid(image("ab")), place.uid(image("cd"), name="other")
    content = head(place, uid).read_bytes()
    for wrong in (content[:-1], content.replace(b"vm", b"xx"), b"", head(place, other).read_bytes()):
        head(place, uid).write_bytes(wrong)
        assert problems(place) == {"metadata_copies": 1}
    place.cleanup(full=True)
    assert problems(place) == {}
    place.sql(f"UPDATE {place.table('versions')} SET name = 'vm2' WHERE uid = ?", uid)
    assert problems(place) == {"metadata_copies": 1}
    place.cleanup(full=True)
    assert problems(place) == {}


def test_a_copy_whose_pack_is_gone_is_a_mismatch(place):
    place.uid(image("ab"))
    (pack,) = (place.folder / "data" / "backy2" / "maps").iterdir()
    pack.unlink()
    assert problems(place) == {"metadata_copies": 1}
    place.cleanup(full=True)
    assert problems(place) == {}


def test_a_marker_without_a_map_is_enough_where_copies_are_switched_off(place):
    engine = place.engine_with(metadata_copies=False)
    place.uid(image("ab"), engine=engine)
    assert problems(place, engine=engine) == {}
    assert problems(place) == {"metadata_copies": 1}


def test_a_version_that_only_the_store_knows_is_a_mismatch(place):
    uid = place.uid(image("ab"))
    foreign = "11111111-2222-4333-8444-555555555555"
    head(place, foreign).write_bytes(head(place, uid).read_bytes())
    lines, verdict = checked(place)
    assert (verdict, lines["unknown_versions"].problems) == (Verdict.MISMATCH, 1)
    assert lines["unknown_versions"].detail.startswith(foreign)
    assert "`backy2 recover`" in lines["unknown_versions"].detail


def test_removed_versions_are_of_no_concern(place):
    uid = place.uid(numbered(300))
    place.uid(image("a"), name="kept")
    edit_map(place, uid, MAP_EDITS[0])
    remove(place.engine, place.version(uid))
    assert problems(place) == {}
    place.cleanup()
    assert problems(place) == {}


def test_versions_in_another_store_are_noted_and_not_looked_for_in_this_one(place):
    place.uid(image("ab"))
    place.uid(image("...."), name="sparse")
    place.sql(f"UPDATE {place.table('blobs')} SET store = store + 1")
    place.meta.register_store("another", "file", "/elsewhere")
    for blob in place.objects():
        place.blob_file(blob).unlink()
    for document in (place.folder / "data" / "backy2" / "versions").iterdir():
        document.unlink()
    lines, verdict = checked(place)
    assert verdict is Verdict.NOTE
    assert {what: line.problems for what, line in lines.items() if line.problems} == {"other_stores": 1}


def test_a_store_that_keeps_nothing_is_not_looked_at(place, monkeypatch):
    uid = place.uid(image("ab"))
    monkeypatch.setattr(type(place.data), "capabilities", DataCapabilities(persistent=False))
    place.damage(B, None)
    report = check_health(place.engine)
    assert report.verdict is Verdict.NOTE
    assert [line.what for line in report.lines] == ["versions", "segments", "store", "jobs", "incomplete_versions"]
    assert place.state(uid) is VALID


def test_each_problem_is_an_error_in_the_log_up_to_a_hundred(place, caplog):
    place.uid(numbered(120))
    for blob in place.objects():
        place.blob_file(blob).unlink()
    with caplog.at_level(logging.WARNING):
        checked(place)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert sum(text.startswith("Blob ") and "missing" in text for text in errors) == 100
    assert sum("20 more" in text for text in errors) == 1
    assert sum(text.startswith("Version ") for text in errors) == 1


def test_a_check_is_a_job_that_others_see(place):
    kinds = []
    place.data.run("list_blobs", lambda: kinds.extend(job.kind for job in place.live_jobs()))
    checked(place)
    assert kinds == [JobKind.SCRUB]
    assert place.live_jobs() == []
    checked(place, dry_run=True)
    assert len(place.meta.jobs(set(JobState))) == 1


def test_a_store_that_goes_away_ends_the_check_and_marks_nothing(place):
    uid = place.uid(image("ab"))
    place.damage(B, None)
    place.data.fail("list_blobs", DataBackendError("gone"))
    with pytest.raises(DataBackendError, match="gone"):
        checked(place)
    assert place.state(uid) is VALID


def test_only_the_first_thousand_faults_are_kept():
    faults = Faults()
    for number in range(3000):
        faults.add(str(number), "wrong")
    assert (faults.count, len(faults.named)) == (3000, 1000)
