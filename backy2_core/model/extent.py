"""Ranges of bytes, and the pure arithmetic on lists of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """``length`` bytes from ``offset`` on; ``exists`` is False where they are known to read as zeros."""

    offset: int
    length: int
    exists: bool = True

    def __post_init__(self) -> None:
        if self.offset < 0 or self.length < 0:
            raise ValueError(f"an extent cannot start at {self.offset} and have {self.length} bytes")

    @property
    def end(self) -> int:
        """Offset of the first byte behind the extent."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range ``start <= n < stop`` of blocks."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def merge(extents: Iterable[Extent]) -> list[Extent]:
    """Sort extents and join those that touch or overlap; all must agree on ``exists``. Empty ones vanish."""
    out: list[Extent] = []
    for extent in sorted((e for e in extents if e.length), key=lambda e: e.offset):
        if out and extent.offset <= out[-1].end:
            out[-1] = Extent(out[-1].offset, max(out[-1].end, extent.end) - out[-1].offset, extent.exists)
        else:
            out.append(extent)
    return out


def touched(extents: Iterable[Extent], block_size: int) -> Iterator[Span]:
    """Blocks that hold at least one byte of the merged ``extents``, ascending, joined."""
    pending: Span | None = None
    for extent in extents:
        start, stop = extent.offset // block_size, -(-extent.end // block_size)
        if pending is not None and start <= pending.stop:
            pending = Span(pending.start, max(pending.stop, stop))
            continue
        if pending is not None:
            yield pending
        pending = Span(start, stop)
    if pending is not None:
        yield pending


def covered(extents: Iterable[Extent], block_size: int, size_bytes: int) -> Iterator[Span]:
    """Blocks whose every byte is within the merged ``extents``, ascending; the device's last block may be short."""
    for extent in extents:
        start = -(-extent.offset // block_size)
        stop = extent.end // block_size if extent.end < size_bytes else -(-size_bytes // block_size)
        if start < stop:
            yield Span(start, stop)


def union(*layers: Iterable[Span]) -> list[Span]:
    """Blocks in any of the layers, ascending, joined."""
    out: list[Span] = []
    for span in sorted((s for layer in layers for s in layer if s.start < s.stop), key=lambda s: s.start):
        if out and span.start <= out[-1].stop:
            out[-1] = Span(out[-1].start, max(out[-1].stop, span.stop))
        else:
            out.append(span)
    return out


def subtract(spans: Iterable[Span], without: Iterable[Span]) -> Iterator[Span]:
    """Blocks of ``spans`` that are not in ``without``; both ascending and disjoint, read as they come."""
    holes = iter(without)
    hole = next(holes, None)
    for span in spans:
        start = span.start
        while hole is not None and hole.stop <= start:
            hole = next(holes, None)
        while hole is not None and hole.start < span.stop:
            if start < hole.start:
                yield Span(start, hole.start)
            start = max(start, hole.stop)
            if hole.stop > span.stop:
                break
            hole = next(holes, None)
        if start < span.stop:
            yield Span(start, span.stop)
