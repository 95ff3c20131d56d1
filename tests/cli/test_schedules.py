"""``due`` and ``sla``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Backy

SCHEDULES = {
    "hourly": ("1h", 25, "1h"),
    "daily": ("1d", 8, "6h"),
    "weekly": ("7d", 5, "12h"),
    "monthly": ("30d", 3, "3d"),
    "off": ("1s", 0, "0s"),
}


@pytest.fixture
def planned(backy: Backy) -> Backy:
    """One with the original's schedules, written as there."""
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text(
        "".join(f"[{name}]\ninterval: {i}\nkeep: {keep}\nsla: {sla}\n" for name, (i, keep, sla) in SCHEDULES.items())
    )
    backy.ok("initdb")
    return backy


def test_due_has_the_shape_of_the_original(planned: Backy) -> None:
    planned.backup("-t", "hourly", name="vm-a")
    planned.backup("-t", "x", name="vm-b")
    now = datetime.now(UTC)
    header, *lines = planned.ok("-m", "due", "-s", "daily,hourly").splitlines()
    assert header == "name|schedulers|expire_date|due_since"
    # What was made within the hour is due again: the hourly sla is as long as its interval.
    assert [line.split("|")[:2] for line in lines] == [["vm-a", "daily,hourly"], ["vm-b", "daily,hourly"]]
    for line in lines:
        expire, since = line.split("|")[2:]
        assert abs(datetime.fromisoformat(f"{expire}Z") - now - timedelta(days=9)) < timedelta(minutes=1)
        assert since == "1970-01-01 00:00:00"
    table = planned.ok("due").splitlines()
    assert [cell.strip() for cell in table[1].strip("|").split("|")] == header.split("|")
    assert "| daily,monthly,weekly |" in table[3]


def test_what_was_just_made_is_not_due(planned: Backy) -> None:
    planned.backup("-t", "daily,weekly", name="vm")
    planned.backup("-t", "daily,weekly,monthly", name="web")
    assert planned.ok("-ms", "due", "-f", "name,schedulers") == "vm|monthly\n"
    assert planned.ok("-ms", "due", "web") == ""


def test_the_longest_overdue_stands_first(planned: Backy) -> None:
    planned.backup("-t", "hourly", name="a")
    planned.backup("-t", "x", name="z")
    assert planned.ok("-ms", "due", "-s", "hourly", "-f", "name").split() == ["z", "a"]


def test_a_name_that_has_no_version_is_due_too(planned: Backy) -> None:
    assert planned.ok("-ms", "due", "new", "-f", "name,schedulers") == "new|daily,monthly,weekly\n"
    assert planned.ok("-ms", "due") == ""
    assert planned.ok("-ms", "due", "new", "-s", "off") == ""


def test_sla_has_the_shape_of_the_original(planned: Backy) -> None:
    planned.backup("-t", "x", name="vm-b")
    planned.backup("-t", "x", name="vm-a")
    assert planned.ok("-m", "sla", "-s", "daily", "vm-a") == (
        "name|breach\nvm-a|daily: Too few backups. Found 0, should be 8.\n"
    )
    assert json.loads(planned.ok("sla", "-f", "json")) == [
        {"name": name, "breach": f"{scheduler}: Too few backups. Found 0, should be {SCHEDULES[scheduler][1]}."}
        for name in ("vm-a", "vm-b")
        for scheduler in ("daily", "weekly", "monthly")
    ]


def test_sla_says_every_breach_and_nothing_of_what_is_well(planned: Backy) -> None:
    for _ in range(3):
        planned.backup("-t", "monthly")
    breaches = planned.ok("-ms", "sla", "-s", "monthly,off", "-f", "breach").splitlines()
    assert len(breaches) == 2
    assert all(breach.startswith("monthly: Wrong interval. ") for breach in breaches)


@pytest.mark.parametrize("verb", ["due", "sla"])
def test_a_scheduler_that_is_not_configured_is_an_error_that_names_those_that_are(planned: Backy, verb: str) -> None:
    ended = planned.call(verb, "-s", "daily,yearly")
    assert (ended.code, ended.out) == (2, "")
    assert "'yearly'" in ended.err
    assert "daily, hourly, monthly, off, weekly" in ended.err
    assert "[schedule:yearly]" in ended.err


def test_where_none_are_configured_the_configuration_is_to_blame(backy: Backy) -> None:
    ended = backy.call("due")
    assert ended.code == 10
    assert "'daily'" in ended.err
    assert "interval, keep and sla" in ended.err
