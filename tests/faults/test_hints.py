"""Faults 3, 4 and 30: hints that do not fall on the borders of blocks, images that grew or shrank, hints on many lines."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.site import BLOCK, DAMAGE, HINTS, Site, blocks

K, M = 1024, 1024 * 1024


@dataclass(frozen=True)
class Image:
    """A device of ``size`` bytes made of objects as RBD makes it, some of which are not there."""

    size: int
    step: int
    objects: dict[int, bytes]

    def content(self) -> bytes:
        """What is read from it."""
        count = -(-self.size // self.step)
        return b"".join(self.objects.get(n, bytes(self.step)) for n in range(count))[: self.size]

    def changed(self, chance: random.Random, size: int) -> Image:
        """Later: of another size, with objects that appeared, vanished, or changed in part."""
        objects = {}
        for n in range(-(-size // self.step)):
            old = self.objects.get(n)
            what = chance.choice(["keep", "keep", "write", "part", "vanish"])
            if what == "write":
                objects[n] = chance.randbytes(self.step)
            elif what == "part" and old is not None:
                quarter = self.step // 4 * chance.randrange(4)
                objects[n] = old[:quarter] + chance.randbytes(self.step // 4) + old[quarter + self.step // 4 :]
            elif what == "keep" and old is not None:
                objects[n] = old
        cut = size % self.step
        if size < self.size and cut and (last := objects.get(size // self.step)):
            # What is cut off by a shrinking is gone, and does not come back when the image grows again.
            objects[size // self.step] = last[:cut] + bytes(self.step - cut)
        return Image(size, self.step, objects)

    def diff(self, old: Image | None) -> list[dict[str, Any]]:
        """What ``rbd diff --format json`` prints, from another state or from nothing."""
        hints = []
        for n in range(-(-self.size // self.step)):
            one, other = self.objects.get(n), old.objects.get(n) if old else None
            if one is None and other is not None:
                hints.append(self._hint(n * self.step, self.step, "false"))
            elif one is not None and other is None:
                hints.append(self._hint(n * self.step, self.step, "true"))
            elif one is not None and other is not None:
                hints += self._parts(n * self.step, one, other)
        return [hint for hint in hints if hint["length"] > 0]

    def _parts(self, offset: int, one: bytes, other: bytes) -> list[dict[str, Any]]:
        part = self.step // 4
        return [
            self._hint(offset + at, part, "true")
            for at in range(0, self.step, part)
            if one[at : at + part] != other[at : at + part] and offset + at < self.size
        ]

    def _hint(self, offset: int, length: int, exists: str) -> dict[str, Any]:
        return {"offset": offset, "length": min(length, self.size - offset), "exists": exists}


def _first(chance: random.Random, size: int, step: int) -> Image:
    there = (n for n in range(-(-size // step)) if chance.random() < 0.6)
    return Image(size, step, {n: chance.randbytes(step) for n in there})


SIZES = {
    "same": (13, 13, 13),
    "grown": (13, 22, 30),
    "shrunk": (22, 13, 6),
    "there-and-back": (13, 6, 13),
    "uneven": (13.3, 17.8, 9.6),
}
"""Sizes of an image in three states, in fourths of the larger one of object and block."""


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(
    ("step", "block"),
    [(1 * M, 4 * M), (16 * K, 64 * K), (64 * K, 16 * K), (8 * K, 8 * K)],
    ids=["1M-objects-4M-blocks", "16K-64K", "64K-16K", "8K-8K"],
)
def test_fault_03_incremental_backups_by_hints_are_exact_whatever_the_sizes_of_objects_and_blocks(
    step: int, block: int, sizes: tuple[float, ...], site: Site
) -> None:
    """In the original a vanished object of 1 MiB took a whole block of 4 MiB with it, and wrong tails came back as zeros.

    Here three states of an image, each backed up by the hints to the one before, restore to the byte.
    """
    site.configure({"block_size": block})
    chance = random.Random(f"{step} {block} {sizes}")
    states, uids = [], []
    for size in sizes:
        size_bytes = int(size * max(step, block) / 4) // 512 * 512
        last = states[-1] if states else None
        states.append(last.changed(chance, size_bytes) if last else _first(chance, size_bytes, step))
        options = ("-f", uids[-1]) if uids else ()
        uids.append(site.backup(states[-1].content(), *options, hints=states[-1].diff(last)))
        site.ok("scrub", "-s", site.url, uids[-1])
    for uid, state in zip(uids, states, strict=True):
        assert site.restored(uid) == state.content()


@pytest.mark.parametrize("based", [True, False], ids=["with-a-base", "without"])
def test_fault_03_a_vanished_range_that_covers_a_block_in_part_leaves_the_rest_of_it(based: bool, site: Site) -> None:
    """The original made the whole block sparse, and the version valid."""
    site.configure({"block_size": 4 * M})
    old = random.Random(1).randbytes(8 * M)
    options = ("-f", site.backup(old)) if based else ()
    hints = [{"offset": 5 * M, "length": M, "exists": "false"}]
    new = (old[: 4 * M] if based else bytes(4 * M)) + old[4 * M : 5 * M] + bytes(M) + old[6 * M :]
    assert site.restored(site.backup(new, *options, hints=hints)) == new


RESIZED = {
    "grown-within-the-last-block": (10 * BLOCK + 100, 10 * BLOCK + 3000),
    "grown-beyond-the-last-block": (10 * BLOCK + 100, 14 * BLOCK + 10),
    "grown-to-the-end-of-the-last-block": (10 * BLOCK + 100, 11 * BLOCK),
    "grown-from-the-border-of-a-block": (10 * BLOCK, 12 * BLOCK + 1),
    "shrunk-within-the-last-block": (10 * BLOCK + 3000, 10 * BLOCK + 100),
    "shrunk-into-another-block": (14 * BLOCK + 10, 10 * BLOCK + 100),
    "shrunk-to-the-border-of-a-block": (14 * BLOCK + 10, 10 * BLOCK),
}


@pytest.mark.parametrize("some", [False, True], ids=["no-hints", "one-hint"])
@pytest.mark.parametrize(("old", "new"), RESIZED.values(), ids=RESIZED)
def test_fault_04_the_tail_of_a_resized_image_is_kept_though_no_hint_names_it(
    old: int, new: int, some: bool, site: Site
) -> None:
    """In the original the old last block, whose length changed, silently became zeros when no hint named it."""
    data = blocks(range(1, 16))
    base = site.backup(data[:old])
    content = bytearray(data[: min(old, new)].ljust(new, b"\0"))
    hints = []
    if some:
        content[:BLOCK] = b"!" * BLOCK
        hints = [{"offset": 0, "length": BLOCK, "exists": "true"}]
    uid = site.backup(bytes(content), "-f", base, hints=hints)
    assert site.restored(uid) == content
    site.ok("scrub", "-s", site.url, uid)


def test_fault_04_a_scrub_against_the_source_compares_blocks_of_zeros_too(site: Site) -> None:
    """The original did not, so that it called a version fine whose data had become zeros."""
    uid = site.backup(blocks([1, 0, 2, 0, 3]))
    for content, different in ((blocks([1, 9, 2, 0, 3]), 1), (blocks([1, 9, 2, 9, 3]), 2)):
        site.image.write_bytes(content)
        found = site.call("scrub", "-s", site.url, uid, "--format", "json")
        assert (found.code, found.record["different_blocks"]) == (DAMAGE, different)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize("hinted", [0, 1])
def test_fault_04_small_images_are_compared_with_as_many_blocks_as_they_have(
    count: int, hinted: int, site: Site
) -> None:
    """The original's check of the hints failed where fewer than five blocks were unhinted."""
    base = site.backup(blocks(range(1, count + 1)))
    content = blocks([99] * hinted + list(range(1 + hinted, count + 1)))
    hints = [{"offset": 0, "length": BLOCK * hinted, "exists": "true"}]
    assert site.restored(site.backup(content, "-f", base, hints=hints)) == content


