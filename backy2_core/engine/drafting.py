"""Turns the plan of a backup into drafts of segments, and the runs of blocks that must be read for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend
from backy2_core.engine.draft import Draft
from backy2_core.engine.plan import Action, Run
from backy2_core.engine.stored_map import StoredMap, batches
from backy2_core.errors import DamageError
from backy2_core.model.block import Geometry
from backy2_core.model.segment import SEGMENT_BLOCKS, segment_blocks

_LOOK_AHEAD = 256


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
    numbered = enumerate(islice(plan, start, None), start)
    for batch in batches(numbered, _LOOK_AHEAD):
        data = _base_data(meta, base, geometry, batch) if base else {}
        for index, runs in batch:
            yield Drafted(_draft(index, runs, geometry, base, data), runs)


def _reusable(base: StoredMap, geometry: Geometry, index: int, runs: Sequence[Run]) -> bool:
    if any(run.action is not Action.KEEP for run in runs):
        return False
    return segment_blocks(geometry, index) == segment_blocks(base.version.geometry, index)


def _base_data(
    meta: MetaBackend, base: StoredMap, geometry: Geometry, batch: Sequence[tuple[int, Sequence[Run]]]
) -> dict[int, bytes]:
    wanted = {
        index: base.id(index)
        for index, runs in batch
        if any(run.action is Action.KEEP for run in runs) and not _reusable(base, geometry, index, runs)
    }
    found = meta.read_segments(set(wanted.values()))
    data = {}
    for index, segment in wanted.items():
        stored = found.get(segment)
        fault = base.fault(index, stored)
        if fault or stored is None:
            raise DamageError(
                f"The base version {base.version.uid} cannot be built upon: at block {index * SEGMENT_BLOCKS}, {fault}."
                " Scrub it, and back up without it."
            )
        data[index] = stored.data
    return data


def _draft(
    index: int, runs: Sequence[Run], geometry: Geometry, base: StoredMap | None, data: dict[int, bytes]
) -> Draft:
    if base is not None and _reusable(base, geometry, index, runs):
        return Draft(index, 0, KeptSegment(base.id(index)), base.digest(index))
    draft = Draft(index, segment_blocks(geometry, index))
    for run in runs:
        if run.action is Action.KEEP:
            draft.keep(run.start, run.stop, data[index])
    draft.waiting = sum(len(run) for run in runs if run.action is Action.READ)
    return draft


def split_runs(runs: Iterable[Run], blocks: int) -> Iterator[Run]:
    """Cut the runs to be read into units of at most ``blocks`` blocks: what one worker reads at a time."""
    for run in runs:
        if run.action is not Action.READ:
            continue
        for start in range(run.start, run.stop, blocks):
            yield Run(run.action, start, min(run.stop, start + blocks))
