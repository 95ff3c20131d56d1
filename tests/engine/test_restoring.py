"""What a restore does with its target."""

from __future__ import annotations

import pytest

from backy2_core.errors import NotFoundError, TargetError
from tests.engine.place import BLOCK, image, numbered

CONTENT = image("a" + "." * 200 + "b" + "." * 100, "tail")


@pytest.mark.parametrize("sparse", [False, True])
def test_a_new_target_has_the_content_and_size_of_the_version(place, sparse):
    assert place.restored(place.uid(CONTENT), sparse=sparse) == CONTENT


def test_a_sparse_restore_takes_space_for_data_only(place):
    uid, path = place.uid(CONTENT), place.target()
    place.restored(uid, path=path, sparse=True)
    assert path.stat().st_blocks * 512 <= 3 * BLOCK


def test_a_restore_that_is_not_sparse_takes_all_its_space(place):
    uid, path = place.uid(CONTENT), place.target()
    place.restored(uid, path=path, sparse=False)
    assert path.stat().st_blocks * 512 >= len(CONTENT)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("surplus", [0, 1, 3 * BLOCK])
def test_force_overwrites_whatever_was_there(place, sparse, surplus):
    uid, path = place.uid(CONTENT), place.target()
    path.write_bytes(b"#" * (len(CONTENT) + surplus))
    _, content = place.restore(uid, path=path, sparse=sparse, force=True)
    assert content[: len(CONTENT)] == CONTENT


def test_an_existing_target_is_not_touched_without_force(place):
    uid, path = place.uid(CONTENT), place.target()
    path.write_bytes(b"precious")
    with pytest.raises(TargetError, match="restored1"):
        place.restore(uid, path=path)
    assert path.read_bytes() == b"precious"
    assert place.live_jobs() == []


def test_a_target_in_a_folder_that_is_not_there_is_an_error_of_the_target(place):
    with pytest.raises(TargetError):
        place.restore(place.uid(CONTENT), path=place.folder / "none" / "x")


def test_a_version_that_is_not_there_is_not_found(place):
    with pytest.raises(NotFoundError, match="no-such"):
        place.restore("no-such")


def test_the_result_counts_every_byte(place):
    result, _ = place.restore(place.uid(CONTENT))
    assert (result.restored_bytes, result.damaged_blocks, result.damage) == (len(CONTENT), 0, ())


@pytest.mark.parametrize("buffer_bytes", [1, BLOCK, 1024 * BLOCK])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_and_buffers_gives_the_same(place, buffer_bytes, workers):
    engine = place.engine_with(buffer_bytes=buffer_bytes, workers=workers, flush_bytes=BLOCK)
    uid = place.uid(numbered(300), engine=engine)
    assert place.restored(uid, engine=engine) == numbered(300)
    assert place.scrub(uid, engine=engine, source=True).checked_blocks == 300


def test_a_damaged_version_is_restored_as_far_as_it_goes_though_it_is_known_to_be_damaged(place):
    uid = place.uid(image("abc"))
    place.damage(b"b" * BLOCK, None)
    place.scrub(uid)
    result, content = place.restore(uid)
    assert (result.damaged_blocks, content) == (1, image("a.c"))