def test_fault_04_hints_that_miss_a_change_are_found_out_and_make_no_version(site: Site) -> None:
    """As the original promised; without hints at all (an empty list) it did not look."""
    base = site.backup(blocks([1, 2, 3, 4]))
    site.image.write_bytes(blocks([1, 2, 9, 4]))
    for hints in ([], [{"offset": 0, "length": BLOCK, "exists": "true"}]):
        missed = site.call("backup", "-f", base, "-r", str(site.hints_file(hints)), site.url, "vm")
        assert missed.code == HINTS
    assert [version["uid"] for version in site.versions()] == [base]


def test_fault_30_hints_on_many_lines_are_all_read(site: Site) -> None:
    """The original read the first line of the file, and nothing after it."""
    base = site.backup(blocks([1, 2, 3, 4, 5]))
    content = blocks([9, 2, 3, 4, 8])
    site.image.write_bytes(content)
    hints = [{"offset": at * BLOCK, "length": BLOCK, "exists": "true"} for at in (0, 4)]
    path = site.folder / "hints"
    path.write_text(json.dumps(hints, indent=2) + "\n\n")
    from_file = site.ok("-m", "backup", "-f", base, "-r", str(path), site.url, "vm").strip()
    with path.open() as file:
        piped = site.run("-m", "backup", "-f", base, "-r", "-", site.url, "vm", stdin=file)
    for uid in (from_file, piped.out.strip()):
        assert site.restored(uid) == content
