"""Short options mean what they meant in the original; where free, they are the formatter's."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import MIB, Backy


def test_f_of_backup_is_the_base_and_r_the_hints(backy: Backy) -> None:
    base = backy.backup()
    hints = backy.folder / "hints.json"
    hints.write_text('[{"offset": 0, "length": 4096, "exists": "true"}]')
    record = json.loads(backy.ok("backup", "-f", base[:8], "-r", str(hints), "--format", "json", backy.image, "vm"))
    assert record["bytes_read"] == record["bytes_dedup"] == 4 * MIB
    assert record["bytes_kept"] + record["bytes_sparse"] == 5 * MIB


def test_hints_may_come_from_standard_input(backy: Backy) -> None:
    backy.backup()
    with backy.spawn("-m", "backup", "-r", "-", "-f", "latest:vm", backy.image, "vm") as process:
        out, err = process.communicate('[{"offset": 0, "length": 1, "exists": "true"}]', timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.strip() in backy.ok("-m", "ls")


def test_s_and_t_of_backup_are_snapshot_name_and_tags(backy: Backy) -> None:
    backy.backup("-s", "monday", "-t", "a, b", "-t", "c")
    row = json.loads(backy.ok("ls", "-f", "json"))[0]
    assert (row["snapshot_name"], row["tags"]) == ("monday", ["a", "b", "c"])


def test_without_t_the_tags_are_those_of_day_week_and_month_once_each(backy: Backy) -> None:
    for _ in range(2):
        backy.backup()
    backy.backup("-t", "")
    backy.backup("-t", "b_daily")
    rows = json.loads(backy.ok("ls", "-f", "json"))
    assert [row["tags"] for row in rows] == [["b_daily", "b_monthly", "b_weekly"], [], [], ["b_daily"]]


def test_a_version_has_its_automatic_tags_from_its_first_moment_on_and_keeps_them(slow: Backy) -> None:
    with slow.spawn("backup", slow.image, "vm") as process:
        assert process.stderr is not None
        assert "Backing up" in process.stderr.readline()
        process.terminate()
        process.communicate(timeout=60)
    tags = ["b_daily", "b_monthly", "b_weekly"]
    (row,) = json.loads(slow.ok("ls", "-f", "json"))
    assert (row["state"], row["tags"]) == ("incomplete", tags)
    slow.patch.setenv("SPEED", "0")
    other = slow.backup()
    slow.backup("-c", row["uid"])
    found = {row["uid"]: row["tags"] for row in json.loads(slow.ok("ls", "-f", "json"))}
    assert found == {row["uid"]: tags, other: tags}, "one that is not valid does not count"


def test_c_of_backup_continues_a_version(backy: Backy) -> None:
    uid = backy.backup()
    ended = backy.call("backup", "-c", uid, backy.image, "vm")
    assert ended.code == 17, "a finished version must be refused, and not be taken for a column"


def test_f_and_s_of_restore_are_force_and_sparse(backy: Backy) -> None:
    backy.backup()
    target = backy.folder / "out"
    backy.ok("restore", "-s", "latest:vm", f"file://{target}")
    assert target.read_bytes() == Path(backy.image.removeprefix("file://")).read_bytes()
    assert os.stat(target).st_blocks * 512 < 9 * MIB
    assert backy.call("restore", "latest:vm", f"file://{target}").code == 13
    assert backy.call("restore", "-f", "latest:vm", f"file://{target}").code == 0


def test_s_and_p_of_scrub_are_source_and_percentile(backy: Backy) -> None:
    uid = backy.backup()
    assert json.loads(backy.ok("scrub", "-s", backy.image, "-f", "json", uid))["different_blocks"] == 0
    assert json.loads(backy.ok("scrub", "-p", "1", "-f", "json", uid))["checked_blocks"] < 3
    assert backy.call("scrub", "-p", "0", uid).code == 2


def test_f_of_rm_is_force(backy: Backy) -> None:
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text("[backy2]\ndisallow_rm_when_younger_than_days = 6\n")
    backy.ok("initdb")
    uid = backy.backup()
    assert backy.call("rm", uid).code == 17
    assert backy.call("rm", "-f", uid).code == 0
    assert len(backy.ok("-m", "ls").splitlines()) == 1


def test_f_of_cleanup_is_full(backy: Backy) -> None:
    backy.backup()
    assert json.loads(backy.ok("cleanup", "-f", "--format", "json"))["dry_run"] is False


def test_f_and_c_of_lists_are_format_and_column(backy: Backy) -> None:
    backy.backup()
    for verb in (["ls"], ["stats"], ["plugins", "list"], ["jobs", "-a"]):
        assert json.loads(backy.ok(*verb, "-fjson"))
    assert backy.ok("ls", "-f", "value", "-c", "name") == "vm\n"


def test_filters_of_ls_combine(backy: Backy) -> None:
    backy.backup("-s", "one", "-t", "x")
    backy.backup("-s", "two", "-t", "x")
    backy.backup("-s", "two", name="other")
    assert backy.ok("ls", "-s", "two", "-t", "x", "-f", "value", "-c", "name") == "vm\n"
    assert backy.ok("ls", "other", "-s", "one", "-f", "value", "-c", "name") == ""


def test_e_of_backup_is_the_expiry_date_and_e_of_ls_shows_what_is_past(backy: Backy) -> None:
    soon = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"
    past = backy.backup("-e", "2001-02-03T04:05:06")
    backy.backup("--expire", soon)
    backy.backup()
    for option in ("-e", "--expired"):
        assert json.loads(backy.ok("ls", option, "-f", "json", "-f", "uid,expire")) == [
            {"uid": past, "expire": "2001-02-03T04:05:06Z"}
        ]
    assert soon in backy.ok("-m", "ls", "-f", "expire")


def test_l_of_stats_shows_the_newest(backy: Backy) -> None:
    uids = [backy.backup() for _ in range(3)]
    assert backy.ok("stats", "-l", "2", "-f", "value", "-c", "uid").split() == uids[1:]
    assert backy.ok("stats", "-l", "0", "-f", "value") == ""
    assert backy.call("stats", "-l", "-1").code == 2


def test_statistics_of_a_removed_version_are_still_shown(backy: Backy) -> None:
    uid = backy.backup()
    backy.ok("rm", uid)
    assert backy.ok("stats", uid, "-f", "value", "-c", "uid") == f"{uid}\n"
