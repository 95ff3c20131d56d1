"""docs/encryption.md is followed in an empty home, and its table is what the tests of manipulations find."""

from __future__ import annotations

from pathlib import Path

from tests.docs import pages, places
from tests.tamper.matrix import table

PAGE = "docs/encryption.md"


def test_the_page_works_as_it_stands(tmp_path: Path) -> None:
    assert places.walk(PAGE, tmp_path, {"BACKY2_CONFIG": str(tmp_path / "etc/backy2/plugins.cfg")}) >= 10
    assert places.not_run(PAGE) == []


def test_the_table_of_manipulations_is_that_of_the_tests() -> None:
    assert table() in pages.text_of(PAGE), "python -m tests.tamper.matrix prints what the page should have"


def test_what_cannot_be_noticed_is_said() -> None:
    silent = [row for row in table().splitlines() if "| 0 | 0 | 0 |" in row]
    assert silent
    assert all(row.split("|")[-2].strip() for row in silent), "each with a note that says why"
