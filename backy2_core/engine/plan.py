"""Decides for each block of a device what is to be done with it. Pure: it reads no byte of the device."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from backy2_core.model.block import Geometry
from backy2_core.model.extent import Extent, Span, covered, merge, subtract, touched, union
from backy2_core.model.segment import SEGMENT_BLOCKS


class Action(enum.Enum):
    """What a backup does with a block."""

    READ = "read"
    KEEP = "keep"
    """Take it over from the base version, unread."""
    SPARSE = "sparse"
    """Record it as all zero, unread."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive blocks ``start <= n < stop`` with one action."""

    action: Action
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def plan_hinted(geometry: Geometry, hints: Sequence[Extent], base: Geometry | None) -> list[Run]:
    """The runs of a backup with hints, over the whole device in order.

    A block is read if a changed range touches it, if a vanished range (``exists`` False) covers it only in part, or if
    the base has no block of that length there. It is sparse if vanished ranges cover it wholly. All others are kept
    from the base, or are sparse where there is none (the hints then list all that is allocated).
    """
    size = geometry.block_size
    vanished = merge(e for e in hints if not e.exists)
    whole = list(covered(vanished, size, geometry.size_bytes))
    in_part = subtract(touched(vanished, size), whole)
    changed = touched(merge(e for e in hints if e.exists), size)
    read = union(changed, in_part, [unfit_tail(geometry, base)] if base else [])
    gone = union(subtract(whole, read))
    return list(_label(geometry.count, read, gone, Action.KEEP if base else Action.SPARSE))


def plan_all(geometry: Geometry) -> list[Run]:
    """The single run of a backup without hints: every block is read."""
    return [Run(Action.READ, 0, geometry.count)] if geometry.count else []


def skip_holes(runs: Iterable[Run], allocated: Iterable[Extent], block_size: int) -> Iterator[Run]:
    """Turn blocks to be read into sparse ones where the source says that nothing is allocated."""
    spans = touched(allocated, block_size)
    span = next(spans, None)
    for run in runs:
        if run.action is not Action.READ:
            yield run
            continue
        at = run.start
        while at < run.stop:
            while span is not None and span.stop <= at:
                span = next(spans, None)
            if span is None or span.start >= run.stop:
                yield Run(Action.SPARSE, at, run.stop)
                break
            if span.start > at:
                yield Run(Action.SPARSE, at, span.start)
            at, begin = min(span.stop, run.stop), max(at, span.start)
            yield Run(Action.READ, begin, at)


def by_segment(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Cut the runs of a whole device at the borders of segments; one list for each segment, in order."""
    pending: list[Run] = []
    for run in runs:
        start = run.start
        while start < run.stop:
            border = (start // SEGMENT_BLOCKS + 1) * SEGMENT_BLOCKS
            stop = min(run.stop, border)
            pending.append(Run(run.action, start, stop))
            start = stop
            if stop == border:
                yield pending
                pending = []
    if pending:
        yield pending


def unfit_tail(geometry: Geometry, base: Geometry) -> Span:
    """The blocks for which the base has none of the same length: the grown part, and a last block cut elsewhere."""
    common = min(geometry.count, base.count)
    if common and geometry.length(common - 1) != base.length(common - 1):
        common -= 1
    return Span(common, geometry.count)


def _label(count: int, read: Sequence[Span], gone: Sequence[Span], rest: Action) -> Iterator[Run]:
    marked = [(s.start, s.stop, Action.READ) for s in read] + [(s.start, s.stop, Action.SPARSE) for s in gone]
    at = 0
    for start, stop, action in sorted(marked, key=lambda m: m[0]):
        if at < start:
            yield Run(rest, at, start)
        if start < min(stop, count):
            yield Run(action, start, min(stop, count))
        at = stop
    if at < count:
        yield Run(rest, at, count)
