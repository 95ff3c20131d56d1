"""The cutting of a device into blocks, against the plain list of its pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backy2_core.model.block import MAX_BLOCK_SIZE, MIN_BLOCK_SIZE, Geometry
from backy2_core.model.segment import SEGMENT_BLOCKS, segment_blocks, segment_count

BLOCK_SIZES = st.integers(MIN_BLOCK_SIZE, 4096)
SIZES = st.integers(0, 400 * 4096)


@given(SIZES, BLOCK_SIZES)
def test_blocks_are_the_pieces_of_the_device(size_bytes, block_size):
    geometry = Geometry(size_bytes, block_size)
    pieces = [min(block_size, size_bytes - at) for at in range(0, size_bytes, block_size)]
    assert geometry.count == len(pieces)
    assert [geometry.length(n) for n in range(geometry.count)] == pieces
    assert [geometry.offset(n) for n in range(geometry.count)] == list(range(0, size_bytes, block_size))
    assert geometry.length(geometry.count) == 0


@given(SIZES, BLOCK_SIZES, st.integers(0, 900), st.integers(0, 900))
def test_the_length_of_a_span_is_the_sum_of_its_blocks(size_bytes, block_size, first, count):
    geometry = Geometry(size_bytes, block_size)
    assert geometry.span_length(first, count) == sum(geometry.length(n) for n in range(first, first + count))


@given(SIZES, BLOCK_SIZES)
def test_segments_hold_every_block_once(size_bytes, block_size):
    geometry = Geometry(size_bytes, block_size)
    lengths = [segment_blocks(geometry, n) for n in range(segment_count(geometry))]
    assert sum(lengths) == geometry.count
    assert all(n == SEGMENT_BLOCKS for n in lengths[:-1])
    assert all(lengths)
    assert segment_blocks(geometry, len(lengths)) == 0


@pytest.mark.parametrize("block_size", [0, MIN_BLOCK_SIZE - 1, MAX_BLOCK_SIZE + 1])
def test_a_block_size_out_of_bounds_is_refused(block_size):
    with pytest.raises(ValueError, match="block size"):
        Geometry(1, block_size)


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="-1 bytes"):
        Geometry(-1, 4096)


def test_a_device_of_no_bytes_has_no_blocks_and_no_segments():
    geometry = Geometry(0, 4096)
    assert (geometry.count, segment_count(geometry), geometry.length(0)) == (0, 0, 0)
