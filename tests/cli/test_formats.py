"""Lists and records through every formatter."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import yaml

from tests.cli.conftest import Backy

FORMATS = ("csv", "json", "machine", "table", "value", "yaml")
LISTS = ("ls", "stats", "jobs --all", "plugins list", "plugins show sql")


@pytest.fixture
def filled(backy: Backy) -> Backy:
    """Two versions of one name and one of another."""
    backy.backup("-t", "weekly,daily", "-s", "one")
    backy.backup()
    backy.backup(name="web")
    return backy


def json_rows(backy: Backy, verb: str) -> list[dict[str, object]]:
    rows = json.loads(backy.ok(*verb.split(), "-f", "json"))
    assert isinstance(rows, list)
    return rows


@pytest.mark.parametrize("verb", LISTS)
def test_every_format_shows_every_row_and_column(filled: Backy, verb: str) -> None:
    rows = json_rows(filled, verb)
    names = list(rows[0])
    assert len(rows) >= 3
    shown = {name: filled.ok(*verb.split(), "-f", name) for name in FORMATS}
    assert yaml.safe_load(shown["yaml"]) == rows
    assert [list(row) for row in csv.DictReader(io.StringIO(shown["csv"]))] == [names] * len(rows)
    assert len(shown["value"].splitlines()) == len(rows)
    assert len(shown["machine"].splitlines()) == len(rows) + 1
    assert len(shown["table"].splitlines()) == len(rows) + 4
    assert [cell.strip() for cell in shown["table"].splitlines()[1].strip("|").split("|")] == names


@pytest.mark.parametrize("verb", LISTS)
def test_columns_are_chosen_by_name(filled: Backy, verb: str) -> None:
    first, second = list(json_rows(filled, verb)[0])[:2]
    chosen = json.loads(filled.ok(*verb.split(), "-f", "json", "-c", second.upper(), "--column", first))
    assert {tuple(row) for row in chosen} == {(first, second)}


@pytest.mark.parametrize("verb", ["ls", "stats", "plugins list"])
def test_a_column_that_is_not_there_is_a_usage_error_that_names_those_there_are(backy: Backy, verb: str) -> None:
    ended = backy.call(*verb.split(), "-c", "name", "-c", "nonsense")
    assert (ended.code, ended.out) == (2, "")
    assert "'nonsense'" in ended.err
    assert "uid" in ended.err or "distribution" in ended.err


def test_a_wrong_column_is_refused_before_the_work_is_done(backy: Backy) -> None:
    assert backy.call("backup", "--column", "nonsense", backy.image, "vm").code == 2
    assert json.loads(backy.ok("ls", "-f", "json")) == []


def test_an_unknown_format_is_a_usage_error_that_names_those_there_are(backy: Backy) -> None:
    ended = backy.call("ls", "-f", "xml")
    assert ended.code == 2
    assert "yaml" in ended.err


def test_machine_output_of_ls_has_the_columns_of_the_original(filled: Backy) -> None:
    header, *lines = filled.ok("-m", "ls").splitlines()
    assert header == "type|date|name|snapshot_name|size|size_bytes|uid|valid|protected|tags"
    kind, date, name, snapshot, size, size_bytes, uid, valid, protected, tags = lines[0].split("|")
    assert (kind, name, snapshot, size, size_bytes) == ("version", "vm", "one", "3", "9437184")
    assert (valid, protected, tags) == ("1", "0", "daily,weekly")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?", date)
    assert len(uid) == 36


def test_machine_output_of_stats_has_the_columns_of_the_original(filled: Backy) -> None:
    header, *lines = filled.ok("-m", "stats").splitlines()
    assert header == (
        "type|date|uid|name|size bytes|size blocks|bytes read|blocks read|bytes written|blocks written"
        "|bytes dedup|blocks dedup|bytes sparse|blocks sparse|duration (s)"
    )
    assert all(line.startswith("statistics|") and line.count("|") == header.count("|") for line in lines)


def test_machine_output_of_a_backup_is_its_uid_once(backy: Backy) -> None:
    uid = backy.ok("-m", "backup", backy.image, "vm")
    assert uid == f"{json_rows(backy, 'ls')[0]['uid']}\n"


def test_machine_output_of_verbs_without_a_result_is_empty(backy: Backy) -> None:
    uid = backy.backup()
    for verb in ("protect", "unprotect", "rm"):
        ended = backy.call("-m", verb, uid)
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_a_separator_within_a_name_does_not_break_the_line(backy: Backy) -> None:
    backy.backup("-s", "a\nb", name="x|y\\z")
    header, line = backy.ok("-m", "ls").splitlines()
    assert "|x\\|y\\\\z|a\\nb|" in line
    assert line.replace("\\|", "").count("|") == header.count("|")


def test_json_has_lists_booleans_null_and_times_with_their_zone(filled: Backy) -> None:
    row = json_rows(filled, "ls")[0]
    assert row["tags"] == ["daily", "weekly"]
    assert (row["valid"], row["protected"], row["expire"], row["state"]) == (True, False, None, "valid")
    assert str(row["date"]).endswith("Z")


def test_csv_and_value_join_a_list_by_commas(filled: Backy) -> None:
    assert filled.ok("ls", "-f", "csv", "-c", "tags", "-c", "expire").splitlines()[1] == '"daily,weekly",""'
    assert filled.ok("ls", "-f", "value", "-c", "tags").splitlines()[0] == "daily,weekly"


def test_a_list_can_be_sorted_by_a_column_with_and_without_values(filled: Backy) -> None:
    dates = [row["date"] for row in json.loads(filled.ok("ls", "-f", "json", "--sort-column", "expire"))]
    assert len(dates) == 3
    names = json.loads(filled.ok("ls", "-f", "json", "--sort-column", "name", "--sort-descending"))
    assert [row["name"] for row in names] == ["web", "vm", "vm"]


def test_an_empty_list_still_has_its_header(backy: Backy) -> None:
    assert "snapshot_name" in backy.ok("ls")
    assert backy.ok("-m", "ls").startswith("type|date|")
    assert json.loads(backy.ok("ls", "-f", "json")) == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_is_shown_by_every_format(backy: Backy, name: str) -> None:
    uid = backy.backup()
    shown = backy.ok("scrub", "--format", name, uid)
    assert uid in shown
    if name == "json":
        assert json.loads(shown)["checked_blocks"] == 3
    if name == "machine":
        assert shown.startswith("type|uid|name|state|")


def test_the_options_of_a_formatter_come_with_it(backy: Backy) -> None:
    assert backy.ok("ls", "-f", "json", "--noindent") == "[]\n"
    assert "--quote" in backy.ok("ls", "-f", "csv", "--help")
    assert backy.call("ls", "-f", "csv", "--noindent").code == 2


def test_a_name_does_not_command_the_terminal(backy: Backy) -> None:
    name = "vm\x1b[31m\x07"
    backy.backup(name=name)
    assert "vm?[31m?" in backy.ok("ls")
    assert json.loads(backy.ok("ls", "-f", "json"))[0]["name"] == name
