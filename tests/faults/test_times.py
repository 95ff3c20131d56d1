"""Time zones (fault 31, and what the original did of old): the host's zone changes nothing but what people read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.site import REFUSED, Site, blocks

EAST, WEST = "EAST-14", "WEST+12"
DAY_US = 86_400_000_000


@pytest.mark.parametrize("zone", [EAST, WEST])
def test_fault_31_dates_are_utc_whatever_the_zone_of_the_host(zone: str, site: Site) -> None:
    """The original mixed local time and UTC: in the dates of versions and of their blocks, in tags, due and sla."""
    site.image.write_bytes(blocks(range(1, 4)))
    began = datetime.now(UTC)
    assert site.run("backup", site.url, "vm", zone=zone).code == 0
    (listed,) = site.run("ls", "--format", "json", zone=zone).record
    assert abs(_read(listed["date"]) - began) < timedelta(minutes=1)
    (statistics,) = site.run("stats", "--format", "json", zone=zone).record
    assert statistics["date"] == listed["date"]
    for table, column in (("versions", "date"), ("blobs", "date"), ("statistics", "date"), ("jobs", "began")):
        for (stamp,) in site.rows(f"SELECT {column} FROM backy2_{table}"):
            assert abs(stamp / 1e6 - began.timestamp()) < 60, table


@pytest.mark.parametrize("zone", [EAST, WEST])
def test_fault_31_the_age_that_rm_asks_for_does_not_depend_on_the_zone(zone: str, site: Site) -> None:
    """The original compared UTC with local time: west of it a fresh version could not be removed at all."""
    uids = [site.backup(blocks([1])) for _ in range(3)]
    assert site.run("rm", uids[0], zone=zone).code == 0
    site.configure({"disallow_rm_when_younger_than_days": 1})
    assert site.run("rm", uids[1], zone=zone).code == REFUSED
    _make_older(site, uids[1], DAY_US - 3_600_000_000)
    assert site.run("rm", uids[1], zone=zone).code == REFUSED
    _make_older(site, uids[1], 2 * 3_600_000_000)
    assert site.run("rm", uids[1], zone=zone).code == 0
    assert [version["uid"] for version in site.versions()] == [uids[2]]


def _make_older(site: Site, uid: str, age_us: int) -> None:
    site.execute(f"UPDATE backy2_versions SET date = date - {age_us} WHERE uid = '{uid}'")


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text.rstrip("Z")).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", [EAST, WEST])
def test_fault_31_automatic_tags_do_not_depend_on_the_zone(zone: str, site: Site) -> None:
    """The original compared the local day with dates in UTC, so that a day had two daily backups, or none."""
    site.image.write_bytes(blocks([1]))
    for _ in range(2):
        assert site.run("backup", site.url, "vm", zone=zone).code == 0
    assert [version["tags"] for version in site.versions()] == [["b_daily", "b_monthly", "b_weekly"], []]
    # Made a minute before this day began in UTC: of yesterday, wherever the host is.
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    site.execute(f"UPDATE backy2_versions SET date = {int(midnight.timestamp() - 60) * 1_000_000}")
    assert site.run("backup", site.url, "vm", zone=zone).code == 0
    assert site.versions()[-1]["tags"] == ["b_daily"]


@pytest.mark.parametrize("zone", [EAST, WEST])
def test_fault_31_expiry_and_schedules_do_not_depend_on_the_zone(zone: str, site: Site) -> None:
    """The original's ls -e, due and sla were right only on hosts whose clock showed UTC."""
    site.configure(more="[schedule:daily]\ninterval = 1d\nkeep = 2\nsla = 1h")
    now = datetime.now(UTC)
    past, future = (site.backup(blocks([1]), "-t", "daily") for _ in range(2))
    for uid, hours in ((past, -1), (future, 1)):
        site.ok("expire", uid, f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M:%S}")
    (expired,) = site.run("ls", "-e", "--format", "json", zone=zone).record
    assert expired["uid"] == past
    assert site.run("due", "-s", "daily", "--format", "json", zone=zone).record == []
    site.execute(f"UPDATE backy2_versions SET date = date - {DAY_US}")
    (due,) = site.run("due", "-s", "daily", "--format", "json", zone=zone).record
    assert abs(_read(due["expire_date"]) - now - timedelta(days=3)) < timedelta(minutes=1)
    assert site.run("sla", "-s", "daily", "--format", "json", zone=zone).code == 0
