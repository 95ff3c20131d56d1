"""One round of a cleanup over segments and blob records: who is referred to, and what follows from that.

Rules 4 to 6 of the cleanup protocol. A segment is referred to by the map of any version that has rows, a blob by any segment
row. A blob that only condemned segments refer to is condemned, but does not go before those segments did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from backy2_core.contracts.meta_backend import BlobRow, SegmentRow, Sweep
from backy2_core.engine.context import Engine
from backy2_core.engine.foreign import ForeignBlobs
from backy2_core.engine.idset import IdSet
from backy2_core.engine.requests import CleanupResult
from backy2_core.model.blob import BlobState
from backy2_core.model.segment import block_ids


@dataclass(slots=True)
class _Decisions:
    """What is to become of one batch of rows."""

    revive: list[tuple[int, int]] = field(default_factory=list)
    drop: list[tuple[int, int]] = field(default_factory=list)
    condemn: list[int] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """True if there is anything to be done."""
        return bool(self.revive or self.drop or self.condemn)

    def sweep(self) -> Sweep:
        """For the meta backend."""
        return Sweep(self.revive, self.drop, self.condemn)


def sweep_round(engine: Engine, horizon: int, result: CleanupResult) -> CleanupResult:
    """One round, adding to ``result``.

    The horizon must have been read before this is called, and after removed versions were dropped.
    """
    in_maps = IdSet()
    for segments in engine.meta.scan_maps():
        in_maps.add_all(segments)
    result = _sweep_segments(engine, horizon, in_maps, result)
    in_any, in_live = _referenced_blobs(engine)
    return _sweep_blobs(engine, horizon, in_any, in_live, result)


def _sweep_segments(engine: Engine, horizon: int, in_maps: IdSet, result: CleanupResult) -> CleanupResult:
    deleted = condemned = 0
    for rows in engine.meta.scan_segments(with_data=False):
        decisions = _judge_segments(rows, horizon, in_maps)
        condemned += len(decisions.condemn)
        if decisions.changes:
            deleted += engine.meta.sweep_segments(decisions.sweep(), horizon)
    return replace(
        result,
        deleted_segments=result.deleted_segments + deleted,
        condemned_segments=result.condemned_segments + condemned,
    )


def _judge_segments(rows: Iterable[SegmentRow], horizon: int, in_maps: IdSet) -> _Decisions:
    decisions = _Decisions()
    for row in rows:
        referenced = row.id in in_maps
        if row.condemned is None:
            if not referenced:
                decisions.condemn.append(row.id)
        elif row.condemned < horizon:
            (decisions.revive if referenced else decisions.drop).append((row.id, row.generation))
    return decisions


def _referenced_blobs(engine: Engine) -> tuple[IdSet, IdSet]:
    """Blobs that any segment row refers to, and those that one refers to which is not condemned."""
    in_any, in_live = IdSet(), IdSet()
    for rows in engine.meta.scan_segments(with_data=True):
        for row in rows:
            blobs = [blob for blob in block_ids(row.data) if blob > 0]
            in_any.add_all(blobs)
            if row.condemned is None:
                in_live.add_all(blobs)
    return in_any, in_live


def _sweep_blobs(engine: Engine, horizon: int, in_any: IdSet, in_live: IdSet, result: CleanupResult) -> CleanupResult:
    condemned = spared = 0
    foreign = ForeignBlobs(engine)
    for rows in engine.meta.scan_blobs(engine.store):
        decisions = _judge_blobs(rows, horizon, in_any, in_live)
        condemned += len(decisions.condemn)
        staying = foreign.among(rows, [number for number, _ in decisions.drop])
        spared += len(staying)
        decisions.drop = [(number, generation) for number, generation in decisions.drop if number not in staying]
        if decisions.changes:
            engine.meta.sweep_blobs(decisions.sweep(), horizon)
    return replace(result, condemned_blobs=result.condemned_blobs + condemned, spared_blobs=spared)


def _judge_blobs(rows: Sequence[BlobRow], horizon: int, in_any: IdSet, in_live: IdSet) -> _Decisions:
    decisions = _Decisions()
    for row in rows:
        if row.state is BlobState.DELETING:
            continue
        if row.condemned is None:
            if row.id not in in_live:
                decisions.condemn.append(row.id)
        elif row.condemned < horizon:
            if row.id in in_live:
                decisions.revive.append((row.id, row.generation))
            elif row.id not in in_any:
                decisions.drop.append((row.id, row.generation))
    return decisions
