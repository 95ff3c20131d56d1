"""Any course of events on an RBD image, backed up each night: every version is restored as its snapshot was.

Hypothesis draws the events and makes a course that fails as short as it can.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.ceph.world import World, own_pool
from tests.sources.rbd_images import FEATURES, KIB, Image, Pool, feature_bits
from tests.support.ceph import Cluster

BLOCK = 64 * KIB
MOST = 24 * BLOCK
KINDS = ("write", "discard", "zeroes", "resize", "roll back", "take", "clone", "flatten", "recreate", "remove newest")

PLACES = st.integers(0, 24).map(lambda n: n * BLOCK) | st.integers(0, MOST)
LENGTHS = st.integers(1, 4).map(lambda n: n * BLOCK) | st.integers(1, 3 * BLOCK)


@dataclass(frozen=True)
class Event:
    """Something that happens to the image at a place of it; each kind takes of the numbers what it needs."""

    kind: str
    place: int
    length: int


EVENTS = st.builds(Event, st.sampled_from(KINDS) | st.just("write"), PLACES, LENGTHS)
COURSES = st.lists(st.lists(EVENTS, min_size=1, max_size=4), min_size=1, max_size=5)
ORDERS = st.sampled_from([14, 16, 18, 22])


class Course:
    """An image in ``pool``, its backups, and what happens to it."""

    def __init__(self, pool: Pool, folder: Path, order: int) -> None:
        self.world = World(folder, pool, block_size="64k")
        self._pool, self._order = pool, order
        self._image = pool.image(MOST, order=order)
        self._image.write(0, b"at first" * BLOCK)
        self._letters = 0

    def night(self) -> None:
        """The image is backed up; without an image there is nothing to do."""
        self.world.backup(self._image)
        assert sum(name.startswith("backy2-") for name in self._image.names()) == 1

    def happen(self, event: Event) -> None:
        """One event; what cannot happen does not."""
        size = self._size()
        place = min(event.place, size - 1)
        length = min(event.length, size - place)
        self._letters += 1
        match event.kind:
            case "write":
                self._image.write(place, bytes([self._letters % 255 + 1]) * length)
            case "discard":
                self._image.discard(place, length)
            case "zeroes":
                with self._image.opened() as image:
                    image.write_zeroes(place, length)
            case "resize":
                self._image.resize(max(1, event.place))
            case "roll back":
                names = self._image.names()
                if names:
                    self._image.roll_back(names[event.length % len(names)])
            case "take":
                self._image.take(f"theirs{self._letters}")
            case "clone":
                self._clone()
            case "flatten":
                self._flatten()
            case "recreate":
                self._recreate()
            case "remove newest":
                self._remove_newest()

    def check(self) -> None:
        """Every version that is left is restored as its snapshot was."""
        self.world.check_all()
        if self.world.expected:
            self.world.check_image(self.world.versions()[-1]["uid"])

    def _size(self) -> int:
        with self._image.opened(read_only=True) as image:
            return int(image.size())

    def _clone(self) -> None:
        import rbd

        name, ioctx = self._pool.new_name(), self._pool.ioctx
        self._image.take(f"for-{name}")
        self._image.hold(f"for-{name}")
        features = feature_bits(*FEATURES)
        rbd.RBD().clone(ioctx, self._image.name, f"for-{name}", ioctx, name, features=features, order=self._order)
        self._image = Image(self._pool, name)

    def _flatten(self) -> None:
        import rbd

        # Else it is no clone.
        with self._image.opened() as image, suppress(rbd.InvalidArgument):
            image.flatten()

    def _recreate(self) -> None:
        """Another image gets the name of this one, which lives on under another name."""
        import rbd

        old = self._pool.new_name()
        rbd.RBD().rename(self._pool.ioctx, self._image.name, old)
        order, features = self._order, feature_bits(*FEATURES)
        rbd.RBD().create(self._pool.ioctx, self._image.name, MOST, order=order, old_format=False, features=features)

    def _remove_newest(self) -> None:
        rows = self.world.versions()
        if rows:
            uid = max(rows, key=lambda row: row["date"])["uid"]
            self.world.ok("rm", "--force", uid)
            del self.world.expected[uid]


@pytest.fixture(scope="module")
def pool(ceph: Cluster) -> Iterator[Pool]:
    """A pool for all courses of this module."""
    with own_pool(ceph) as found:
        yield found


def _run(pool: Pool, nights: list[list[Event]], order: int) -> None:
    with tempfile.TemporaryDirectory(prefix="backy2-") as folder:
        course = Course(pool, Path(folder), order)
        course.night()
        for events in nights:
            for event in events:
                course.happen(event)
            course.night()
        course.check()


_COMMON = settings(
    database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@settings(_COMMON, max_examples=4, derandomize=True)
@given(nights=COURSES, order=ORDERS)
def test_every_version_is_what_its_snapshot_was(pool: Pool, nights: list[list[Event]], order: int) -> None:
    _run(pool, nights, order)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("number", range(5))
def test_every_version_is_what_its_snapshot_was_for_long(pool: Pool, number: int) -> None:
    @seed(number)
    @settings(_COMMON, max_examples=100)
    @given(nights=COURSES, order=ORDERS)
    def run(nights: list[list[Event]], order: int) -> None:
        _run(pool, nights, order)

    run()
