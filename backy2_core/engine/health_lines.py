"""What a health check says: a line for each thing that it looked at."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from backy2_core.engine.damage import MOST_NAMED

log = logging.getLogger(__name__)

_MOST_LOGGED = 100


class Verdict(enum.StrEnum):
    """How bad it is. A ``note`` is untidy and harms nothing; ``mismatch``: store and database do not know the same
    versions; ``damage``: blocks cannot be restored."""

    OK = "ok"
    NOTE = "note"
    MISMATCH = "mismatch"
    DAMAGE = "damage"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at: how many were checked, how many have a problem, and what they are or what to do."""

    what: str
    checked: int
    problems: int
    verdict: Verdict
    detail: str = ""


@dataclass(slots=True)
class Faults:
    """Faults of one kind: their number, and the first 1000 as (name, reason)."""

    count: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        """Take one in."""
        self.count += 1
        if len(self.named) < MOST_NAMED:
            self.named.append((name, reason))

    def text(self, advice: str) -> str:
        """The first by name, and how many more there are, then what to do about them; empty if there is none."""
        if not self.count:
            return ""
        more = f" and {self.count - 1} more" if self.count > 1 else ""
        return f"{self.named[0][0]}{more}: {advice}"

    def log(self, noun: str, level: int = logging.ERROR) -> None:
        """A line in the log for each of the first 100, and one for how many more there are."""
        for name, reason in self.named[:_MOST_LOGGED]:
            log.log(level, "%s %s: %s", noun, name, reason)
        if self.count > _MOST_LOGGED:
            log.log(level, "%s: %d more of the same kind", noun, self.count - _MOST_LOGGED)


def line(what: str, checked: int, faults: Faults, bad: Verdict, advice: str) -> Line:
    """The line for something with these faults, which are ``bad`` if there are any."""
    return Line(what, checked, faults.count, bad if faults.count else Verdict.OK, faults.text(advice))


def worst(lines: Iterable[Line]) -> Verdict:
    """The worst verdict of all."""
    order = list(Verdict)
    return max((each.verdict for each in lines), key=order.index, default=Verdict.OK)
