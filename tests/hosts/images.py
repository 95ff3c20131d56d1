"""Disk images by number: each is a list of blocks that repeat in others, and its bytes can be made again at any time."""

from __future__ import annotations

import json
import random
from pathlib import Path

BLOCK = 4096
_COMMON = 60
_MOST_BLOCKS = 40


class Images:
    """Made in a folder, numbered from 1. Their number is the snapshot name of the version that is made of one."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        folder.mkdir()
        self._folder = folder
        self._rng = rng
        self._blocks: dict[int, list[int]] = {}

    def new(self) -> int:
        """Make an image that shares blocks with others; its number."""
        return self._add([self._block() for _ in range(self._rng.randint(8, _MOST_BLOCKS))])

    def changed(self, number: int) -> tuple[int, Path]:
        """Make an image that differs from that one; its number, and a file with the ranges that changed."""
        blocks = list(self._blocks[number])
        changed = self._rng.sample(range(len(blocks)), min(5, len(blocks)))
        for at in changed:
            blocks[at] = self._block()
        hints = [{"offset": at * BLOCK, "length": BLOCK, "exists": "true" if blocks[at] else "false"} for at in changed]
        new = self._add(blocks)
        path = self._folder / f"{new}.hints"
        path.write_text(json.dumps(hints))
        return new, path

    def path(self, number: int) -> Path:
        """Where the image is."""
        return self._folder / str(number)

    def content(self, number: int) -> bytes:
        """What it holds."""
        return b"".join(_bytes(block) for block in self._blocks[number])

    def _add(self, blocks: list[int]) -> int:
        number = len(self._blocks) + 1
        self._blocks[number] = blocks
        self.path(number).write_bytes(self.content(number))
        return number

    def _block(self) -> int:
        """One of those that all share, one of its own, or zeros."""
        kind = self._rng.random()
        if kind < 0.1:
            return 0
        return self._rng.randint(1, _COMMON) if kind < 0.7 else self._rng.getrandbits(48)


def _bytes(block: int) -> bytes:
    return random.Random(block).randbytes(BLOCK) if block else bytes(BLOCK)
