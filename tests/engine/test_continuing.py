"""Interrupted backups: what they leave, and how they are continued."""

from __future__ import annotations

import threading
import time

import pytest

from backy2_core.errors import BackyError, DataBackendError, NotFoundError, RefusedError, StoreIdentityError
from backy2_core.model.version import VersionState
from tests.engine.place import BLOCK, counts_of, hint, image, numbered
from tests.support.engines import make_engine, open_database, open_folder_store

INCOMPLETE, VALID = VersionState.INCOMPLETE, VersionState.VALID
CONTENT = numbered(600)


def interrupt(place, method="put", call=500, **more):
    """A backup that is interrupted, if by a put then after some blobs were recorded; the uid of the version it leaves."""

    def strike():
        # Another thread records what was flushed; how soon is not ours to say.
        until = time.monotonic() + 20
        while method == "put" and len(place.records()) <= recorded and time.monotonic() < until:
            time.sleep(0.005)
        raise KeyboardInterrupt

    before, recorded = {version.uid for version in place.versions()}, len(place.records())
    place.data.run(method, strike, call=call)
    engine = place.engine_with(buffer_bytes=1, flush_bytes=20 * BLOCK, workers=4)
    with pytest.raises(KeyboardInterrupt):
        place.backup(engine=engine, **more)
    place.data.heal()
    (uid,) = {version.uid for version in place.versions()} - before
    return uid


@pytest.fixture
def uid(place):
    """An incomplete version."""
    place.write(CONTENT)
    return interrupt(place)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), DataBackendError("gone"), SystemExit(1), MemoryError()])
@pytest.mark.parametrize(("method", "call"), [("put", 1), ("put", 400), ("flush", 1), ("write_document", 1)])
def test_an_interrupted_backup_leaves_no_lease_and_no_unrecorded_object(place, method, call, error, after):
    place.write(CONTENT)
    place.data.fail(method, error, call=call, times=10**6, after=after)
    with pytest.raises(type(error)):
        place.backup(engine=place.engine_with(buffer_bytes=1, flush_bytes=20 * BLOCK))
    place.data.heal()
    assert place.live_jobs() == []
    assert place.objects() == place.records()
    assert [version.state for version in place.versions()] == [INCOMPLETE]


def test_what_was_recorded_before_the_interruption_is_not_stored_twice(place, uid):
    stored = place.objects()
    assert 0 < len(stored) < 600
    result = place.backup(resume=uid)
    assert result.version.uid == uid
    assert result.version.state is VALID
    assert len(place.objects()) == 600
    assert stored < place.objects()
    assert place.restored(uid) == CONTENT
    assert place.scrub(uid).damaged_blocks == 0


def test_a_backup_may_be_interrupted_and_continued_many_times(place, uid):
    for call in (1, 60, 60):
        place.data.fail("put", KeyboardInterrupt(), call=call, times=10**6)
        with pytest.raises(KeyboardInterrupt):
            place.backup(resume=uid, engine=place.engine_with(buffer_bytes=1))
        place.data.heal()
        assert place.state(uid) is INCOMPLETE
    assert place.backup(resume=uid).version.state is VALID
    assert place.restored(uid) == CONTENT


def test_an_interruption_just_before_the_end_is_continued(place):
    place.write(CONTENT)
    uid = interrupt(place, "write_document", 1)
    assert counts_of(place.backup(resume=uid))[1] == 0
    assert place.restored(uid) == CONTENT


def test_a_continued_version_keeps_its_block_size_and_hash_whatever_the_settings(place, uid):
    engine = place.engine_with(block_size=8192, hash_function="sha512")
    version = place.backup(resume=uid, engine=engine).version
    assert (version.geometry.block_size, version.hash) == (BLOCK, "blake3")
    assert place.restored(uid) == CONTENT


def test_an_incremental_backup_is_continued_on_its_own_base(place):
    base = place.uid(CONTENT)
    content = numbered(550, seed=5) + CONTENT[550 * BLOCK :]
    place.write(content)
    hints = [hint(0, 550)]
    uid = interrupt(place, base=base, hints=hints)
    assert place.backup(resume=uid, hints=hints).version.base == base
    assert place.restored(uid) == content


def test_a_version_that_is_not_incomplete_is_not_continued(place):
    uid = place.uid(CONTENT)
    with pytest.raises(RefusedError, match=uid):
        place.backup(resume=uid)
    place.meta.remove_version(place.version(uid).id)
    with pytest.raises((RefusedError, NotFoundError)):
        place.backup(resume=uid)


