"""The plan of a backup against a block-by-block oracle.

The oracle is written from the promises alone: a hint that covers part of a block makes that block be read; a block that
vanished wholly is sparse; a block for which the base has none of the same length is always read; the rest comes from
the base, or is sparse where there is none.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from backy2_core.engine.plan import Action, Run, by_segment, plan_all, plan_hinted, skip_holes, unfit_tail
from backy2_core.model.block import Geometry
from backy2_core.model.extent import Extent
from backy2_core.model.segment import SEGMENT_BLOCKS, segment_count

BLOCK = 512
SIZES = st.integers(0, 24 * BLOCK) | st.integers(0, 24).map(lambda n: n * BLOCK)


def expected(geometry, hints, base):
    """What is to be done with each block."""
    actions = []
    for block in range(geometry.count):
        inside = set(range(geometry.offset(block), geometry.offset(block) + geometry.length(block)))
        changed = any(not inside.isdisjoint(range(h.offset, h.end)) for h in hints if h.exists)
        vanished = set()
        for hint in hints:
            if not hint.exists:
                vanished |= inside.intersection(range(hint.offset, hint.end))
        unfit = base is not None and base.length(block) != geometry.length(block)
        if changed or unfit or (vanished and vanished != inside):
            actions.append(Action.READ)
        elif vanished:
            actions.append(Action.SPARSE)
        else:
            actions.append(Action.KEEP if base else Action.SPARSE)
    return actions


def actions_of(runs):
    """The action of each block; the runs must follow each other from block 0 on."""
    actions = []
    for run in runs:
        assert run.start == len(actions)
        assert run.start < run.stop
        actions += [run.action] * len(run)
    return actions


@st.composite
def extents(draw, size_bytes, *, exists=None):
    """Ranges within a device: anywhere, or at the borders of blocks, or just beside them."""
    out = []
    for _ in range(draw(st.integers(0, 7))):
        ends = []
        for _ in range(2):
            at = draw(st.integers(0, size_bytes // BLOCK + 1)) * BLOCK + draw(st.sampled_from([0, 0, 1, -1, 200]))
            ends.append(min(max(at, 0), size_bytes))
        low, high = sorted(ends)
        out.append(Extent(low, high - low, draw(st.booleans()) if exists is None else exists))
    return out


@st.composite
def hinted(draw):
    """A device, hints for it, and perhaps a base that is smaller, equal or larger."""
    size = draw(SIZES)
    base = draw(st.none() | st.just(size) | SIZES | st.integers(-600, 600).map(lambda d: max(0, size + d)))
    return Geometry(size, BLOCK), draw(extents(size)), None if base is None else Geometry(base, BLOCK)


@given(hinted())
@example((Geometry(BLOCK, BLOCK), [Extent(0, 256, False), Extent(256, 256, False)], Geometry(BLOCK, BLOCK)))
@example((Geometry(700, BLOCK), [Extent(512, 188, False)], Geometry(600, BLOCK)))
@example((Geometry(700, BLOCK), [Extent(0, 700, False), Extent(511, 1)], Geometry(700, BLOCK)))
def test_a_hinted_plan_does_with_each_block_what_was_promised(case):
    geometry, hints, base = case
    assert actions_of(plan_hinted(geometry, hints, base)) == expected(geometry, hints, base)


@given(hinted(), st.randoms(use_true_random=False))
def test_the_order_of_hints_does_not_matter(case, rng):
    geometry, hints, base = case
    mixed = list(hints)
    rng.shuffle(mixed)
    assert plan_hinted(geometry, mixed, base) == plan_hinted(geometry, hints, base)


@given(SIZES)
def test_a_plan_without_hints_reads_every_block(size):
    geometry = Geometry(size, BLOCK)
    assert actions_of(plan_all(geometry)) == [Action.READ] * geometry.count


@given(SIZES, SIZES)
def test_the_unfit_tail_is_where_the_base_has_no_block_of_that_length(size, base_size):
    geometry, base = Geometry(size, BLOCK), Geometry(base_size, BLOCK)
    tail = unfit_tail(geometry, base)
    unfit = [n for n in range(geometry.count) if base.length(n) != geometry.length(n)]
    assert list(range(tail.start, tail.stop)) == unfit


@given(hinted(), st.data())
def test_skipping_holes_turns_only_unallocated_blocks_to_be_read_sparse(case, data):
    geometry, hints, base = case
    runs = plan_hinted(geometry, hints, base)
    edges = sorted(data.draw(st.lists(st.integers(0, geometry.size_bytes), max_size=8, unique=True)))
    allocated = [Extent(a, b - a) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    data_blocks = {byte // BLOCK for e in allocated for byte in range(e.offset, e.end)}
    wanted = [
        Action.SPARSE if action is Action.READ and block not in data_blocks else action
        for block, action in enumerate(actions_of(runs))
    ]
    assert actions_of(skip_holes(runs, iter(allocated), BLOCK)) == wanted


@given(st.lists(st.tuples(st.sampled_from(Action), st.integers(1, 300)), max_size=8))
def test_cutting_by_segment_changes_no_block_and_crosses_no_border(pieces):
    runs, at = [], 0
    for action, length in pieces:
        runs.append(Run(action, at, at + length))
        at += length
    segments = list(by_segment(runs))
    assert actions_of(run for segment in segments for run in segment) == actions_of(runs)
    assert len(segments) == segment_count(Geometry(at * BLOCK, BLOCK))
    for index, segment in enumerate(segments):
        assert segment
        assert {n // SEGMENT_BLOCKS for run in segment for n in (run.start, run.stop - 1)} == {index}
