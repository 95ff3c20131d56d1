"""``expire``, ``add-tag``, ``remove-tag``, and how dates are written."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Backy


def shown(backy: Backy, column: str) -> object:
    (row,) = json.loads(backy.ok("ls", "-f", "json"))
    return row[column]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2031-05-06", "2031-05-06T00:00:00Z"),
        ("2031-05-06 07:08:09", "2031-05-06T07:08:09Z"),
        ("2031-05-06T07:08:09", "2031-05-06T07:08:09Z"),
    ],
)
def test_a_date_is_written_in_three_ways_and_is_utc_whatever_the_time_zone(
    backy: Backy, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    monkeypatch.setenv("TZ", "EAST-5")
    uid = backy.backup("-e", written)
    assert shown(backy, "expire") == meant
    backy.ok("expire", uid, "")
    assert shown(backy, "expire") is None
    backy.ok("expire", uid[:8], written)
    assert shown(backy, "expire") == meant


@pytest.mark.parametrize(
    "bad", ["tomorrow", "2031-02-30", "06.05.2031", "2031-05-06 07:08", "2031-05-06T07:08:09Z", " "]
)
def test_another_date_is_a_usage_error_that_names_the_ways(backy: Backy, bad: str) -> None:
    uid = backy.backup("-e", "2031-05-06")
    for argv in (["expire", uid, bad], ["backup", "-e", bad, backy.image, "vm"]):
        ended = backy.call(*argv)
        assert (ended.code, ended.out) == (2, "")
        for form in ("YYYY-MM-DD,", "'YYYY-MM-DD HH:MM:SS'", "YYYY-MM-DDTHH:MM:SS"):
            assert form in ended.err
    assert shown(backy, "expire") == "2031-05-06T00:00:00Z"


def test_an_expiry_date_of_a_backup_must_be_a_date(backy: Backy) -> None:
    assert backy.call("backup", "-e", "", backy.image, "vm").code == 2


def test_tags_are_added_and_taken_one_or_several_at_a_time(backy: Backy) -> None:
    uid = backy.backup("-t", "first")
    backy.ok("add-tag", uid, "one, two")
    backy.ok("add-tag", "latest:vm", "two")
    assert shown(backy, "tags") == ["first", "one", "two"]
    backy.ok("remove-tag", uid, "first,one,never there")
    assert shown(backy, "tags") == ["two"]
    assert backy.ok("ls", "-t", "two", "-f", "value", "-f", "uid") == f"{uid}\n"


def test_a_tag_must_have_a_name(backy: Backy) -> None:
    uid = backy.backup("-t", "kept")
    for verb in ("add-tag", "remove-tag"):
        assert backy.call(verb, uid, " , ").code == 2
    assert shown(backy, "tags") == ["kept"]


@pytest.mark.parametrize("argv", [["expire", "", "2031-05-06"], ["add-tag", "", "x"], ["remove-tag", "", "x"]])
def test_a_version_that_is_missing_ends_with_16(backy: Backy, argv: list[str]) -> None:
    for uid in ("0" * 36, "latest:nothing"):
        ended = backy.call(argv[0], uid, argv[2])
        assert (ended.code, ended.out) == (16, "")
        assert "`backy2 ls`" in ended.err


def test_nothing_is_printed_by_them_for_programs(backy: Backy) -> None:
    uid = backy.backup()
    for argv in (["add-tag", uid, "x"], ["remove-tag", uid, "x"], ["expire", uid, "2031-05-06"]):
        ended = backy.call("-m", *argv)
        assert (ended.code, ended.out, ended.err) == (0, "", "")
