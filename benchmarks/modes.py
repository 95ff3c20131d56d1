"""The two ways in which blocks are stored and measured, and what is expected of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.sizes import MIB

FIRST, UNCHANGED, HINTS, FULL, RESTORE, SCRUB = STEPS = (
    "first backup",
    "unchanged, full read",
    "1 % changed, hints",
    "1 % changed, full read",
    "restore -s",
    "scrub",
)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """How many times as fast as the fastest of ``programs`` a step must be."""

    times: float
    programs: tuple[str, ...] = ("restic", "borg", "backy2 2.9 (noted)")


@dataclass(frozen=True, slots=True)
class Mode:
    """One way; ``sealed`` blocks are compressed and encrypted.

    ``of_bare``: the least share of the bare loop's throughput, by step; ``of_others``: what is asked beside other programs.
    """

    name: str
    title: str
    sealed: bool
    peak_bytes: int
    of_bare: Mapping[str, float] = field(default_factory=dict)
    of_others: Mapping[str, AtLeast] = field(default_factory=dict)

    def subject(self, name: str) -> str:
        """What a subject of this name is called among those of all modes."""
        return f"{name}, {self.name}"


PLAIN = Mode(
    "plain",
    "blocks as they are",
    sealed=False,
    peak_bytes=200 * MIB,
    of_bare={FIRST: 0.70, UNCHANGED: 0.80, RESTORE: 0.70, SCRUB: 0.70},
    of_others={FIRST: AtLeast(2.0), UNCHANGED: AtLeast(3.0), RESTORE: AtLeast(3.0), SCRUB: AtLeast(3.0)},
)
_BOTH = ("restic", "borg")
SEALED = Mode(
    "sealed",
    "blocks compressed and encrypted (zstd level 1, AES-256-GCM)",
    sealed=True,
    peak_bytes=250 * MIB,
    of_bare={FIRST: 0.70},
    of_others={
        FIRST: AtLeast(3.0, _BOTH),
        UNCHANGED: AtLeast(5.0, ("restic",)),
        RESTORE: AtLeast(3.0, _BOTH),
        SCRUB: AtLeast(3.0, _BOTH),
    },
)
MODES = {mode.name: mode for mode in (PLAIN, SEALED)}
