"""Verb ``sla``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backy2_core.cli.scheduling import SchedulingVerb

if TYPE_CHECKING:
    from backy2_core.config.load import Schedule
    from backy2_core.model.version import Version


class Sla(SchedulingVerb):
    """Show where the backups break the schedules.

    A row for each breach, by name; an empty list is good news. For each scheduler it looks at the
    valid versions of a name that have a tag of the scheduler's name. A breach is: fewer of them
    than keep, or more by over two; the newest older than interval and sla; two in a row whose
    distance differs from the interval by more than the sla; the oldest older than keep intervals,
    the sla and a day. A scheduler with keep = 0 is left out. Times are UTC.
    """

    example = """
    backy2 sla
    backy2 -ms sla -s daily vm1
    """
    columns = ("name", "breach")

    def judge(
        self, versions: Iterable[tuple[str, Iterable[Version]]], schedules: Sequence[Schedule]
    ) -> Iterable[Sequence[Any]]:
        """A row a breach."""
        from backy2_core.engine.schedule import breaches, dates_by_tag

        now = datetime.now(UTC)
        return [
            (name, breach) for name, theirs in versions for breach in breaches(dates_by_tag(theirs), schedules, now)
        ]
