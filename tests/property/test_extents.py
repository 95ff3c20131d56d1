"""Arithmetic on extents and spans against sets of bytes and of blocks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backy2_core.model.extent import Extent, Span, covered, merge, subtract, touched, union

SIZES = st.integers(1, 12)
EXTENTS = st.lists(st.builds(Extent, st.integers(0, 100), st.integers(0, 30)), max_size=12)
SPANS = st.lists(st.integers(0, 40).flatmap(lambda a: st.integers(a, 45).map(lambda b: Span(a, b))), max_size=10)


def bytes_of(extents):
    return {n for e in extents for n in range(e.offset, e.end)}


def blocks_of(spans):
    return {n for s in spans for n in range(s.start, s.stop)}


def assert_ascending_and_apart(pairs):
    """Not empty, in order, and with a gap between each two."""
    assert all(start < stop for start, stop in pairs)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(pairs))


@given(EXTENTS)
def test_merge_keeps_every_byte_and_joins_what_touches(extents):
    merged = merge(extents)
    assert bytes_of(merged) == bytes_of(extents)
    assert_ascending_and_apart([(e.offset, e.end) for e in merged])


@given(EXTENTS, st.booleans())
def test_merge_keeps_what_the_extents_say_of_existence(extents, exists):
    merged = merge(Extent(e.offset, e.length, exists) for e in extents)
    assert all(e.exists is exists for e in merged)


@given(EXTENTS)
def test_merging_twice_changes_nothing(extents):
    assert merge(merge(extents)) == merge(extents)


@given(EXTENTS, SIZES)
def test_touched_yields_each_block_with_a_byte_of_an_extent(extents, block_size):
    spans = list(touched(merge(extents), block_size))
    assert blocks_of(spans) == {byte // block_size for byte in bytes_of(extents)}
    assert_ascending_and_apart([(s.start, s.stop) for s in spans])


@given(st.integers(0, 140), SIZES, st.data())
def test_covered_yields_blocks_whose_every_byte_is_in_the_extents(size_bytes, block_size, data):
    offsets = st.integers(0, size_bytes).flatmap(
        lambda offset: st.integers(0, size_bytes - offset).map(lambda length: Extent(offset, length))
    )
    extents = data.draw(st.lists(offsets, max_size=12))
    inside = bytes_of(extents)
    whole = {
        block
        for block in range(-(-size_bytes // block_size))
        if set(range(block * block_size, min((block + 1) * block_size, size_bytes))) <= inside
    }
    spans = list(covered(merge(extents), block_size, size_bytes))
    assert blocks_of(spans) == whole
    assert all(one.stop <= other.start for one, other in itertools.pairwise(spans))


@given(st.lists(SPANS, max_size=4))
def test_union_has_the_blocks_of_all_layers(layers):
    joined = union(*layers)
    assert blocks_of(joined) == blocks_of(s for layer in layers for s in layer)
    assert_ascending_and_apart([(s.start, s.stop) for s in joined])


@given(SPANS, SPANS)
def test_subtract_leaves_the_blocks_of_the_first_only(spans, without):
    left = list(subtract(union(spans), union(without)))
    assert blocks_of(left) == blocks_of(spans) - blocks_of(without)
    assert all(s.start < s.stop for s in left)
    assert all(one.stop <= other.start for one, other in itertools.pairwise(left))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=10), st.lists(st.integers(0, 5), max_size=10))
def test_subtract_takes_spans_that_touch_each_other(lengths, holes):
    """Disjoint is all that is asked for: neighbours need not be joined."""

    def row(sizes):
        at = 0
        for size in sizes:
            yield Span(at, at + size)
            at += size

    spans, without = list(row(lengths)), [s for s in row(holes) if s.start % 2]
    assert blocks_of(subtract(spans, without)) == blocks_of(spans) - blocks_of(without)


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1)])
def test_an_extent_is_not_negative(offset, length):
    with pytest.raises(ValueError, match="extent"):
        Extent(offset, length)
