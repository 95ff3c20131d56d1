"""Arithmetic on ranges of bytes, ``(offset, end)``, and on what librbd tells about them."""

from __future__ import annotations

from collections.abc import Iterable

from backy2_core.api import Extent

Span = tuple[int, int]


def joined(spans: Iterable[Span], *, gap: int = 0) -> list[Span]:
    """In order, and as one where they overlap, touch, or have at most ``gap`` bytes between."""
    out: list[Span] = []
    for offset, end in sorted(spans):
        if out and offset <= out[-1][1] + gap:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((offset, end))
    return out


def ascending(extents: Iterable[Extent], start: int, stop: int) -> list[Extent]:
    """Those that exist: in order, cut at both ends, as one where they overlap or touch."""
    cut = ((max(e.offset, start), min(e.end, stop)) for e in extents if e.exists)
    return [Extent(offset, end - offset) for offset, end in joined(span for span in cut if span[0] < span[1])]


def of_objects(extents: Iterable[Extent], object_size: int, stop: int) -> list[Span]:
    """The whole objects that the extents touch, up to ``stop``."""
    return joined((e.offset - e.offset % object_size, min(e.end + -e.end % object_size, stop)) for e in extents)


def in_one(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """What is in one of the two and not in the other; each has none that overlap."""
    places = sorted(place for span in (*some, *others) for place in span)
    # Of all the edges an odd number was passed where only one of the two is.
    return [(one, other) for one, other in zip(places[::2], places[1::2], strict=True) if one < other]


def untold(spans: Iterable[Span], extents: Iterable[Extent]) -> list[Extent]:
    """What of the ``spans``, which ascend, is in none of the ``extents``."""
    told = joined((extent.offset, extent.end) for extent in extents)
    out: list[Extent] = []
    at = 0
    for start, end in spans:
        offset = start
        while at < len(told) and told[at][0] < end:
            first, stop = told[at]
            if offset < first:
                out.append(Extent(offset, first - offset))
            offset = max(offset, stop)
            if stop > end:
                break
            at += 1
        if offset < end:
            out.append(Extent(offset, end - offset))
    return out
