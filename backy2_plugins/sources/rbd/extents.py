"""Where an image has data, and where two snapshots of it differ: librbd's answers, window by window.

What is asked of librbd, and why so, is in docs/decisions/0020-rbd-differences.md: an object map is believed about which objects
are there, never about what changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backy2_core.api import Extent
from backy2_plugins.sources.rbd import bindings, spans

_WINDOW_OBJECTS = 16384
_JOINED_OBJECTS = 64
"""So many objects that are not there are asked for all the same, in place of one more call."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the image, and what librbd told of it: in no order where objects are striped."""

    offset: int
    end: int
    extents: list[Extent]


def has_valid_map(image: Any) -> bool:
    """Whether there is an object map that counts as valid, at the snapshot at which ``image`` is open.

    librbd then reads zeros, or the parent, where it says that there is no object, even if there is one.
    """
    return not missing_features(image) and not image.flags()


def missing_features(image: Any) -> list[str]:
    """What must be switched on before the image can have an object map, as the command ``rbd`` calls it."""
    rbd = bindings.rbd()
    needed = {
        "exclusive-lock": rbd.RBD_FEATURE_EXCLUSIVE_LOCK,
        "object-map": rbd.RBD_FEATURE_OBJECT_MAP,
        "fast-diff": rbd.RBD_FEATURE_FAST_DIFF,
    }
    there = image.features()
    return [name for name, bit in needed.items() if not there & bit]


def has_trusted_map(image: Any) -> bool:
    """Whether that map alone tells where there are no data.

    A clone's parent may have none, and of striped images an object is no range of bytes.
    """
    return has_valid_map(image) and not is_striped(image) and not has_parent(image)


def has_parent(image: Any) -> bool:
    """Whether it is a clone that was not flattened, at the snapshot at which it is open."""
    try:
        image.parent_info()
    except bindings.rbd().ImageNotFound:
        return False
    return True


def is_striped(image: Any) -> bool:
    """Whether neighbouring bytes lie in several objects in turn."""
    return bool(image.stripe_count() != 1 or image.stripe_unit() != image.stat()["obj_size"])


def allocated(image: Any, start: int = 0) -> Iterator[Window]:
    """Where it may hold other bytes than zeros, from ``start`` (the end of a window) on; ascending within a window."""
    by_map = has_trusted_map(image)
    for offset, end in _windows(image, start):
        found = _ask(image, offset, end, by_map=by_map)
        yield Window(offset, end, spans.ascending(found, offset, end))


def changed(newer: Any, older: Any, older_name: str, start: int = 0) -> Iterator[Window]:
    """What differs between two snapshots: ``newer`` and ``older`` are the image, open at each of them."""
    any_map = has_valid_map(newer) or has_valid_map(older)
    narrowed = has_trusted_map(newer) and has_trusted_map(older)
    object_size = newer.stat()["obj_size"]
    for offset, end in _windows(newer, start):
        there = [
            spans.of_objects(_objects(image, offset, end), object_size, end) for image in (newer, older) if any_map
        ]
        asked = [(offset, end)]
        if narrowed:
            asked = spans.joined(itertools.chain(*there), gap=_JOINED_OBJECTS * object_size)
        found = [extent for span in asked for extent in _ask(newer, *span, older_name)]
        if there:
            # What one of the two shows and the other does not has changed, though the OSDs may not know of it: see there.
            found += spans.untold(spans.in_one(*there), found)
        yield Window(offset, end, found)


def _windows(image: Any, start: int) -> Iterator[tuple[int, int]]:
    """From ``start`` on, in whole objects (or whole stripes of them): librbd errs about others, ceph PR 44483."""
    step = _WINDOW_OBJECTS * image.stat()["obj_size"] * image.stripe_count()
    size = image.size()
    for offset in range(start, size, step):
        yield offset, min(offset + step, size)


def _objects(image: Any, offset: int, end: int) -> list[Extent]:
    """Where the image has objects of its own, as far as librbd shows them."""
    end = min(end, image.size())
    if offset >= end:
        return []
    found = _ask(image, offset, end, by_map=has_valid_map(image), include_parent=False)
    return spans.ascending(found, offset, end)


def _ask(
    image: Any,
    offset: int,
    end: int,
    older_name: str | None = None,
    *,
    by_map: bool = False,
    include_parent: bool = True,
) -> list[Extent]:
    found: list[Extent] = []

    def take(at: int, length: int, exists: bool) -> None:
        found.append(Extent(at, length, bool(exists)))

    image.diff_iterate(offset, end - offset, older_name, take, include_parent=include_parent, whole_object=by_map)
    return found
