"""What is due by the schedules, and where what there is breaks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from backy2_core.config.load import Schedule
from backy2_core.model.version import Version, VersionState

NEVER_MADE = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a backup is due that was never made."""
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_SURPLUS = 2
"""How many versions more than are to be kept are no breach: they are removed by somebody else, a little later."""


@dataclass(frozen=True, slots=True)
class Due:
    """A name that should be backed up: by which ``schedulers``, ``since`` when, and when that backup may go."""

    name: str
    schedulers: tuple[str, ...]
    expire: datetime
    since: datetime


def dates_by_tag(versions: Iterable[Version]) -> dict[str, list[datetime]]:
    """When the valid ones of these versions were made, by tag, ascending."""
    dates: dict[str, list[datetime]] = {}
    for version in versions:
        if version.state is VersionState.VALID:
            for tag in version.tags:
                dates.setdefault(tag, []).append(version.date)
    return {tag: sorted(found) for tag, found in dates.items()}


def due_for(
    name: str, dates: Mapping[str, Sequence[datetime]], schedules: Iterable[Schedule], now: datetime
) -> Due | None:
    """What is due for ``name``, whose versions were made at these ``dates`` (by tag); None if nothing is.

    A schedule is due once its interval less its sla is over since the newest version with its tag, and at once if there is
    none. One that keeps nothing is never due. The new backup is to be kept for the longest of keep + 1 intervals.
    """
    waiting = {
        schedule: since
        for schedule in schedules
        if schedule.keep and (since := _due_since(dates.get(schedule.name, ()), schedule)) < now
    }
    if not waiting:
        return None
    lifetime_s = max((schedule.keep + 1) * schedule.interval_s for schedule in waiting)
    names = tuple(sorted(schedule.name for schedule in waiting))
    return Due(name, names, _after(now, lifetime_s), min(waiting.values()))


def breaches(dates: Mapping[str, Sequence[datetime]], schedules: Iterable[Schedule], now: datetime) -> Iterator[str]:
    """Where the versions that were made at these ``dates`` (by tag) break a schedule: a sentence each.

    Too few or too many (two more than are to be kept are none too many); the newest too old; two that follow each other
    nearer or farther apart than the interval, give or take the sla; the oldest too old, by a day more than the sla. A
    schedule that keeps nothing is not looked at.
    """
    for schedule in schedules:
        if schedule.keep:
            for text in _breaches_of(dates.get(schedule.name, ()), schedule, now):
                yield f"{schedule.name}: {text}"


def _due_since(dates: Sequence[datetime], schedule: Schedule) -> datetime:
    return _after(dates[-1], schedule.interval_s - schedule.sla_s) if dates else NEVER_MADE


def _breaches_of(dates: Sequence[datetime], schedule: Schedule, now: datetime) -> Iterator[str]:
    found, keep = len(dates), schedule.keep
    if found < keep:
        yield f"Too few backups. Found {found}, should be {keep}."
    if found > keep + _SURPLUS:
        yield f"Too many backups. Found {found}, should be {keep}."
    if not dates:
        return
    expected = _after(dates[-1], schedule.interval_s + schedule.sla_s)
    if expected < now:
        yield f"Latest backup is too old. Made {_text(dates[-1])}, the next should be there since {_text(expected)}."
    for earlier, later in pairwise(dates):
        apart_s = (later - earlier).total_seconds()
        if abs(apart_s - schedule.interval_s) > schedule.sla_s:
            yield (
                f"Wrong interval. {_text(earlier)} and {_text(later)} are {_span(apart_s)} apart,"
                f" should be {_span(schedule.interval_s)} (+-{_span(schedule.sla_s)})."
            )
    gone = _after(dates[0], keep * schedule.interval_s + schedule.sla_s + timedelta(days=1).total_seconds())
    if gone < now:
        yield f"Oldest backup is too old. Made {_text(dates[0])}, should be gone since {_text(gone)}."


def _after(moment: datetime, seconds: float) -> datetime:
    # Who wants to keep for ever writes a keep, or an interval, that no calendar holds.
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return _END_OF_TIME if seconds > 0 else NEVER_MADE


def _span(seconds: float) -> str:
    try:
        return str(timedelta(seconds=round(seconds)))
    except OverflowError:
        return f"{seconds:g} seconds"


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
