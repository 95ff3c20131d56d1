"""The set of ids against Python's own set."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine.idset import IdSet

IDS = st.integers(1, 300) | st.integers(65_500, 65_600) | st.integers(1, 2**62)


@given(st.lists(st.lists(IDS, max_size=30), max_size=5), st.lists(IDS, max_size=30))
def test_it_holds_exactly_what_was_put_in(batches, others):
    ids, model = IdSet(), set()
    for batch in batches:
        ids.add_all(iter(batch))
        model.update(batch)
    assert len(ids) == len(model)
    for number in [*model, *others, *(n + 1 for n in model)]:
        assert (number in ids) == (number in model)


def test_it_takes_an_eighth_of_a_byte_for_each_dense_id():
    tracemalloc.start()
    try:
        ids = IdSet()
        ids.add_all(range(1, 655_361))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ids) == 655_360
    assert peak < 1.25 * 655_360 / 8


@given(st.lists(IDS, max_size=30), st.lists(IDS, max_size=30))
def test_it_can_be_compared_with_another(mine, others):
    ids, other = IdSet(), IdSet()
    ids.add_all(mine)
    other.add_all(others)
    assert list(ids.without(other)) == sorted(set(mine) - set(others))
    assert list(ids.without(IdSet())) == sorted(set(mine))
    assert ids.isdisjoint(iter(others)) == set(mine).isdisjoint(others)
