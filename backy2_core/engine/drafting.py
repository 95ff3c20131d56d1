"""Turns the plan of a backup into drafts of segments, and the runs of blocks that must be read for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend
from backy2_core.engine.draft import Draft
from backy2_core.engine.plan import Action, Run
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.model.block import Geometry
from backy2_core.model.segment import SEGMENT_BLOCKS, segment_blocks, segment_count

_LOOK_AHEAD = 1024


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft, and the runs it was made from; those to be read complete it."""

    draft: Draft
    runs: Sequence[Run]


def draft_segments(
    plan: Iterable[Sequence[Run]], geometry: Geometry, meta: MetaBackend, base: StoredMap | None, start: int
) -> Iterator[Drafted]:
    """Drafts in order, from segment ``start`` on.

    Segments of the base are read in batches, only those that are kept in part, and checked against its map's digests.
    """
    kept_whole = _comparable(geometry, base.version.geometry) if base else 0
    numbered = enumerate(islice(plan, start, None), start)
    for batch in batches(numbered, _LOOK_AHEAD):
        partly = [index for index, runs in batch if not (_kept(runs) and index < kept_whole) and _keeps_any(runs)]
        data = _base_data(meta, base, partly) if base else {}
        for index, runs in batch:
            if base is not None and index < kept_whole and _kept(runs):
                yield Drafted(Draft(index, 0, KeptSegment(base.id(index)), base.digest(index)), runs)
            else:
                yield Drafted(_draft(index, runs, geometry, data.get(index, b"")), runs)


def _comparable(geometry: Geometry, base: Geometry) -> int:
    """How many leading segments have the same number of blocks in both."""
    if geometry.count == base.count:
        return segment_count(geometry)
    return min(geometry.count, base.count) // SEGMENT_BLOCKS


def _kept(runs: Sequence[Run]) -> bool:
    return len(runs) == 1 and runs[0].action is Action.KEEP


def _keeps_any(runs: Sequence[Run]) -> bool:
    return any(run.action is Action.KEEP for run in runs)


def _base_data(meta: MetaBackend, base: StoredMap, indexes: Sequence[int]) -> dict[int, bytes]:
    found = meta.read_segments({base.id(index) for index in indexes})
    data = {}
    for index in indexes:
        data[index] = base.data(index, found.get(base.id(index)))
    return data


def _draft(index: int, runs: Sequence[Run], geometry: Geometry, base_data: bytes) -> Draft:
    draft = Draft(index, segment_blocks(geometry, index))
    for run in runs:
        if run.action is Action.KEEP:
            draft.keep(run.start, run.stop, base_data)
        elif run.action is Action.READ:
            draft.waiting += len(run)
    return draft


def split_runs(runs: Iterable[Run], blocks: int) -> Iterator[Run]:
    """Cut the runs to be read into units of at most ``blocks`` blocks: what one worker reads at a time."""
    for run in runs:
        if run.action is not Action.READ:
            continue
        for start in range(run.start, run.stop, blocks):
            yield Run(run.action, start, min(run.stop, start + blocks))
