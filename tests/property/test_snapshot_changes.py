"""What a device tells of changes is made fit for a plan, byte by byte against an oracle."""

from __future__ import annotations

import itertools
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine import snapshot_changes
from backy2_core.engine.snapshot_changes import changes_digest, is_of_snapshots, tidied
from backy2_core.model.extent import Extent

SIZES = st.integers(0, 60)
GRAINS = st.sampled_from([1, 4, 10, 64])
EXTENTS = st.lists(st.builds(Extent, st.integers(0, 80), st.integers(0, 30), st.booleans()), max_size=12)


def covered(extents):
    """The bytes within some extents."""
    return {at for extent in extents for at in range(extent.offset, extent.end)}


def blocks(at, grain):
    """The bytes of the blocks that hold these bytes."""
    return {number for start in {n // grain * grain for n in at} for number in range(start, start + grain)}


@given(EXTENTS, SIZES, SIZES, GRAINS, st.sampled_from([1, 3, 100]))
def test_each_block_that_may_differ_is_read_and_no_other(extents, older, newer, grain, merged_at):
    with patch.object(snapshot_changes, "_MERGED_AT", merged_at):
        tidy = tidied(iter(extents), older, newer, grain)
    device = set(range(newer))
    read = covered(e for e in tidy if e.exists)
    gone = covered(e for e in tidy if not e.exists)
    told = covered(e for e in extents if e.exists) & device
    told_gone = covered(e for e in extents if not e.exists) & device
    grown = set(range(older, newer))
    assert read | gone <= device
    assert told | grown <= read
    assert gone <= told_gone
    assert told_gone <= read | gone
    assert read <= blocks(told | grown | (told_gone - gone) | told_gone, grain)
    assert read == blocks(read, grain) & device


@given(EXTENTS, SIZES, SIZES, GRAINS)
def test_those_of_a_kind_ascend_and_do_not_touch(extents, older, newer, grain):
    tidy = tidied(iter(extents), older, newer, grain)
    for exists in (True, False):
        kind = [extent for extent in tidy if extent.exists is exists]
        assert all(extent.length for extent in kind)
        assert all(one.end < other.offset for one, other in itertools.pairwise(kind))


@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 6))
def test_whole_blocks_that_are_gone_are_not_read(first, count, rest):
    size = (first + count) * 10 + rest
    extents = [Extent(first * 10, count * 10 + rest, False)]
    assert tidied(extents, size, size, 10) == extents
    pieces = [Extent(at, 1, False) for at in range(first * 10, size)]
    assert tidied(pieces, size, size, 10) == extents


def test_millions_of_changes_take_memory_for_blocks_only():
    changes = (Extent(at, 512) for at in range(0, 500_000 * 4096, 4096))
    assert tidied(changes, 500_000 * 4096, 500_000 * 4096, 4 * 1024 * 1024) == [Extent(0, 500_000 * 4096)]


@given(st.text(), st.text(), st.text(), st.text())
def test_digests_tell_pairs_of_snapshots_apart(older, newer, other_older, other_newer):
    same = changes_digest(older, newer) == changes_digest(other_older, other_newer)
    assert same == ((older, newer) == (other_older, other_newer))
    assert is_of_snapshots(changes_digest(older, newer))
    assert len(changes_digest(older, newer)) <= 128
