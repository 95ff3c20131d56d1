"""Meta backends that break one promise each; the broken methods are in the modules named below."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backy2_core.testing.durability import MetaDurabilitySuite
from backy2_core.testing.meta_backend import MetaBackendSuite
from backy2_core.testing.outage import Outage
from tests.planted import meta_cleanup, meta_general, meta_jobs, meta_maps, meta_records, meta_versions
from tests.planted.databases import PASSWORD, Right, open_sqlite
from tests.planted.meta_faults import FAULTS

__all__ = ["FAULTS", "meta_cleanup", "meta_general", "meta_jobs", "meta_maps", "meta_records", "meta_versions"]


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is initialised, to be copied."""
    path = tmp_path_factory.mktemp("initialised") / "meta.sqlite"
    with open_sqlite(path, 60.0) as meta:
        meta.initialise()
    return path


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of meta backend."""
    syncs = getattr(kind, "of_files", False)

    class OnSqlite(*((MetaDurabilitySuite,) if syncs else ()), MetaBackendSuite):  # type: ignore[misc]
        volatile = ("*-shm",)
        secret_texts = (PASSWORD,)

        @pytest.fixture
        def path(self, tmp_path: Path) -> Path:
            return tmp_path / "folder" / "meta.sqlite"

        @pytest.fixture
        def meta(self, open_database, path: Path, initialised: Path):
            """Opened on a copy: to make the tables anew for each test would take most of the time."""
            path.parent.mkdir()
            shutil.copy(initialised, path)
            with open_database() as meta:
                yield meta

        @pytest.fixture
        def open_database(self, path: Path, request: pytest.FixtureRequest):
            return lambda: kind(path, 0.3 if "outage" in request.fixturenames else 60.0)

        @pytest.fixture
        def files(self, path: Path) -> Path:
            return path.parent

        @pytest.fixture
        def outage(self, path: Path):
            held = sqlite3.connect(path, isolation_level=None)
            yield Outage(begin=lambda: held.execute("BEGIN IMMEDIATE"), end=held.rollback)
            held.close()

        @pytest.fixture
        def open_silent(self, path: Path):
            return lambda host, port: kind(path, 60.0, (host, port))

    return OnSqlite


globals().update(FAULTS.suites(suite_of, Right))
