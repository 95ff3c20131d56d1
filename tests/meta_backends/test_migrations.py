"""A database of an earlier release is brought up to date, and loses nothing by it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import backy2_plugins.meta_backends.sql as sql
from backy2_core.contracts.meta_backend import MetaBackend, SchemaState
from backy2_core.errors import SchemaError
from backy2_core.model.secret import Secret
from backy2_core.model.version import VersionFilter
from backy2_core.testing.meta_backend_base import add, begin, finished, new_version, segment
from backy2_plugins.meta_backends.sql.schema import REVISIONS
from tests.support.engines import settings_of


def open_sqlite(path: Path) -> MetaBackend:
    meta: MetaBackend = sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(f"sqlite:///{path}")))
    return meta


def rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that is in the database, by table, but for the revision."""
    with contextlib.closing(sqlite3.connect(path)) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: opened.execute(f"SELECT * FROM {name}").fetchall() for name in names if name != "backy2_schema"}


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as opened, opened:
        for statement in statements:
            opened.execute(statement)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A database with something in every table but notes, as revision 0001 had it."""
    path = tmp_path / "meta.sqlite"
    with open_sqlite(path) as meta:
        meta.initialise()
        store = meta.register_store("first", "file", "/a")
        job = begin(meta).id
        ids = add(meta, job, store, 3, transforms='[["zstd",{}]]', envelope=b"envelope")
        version = finished(meta, job, ids)
        meta.change_tags(version.id, add={"daily"})
        meta.create_version(job, new_version())
        meta.add_statistics([])
    change(
        path,
        "DROP TABLE backy2_notes",
        "ALTER TABLE backy2_versions DROP COLUMN key",
        "ALTER TABLE backy2_jobs DROP COLUMN alone",
        "UPDATE backy2_schema SET version_num = '0001'",
    )
    return path


def test_what_revision_0001_held_is_all_there_after_the_migration(filled: Path) -> None:
    before = rows(filled)
    assert len(before["backy2_blobs"]) == 3
    with open_sqlite(filled) as meta:
        assert meta.schema_state() is SchemaState.OLD
        with pytest.raises(SchemaError, match="initdb"):
            meta.stores()
        meta.initialise()
        assert meta.schema_state() is SchemaState.CURRENT
        assert len(list(meta.versions(VersionFilter()))) == 2
    versions = [(*row, "") for row in before["backy2_versions"]]
    jobs = [(*row, "") for row in before["backy2_jobs"]]
    assert rows(filled) == before | {"backy2_notes": [], "backy2_versions": versions, "backy2_jobs": jobs}


def test_a_database_that_was_brought_up_to_date_takes_notes_and_gives_out_new_ids(filled: Path) -> None:
    with open_sqlite(filled) as meta:
        meta.initialise()
        [store] = meta.stores()
        meta.write_note(store.id, "keys", b"text")
        assert meta.read_note(store.id, "keys") == b"text"
        job = begin(meta).id
        assert job == 2
        ids = add(meta, job, store.id, 1)
        assert ids == [4]
        meta.append_segments(job, meta.create_version(job, new_version()).id, [segment(ids)])


def test_a_migration_that_was_interrupted_behind_its_table_is_finished(filled: Path) -> None:
    change(filled, "CREATE TABLE backy2_notes (store BIGINT, name VARCHAR(32), data BLOB, PRIMARY KEY (store, name))")
    with open_sqlite(filled) as meta:
        meta.initialise()
        assert meta.schema_state() is SchemaState.CURRENT


def test_the_migrated_tables_are_those_that_a_new_database_has(filled: Path, tmp_path: Path) -> None:
    def described(path: Path) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(path)) as opened:
            return opened.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()

    with open_sqlite(filled) as old, open_sqlite(tmp_path / "new.sqlite") as new:
        old.initialise()
        new.initialise()
    assert described(filled) == described(tmp_path / "new.sqlite")
    assert REVISIONS[0] == "0001"
