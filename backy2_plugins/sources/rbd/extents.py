"""Where an image has data, and where two snapshots of it differ: librbd's answers, window by window.

What is asked of librbd, and why so, is in docs/decisions/0020-rbd-differences.md: an object map is believed about which objects
are there, never about what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from backy2_core.api import Extent
from backy2_plugins.sources.rbd import bindings

_WINDOW_OBJECTS = 16384
_JOINED_OBJECTS = 64
"""So many objects that are not there are asked for all the same, in place of one more call."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the image, and what librbd told of it: in no order where objects are striped."""

    offset: int
    end: int
    extents: list[Extent]


def has_trusted_map(image: Any) -> bool:
    """Whether an object map tells which objects are there, at the snapshot at which ``image`` is open.

    A clone's parent may have none, and of striped images the object map's answer is not about ranges of bytes; such are
    asked for object by object.
    """
    rbd = bindings.rbd()
    wanted = rbd.RBD_FEATURE_OBJECT_MAP | rbd.RBD_FEATURE_FAST_DIFF
    return image.features() & wanted == wanted and not image.flags() and not is_striped(image) and not has_parent(image)


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
        found = _ask(image, offset, end, None, by_map)
        yield Window(offset, end, _ascending(found, offset, end))


def changed(newer: Any, older: Any, older_name: str, start: int = 0) -> Iterator[Window]:
    """What differs between two snapshots: ``newer`` and ``older`` are the image, open at each of them."""
    by_map = has_trusted_map(newer) and has_trusted_map(older)
    older_size = older.size()
    for offset, end in _windows(newer, start):
        spans = [(offset, end)]
        if by_map:
            there = _ask(newer, offset, end, None, True)
            if offset < older_size:
                there += _ask(older, offset, min(end, older_size), None, True)
            spans = _spans(_ascending(there, offset, end), newer.stat()["obj_size"], end)
        found = [extent for span in spans for extent in _ask(newer, *span, older_name, False)]
        yield Window(offset, end, found)


def _windows(image: Any, start: int) -> Iterator[tuple[int, int]]:
    """From ``start`` on, in whole objects (or whole stripes of them): librbd errs about others, ceph PR 44483."""
    step = _WINDOW_OBJECTS * image.stat()["obj_size"] * image.stripe_count()
    size = image.size()
    for offset in range(start, size, step):
        yield offset, min(offset + step, size)


def _ask(image: Any, offset: int, end: int, older_name: str | None, by_map: bool) -> list[Extent]:
    found: list[Extent] = []

    def take(at: int, length: int, exists: bool) -> None:
        found.append(Extent(at, length, bool(exists)))

    image.diff_iterate(offset, end - offset, older_name, take, include_parent=True, whole_object=by_map)
    return found


def _ascending(extents: Iterable[Extent], start: int, stop: int) -> list[Extent]:
    """Those that exist: sorted, cut at the ends of the window, joined where they touch."""
    joined: list[list[int]] = []
    for extent in sorted((e for e in extents if e.exists), key=lambda e: e.offset):
        offset, end = max(extent.offset, start), min(extent.end, stop)
        if offset >= end:
            continue
        if joined and offset <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([offset, end])
    return [Extent(offset, end - offset) for offset, end in joined]


def _spans(extents: Iterable[Extent], object_size: int, stop: int) -> list[tuple[int, int]]:
    """The extents as ranges of whole objects, joined over small gaps."""
    spans: list[tuple[int, int]] = []
    for extent in extents:
        offset = extent.offset - extent.offset % object_size
        end = min(extent.end - extent.end % -object_size, stop)
        if spans and offset - spans[-1][1] <= _JOINED_OBJECTS * object_size:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((offset, end))
    return spans
