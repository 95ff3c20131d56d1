"""INVARIANT 6: nothing is deleted on the word of an empty, foreign or old database. And full and read-only stores."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from backy2_core.engine.requests import CleanupRequest
from backy2_core.engine.retention import remove
from backy2_core.engine.store import open_store
from backy2_core.errors import BackyError, DataBackendError, StoreIdentityError
from backy2_core.model.blob import JobToken, blob_uid
from backy2_core.model.version import VersionState
from tests.engine.place import Place, image, numbered
from tests.support.engines import make_engine, open_folder_store

VALID = VersionState.VALID


@pytest.fixture
def old_database(place):
    """A database put back after: one version kept, one removed and cleaned up, one made since."""
    kept, gone = place.uid(image("ab"), name="kept"), place.uid(image("bcd"), name="gone")
    place.close()
    copy = place.folder / "copy.sqlite"
    shutil.copy(place.folder / "meta.sqlite", copy)
    place.open()
    remove(place.engine, place.version(gone))
    place.cleanup(full=True)
    new = place.uid(image("xy"), name="new")
    place.close()
    for path in place.folder.glob("meta.sqlite*"):
        path.unlink()
    shutil.copy(copy, place.folder / "meta.sqlite")
    place.open()
    return kept, gone, new


def test_an_older_database_restores_what_is_there_and_reports_what_is_missing(place, old_database):
    kept, gone, _ = old_database
    assert place.restored(kept) == image("ab")
    result, content = place.restore(gone)
    assert [damage.block for damage in result.damage] == [1, 2]
    assert content == image("b..")


@pytest.mark.parametrize("request_", [CleanupRequest(full, dry) for full in (0, 1) for dry in (0, 1)], ids=str)
def test_a_cleanup_refuses_an_older_database(place, old_database, request_):
    objects = place.objects()
    with pytest.raises(StoreIdentityError, match=old_database[2]):
        place.cleanup(full=request_.full, dry_run=request_.dry_run)
    assert place.objects() == objects
    assert place.live_jobs() == []


@pytest.mark.parametrize("full", [False, True])
def test_a_cleanup_refuses_an_empty_database_against_a_full_store(place, full):
    uid = place.uid(image("abc"))
    objects = place.objects()
    place.close()
    for path in place.folder.glob("meta.sqlite*"):
        path.unlink()
    place.open()
    with pytest.raises(StoreIdentityError, match=uid):
        place.cleanup(full=full)
    assert place.objects() == objects


def test_a_full_cleanup_leaves_objects_of_unknown_jobs_alone(place):
    uid = place.uid(image("abc"))
    stranger = blob_uid(JobToken("0123456789abcdef"), 0)
    for name in (stranger, "Q" * 32):
        place.data.put(name, memoryview(b"not ours"))
    place.data.flush()
    result = place.cleanup(full=True)
    assert (result.deleted_blobs, result.foreign_objects) == (0, 2)
    assert {stranger, "Q" * 32} < place.objects()
    assert place.restored(uid) == image("abc")


def test_a_full_cleanup_deletes_what_an_ended_job_put_and_never_recorded(place):
    uid = place.uid(image("abc"))
    (token,) = {name[4:20] for name in place.objects()}
    orphan = blob_uid(JobToken(token), 99)
    place.data.put(orphan, memoryview(b"orphan"))
    place.data.flush()
    assert place.cleanup(full=True, dry_run=True).orphaned_objects == 1
    assert orphan in place.objects()
    assert place.cleanup().deleted_blobs == 0
    result = place.cleanup(full=True)
    assert (result.orphaned_objects, result.deleted_blobs, result.freed_bytes) == (1, 1, 6)
    assert orphan not in place.objects()
    assert place.restored(uid) == image("abc")


def test_another_store_at_the_same_path_is_refused(place, tmp_path):
    place.uid(image("abc"))
    other = Place(tmp_path)
    other.uid(image("x"))
    place.close()
    other.close()
    shutil.rmtree(place.folder / "data")
    shutil.copytree(tmp_path / "data", place.folder / "data")
    with pytest.raises(StoreIdentityError, match="disk"):
        place.open()


def test_an_emptied_store_at_the_same_path_is_refused(place):
    place.uid(image("abc"))
    place.close()
    shutil.rmtree(place.folder / "data")
    with pytest.raises(StoreIdentityError, match="no store of backy2"):
        place.open()


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"identity": "x"}', b'{"format": 1}', b'{"format": 99, "identity": "x"}']
)
def test_a_store_whose_identity_cannot_be_read_is_refused(place, text):
    place.data.write_document("store.json", text)
    with pytest.raises(StoreIdentityError):
        open_store(place.meta, place.data, "file")


def mounted(path: Path, options: str):
    """Mount a tmpfs, or skip where that is not allowed."""
    path.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("mounting a small file system is not allowed here")


@pytest.fixture
def small_store(tmp_path):
    """A place whose store is a file system of 2 MiB."""
    mounted(tmp_path / "data", "size=2m")
    place = Place(tmp_path)
    try:
        yield place
    finally:
        place.close()
        subprocess.run(["umount", "-l", tmp_path / "data"], check=True)


def remount(place, options):
    subprocess.run(["mount", "-o", f"remount,{options}", place.folder / "data"], check=True)


def test_a_full_disk_leaves_an_incomplete_version_that_is_continued_after_space_is_made(small_store):
    place = small_store
    content = place.write(numbered(700))
    with pytest.raises(DataBackendError, match=r"[Ss]pace"):
        place.backup(engine=place.engine_with(flush_bytes=100 * 4096))
    (version,) = place.versions()
    assert version.state is VersionState.INCOMPLETE
    assert place.objects() == place.records()
    assert place.live_jobs() == []
    remount(place, "size=20m")
    place.backup(resume=version.uid)
    assert place.restored(version.uid) == content


def test_a_full_disk_hurts_no_version_that_is_there(small_store):
    place = small_store
    uid = place.uid(image("abc"))
    with pytest.raises(DataBackendError):
        place.backup(numbered(700))
    assert place.restored(uid) == image("abc")
    assert place.scrub(uid).damaged_blocks == 0


def test_a_read_only_store_restores_and_refuses_a_backup_with_a_clear_error(small_store):
    place = small_store
    uid = place.uid(image("abc"))
    remount(place, "ro")
    assert place.restored(uid) == image("abc")
    with pytest.raises(DataBackendError, match=r"(?i)read-only"):
        place.backup(image("xyz"))
    assert place.live_jobs() == []
    assert place.state(uid) is VALID


def test_a_read_only_store_can_be_opened_by_a_new_process(small_store):
    place = small_store
    uid = place.uid(image("abc"))
    place.close()
    remount(place, "ro")
    place.open()
    assert place.restored(uid) == image("abc")


def test_a_cleanup_of_a_read_only_store_ends_in_an_error_and_a_later_one_finishes(small_store):
    place = small_store
    uid = place.uid(image("abc"))
    remove(place.engine, place.version(uid))
    remount(place, "ro")
    with pytest.raises(BackyError, match=r"(?i)read-only"):
        place.cleanup(full=True)
    remount(place, "rw")
    place.cleanup(full=True)
    assert place.objects() == place.records() == set()


@pytest.fixture
def elsewhere(place, tmp_path):
    """A version in the store of ``place``, and an engine on the same database with another store."""
    uid = place.uid(numbered(8))
    (tmp_path / "other").mkdir()
    with open_folder_store(tmp_path / "other") as data:
        yield uid, make_engine(place.meta, data)


def test_a_base_whose_blobs_are_in_another_store_is_not_built_upon(place, elsewhere):
    """The new version would have its blobs in two stores, and could be restored from neither."""
    uid, engine = elsewhere
    with pytest.raises(StoreIdentityError, match="not the one that"):
        place.backup(numbered(8), base=uid, hints=[], engine=engine)
    assert [version.uid for version in place.versions()] == [uid]


@pytest.mark.parametrize("job", ["restore", "scrub"])
def test_a_version_in_another_store_is_not_called_damaged(place, elsewhere, job):
    uid, engine = elsewhere
    with pytest.raises(StoreIdentityError, match=str(place.data.location)):
        getattr(place, job)(uid, engine=engine)
    assert place.state(uid) is VALID


def test_both_stores_serve_new_versions(place, elsewhere):
    """The same content is stored in each: a look-up never leads into another store."""
    _, engine = elsewhere
    second = place.uid(numbered(8), engine=engine)
    assert place.restored(second, engine=engine) == numbered(8)


def test_a_store_that_the_database_meets_beside_others_is_remarked_once(place, tmp_path, caplog):
    place.uid(numbered(2))
    assert caplog.records == [record for record in caplog.records if record.levelno < logging.WARNING]
    (tmp_path / "other").mkdir()
    for _ in range(2):
        with open_folder_store(tmp_path / "other") as data:
            make_engine(place.meta, data)
    [warning] = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith(f"The blobs so far are in {place.data.location}; the store at ")
    assert "is a new one. If that is not meant, correct the section [data_backend]" in warning
