"""Wrong hints are found by a look at blocks that they call unchanged."""

from __future__ import annotations

import pytest

from backy2_core.errors import HintsError
from tests.engine.place import BLOCK, hint, image, numbered


@pytest.fixture
def base(place):
    """A version of 20 blocks that all differ."""
    return place.uid(numbered(20))


def assert_nothing_was_stored(place, objects, versions=1):
    assert len(place.versions()) == versions
    assert place.objects() == objects == place.records()
    assert place.live_jobs() == []


def test_hints_that_miss_changes_fail_the_backup(place, base):
    objects = place.objects()
    with pytest.raises(HintsError, match="hints are wrong") as caught:
        place.backup(numbered(20, seed=7), base=base, hints=[hint(0)])
    assert caught.value.exit_code == 5
    assert base in str(caught.value)
    assert_nothing_was_stored(place, objects)


def test_one_missed_block_is_found_where_the_sample_covers_all(place, base):
    content = bytearray(numbered(20))
    content[13 * BLOCK] ^= 1
    objects = place.objects()
    with pytest.raises(HintsError, match=rf"block 13 \(offset {13 * BLOCK}\)"):
        place.backup(bytes(content), base=base, hints=[], engine=place.engine_with(sanity_check_blocks=1000))
    assert_nothing_was_stored(place, objects)


def test_a_missed_change_in_the_short_last_block_is_found(place):
    base = place.uid(image("ab", "tail"))
    with pytest.raises(HintsError, match="block 2"):
        place.backup(image("ab", "tall"), base=base, hints=[])


@pytest.mark.parametrize(("old", "new"), [("a.c", "abc"), ("abc", "a.c")])
def test_a_change_from_or_to_zeros_is_found(place, old, new):
    base = place.uid(image(old))
    with pytest.raises(HintsError, match="block 1"):
        place.backup(image(new), base=base, hints=[])


def test_a_sample_larger_than_the_image_is_no_error(place, base):
    engine = place.engine_with(sanity_check_blocks=1000)
    uid = place.uid(base=base, hints=[hint(3)], engine=engine)
    assert place.restored(uid) == numbered(20)


def test_where_every_block_is_hinted_there_is_nothing_to_compare(place, base):
    content = numbered(20, seed=3)
    assert place.restored(place.uid(content, base=base, hints=[hint(0, 20)])) == content


def test_a_sample_of_no_blocks_compares_nothing(place, base):
    uid = place.uid(numbered(20, seed=7), base=base, hints=[], engine=place.engine_with(sanity_check_blocks=0))
    assert place.restored(uid) == numbered(20)


def test_hints_without_a_base_have_nothing_to_be_compared_with(place):
    assert place.restored(place.uid(image("ab"), hints=[hint(0)])) == image("a.")


def test_kept_blocks_are_compared_by_the_hash_of_their_own_record(place):
    base = place.uid(numbered(20), engine=place.engine_with(hash_function="sha1"))
    engine = place.engine_with(sanity_check_blocks=20)
    assert place.restored(place.uid(base=base, hints=[], engine=engine)) == numbered(20)


@pytest.mark.parametrize("hints", ["", "{}", "[1]", '[{"offset": 0, "length": 999999999}]'])
def test_hints_that_cannot_be_read_store_nothing(place, hints):
    place.write(image("abc"))
    with pytest.raises(HintsError):
        place.backup(hints=hints)
    assert_nothing_was_stored(place, set(), versions=0)
