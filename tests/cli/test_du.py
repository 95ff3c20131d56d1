"""Verb ``du``: its columns, its rows, and what it needs."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.cli.conftest import MIB, Backy

ORIGINAL = "Real|Null|Dedup Own|Dedup Others|Individual|Est. Space|Est. Space freed"


@pytest.fixture
def filled(backy: Backy) -> Backy:
    """Three versions of 9 MiB, whose three blocks are stored, zero, and stored but short; ``web`` has one of its own."""
    data = random.Random(1).randbytes(9 * MIB)
    for name, first in (("vm", b"a"), ("vm", b"a"), ("web", b"b")):
        Path(backy.image.removeprefix("file://")).write_bytes(first * (4 * MIB) + bytes(4 * MIB) + data[8 * MIB :])
        backy.backup(name=name)
    return backy


def test_a_row_a_version_with_the_columns_of_the_original_first(filled: Backy) -> None:
    header, *lines = filled.ok("-m", "du").splitlines()
    assert header == f"{ORIGINAL}|name|uid"
    uids = [row["uid"] for row in json.loads(filled.ok("ls", "-f", "json"))]
    shared, own, third = 5 * MIB, 4 * MIB, MIB // 3
    assert [line.split("|") for line in lines] == [
        [str(cell) for cell in (shared, own, 0, shared, 0, 2 * MIB + third, 0, "vm", uids[0])],
        [str(cell) for cell in (shared, own, 0, shared, 0, 2 * MIB + third, 0, "vm", uids[1])],
        [str(cell) for cell in (shared, own, 0, MIB, own, own + third, own, "web", uids[2])],
    ]


def test_one_version_has_one_row(filled: Backy) -> None:
    rows = json.loads(filled.ok("du", "-f", "json"))
    assert json.loads(filled.ok("du", "latest:web", "-f", "json")) == rows[2:]
    assert json.loads(filled.ok("du", rows[0]["uid"][:8], "-f", "json")) == rows[:1]


def test_sizes_are_written_for_people_where_that_is_asked_for(filled: Backy) -> None:
    assert filled.ok("-r", "du", "latest:web", "-f", "value", "-c", "Individual") == "4 MiB\n"


def test_a_version_that_is_not_there_is_an_error(backy: Backy) -> None:
    assert backy.call("du", "nothing").code == 16


def test_without_versions_the_list_is_empty(backy: Backy) -> None:
    assert backy.ok("-m", "du") == f"{ORIGINAL}|name|uid\n"


def test_it_works_while_the_store_is_away(filled: Backy) -> None:
    before = filled.ok("du")
    os.rename(filled.store, filled.folder / "away")
    assert filled.ok("du") == before
    assert not filled.store.exists()


def test_the_help_says_what_each_column_counts(backy: Backy) -> None:
    text = backy.ok("du", "--help")
    for column in ORIGINAL.split("|"):
        assert f"`{column}`: " in text
