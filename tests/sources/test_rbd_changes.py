"""What changed between two snapshots of an RBD image is told exactly, whatever was done to the image in between."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import pytest

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from backy2_core.errors import SourceError
from tests.sources.rbd_images import FEATURES, KIB, MIB, Image, Pool, feature_bits

MARKS = tuple(f"mark{number}" for number in range(20))
PLAIN = ("LAYERING", "EXCLUSIVE_LOCK", "DEEP_FLATTEN")
MAPPED = ("OBJECT_MAP", "FAST_DIFF")


def _random(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _told(snapshots: Snapshots, older: Snapshot, newer: Snapshot) -> int:
    """How many bytes are called changed."""
    return sum(extent.length for extent in snapshots.changes(older, newer).extents)


def _expect_exact(image: Image, snapshots: Snapshots, older: Snapshot, newer: Snapshot) -> None:
    """Whatever differs is told, and what is told to be gone reads as zeros."""
    old, new = image.content(older.name), image.content(newer.name)
    known = bytearray(old[: len(new)]) + new[len(old) :]
    for extent in snapshots.changes(older, newer).extents:
        known[extent.offset : extent.end] = new[extent.offset : extent.end]
        assert extent.exists or not any(new[extent.offset : extent.end]), f"{extent} is no zeros"
    wrong = [at for at in range(0, len(new), 512) if known[at : at + 512] != new[at : at + 512]]
    assert not wrong, f"byte {wrong[0]} differs from {older.name} to {newer.name}, and is not among the changes"


@pytest.mark.parametrize("features", [FEATURES, PLAIN], ids=["map", "no-map"])
@pytest.mark.parametrize("order", [12, 16, 22, 25], ids=["4k", "64k", "4M", "32M"])
def test_objects_of_every_size(pool: Pool, order: int, features: tuple[str, ...]) -> None:
    size = min(40 * (1 << order) + 512, 40 * MIB)
    image = pool.image(size, order=order, features=features)
    draw = random.Random(order)
    with image.snapshots() as snapshots:
        made = []
        for mark in MARKS[:3]:
            for _ in range(4):
                offset = draw.randrange(size - 9000)
                image.write(offset, draw.randbytes(8000))
                image.discard(draw.randrange(size - 9000), 9000)
            made.append(snapshots.create(mark))
        for older, newer in ((0, 1), (1, 2), (0, 2)):
            _expect_exact(image, snapshots, made[older], made[newer])


def test_only_what_changed_is_told(pool: Pool) -> None:
    image = pool.image(256 * MIB)
    image.write(100 * MIB, _random(8 * MIB))
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        image.write(101 * MIB, b"x" * 5000)
        newer = snapshots.create(MARKS[1])
        assert _told(snapshots, older, newer) == 5000
        assert _told(snapshots, older, older) == 0


@pytest.mark.parametrize("removed", [(), ("middle",), ("oldest", "middle")], ids=["all", "no-middle", "no-others"])
def test_a_rollback_is_not_hidden_by_the_object_map(pool: Pool, removed: tuple[str, ...]) -> None:
    """The object map of the old snapshot calls unchanged what differs from the newest: fast-diff tells nothing."""
    image = pool.image(8 * MIB, order=18)
    image.write(0, _random(8 * MIB))
    image.take("oldest")
    image.take("middle")
    image.write(3 * MIB, b"undone by the rollback" * 1000)
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        image.roll_back("middle")
        for name in removed:
            image.drop(name)
        newer = snapshots.create(MARKS[1])
        assert _fast_diff(image, older, newer) == [], (
            "librbd's fast-diff learned it: 0020-rbd-differences.md is outdated"
        )
        _expect_exact(image, snapshots, older, newer)
        assert _told(snapshots, older, newer) > 0


def test_a_size_that_came_and_went_in_between_is_not_hidden_by_the_object_map(pool: Pool) -> None:
    image = pool.image(8 * MIB, order=18)
    image.write(0, _random(8 * MIB))
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        image.resize(3 * MIB)
        image.take("small")
        image.resize(8 * MIB)
        image.write(5 * MIB, b"new")
        newer = snapshots.create(MARKS[1])
        _expect_exact(image, snapshots, older, newer)


@pytest.mark.parametrize("size", [5 * MIB + 512, 11 * MIB - 1024], ids=["shrunk", "grown"])
def test_another_size(pool: Pool, size: int) -> None:
    image = pool.image(8 * MIB, order=20)
    image.write(0, _random(8 * MIB))
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        image.resize(size)
        image.write(5 * MIB, b"new")
        image.write(size - 3, b"end")
        newer = snapshots.create(MARKS[1])
        assert (older.size_bytes, newer.size_bytes) == (8 * MIB, size)
        _expect_exact(image, snapshots, older, newer)


@pytest.mark.parametrize("zeroed", ["discard", "write_zeroes", "write"])
def test_ranges_that_were_made_zeros(pool: Pool, zeroed: str) -> None:
    image = pool.image(4 * MIB, order=20)
    image.write(0, _random(4 * MIB))
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        with image.opened() as opened:
            for offset, length in ((0, MIB), (MIB + 65536, 131072), (3 * MIB - 70_000, 140_000)):
                if zeroed == "write":
                    opened.write(bytes(length), offset)
                else:
                    getattr(opened, zeroed)(offset, length)
        newer = snapshots.create(MARKS[1])
        assert _told(snapshots, older, newer) > 0
        _expect_exact(image, snapshots, older, newer)


def _clone(pool: Pool, size: int, features: tuple[str, ...] = FEATURES) -> Image:
    import rbd

    parent = pool.image(size, order=20)
    parent.write(0, _random(size // 2))
    parent.take("base")
    parent.hold("base")
    name = f"{parent.name}-clone"
    rbd.RBD().clone(pool.ioctx, parent.name, "base", pool.ioctx, name, features=feature_bits(*features))
    return Image(pool, name)


@pytest.mark.parametrize("features", [FEATURES, PLAIN, ("LAYERING",)], ids=["map", "no-map", "no-deep-flatten"])
def test_clones_before_and_after_they_are_flattened(pool: Pool, features: tuple[str, ...]) -> None:
    clone = _clone(pool, 6 * MIB, features)
    with clone.snapshots() as snapshots:
        made = [snapshots.create(MARKS[0])]
        clone.write(MIB + 100, b"copied up")
        clone.discard(2 * MIB, MIB)
        made.append(snapshots.create(MARKS[1]))
        with clone.opened() as opened:
            opened.flatten()
        clone.write(5 * MIB, b"after")
        made.append(snapshots.create(MARKS[2]))
        for older, newer in ((0, 1), (1, 2), (0, 2)):
            _expect_exact(clone, snapshots, made[older], made[newer])


def test_allocated_of_a_clone_is_what_its_parent_and_itself_hold(pool: Pool) -> None:
    clone = _clone(pool, 8 * MIB)
    clone.write(7 * MIB, b"own")
    clone.take("monday")
    content = clone.content("monday")
    with clone.source("monday") as source:
        told = bytearray(len(content))
        for extent in source.allocated():
            told[extent.offset : extent.end] = content[extent.offset : extent.end]
    assert told == content


def test_custom_striping(pool: Pool) -> None:
    image = pool.image(4 * MIB, order=17, stripe_unit=16 * KIB, stripe_count=3)
    image.write(0, _random(2 * MIB))
    with image.snapshots() as snapshots:
        made = [snapshots.create(MARKS[0])]
        image.write(MIB + 5000, b"x" * 40_000)
        image.discard(100_000, 200_000)
        made.append(snapshots.create(MARKS[1]))
        image.resize(3 * MIB)
        image.resize(4 * MIB)
        made.append(snapshots.create(MARKS[2]))
        for older, newer in ((0, 1), (1, 2), (0, 2)):
            _expect_exact(image, snapshots, made[older], made[newer])


def test_an_object_map_that_was_switched_off_and_on_is_remarked_and_the_diff_is_right(pool: Pool) -> None:
    image = pool.image(4 * MIB, order=18)
    image.write(0, _random(MIB))
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        image.switch(False, *MAPPED)
        image.write(2 * MIB, b"unseen by the map" * 1000)
        image.switch(True, *MAPPED)
        newer = snapshots.create(MARKS[1])
        (remark,) = snapshots.changes(older, newer).remarks
        assert remark.startswith(f"the object map of {older.url} and of {newer.url} is invalid")
        path = f"{pool.name}/{image.name}"
        assert _commands(remark) == [f"rbd object-map rebuild {path}", f"rbd object-map rebuild {path}@{newer.name}"]
        _expect_exact(image, snapshots, older, newer)


@pytest.mark.parametrize("features", [PLAIN, ("LAYERING",)], ids=["no-map", "no-lock"])
def test_what_the_remark_says_gives_an_image_its_map(pool: Pool, features: tuple[str, ...]) -> None:
    image = pool.image(4 * MIB, order=18, features=features)
    nights = _nights(image)
    assert "rbd feature enable" in next(nights)
    assert [next(nights), next(nights)] == ["", ""]


def test_what_the_remark_says_mends_a_map_that_was_off_for_a_night(pool: Pool) -> None:
    """What was written meanwhile is in no map: that of the image is invalid, and each new snapshot takes that over."""
    image = pool.image(4 * MIB, order=18)
    nights = _nights(image, obedient=False)
    assert next(nights) == ""
    image.switch(False, *MAPPED)
    assert f"rbd feature enable {pool.name}/{image.name} object-map fast-diff" in next(nights)
    image.switch(True, *MAPPED)
    for _ in range(2):
        assert f"rbd object-map rebuild {pool.name}/{image.name}" in _commands(next(nights)), "it does not go by itself"
    nights = _nights(image)
    assert "is invalid" in next(nights)
    assert [next(nights), next(nights)] == ["", ""]


def test_what_the_remark_says_mends_the_map_of_the_base_alone(pool: Pool) -> None:
    """When the base is removed, librbd makes the map of the snapshot behind it invalid, and so on each night."""
    image = pool.image(4 * MIB, order=18)
    nights = _nights(image, obedient=False)
    next(nights)
    image.switch(False, *MAPPED)
    image.switch(True, *MAPPED)
    pool.cluster.run("rbd", "object-map", "rebuild", f"{pool.name}/{image.name}")
    for _ in range(2):
        assert len(_commands(next(nights))) == 1, "it does not go by itself"
    nights = _nights(image)
    assert "is invalid" in next(nights)
    assert [next(nights), next(nights)] == ["", ""]


def _commands(remark: str) -> list[str]:
    return remark.split("`")[1::2]


def _nights(image: Image, *, obedient: bool = True) -> Iterator[str]:
    """The remark of each backup, "" where there is none. One snapshot stays from each; then what was said is done."""
    with image.snapshots() as snapshots:
        (older,) = snapshots.list() or [snapshots.create("first")]
        for number in itertools.count():
            image.write(number * 1000, _random(1000 + number))
            newer = snapshots.create(f"night{number}")
            remarks = snapshots.changes(older, newer).remarks
            assert len(remarks) <= 1
            _expect_exact(image, snapshots, older, newer)
            snapshots.remove(older)
            for command in (command for remark in remarks if obedient for command in _commands(remark)):
                image.pool.cluster.run(*command.split())
            yield "".join(remarks)
            older = newer


def test_a_valid_object_map_needs_no_remark(pool: Pool) -> None:
    with pool.image(MIB).snapshots() as snapshots:
        assert snapshots.changes(snapshots.create(MARKS[0]), snapshots.create(MARKS[1])).remarks == ()


def test_an_image_that_was_renamed_meanwhile_is_still_the_same(pool: Pool) -> None:
    import rbd

    image = pool.image(MIB)
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
        renamed = Image(pool, f"{image.name}-renamed")
        rbd.RBD().rename(pool.ioctx, image.name, renamed.name)
        renamed.write(500, b"new")
        newer = snapshots.create(MARKS[1])
        _expect_exact(renamed, snapshots, older, newer)
        with renamed.snapshots() as others:
            assert [s.identity for s in others.list()] == [older.identity, newer.identity]
            assert all(s.own for s in others.list())


def test_an_image_that_came_back_from_the_trash_is_still_the_same(pool: Pool) -> None:
    import rbd

    image = pool.image(MIB)
    with image.snapshots() as snapshots:
        older = snapshots.create(MARKS[0])
    with image.opened(read_only=True) as opened:
        number = opened.id()
    rbd.RBD().trash_move(pool.ioctx, image.name)
    with pytest.raises(SourceError, match=image.name):
        image.snapshots()
    rbd.RBD().trash_restore(pool.ioctx, number, image.name)
    image.write(0, b"new")
    with image.snapshots() as snapshots:
        assert list(snapshots.list()) == [older]
        _expect_exact(image, snapshots, older, snapshots.create(MARKS[1]))


def test_a_snapshot_of_an_image_made_anew_is_no_base(pool: Pool) -> None:
    image = pool.image(MIB)
    image.take("daily")
    with image.snapshots("daily") as snapshots:
        (before,) = snapshots.list()
    image.recreate(MIB)
    image.take("daily")
    with image.snapshots("daily") as snapshots:
        (after,) = snapshots.list()
        assert before.identity != after.identity
        with pytest.raises(SourceError, match="daily"):
            list(snapshots.changes(before, after).extents)


def _fast_diff(image: Image, older: Snapshot, newer: Snapshot) -> list[int]:
    """What librbd's quick way says: the offsets of changed objects."""
    found: list[int] = []
    take: Callable[[int, int, bool], None] = lambda offset, length, exists: found.append(offset)  # noqa: E731
    with image.opened(newer.name, read_only=True) as opened:
        opened.diff_iterate(0, opened.size(), older.name, take, include_parent=True, whole_object=True)
    return found