def assert_refused(place, uid, match, **more):
    with pytest.raises(RefusedError, match=match) as caught:
        place.backup(resume=uid, **more)
    assert caught.value.exit_code == 17
    assert place.state(uid) is INCOMPLETE
    assert place.live_jobs() == []


def test_a_changed_source_refuses_to_continue(place, uid):
    place.write(CONTENT[:-1] + b"!")
    assert_refused(place, uid, "state of the source")


def test_a_resized_source_refuses_to_continue(place, uid):
    place.write(CONTENT + b"!")
    assert_refused(place, uid, "size of the source")


def test_another_name_refuses_to_continue(place, uid):
    assert_refused(place, uid, "name", name="other")


def test_other_hints_refuse_to_continue(place, uid):
    assert_refused(place, uid, "hints", hints=[hint(0)])
    assert_refused(place, uid, "hints", hints="[]")


def test_another_base_refuses_to_continue(place, uid):
    other = place.uid(name="other")
    assert_refused(place, uid, "base", base=other)


def test_left_out_hints_refuse_to_continue(place):
    place.write(CONTENT)
    uid = interrupt(place, hints=[hint(0, 600)])
    assert_refused(place, uid, "hints")


def test_two_jobs_never_continue_one_version(place, uid):
    """The second comes while the first is at work, from another process's point of view."""
    errors = []

    def second():
        with open_database(place.folder) as meta:
            try:
                place.backup(resume=uid, engine=place.engine_with(meta=meta))
            except BackyError as error:
                errors.append(error)

    def in_a_thread():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()

    place.data.run("put", in_a_thread)
    assert place.backup(resume=uid).version.state is VALID
    assert [type(error) for error in errors] == [RefusedError]
    assert uid in str(errors[0])
    assert place.restored(uid) == CONTENT


# -- bases


def test_an_incomplete_base_is_refused(place, uid):
    with pytest.raises(RefusedError, match=uid):
        place.backup(base=uid, hints=[])


def test_a_damaged_base_is_refused(place):
    base = place.uid(image("ab"))
    place.damage(b"b" * BLOCK, None)
    place.scrub(base)
    with pytest.raises(RefusedError, match=base):
        place.backup(base=base, hints=[])


def test_a_removed_base_is_refused(place):
    base = place.uid(image("ab"))
    place.meta.remove_version(place.version(base).id)
    with pytest.raises((RefusedError, NotFoundError), match=base):
        place.backup(base=base, hints=[])


def test_a_base_that_never_was_is_not_found(place):
    place.write(image("a"))
    with pytest.raises(NotFoundError, match="no-such"):
        place.backup(base="no-such")
    assert place.versions() == []


@pytest.mark.parametrize("job", ["restore", "scrub"])
def test_an_incomplete_version_is_neither_restored_nor_scrubbed(place, uid, job):
    with pytest.raises(RefusedError, match=uid):
        getattr(place, job)(uid)
    assert place.state(uid) is INCOMPLETE


# -- abandoned ones


def test_an_incomplete_version_is_kept_until_the_configured_age(place, uid):
    assert place.cleanup(full=True).abandoned_versions == 0
    place.backup(resume=uid)
    assert place.restored(uid) == CONTENT


def test_a_cleanup_removes_old_incomplete_versions_and_what_only_they_used(place, uid):
    whole = place.uid(CONTENT[: 10 * BLOCK], name="whole")
    result = place.cleanup(full=True, engine=place.engine_with(abandon_incomplete_s=-1.0))
    assert (result.abandoned_versions, result.purged_versions) == (1, 1)
    assert [version.uid for version in place.versions()] == [whole]
    assert len(place.objects()) == 10
    assert place.restored(whole) == CONTENT[: 10 * BLOCK]


def test_an_incomplete_version_that_a_job_holds_is_never_abandoned(place, uid):
    results = []
    engine = place.engine_with(abandon_incomplete_s=-1.0)
    place.data.run("put", lambda: results.append(place.cleanup(full=True, engine=engine)))
    place.backup(resume=uid)
    assert [result.abandoned_versions for result in results] == [0]
    assert place.restored(uid) == CONTENT


def test_a_version_in_another_store_is_not_continued(place, tmp_path):
    place.write(CONTENT)
    uid = interrupt(place, "write_document", 1)
    (tmp_path / "other").mkdir()
    with open_folder_store(tmp_path / "other") as data, pytest.raises(StoreIdentityError, match="not the one that"):
        place.backup(resume=uid, engine=make_engine(place.meta, data))
    assert place.state(uid) is INCOMPLETE
