"""After random operations on an RBD image, the changes between any two of its snapshots cover every byte that differs."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from tests.sources.rbd_images import FEATURES, MIB, Image, Pool, feature_bits

ROUNDS = 6
ORDERS = (12, 16, 20, 22)
MOST = 3 * MIB


class World:
    """An image, possibly a clone, and what can happen to it; one object for one seed."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.draw = random.Random(seed)
        self.order = self.draw.choice(ORDERS)
        size = self.draw.randrange(1, min(MOST, 50 << self.order) // 512) * 512
        self.image = pool.image(size, order=self.order)
        if self.draw.random() < 0.5:
            self.image = self._clone_of(pool, self.image, size)
        # An image whose features were switched must not be rolled back: librbd then shows what the old maps say.
        self.operations: list[Callable[[], None]] = [
            *[self.write] * 3,
            *[self.discard] * 2,
            self.write_zeroes,
            self.resize,
            self.shrink_and_grow,
            self.flatten,
            self.switch if self.draw.random() < 0.3 else self.roll_back,
        ]

    def happen(self) -> None:
        """One thing, or a few."""
        for _ in range(self.draw.randrange(1, 5)):
            self.draw.choice(self.operations)()

    def write(self) -> None:
        offset, length = self._range()
        self.image.write(offset, self.draw.randbytes(length))

    def discard(self) -> None:
        self.image.discard(*self._range())

    def write_zeroes(self) -> None:
        offset, length = self._range()
        with self.image.opened() as opened:
            opened.write_zeroes(offset, length)

    def resize(self) -> None:
        self.image.resize(self.draw.randrange(1, MOST // 512) * 512)

    def shrink_and_grow(self) -> None:
        size = self._size()
        self.image.resize(self.draw.randrange(1, size // 512 + 1) * 512)
        self.image.resize(size)

    def roll_back(self) -> None:
        names = self.image.names()
        if names:
            self.image.roll_back(self.draw.choice(names))

    def switch(self) -> None:
        self.image.switch(False, "OBJECT_MAP", "FAST_DIFF")
        self.image.switch(True, "OBJECT_MAP", "FAST_DIFF")

    def flatten(self) -> None:
        import rbd

        with self.image.opened() as opened:
            try:
                opened.parent_info()
            except rbd.ImageNotFound:
                return
            opened.flatten()

    def _range(self) -> tuple[int, int]:
        size = self._size()
        offset = self.draw.randrange(size)
        length = self.draw.choice([1, 512, 4096, 65536, 1 << self.order, 3 << self.order])
        return offset, min(length, size - offset, MIB)

    def _size(self) -> int:
        with self.image.opened(read_only=True) as opened:
            return int(opened.size())

    def _clone_of(self, pool: Pool, parent: Image, size: int) -> Image:
        import rbd

        parent.write(0, self.draw.randbytes(size // 2 + 1))
        parent.take("base")
        parent.hold("base")
        name, features = f"{parent.name}-clone", feature_bits(*FEATURES)
        rbd.RBD().clone(pool.ioctx, parent.name, "base", pool.ioctx, name, features=features, order=self.order)
        return Image(pool, name)


@pytest.mark.parametrize("seed", range(4))
def test_changes_cover_all_that_differs(pool: Pool, seed: int) -> None:
    _run(pool, seed)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_changes_cover_all_that_differs_for_long(pool: Pool, seed: int) -> None:
    _run(pool, seed)


def _run(pool: Pool, seed: int) -> None:
    world = World(pool, seed)
    contents: dict[str, bytes] = {}
    with world.image.snapshots() as snapshots:
        made: list[Snapshot] = []
        for number in range(ROUNDS):
            world.happen()
            made.append(snapshots.create(f"m{number}"))
            contents[made[-1].name] = world.image.content(made[-1].name)
            if len(made) > 3 and world.draw.random() < 0.5:
                snapshots.remove(made.pop(world.draw.randrange(len(made) - 1)))
            for older in made[-3:-1]:
                _expect_covered(snapshots, older, made[-1], contents)


def _expect_covered(snapshots: Snapshots, older: Snapshot, newer: Snapshot, contents: dict[str, bytes]) -> None:
    old, new = contents[older.name], contents[newer.name]
    known = bytearray(old[: len(new)]) + new[len(old) :]
    for extent in snapshots.changes(older, newer).extents:
        known[extent.offset : extent.end] = new[extent.offset : extent.end]
        assert extent.exists or not any(new[extent.offset : extent.end]), f"{extent} is no zeros"
    wrong = [at for at in range(0, len(new), 512) if known[at : at + 512] != new[at : at + 512]]
    assert not wrong, f"byte {wrong[0]} differs from {older.name} to {newer.name}, and is not among the changes"
