"""What is due, and what breaks a schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from backy2_core.config.load import Schedule
from backy2_core.engine.schedule import NEVER_MADE, Due, breaches, dates_by_tag, due_for
from backy2_core.model.block import Geometry
from backy2_core.model.version import Version, VersionId, VersionState, VersionUid

NOW = datetime(2024, 3, 15, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)
DAILY = Schedule("daily", 86400.0, 8, 6 * 3600.0)
WEEKLY = Schedule("weekly", 7 * 86400.0, 5, 12 * 3600.0)
OFF = Schedule("off", 3600.0, 0, 60.0)


def due(dates: dict[str, Sequence[datetime]], *schedules: Schedule) -> Due | None:
    return due_for("vm", dates, schedules, NOW)


def broken(dates: Sequence[datetime], schedule: Schedule = DAILY, now: datetime = NOW) -> list[str]:
    return list(breaches({schedule.name: dates}, [schedule], now))


def nights(count: int, newest: datetime = NOW - HOUR) -> list[datetime]:
    return [newest - DAY * number for number in reversed(range(count))]


def test_what_was_never_made_is_due_since_the_beginning_of_time() -> None:
    assert due({}, DAILY) == Due("vm", ("daily",), NOW + 9 * DAY, NEVER_MADE)
    assert f"{NEVER_MADE:%Y-%m-%d %H:%M:%S}" == "1970-01-01 00:00:00"


def test_a_scheduler_is_due_once_its_interval_less_its_sla_is_over() -> None:
    border = NOW - (DAY - 6 * HOUR)
    assert due({"daily": [border]}, DAILY) is None
    assert due({"daily": [border - 30 * DAY, border - SECOND]}, DAILY) == Due(
        "vm", ("daily",), NOW + 9 * DAY, NOW - SECOND
    )


def test_a_tag_of_another_scheduler_does_not_count() -> None:
    found = due({"weekly": [NOW]}, DAILY)
    assert found is not None
    assert found.since == NEVER_MADE


def test_several_due_at_once_are_one_backup_that_lives_as_long_as_the_longest_asks() -> None:
    found = due({"daily": [NOW - 2 * DAY], "weekly": [NOW - 8 * DAY]}, WEEKLY, DAILY)
    assert found == Due("vm", ("daily", "weekly"), NOW + 42 * DAY, NOW - DAY - DAY / 2)
    assert due({"daily": [NOW - 2 * DAY], "weekly": [NOW]}, WEEKLY, DAILY) == Due(
        "vm", ("daily",), NOW + 9 * DAY, NOW - DAY - 6 * HOUR
    )


def test_a_scheduler_that_keeps_nothing_is_never_due_and_never_broken() -> None:
    assert due({}, OFF) is None
    assert broken([], OFF) == []
    assert broken(nights(100), OFF) == []


def test_what_keeps_to_the_schedule_is_no_breach() -> None:
    assert broken(nights(8)) == broken(nights(9)) == []


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_are_told_in_the_words_of_the_original(count: int) -> None:
    assert broken(nights(count)) == [f"daily: Too few backups. Found {count}, should be 8."]


def test_two_more_than_are_to_be_kept_are_not_yet_too_many() -> None:
    def too_many(count: int) -> bool:
        return any("Too many" in text for text in broken(nights(count)))

    assert not too_many(10)
    assert "daily: Too many backups. Found 11, should be 8." in broken(nights(11))


def test_the_newest_may_be_as_old_as_interval_and_sla() -> None:
    border = NOW - DAY - 6 * HOUR
    assert broken(nights(8, border)) == []
    (text,) = broken(nights(8, border - SECOND))
    assert text == (
        "daily: Latest backup is too old. Made 2024-03-14 05:59:59, the next should be there since 2024-03-15 11:59:59."
    )


@pytest.mark.parametrize("hours", [-6, 6])
def test_a_distance_may_differ_from_the_interval_by_the_sla(hours: int) -> None:
    dates = nights(8)
    shifted = [date - hours * HOUR for date in dates[:-1]] + dates[-1:]
    assert broken(shifted) == []
    further = [date - timedelta(seconds=hours / abs(hours)) for date in shifted[:-1]] + dates[-1:]
    (text,) = broken(further)
    assert text.startswith("daily: Wrong interval. 2024-03-14 ")
    assert text.endswith(" apart, should be 1 day, 0:00:00 (+-6:00:00).")


def test_the_oldest_may_be_as_old_as_all_that_are_kept_the_sla_and_a_day() -> None:
    oldest = NOW - 9 * DAY - 6 * HOUR
    dates = [oldest + (DAY + HOUR) * number for number in range(9)]
    assert broken(dates) == []
    (text,) = broken(dates, now=NOW + SECOND)
    assert (
        text == "daily: Oldest backup is too old. Made 2024-03-06 06:00:00, should be gone since 2024-03-15 12:00:00."
    )


def test_every_schedule_is_judged_by_its_own_tag_in_the_order_given() -> None:
    found = list(breaches({"daily": nights(8)}, [WEEKLY, DAILY, Schedule("hourly", 3600.0, 2, 60.0)], NOW))
    assert found == [
        "weekly: Too few backups. Found 0, should be 5.",
        "hourly: Too few backups. Found 0, should be 2.",
    ]


@pytest.mark.parametrize("forever", [Schedule("x", 86400.0, 10**12, 60.0), Schedule("x", 1e15, 3, 60.0)])
def test_who_keeps_for_ever_gets_the_end_of_the_calendar(forever: Schedule) -> None:
    found = due({}, forever)
    assert found is not None
    assert f"{found.expire:%Y-%m-%d %H:%M:%S}" == "9999-12-31 23:59:59"
    assert broken([NOW - DAY, NOW], forever)[0].startswith("x: Too few backups")


def test_an_sla_that_no_calendar_holds_makes_due_at_once() -> None:
    found = due({"x": [NOW]}, Schedule("x", 1.0, 3, 1e15))
    assert found is not None
    assert found.since == NEVER_MADE


def test_only_valid_versions_count_and_dates_ascend() -> None:
    def version(date: datetime, state: VersionState, *tags: str) -> Version:
        return Version(
            VersionId(1), VersionUid("u"), "vm", "", date, Geometry(1, 512), "blake3", "", "", None, "", b"", state, False,
            None, frozenset(tags),
        )  # fmt: skip

    versions = [
        version(NOW, VersionState.VALID, "daily", "weekly"),
        version(NOW - DAY, VersionState.VALID, "daily"),
        version(NOW - 2 * DAY, VersionState.DAMAGED, "daily"),
        version(NOW - 3 * DAY, VersionState.INCOMPLETE, "daily"),
    ]
    assert dates_by_tag(versions) == {"daily": [NOW - DAY, NOW], "weekly": [NOW]}
