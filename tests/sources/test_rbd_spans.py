"""The arithmetic on what librbd tells, compared with sets of bytes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.model.extent import Extent
from backy2_plugins.sources.rbd import spans

SIZE = 60
EXTENTS = st.lists(
    st.tuples(st.integers(0, SIZE), st.integers(0, 12), st.booleans()).map(lambda drawn: Extent(*drawn)), max_size=8
)


def _bytes_of(extents: list[Extent]) -> set[int]:
    return {byte for extent in extents for byte in range(extent.offset, extent.end)}


def _bytes_in(found: list[spans.Span]) -> set[int]:
    return {byte for span in found for byte in range(*span)}


def _apart(found: list[spans.Span]) -> bool:
    return all(one[1] < other[0] for one, other in itertools.pairwise(found))


@given(EXTENTS, st.integers(0, 30), st.integers(30, SIZE))
def test_what_exists_is_put_in_order_and_cut(extents: list[Extent], start: int, stop: int) -> None:
    found = spans.ascending(extents, start, stop)
    assert _bytes_of(found) == _bytes_of([e for e in extents if e.exists]) & set(range(start, stop))
    assert _apart([(e.offset, e.end) for e in found])


@given(EXTENTS, st.sampled_from([1, 4, 16]))
def test_whole_objects_hold_all_that_touches_them(extents: list[Extent], object_size: int) -> None:
    found = _bytes_in(spans.of_objects([e for e in extents if e.length], object_size, SIZE))
    objects = {byte // object_size for byte in _bytes_of(extents)}
    assert found >= _bytes_of(extents) & set(range(SIZE))
    assert {byte // object_size for byte in found} <= objects


@given(EXTENTS, st.integers(0, 5))
def test_joining_over_gaps_adds_gaps_only(extents: list[Extent], gap: int) -> None:
    pieces = [(e.offset, e.end) for e in extents if e.length]
    found = spans.joined(pieces, gap=gap)
    assert _bytes_in(found) >= _bytes_in(pieces)
    assert all(one[1] + gap < other[0] for one, other in itertools.pairwise(found))
    assert not gap or all(span[0] in _bytes_in(pieces) and span[1] - 1 in _bytes_in(pieces) for span in found)


@given(EXTENTS, EXTENTS)
def test_what_only_one_of_two_has(some: list[Extent], others: list[Extent]) -> None:
    one, other = (spans.joined((e.offset, e.end) for e in extents if e.length) for extents in (some, others))
    assert _bytes_in(spans.in_one(one, other)) == _bytes_in(one) ^ _bytes_in(other)


@given(EXTENTS, EXTENTS)
def test_what_was_not_told_yet(some: list[Extent], told: list[Extent]) -> None:
    wanted = spans.joined((e.offset, e.end) for e in some if e.length)
    assert _bytes_of(spans.untold(wanted, told)) == _bytes_in(wanted) - _bytes_of(told)
