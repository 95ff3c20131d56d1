"""Swapped ids, swapped segments, edited records and cut maps cannot restore or hand on the wrong image.

The database file is edited behind the engine's back.
"""

from __future__ import annotations

import contextlib

import pytest

from backy2_core.errors import DamageError
from backy2_core.model.version import VersionState
from tests.engine.edits import MAP_EDITS, SEGMENT_EDITS, edit_map, edit_segment, sparse_id, swap_ids
from tests.engine.place import BLOCK, image, numbered

VALID, DAMAGED = VersionState.VALID, VersionState.DAMAGED


def edit_blob(place, content, column, value):
    """Change one field of the record of the blob with this content."""
    uid = place.blob_of(content)
    place.sql(f"UPDATE {place.table('blobs')} SET {column} = ? WHERE uid = ?", value, uid)


EDITS = [*SEGMENT_EDITS, sparse_id]


def assert_never_the_wrong_image(place, uid, right):
    """A restore writes right blocks or none, and says what is missing."""
    try:
        result, content = place.restore(uid)
    except DamageError:
        return
    assert result.damaged_blocks
    named = {damage.block for damage in result.damage}
    for block in range(len(right) // BLOCK):
        piece = slice(block * BLOCK, (block + 1) * BLOCK)
        assert content[piece] == (bytes(BLOCK) if block in named else right[piece])


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_segment_is_found_by_restore(place, edit):
    uid = place.uid(image("abcd"))
    edit_segment(place, edit)
    assert_never_the_wrong_image(place, uid, image("abcd"))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_segment_is_found_by_scrub(place, edit):
    uid = place.uid(image("abcd"))
    edit_segment(place, edit)
    with contextlib.suppress(DamageError):
        assert place.scrub(uid).damaged_blocks
    assert place.state(uid) is DAMAGED


def test_a_swapped_id_is_found_at_that_very_block_and_proves_nothing_against_the_blob(place):
    uid, other = place.uid(image("abcd")), place.uid(image("ab"), name="other")
    edit_segment(place, swap_ids)
    assert [damage.block for damage in place.restore(uid)[0].damage] == [0, 1]
    assert place.restored(other) == image("ab")
    assert place.state(other) is VALID


BIG = numbered(300)


@pytest.mark.parametrize("edit", MAP_EDITS)
def test_an_edited_map_is_refused_by_restore_before_anything_is_written(place, edit):
    uid = place.uid(BIG)
    edit_map(place, uid, edit)
    path = place.target()
    with pytest.raises(DamageError, match=uid) as caught:
        place.restore(uid, path=path)
    assert caught.value.exit_code == 20
    assert not path.exists()


@pytest.mark.parametrize("edit", MAP_EDITS)
def test_an_edited_map_is_found_by_scrub_and_marked(place, edit):
    uid, other = place.uid(BIG), place.uid(BIG[:BLOCK], name="other")
    edit_map(place, uid, edit)
    with pytest.raises(DamageError, match=uid):
        place.scrub(uid)
    assert (place.state(uid), place.state(other)) == (DAMAGED, VALID)


@pytest.mark.parametrize(("column", "value"), [("size_bytes", 300 * BLOCK - 1), ("block_size", 2 * BLOCK)])
def test_an_edited_geometry_is_found(place, column, value):
    uid = place.uid(BIG)
    place.sql(f"UPDATE {place.table('versions')} SET {column} = ? WHERE uid = ?", value, uid)
    for job in (place.restore, place.scrub):
        with pytest.raises(DamageError, match=uid):
            job(uid)


def test_a_version_without_any_map_is_damage_not_zeros(place):
    uid = place.uid(image("ab"))
    place.sql(f"DELETE FROM {place.table('maps')}")
    with pytest.raises(DamageError, match=uid):
        place.restore(uid)


A, B = b"a" * BLOCK, b"b" * BLOCK


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("checksum", bytes(32)),
        ("size", BLOCK - 1),
        ("size", 2 * BLOCK),
        ("stored_size", BLOCK - 1),
        ("stored_size", BLOCK + 1),
        ("stored_size", 2**40),
        ("hash", "sha256"),
        ("state", 4),
    ],
)
def test_an_edited_record_is_found_and_the_rest_restored(place, column, value):
    uid = place.uid(image("abc"))
    edit_blob(place, B, column, value)
    assert_never_the_wrong_image(place, uid, image("abc"))
    place.scrub(uid)
    assert place.state(uid) is DAMAGED


def test_a_record_that_names_the_blob_of_another_is_found(place):
    uid = place.uid(image("abc"))
    b, c = place.blob_of(B), place.blob_of(b"c" * BLOCK)
    for old, new in ((b, "x" * 32), (c, b), ("x" * 32, c)):
        place.sql(f"UPDATE {place.table('blobs')} SET uid = ? WHERE uid = ?", new, old)
    result, content = place.restore(uid)
    assert [damage.block for damage in result.damage] == [1, 2]
    assert content == image("a..")


def test_a_record_that_is_gone_is_damage(place):
    uid = place.uid(image("abc"))
    place.sql(f"DELETE FROM {place.table('blobs')} WHERE uid = ?", place.blob_of(B))
    result, content = place.restore(uid)
    assert [damage.block for damage in result.damage] == [1]
    assert content == image("a.c")
