"""Turns the plan of a backup into drafts of segments, and the runs of blocks that must be read for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.draft import Draft
from backy2_core.engine.plan import Action, Run
from backy2_core.errors import MetaBackendError
from backy2_core.model.block import Geometry
from backy2_core.model.segment import SegmentId, segment_blocks
from backy2_core.model.version import Version

_LOOK_AHEAD = 256


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, and the runs it was made from; those to be read complete it."""

    draft: Draft
    runs: Sequence[Run]


@dataclass(frozen=True, slots=True)
class Base:
    """The version that unchanged blocks are taken from."""

    version: Version
    meta: MetaBackend

    def segments(self, start: int) -> Iterator[SegmentId]:
        """Ids of its segments from position ``start`` on."""
        return self.meta.read_map(self.version.id, start)


def draft_segments(
    plan: Iterable[Sequence[Run]], geometry: Geometry, base: Base | None, start: int
) -> Iterator[Drafted]:
    """Drafts in order, from segment ``start`` on. Base segments are looked up in batches, only where they are needed."""
    ids = base.segments(start) if base else iter(())
    numbered = enumerate(islice(plan, start, None), start)
    while batch := list(islice(numbered, _LOOK_AHEAD)):
        kept = dict(zip((index for index, _ in batch), ids, strict=False))
        data = _base_data(base, geometry, batch, kept)
        for index, runs in batch:
            yield _draft(index, runs, geometry, kept.get(index), data, _reusable(base, geometry, index, runs))


def _reusable(base: Base | None, geometry: Geometry, index: int, runs: Sequence[Run]) -> bool:
    if base is None or any(run.action is not Action.KEEP for run in runs):
        return False
    return segment_blocks(geometry, index) == segment_blocks(base.version.geometry, index)


def _base_data(
    base: Base | None, geometry: Geometry, batch: Sequence[tuple[int, Sequence[Run]]], kept: dict[int, SegmentId]
) -> dict[SegmentId, bytes]:
    if base is None:
        return {}
    wanted = {
        kept[index]
        for index, runs in batch
        if index in kept and any(r.action is Action.KEEP for r in runs) and not _reusable(base, geometry, index, runs)
    }
    found = base.meta.read_segments(wanted)
    if len(found) != len(wanted):
        raise MetaBackendError(
            f"The map of the base version {base.version.uid} lacks {len(wanted) - len(found)} segments; scrub it, and"
            " back up without it."
        )
    return {segment: stored.data for segment, stored in found.items()}


def _draft(
    index: int,
    runs: Sequence[Run],
    geometry: Geometry,
    base_id: SegmentId | None,
    data: dict[SegmentId, bytes],
    reuse: bool,
) -> Drafted:
    if reuse and base_id is not None:
        return Drafted(Draft(index, 0, kept=base_id), runs)
    draft = Draft(index, segment_blocks(geometry, index))
    for run in runs:
        if run.action is Action.KEEP and base_id is not None:
            draft.keep(run.start, run.stop, data[base_id])
    draft.waiting = sum(len(run) for run in runs if run.action is Action.READ)
    return Drafted(draft, runs)


def split_runs(runs: Iterable[Run], blocks: int) -> Iterator[Run]:
    """Cut the runs to be read into units of at most ``blocks`` blocks: what one worker reads at a time."""
    for run in runs:
        if run.action is not Action.READ:
            continue
        for start in range(run.start, run.stop, blocks):
            yield Run(run.action, start, min(run.stop, start + blocks))
