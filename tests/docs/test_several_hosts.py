"""docs/several-hosts.md is followed in an empty home, on a real PostgreSQL; two configurations stand for two hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import pages, places
from tests.support.servers import Server, postgresql

__all__ = ["postgresql"]

PAGE = "docs/several-hosts.md"
URL = "postgresql://backy2:secret@db.example.com/backy2"


@pytest.mark.xdist_group("postgresql")
def test_the_page_works_as_it_stands(tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    as_it_stands, url = places.below, postgresql.make_database().replace("%", "%%")

    def with_our_server(script: str, home: Path) -> str:
        return as_it_stands(script, home).replace(URL, url)

    monkeypatch.setattr(places, "below", with_our_server)
    assert URL in pages.text_of(PAGE)
    assert places.walk(PAGE, tmp_path, {}) == 5
    assert places.not_run(PAGE) == []
