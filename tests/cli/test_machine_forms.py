"""Output for programs in both forms of the original, without header, with sizes for people, and with chosen columns.

The expected lines are those that 2.9.17 and 2.13.8 print, with other figures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backy2_core.cli.cells import Moment, Size
from backy2_core.cli.units import whole_size
from tests.cli.conftest import Backy

LS = "date|name|snapshot_name|size|size_bytes|uid|valid|protected|tags"
STATS = (
    "date|uid|name|size bytes|size blocks|bytes read|blocks read|bytes written|blocks written|bytes dedup|blocks dedup"
    "|bytes sparse|blocks sparse|duration (s)"
)
SECOND = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
FRACTION = rf"{SECOND}\.\d{{6}}"


def configure(backy: Backy, text: str) -> Backy:
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    backy.ok("initdb")
    return backy


@pytest.fixture
def later(backy: Backy) -> Backy:
    """One whose machine output has the form of the later releases."""
    return configure(backy, "[backy2]\nmachine_output: 2.13\n")


def fields(line: str) -> list[str]:
    return line.split("|")


def test_the_form_of_2_9_has_the_type_first_and_the_fraction_of_dates(backy: Backy) -> None:
    uid = backy.backup("-s", "s1", "-e", "2031-05-06 07:08:09", "-t", "weekend,keep me")
    header, line = backy.ok("-m", "ls").splitlines()
    assert header == f"type|{LS}"
    assert re.fullmatch(rf"version\|{FRACTION}\|vm\|s1\|3\|9437184\|{uid}\|1\|0\|keep me,weekend", line)
    header, line = backy.ok("-m", "stats").splitlines()
    assert header == f"type|{STATS}"
    assert re.fullmatch(
        rf"statistics\|{FRACTION}\|{uid}\|vm\|9437184\|3\|\d+\|\d\|4194304\|1\|0\|0\|5242880\|2\|\d", line
    )


def test_the_later_form_has_no_type_no_fraction_and_the_expiry_date_at_the_end(later: Backy) -> None:
    uid = later.backup("-s", "s1", "-e", "2031-05-06 07:08:09", "-t", "weekend,keep me")
    other = later.backup("-t", "")
    header, *lines = later.ok("-m", "ls").splitlines()
    assert header == f"{LS}|expire"
    assert re.fullmatch(rf"{SECOND}\|vm\|s1\|3\|9437184\|{uid}\|1\|0\|keep me,weekend\|2031-05-06 07:08:09", lines[0])
    assert re.fullmatch(rf"{SECOND}\|vm\|\|3\|9437184\|{other}\|1\|0\|\|", lines[1])
    header, line, _ = later.ok("-m", "stats").splitlines()
    assert header == STATS
    assert re.fullmatch(rf"{SECOND}\|{uid}\|vm(\|\d+){{11}}", line)
    assert later.ok("-m", "jobs", "-a").splitlines()[0].startswith("id|kind|")


def test_scripts_for_the_later_releases_go_on_working(later: Backy) -> None:
    first, second = later.backup("-e", "2031-05-06"), later.backup()
    assert later.ok("-ms", "ls", "-f", "uid,name,expire") == f"{first}|vm|2031-05-06 00:00:00\n{second}|vm|\n"
    assert later.ok("-m", "ls", "-e") == f"{LS}|expire\n"
    assert later.ok("-ms", "stats", "-l1", "-f", "name,bytes read").startswith("vm|")


@pytest.mark.parametrize("form", ["2.9", "2.13"])
def test_a_backup_prints_its_uid_once_in_both_forms(backy: Backy, form: str) -> None:
    configure(backy, f"[backy2]\nmachine_output = {form}\n")
    out = backy.ok("-m", "backup", backy.image, "vm")
    assert re.fullmatch(r"[0-9a-f-]{36}\n", out)


def test_another_form_is_a_configuration_error(backy: Backy) -> None:
    config = backy.folder / "other.cfg"
    config.write_text("[backy2]\nmachine_output = 3\n")
    ended = backy.call("-c", str(config), "ls")
    assert ended.code == 10
    assert "2.9, 2.13" in ended.err


def test_machine_output_works_without_a_readable_configuration_where_none_is_needed(backy: Backy) -> None:
    config = backy.folder / "broken.cfg"
    config.write_text("nonsense\n")
    assert backy.ok("-m", "-c", str(config), "plugins", "list").startswith("type|group|")


def test_a_whole_second_has_no_fraction_and_moments_are_sorted_by_it() -> None:
    whole = datetime(2017, 5, 2, 10, 26, 48, tzinfo=UTC)
    part = whole.replace(microsecond=123456)
    assert Moment(whole, fraction=True).human_readable() == "2017-05-02 10:26:48"
    assert Moment(part, fraction=True).human_readable() == "2017-05-02 10:26:48.123456"
    assert Moment(part).human_readable() == "2017-05-02 10:26:48"
    assert Moment(part, fraction=True).machine_readable() == "2017-05-02T10:26:48Z"
    assert Moment(part.replace(year=1)).machine_readable() == "0001-05-02T10:26:48Z"
    assert sorted([Moment(part), Moment(None), Moment(whole)])[1:] == [Moment(whole), Moment(part)]


@pytest.mark.parametrize("verb", [["ls"], ["stats"]])
def test_without_header_the_lines_are_the_same_and_the_header_is_gone(backy: Backy, verb: Sequence[str]) -> None:
    backy.backup()
    backy.backup()
    for name in ("machine", "csv"):
        with_header = backy.ok(*verb, "-f", name).splitlines()
        assert backy.ok("-s", *verb, "-f", name).splitlines() == with_header[1:]
        assert len(with_header) == 3
    assert backy.ok("-s", *verb, "-f", "value") == backy.ok(*verb, "-f", "value")
    table = backy.ok(*verb).splitlines()
    assert backy.ok("--skip-header", *verb).splitlines() == table[2:]
    assert len(table) == 6
    assert json.loads(backy.ok("-s", *verb, "-f", "json")) == json.loads(backy.ok(*verb, "-f", "json"))


def test_a_record_and_an_empty_list_have_no_header_either(backy: Backy) -> None:
    for name in ("machine", "csv", "value"):
        assert backy.ok("-s", "ls", "-f", name) == ""
    uid = backy.backup()
    for name in ("machine", "csv"):
        lines = backy.ok("-s", "scrub", "-f", name, uid).splitlines()
        assert len(lines) == 1
        assert uid in lines[0]
    table = backy.ok("-s", "scrub", uid).splitlines()
    assert not any("Field" in line for line in table)
    assert table[0].startswith("+-")
    assert table[1].startswith("| uid ")


def test_sizes_are_for_people_where_asked_for_and_counts_stay(backy: Backy) -> None:
    backy.backup()
    assert backy.ok("-mrs", "ls", "-f", "size,size_bytes") == "version|3|9 MiB\n"
    assert backy.ok("-r", "-s", "ls", "-f", "csv", "-f", "size,size_bytes") == '3,"9 MiB"\n'
    assert backy.ok("-rm", "stats", "-f", "bytes dedup,blocks sparse,bytes sparse").splitlines()[1:] == [
        "statistics|0|2|5 MiB"
    ]
    assert json.loads(backy.ok("-r", "ls", "-f", "json"))[0]["size_bytes"] == "9 MiB"
    row = backy.ok("-r", "ls", "-f", "name,size_bytes,name").splitlines()[3]
    assert row == "| vm   |      9 MiB |", "sizes stand at the right"
    assert "restored_bytes|9 MiB" in " ".join(
        "|".join(pair)
        for pair in zip(
            *map(fields, backy.ok("-mr", "restore", "latest:vm", f"file://{backy.folder}/out").splitlines()),
            strict=True,
        )
    )


def test_what_is_sorted_by_size_is_sorted_by_the_number(backy: Backy) -> None:
    for size in (9 * 1024, 10 * 1024, 1024 * 1024):
        (backy.folder / "image").write_bytes(b"x" * size)
        backy.backup()
    out = backy.ok("-r", "ls", "-f", "value", "-f", "size_bytes", "--sort-column", "size_bytes")
    assert out.splitlines() == ["9 KiB", "10 KiB", "1 MiB"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (127753, "125 KiB"),
        (1024**2 - 1, "1 MiB"),
        (1508105, "1 MiB"),
        (2098386, "2 MiB"),
        (8389842, "8 MiB"),
        (3 * 1024**5, "3 PiB"),
        (9000 * 1024**5, "9000 PiB"),
    ],
)
def test_a_size_for_people_has_no_decimals(size: int, text: str) -> None:
    assert whole_size(size) == Size(size).human_readable() == text


FORMATS = ("csv", "json", "machine", "table", "value", "yaml")


@pytest.mark.parametrize("name", FORMATS)
def test_columns_are_shown_in_the_order_they_are_asked_for_by_f_in_every_format(backy: Backy, name: str) -> None:
    uid = backy.backup("-s", "of-monday", name="web-server")
    out = backy.ok("ls", "-f", name, "-f", "uid,snapshot_name,NAME")
    places = [out.index(text) for text in (uid, "of-monday", "web-server")]
    assert places == sorted(places)
    assert "size" not in out


@pytest.mark.parametrize("verb", ["ls", "stats", "du", "due", "sla", "jobs", "plugins list"])
def test_an_unknown_name_is_a_usage_error_that_names_columns_and_formats(backy: Backy, verb: str) -> None:
    ended = backy.call(*verb.split(), "-f", "name,nonsense")
    assert (ended.code, ended.out) == (2, "")
    assert "'nonsense'" in ended.err or "'name'" in ended.err
    assert "the columns are: " in ended.err
    assert "the formats are: csv, json, machine, table, value, yaml" in ended.err


def test_where_f_is_the_verbs_own_the_long_option_chooses_columns(backy: Backy) -> None:
    uid = backy.backup()
    out = backy.ok("-ms", "restore", "-f", "--format", "damaged_blocks,uid", uid, f"file://{backy.folder}/out")
    assert out == f"restore|0|{uid}\n"


def test_a_list_is_sorted_by_a_column_that_is_not_shown(backy: Backy) -> None:
    backy.backup("-s", "2", name="a")
    backy.backup("-s", "1", name="b")
    assert backy.ok("ls", "-f", "value", "-f", "name", "--sort-column", "snapshot_name") == "b\na\n"


def test_stats_shows_fourteen_columns_and_the_others_on_request(backy: Backy) -> None:
    backy.backup()
    names = [cell.strip() for cell in backy.ok("stats").splitlines()[1].strip("|").split("|")]
    assert "|".join(names) == STATS
    assert list(json.loads(backy.ok("stats", "-f", "json"))[0]) == names
    assert json.loads(backy.ok("stats", "-f", "json", "-c", "blocks_kept")) == [{"blocks kept": 0}]


def test_statistics_of_a_version_that_is_not_there_are_an_empty_list(backy: Backy) -> None:
    backy.backup()
    for uid in ("0" * 36, "0000", "latest:nothing"):
        assert backy.ok("-ms", "stats", uid) == ""
    assert backy.ok("-ms", "stats", "-l0") == ""


def test_machine_output_shows_warnings_and_no_less(backy: Backy) -> None:
    ended = backy.call("-m", "cleanup", "--dangerous-force")
    assert ended.code == 0
    assert ended.err.splitlines() == [
        "WARNING: --dangerous-force does nothing here: no cleanup waits for an hour before it deletes"
    ]
    assert Path(backy.log_file).read_text(encoding="utf-8").count("--dangerous-force does nothing") == 1
