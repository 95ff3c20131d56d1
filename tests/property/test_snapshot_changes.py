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
EXTENTS = st.lists(st.builds(Extent, st.integers(0, 80), st.integers(0, 30), st.booleans()), max_size=12)


def covered(extents):
    """The bytes within some extents."""
    return {at for extent in extents for at in range(extent.offset, extent.end)}


@given(EXTENTS, SIZES, SIZES, st.sampled_from([1, 3, 100]))
def test_every_byte_that_was_told_is_kept_and_none_is_beyond_the_end(extents, older, newer, merged_at):
    with patch.object(snapshot_changes, "_MERGED_AT", merged_at):
        tidy = tidied(iter(extents), older, newer)
    for exists in (True, False):
        told = covered(e for e in extents if e.exists is exists) & set(range(newer))
        grown = set(range(older, newer)) if exists else set()
        assert covered(e for e in tidy if e.exists is exists) == told | grown


@given(EXTENTS, SIZES, SIZES)
def test_those_of_a_kind_ascend_and_do_not_touch(extents, older, newer):
    tidy = tidied(iter(extents), older, newer)
    for exists in (True, False):
        kind = [extent for extent in tidy if extent.exists is exists]
        assert all(extent.length for extent in kind)
        assert all(one.end < other.offset for one, other in itertools.pairwise(kind))


@given(st.text(), st.text(), st.text(), st.text())
def test_digests_tell_pairs_of_snapshots_apart(older, newer, other_older, other_newer):
    same = changes_digest(older, newer) == changes_digest(other_older, other_newer)
    assert same == ((older, newer) == (other_older, other_newer))
    assert is_of_snapshots(changes_digest(older, newer))
    assert len(changes_digest(older, newer)) <= 128
