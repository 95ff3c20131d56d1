"""An incremental backup must not launder a base whose map was edited: a new digest would fit the wrong image.

The same holds for an incomplete version that is continued.
"""

from __future__ import annotations

import pytest

from backy2_core.errors import BackyError, DamageError
from backy2_core.model.version import VersionState
from tests.engine.edits import (
    cut_map,
    cut_segment,
    edit_map,
    edit_segment,
    empty_map,
    longer_map,
    longer_segment,
    lost_id,
    repeat_segment,
    sparse_entry,
    sparse_id,
    swap_entries,
    swap_ids,
    swap_segments,
    unknown_id,
    unknown_segment,
)
from tests.engine.place import BLOCK, hint, numbered

VALID = VersionState.VALID
A = b"a" * BLOCK
BIG = numbered(300)


def assert_not_handed_on(place, base, content, hints, sample=0):
    """The new version is refused, or not valid, or right in spite of all."""
    try:
        engine = place.engine_with(sanity_check_blocks=sample)
        result = place.backup(content, base=base, hints=hints, engine=engine)
    except BackyError:
        assert place.live_jobs() == []
        return
    if result.version.state is VALID:
        assert_right_or_damaged(place, result.version.uid, content)


def assert_right_or_damaged(place, uid, content):
    try:
        result, restored = place.restore(uid)
    except DamageError:
        return
    assert result.damaged_blocks or restored == content


@pytest.mark.parametrize(
    "edit",
    [
        swap_segments,
        repeat_segment,
        cut_map,
        empty_map,
        unknown_segment,
        longer_map,
    ],
)
def test_an_edited_map_of_a_base_is_not_handed_on(place, edit):
    base = place.uid(BIG)
    edit_map(place, base, edit)
    assert_not_handed_on(place, base, BIG[: 299 * BLOCK] + A, [hint(299)])


@pytest.mark.parametrize(
    "edit",
    [
        swap_entries,
        sparse_entry,
        sparse_id,
        swap_ids,
        unknown_id,
        lost_id,
        cut_segment,
        longer_segment,
    ],
)
def test_an_edited_segment_of_a_base_is_not_handed_on(place, edit):
    base = place.uid(BIG)
    edit_segment(place, edit)
    assert_not_handed_on(place, base, BIG[: 60 * BLOCK] + A + BIG[61 * BLOCK :], [hint(60)])


@pytest.mark.parametrize(
    "edit",
    [
        cut_map,
        empty_map,
        unknown_segment,
        swap_segments,
        repeat_segment,
        longer_map,
    ],
)
def test_a_sample_of_a_base_whose_map_was_edited_ends_in_a_clear_error(place, edit):
    base = place.uid(BIG)
    edit_map(place, base, edit)
    assert_not_handed_on(place, base, BIG, [hint(0)], sample=300)


@pytest.mark.parametrize("edit", [cut_map, unknown_segment])
def test_an_edited_map_of_an_incomplete_version_is_not_continued_to_a_wrong_one(place, edit):
    place.write(BIG)
    place.data.fail("write_document", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        place.backup()
    uid = place.versions()[0].uid
    edit_map(place, uid, edit)
    try:
        place.backup(resume=uid)
    except BackyError:
        return
    assert_right_or_damaged(place, uid, BIG)
