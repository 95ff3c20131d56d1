"""docs/postgresql.md is followed in an empty home, on a real PostgreSQL that takes only encrypted connections."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backy2_plugins.meta_backends.sql import failures
from backy2_plugins.meta_backends.sql.database import NEXT_STEP
from tests.docs import pages, places
from tests.meta_backends.test_tls import TlsPostgreSQL
from tests.support.servers import PASSWORD, USER, own_postgresql

PAGE = "docs/postgresql.md"


@pytest.fixture
def server() -> Iterator[TlsPostgreSQL]:
    if shutil.which("psql") is None:
        pytest.skip("the program psql is missing; it comes with: apt-get install postgresql-client")
    with closing(own_postgresql(TlsPostgreSQL)) as made:
        yield made


def test_the_page_works_as_it_stands(tmp_path: Path, server: TlsPostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc/backy2").mkdir(parents=True)
    shutil.copy(server.folder / "server.crt", tmp_path / "etc/backy2/db-ca.crt")
    as_it_stands = places.below

    def with_our_server(script: str, home: Path) -> str:
        return as_it_stands(script.replace("db.example.com", f"127.0.0.1:{server.port}"), home)

    monkeypatch.setattr(places, "below", with_our_server)
    environment = {
        "BACKY2_CONFIG": str(tmp_path / "etc/backy2/plugins.cfg"),
        "PGHOST": str(server.folder),
        "PGPORT": str(server.port),
        "PGUSER": USER,
        "PGPASSWORD": PASSWORD,
        "PGDATABASE": "postgres",
    }
    assert places.walk(PAGE, tmp_path, environment) == 4
    assert len(places.not_run(PAGE)) == 1, "installing"


def test_the_messages_are_real() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Messages"]))[1:]
    known = " ".join(
        [
            *failures._MARIADB.values(),
            *failures._POSTGRESQL.values(),
            *NEXT_STEP.values(),
            Path(failures.__file__).read_text(),
        ]
    )
    known += Path("backy2_core/assembly/installation.py").read_text()
    known += Path("backy2_plugins/meta_backends/sql/engines.py").read_text()
    for row in rows:
        for said in re.findall(r"`([^`]*)`", row[0]):
            assert said in known, said
