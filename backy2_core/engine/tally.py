"""Counts what became of a device's blocks while a backup runs."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.engine.plan import Action, Run
from backy2_core.model.block import Geometry
from backy2_core.model.version import Counts


class Tally:
    """Running totals, kept by the one thread that hands out work."""

    def __init__(self) -> None:
        self._bytes = dict.fromkeys(("read", "written", "dedup", "sparse", "kept"), 0)
        self._blocks = dict(self._bytes)

    def add(self, what: str, length: int, blocks: int = 1) -> None:
        """Count ``blocks`` with ``length`` bytes together as read, written, dedup, sparse or kept."""
        self._bytes[what] += length
        self._blocks[what] += blocks

    def add_planned(self, runs: Sequence[Run], geometry: Geometry) -> None:
        """Count what the plan settles without reading."""
        for run in runs:
            if run.action is not Action.READ:
                what = "kept" if run.action is Action.KEEP else "sparse"
                self.add(what, geometry.span_length(run.start, len(run)), len(run))

    @property
    def settled_bytes(self) -> int:
        """Bytes of the device whose fate is known: the progress of the backup."""
        return sum(self._bytes.values()) - self._bytes["read"]

    def counts(self) -> Counts:
        """The totals so far."""
        values = {f"bytes_{what}": n for what, n in self._bytes.items()}
        values |= {f"blocks_{what}": n for what, n in self._blocks.items()}
        return Counts(**values)
