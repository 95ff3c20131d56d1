"""Cutting runs into the units that a worker reads at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine.drafting import split_runs
from backy2_core.engine.plan import Action, Run


@given(st.lists(st.tuples(st.sampled_from(Action), st.integers(1, 70)), max_size=8), st.integers(1, 40))
def test_units_are_small_enough_and_hold_each_block_to_be_read_once(pieces, most):
    runs, at = [], 0
    for action, length in pieces:
        runs.append(Run(action, at, at + length))
        at += length
    units = list(split_runs(runs, most))
    assert all(0 < len(unit) <= most and unit.action is Action.READ for unit in units)
    wanted = [n for run in runs if run.action is Action.READ for n in range(run.start, run.stop)]
    assert [n for unit in units for n in range(unit.start, unit.stop)] == wanted
