"""The image that is measured: the shares it promises, real holes, and the same bytes each time."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.image import Images, Kind, Layout, Piece, changed_blocks, make_images, plan_first, plan_second

BLOCK = 4096
COUNT = 1000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Both states of an image of 1,000 small blocks."""
    return make_images(tmp_path_factory.mktemp("image"), COUNT * BLOCK, BLOCK)


def blocks_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]


def test_shares_of_the_kinds_are_as_promised() -> None:
    pieces = plan_first(COUNT * BLOCK, BLOCK).pieces
    seen = Counter(pieces)
    assert seen.pop(None) == 300
    assert sum(seen.values()) - len(seen) == 150
    assert Counter(piece.kind for piece in seen if piece) == {Kind.COMPRESSIBLE: 300, Kind.RANDOM: 250}


def test_blocks_on_disk_are_as_planned(images: Images) -> None:
    first = plan_first(COUNT * BLOCK, BLOCK)
    second = plan_second(first, changed_blocks(first))
    for path, layout in ((images.first, first), (images.second, second)):
        assert blocks_of(path) == [piece.content(BLOCK) if piece else bytes(BLOCK) for piece in layout.pieces]


def test_same_arguments_make_the_same_bytes(images: Images, tmp_path: Path) -> None:
    again = make_images(tmp_path, COUNT * BLOCK, BLOCK)
    for one, other in zip(
        (images.first, images.second, images.hints), (again.first, again.second, again.hints), strict=True
    ):
        assert one.read_bytes() == other.read_bytes()


def test_hints_name_exactly_the_changed_blocks(images: Images) -> None:
    pairs = enumerate(zip(blocks_of(images.first), blocks_of(images.second), strict=True))
    differing = [number for number, (old, new) in pairs if old != new]
    assert len(differing) == COUNT // 100
    assert [hint["offset"] // BLOCK for hint in json.loads(images.hints.read_text())] == differing


def test_changed_blocks_are_new_everywhere() -> None:
    first = plan_first(COUNT * BLOCK, BLOCK)
    changed = changed_blocks(first)
    second = plan_second(first, changed)
    assert len({second.pieces[block] for block in changed} - set(first.pieces)) == len(changed)


def test_holes_take_no_space(images: Images) -> None:
    fd = os.open(images.first, os.O_RDONLY)
    try:
        for number, piece in enumerate(plan_first(COUNT * BLOCK, BLOCK).pieces):
            is_data = os.lseek(fd, number * BLOCK, os.SEEK_HOLE) != number * BLOCK
            assert is_data == (piece is not None), f"block {number}"
    finally:
        os.close(fd)


def test_compressible_blocks_compress_and_random_ones_do_not() -> None:
    length = 1 << 20
    for kind, low, high in ((Kind.COMPRESSIBLE, 0.20, 0.32), (Kind.RANDOM, 0.99, 1.01)):
        packed = zlib.compress(Piece(kind, 1).content(length), 6)
        assert low < len(packed) / length < high


def test_size_is_rounded_down_to_whole_blocks() -> None:
    layout = plan_first(10 * BLOCK + 1, BLOCK)
    assert isinstance(layout, Layout)
    assert layout.size_bytes == 10 * BLOCK
