"""The tables by id against Python's own dictionaries."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine.idtable import MANY, IdTable, UseTable

IDS = st.integers(-1, 300) | st.integers(65_500, 65_600) | st.integers(1, 2**62)
USES = st.tuples(st.lists(IDS, max_size=20), st.integers(1, 3), st.integers(1, 3) | st.just(MANY))


@given(st.lists(USES, max_size=8), st.integers(1, 200), st.integers(200, 2**62))
def test_uses_are_counted_with_their_only_user(uses, first, stop):
    table, times, users = UseTable(first, stop), defaultdict(int), defaultdict(set)
    for ids, count, user in uses:
        table.use_all(iter(ids), count, user)
        for number in ids:
            if first <= number < stop:
                times[number] += count
                users[number].add(user)
    expected = [
        (number, times[number], users[number].pop() if len(users[number]) == 1 else MANY) for number in sorted(times)
    ]
    assert [(number, *table[number]) for number, _, _ in expected] == expected
    assert table[first - 1] == table[stop] == (0, 0)
    assert list(table.drain()) == expected
    assert list(table.drain()) == []


def test_a_count_stops_where_four_bytes_end():
    table = UseTable()
    table.use_all([7, 7], 2**32 - 2, 1)
    assert table[7] == (2**32 - 1, 1)


@given(st.dictionaries(st.integers(1, 2**62), st.integers(0, 255), max_size=50))
def test_a_table_holds_what_was_set(values):
    table = IdTable("B")
    for number, value in values.items():
        table[number] = value
    for number in values:
        assert table[number] == values[number]
        assert table[number + 1] == values.get(number + 1, 0)


def test_eight_bytes_are_kept_for_each_dense_id():
    tracemalloc.start()
    try:
        table = UseTable()
        table.use_all(range(1, 655_361), 1, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert table[655_360] == (1, 1)
    assert peak < 1.25 * 8 * 655_360
