"""The tags that a backup gets if nobody names any."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine.retention import add_tags
from backy2_core.engine.tagging import automatic_tags, automatic_tags_of
from backy2_core.model.block import Geometry
from backy2_core.model.version import Version, VersionId, VersionState, VersionUid
from tests.engine.place import image

NOON = datetime(2024, 3, 15, 12, 0, tzinfo=UTC)
MIDNIGHT = NOON.replace(hour=0)
ALL = {"b_daily", "b_weekly", "b_monthly"}
TICK = timedelta(microseconds=1)


def version(date: datetime, tags: set[str], state: VersionState = VersionState.VALID) -> Version:
    return Version(
        VersionId(1), VersionUid("u"), "vm", "", date, Geometry(1, 512), "blake3", "", "", None, "", b"", state, False, None,
        frozenset(tags),
    )  # fmt: skip


def test_the_first_backup_of_a_name_gets_all_three() -> None:
    assert automatic_tags([], NOON) == ALL


@pytest.mark.parametrize(
    ("tag", "days"), [("b_daily", 1), ("b_weekly", 7), ("b_monthly", 30)], ids=["daily", "weekly", "monthly"]
)
def test_a_tag_is_given_again_after_so_many_days_of_utc(tag: str, days: int) -> None:
    first_day_that_counts = MIDNIGHT - timedelta(days=days - 1)
    assert tag not in automatic_tags([version(first_day_that_counts, {tag})], NOON)
    assert tag in automatic_tags([version(first_day_that_counts - TICK, {tag})], NOON)
    assert automatic_tags([version(NOON, {tag})], NOON) == ALL - {tag}


def test_a_backup_of_each_night_gets_the_weekly_tag_on_each_seventh_even_if_it_begins_a_little_earlier() -> None:
    made: list[Version] = []
    for night in range(60):
        date = MIDNIGHT + timedelta(days=night, hours=2) - timedelta(seconds=night)
        made.append(version(date, set(automatic_tags(made, date))))
    weekly = [number for number, each in enumerate(made) if "b_weekly" in each.tags]
    assert weekly == list(range(0, 60, 7))
    assert [number for number, each in enumerate(made) if "b_monthly" in each.tags] == [0, 30]
    assert all("b_daily" in each.tags for each in made)


def test_a_date_to_come_counts_as_of_today() -> None:
    assert automatic_tags([version(NOON + timedelta(days=400), ALL)], NOON) == set()


def test_only_valid_versions_count() -> None:
    for state in set(VersionState) - {VersionState.VALID}:
        assert automatic_tags([version(NOON, ALL, state)], NOON) == ALL


def test_the_day_is_that_of_utc_wherever_the_clock_stands() -> None:
    east = timezone(timedelta(hours=14))
    just_before = [version(MIDNIGHT - TICK, {"b_daily"})]
    assert "b_daily" in automatic_tags(just_before, MIDNIGHT.astimezone(east))
    assert "b_daily" not in automatic_tags(just_before, (MIDNIGHT - TICK).astimezone(east))


@given(st.lists(st.tuples(st.integers(-40, 5), st.sampled_from(sorted(ALL)))), st.integers(0, 86399))
def test_the_order_of_the_versions_does_not_matter_and_more_of_them_never_give_more_tags(
    dates: list[tuple[int, str]], second: int
) -> None:
    now = MIDNIGHT + timedelta(seconds=second)
    versions = [version(now + timedelta(days=day), {tag}) for day, tag in dates]
    tags = automatic_tags(versions, now)
    assert automatic_tags(reversed(versions), now) == tags
    assert tags <= automatic_tags(versions[1:], now)


def test_only_valid_versions_of_the_same_name_count(place):
    uid = place.uid(image("a"))
    made = place.version(uid)
    assert automatic_tags_of(place.meta, made.name, made.date) == ALL
    add_tags(place.meta, made, {"b_daily"})
    assert automatic_tags_of(place.meta, made.name, made.date) == ALL - {"b_daily"}
    assert automatic_tags_of(place.meta, f"{made.name}2", made.date) == ALL
    place.meta.set_version_state(made.id, VersionState.DAMAGED, unless=())
    assert automatic_tags_of(place.meta, made.name, made.date) == ALL
