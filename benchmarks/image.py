"""Makes the disk image that is measured, in two states, always the same for the same arguments.

Of its blocks 30 % are holes, 15 % repeat other blocks, 30 % are compressible (zstd makes about 0.27 of them) and 25 %
are random, in shuffled order. In the second state 1 % of the blocks, drawn at random, hold new bytes.
"""

from __future__ import annotations

import argparse
import enum
import hashlib
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmarks.sizes import MIB, parse_size

BLOCK_BYTES = 4 * MIB
HOLES, REPEATED, COMPRESSIBLE = 0.30, 0.15, 0.30
CHANGED = 0.01

_LETTER_COUNTS = {"e": 170, "t": 50, "a": 20, "o": 8, "i": 4, "n": 2, "s": 1, "h": 1}
_LETTERS = "".join(letter * count for letter, count in _LETTER_COUNTS.items()).encode()


class Kind(enum.Enum):
    """What the bytes of a piece are like."""

    RANDOM = "random"
    COMPRESSIBLE = "compressible"


@dataclass(frozen=True, slots=True)
class Piece:
    """The content of one block; equal pieces have equal bytes."""

    kind: Kind
    number: int

    def content(self, length: int) -> bytes:
        """The bytes of this piece."""
        noise = hashlib.shake_128(f"{self.kind.value} {self.number}".encode()).digest(length)
        return noise if self.kind is Kind.RANDOM else noise.translate(_LETTERS)


@dataclass(frozen=True, slots=True)
class Layout:
    """The pieces of an image in order; None is a hole."""

    block_bytes: int
    pieces: tuple[Piece | None, ...]

    @property
    def size_bytes(self) -> int:
        """Size of the image."""
        return len(self.pieces) * self.block_bytes


@dataclass(frozen=True, slots=True)
class Images:
    """The files of both states, and the changed ranges between them in the form of ``rbd diff --format json``."""

    first: Path
    second: Path
    hints: Path


def plan_first(size_bytes: int, block_bytes: int = BLOCK_BYTES, seed: int = 1) -> Layout:
    """The first state of an image of ``size_bytes``, rounded down to whole blocks."""
    count = size_bytes // block_bytes
    holes, repeated, compressible = (round(count * share) for share in (HOLES, REPEATED, COMPRESSIBLE))
    distinct = count - holes - repeated
    pieces = [Piece(Kind.COMPRESSIBLE if n < compressible else Kind.RANDOM, n) for n in range(distinct)]
    dice = random.Random(seed)
    order: list[Piece | None] = [*pieces, *dice.choices(pieces, k=repeated), *[None] * holes]
    dice.shuffle(order)
    return Layout(block_bytes, tuple(order))


def changed_blocks(layout: Layout, seed: int = 1) -> list[int]:
    """The blocks that differ in the second state, ascending; at least one."""
    count = len(layout.pieces)
    return sorted(random.Random(seed + 1).sample(range(count), max(1, round(count * CHANGED))))


def plan_second(layout: Layout, changed: list[int]) -> Layout:
    """The second state: each changed block holds bytes that are nowhere else."""
    pieces = list(layout.pieces)
    for number, block in enumerate(changed):
        kind = Kind.RANDOM if number % 2 else Kind.COMPRESSIBLE
        pieces[block] = Piece(kind, len(pieces) + number)
    return Layout(layout.block_bytes, tuple(pieces))


def make_images(folder: Path, size_bytes: int, block_bytes: int = BLOCK_BYTES) -> Images:
    """Write both states and the hints below ``folder``; about a second for each GiB."""
    first = plan_first(size_bytes, block_bytes)
    changed = changed_blocks(first)
    second = plan_second(first, changed)
    images = images_below(folder)
    for path in (images.first, images.second):
        path.parent.mkdir(parents=True)
    _write(first, second, images)
    images.hints.write_text(json.dumps([_hint(block, block_bytes) for block in changed]))
    return images


def images_below(folder: Path) -> Images:
    """Where :func:`make_images` writes. Both images have one name, for programs that go by the name."""
    return Images(folder / "first" / "image", folder / "second" / "image", folder / "hints.json")


def _hint(block: int, block_bytes: int) -> dict[str, int | str]:
    return {"offset": block * block_bytes, "length": block_bytes, "exists": "true"}


def _write(first: Layout, second: Layout, images: Images) -> None:
    with images.first.open("wb") as one, images.second.open("wb") as two:
        for file, layout in ((one, first), (two, second)):
            os.truncate(file.fileno(), layout.size_bytes)
        for block, (old, new) in enumerate(zip(first.pieces, second.pieces, strict=True)):
            offset = block * first.block_bytes
            content = old.content(first.block_bytes) if old else b""
            _put(one, offset, content)
            _put(two, offset, new.content(first.block_bytes) if new and new != old else content)


def _put(file: BinaryIO, offset: int, content: bytes) -> None:
    if content:
        os.pwrite(file.fileno(), content, offset)


def main() -> None:
    """``python -m benchmarks.image FOLDER SIZE``: a process of its own, so that the measuring one stays small."""
    parser = argparse.ArgumentParser(description="Make both states of the image that is measured.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("size", type=parse_size)
    parser.add_argument("--block-size", type=parse_size, default=BLOCK_BYTES)
    arguments = parser.parse_args()
    make_images(arguments.folder, arguments.size, arguments.block_size)


if __name__ == "__main__":
    main()
