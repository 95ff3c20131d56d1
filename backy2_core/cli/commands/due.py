"""Verb ``due``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backy2_core.cli.scheduling import SchedulingVerb

if TYPE_CHECKING:
    from backy2_core.config.load import Schedule
    from backy2_core.model.version import Version


class Due(SchedulingVerb):
    """Show which backups are due by the schedules.

    A row for each name that should be backed up now, the most overdue first, with what to give
    to backup: the schedulers as tags (-t), the date as --expire. A scheduler is due once its
    interval, less its sla, is over since the newest valid version of that name that has a tag of
    the scheduler's name; at once (since 1970) if there is none. One with keep = 0 never is. The
    version is to be kept for keep + 1 intervals, the longest of all. Times are UTC.
    """

    example = """
    backy2 due
    backy2 -ms due -s hourly,daily -f name,schedulers,expire_date
    """
    columns = ("name", "schedulers", "expire_date", "due_since")

    def judge(
        self, versions: Iterable[tuple[str, Iterable[Version]]], schedules: Sequence[Schedule]
    ) -> Iterable[Sequence[Any]]:
        """A row a name that is due."""
        from backy2_core.cli.cells import Moment, Names
        from backy2_core.engine.schedule import dates_by_tag, due_for

        now = datetime.now(UTC)
        judged = [due_for(name, dates_by_tag(theirs), schedules, now) for name, theirs in versions]
        return [
            (due.name, Names(due.schedulers), Moment(due.expire), Moment(due.since))
            for due in sorted((due for due in judged if due), key=lambda due: (due.since, due.name))
        ]
