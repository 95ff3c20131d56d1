"""The meta backend ``sql`` on SQLite: all that the contract promises, and what is SQLite's own."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, SchemaState
from backy2_core.errors import MetaBackendError, SchemaError
from backy2_core.model.secret import Secret
from backy2_core.model.version import VersionFilter
from backy2_core.testing.durability import MetaDurabilitySuite
from backy2_core.testing.meta_backend import MetaBackendSuite
from backy2_core.testing.meta_backend_base import begin, create
from backy2_core.testing.outage import Outage
from backy2_plugins.meta_backends import sql
from backy2_plugins.meta_backends.sql import database as sql_database

ROOT = Path(__file__).parents[2]
NOBODY = 65534
LOCKER = """
    import sqlite3, sys
    held = sqlite3.connect(sys.argv[1], isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.read()
"""
INITIALISER = """
    import sys
    from backy2_core.api import Secret
    from backy2_plugins.meta_backends import sql
    settings = {"engine": Secret("sqlite:///" + sys.argv[1]), "table_prefix": "backy2_", "busy_timeout": 60.0}
    meta = sql.backy2_open_meta_backend(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    meta.initialise()
    print(meta.schema_state().value)
"""


def open_url(url: str, **changed) -> MetaBackend:
    settings = {setting.name: setting.default for setting in sql.backy2_settings()}
    return sql.backy2_open_meta_backend(settings | {"engine": Secret(url)} | changed)


def open_sqlite(path: Path, **changed) -> MetaBackend:
    return open_url(f"sqlite:///{path}", **changed)


def start(program: str, path: Path) -> subprocess.Popen:
    """Start a Python program on a database, wait for its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline()
    return process


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "folder" / "meta.sqlite"


@pytest.fixture
def initialised(path) -> Path:
    with open_sqlite(path) as meta:
        meta.initialise()
    return path


@pytest.fixture
def foreign() -> Iterator[Path]:
    """An initialised database that belongs to root and that others may read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meta.sqlite"
        with open_sqlite(path) as meta:
            meta.initialise()
        path.chmod(0o644)
        yield path


@contextlib.contextmanager
def as_somebody_else():
    """Give up the rights of root for a while."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


class TestSqlite(MetaDurabilitySuite, MetaBackendSuite):
    volatile = ("*-shm",)  # made anew from the log

    @pytest.fixture
    def open_database(self, path, request):
        patience = {"busy_timeout": 0.3} if "outage" in request.fixturenames else {}
        return lambda: open_sqlite(path, **patience)

    @pytest.fixture
    def files(self, path):
        return path.parent

    @pytest.fixture
    def outage(self, path):
        """Another program holds the lock: nobody can write, for longer than one waits."""
        held = sqlite3.connect(path, isolation_level=None)
        yield Outage(begin=lambda: held.execute("BEGIN IMMEDIATE"), end=held.rollback)
        held.close()


class TestFiles:
    def test_only_the_owner_can_read_a_new_database(self, path):
        with open_sqlite(path) as meta:
            meta.initialise()
            begin(meta)
            assert mode_of(path.parent) == 0o700
            assert {file.name: mode_of(file) for file in path.parent.iterdir()} == {
                "meta.sqlite": 0o600,
                "meta.sqlite-shm": 0o600,
                "meta.sqlite-wal": 0o600,
            }

    def test_an_existing_folder_keeps_its_mode(self, path):
        path.parent.mkdir(mode=0o755)
        with open_sqlite(path) as meta:
            meta.initialise()
        assert mode_of(path.parent) == 0o755

    def test_opening_and_looking_makes_no_file(self, path):
        with open_sqlite(path) as meta:
            assert meta.schema_state() is SchemaState.EMPTY
            with pytest.raises(SchemaError, match="initdb"):
                list(meta.versions(VersionFilter()))
        assert not path.parent.exists()

    def test_a_database_closed_in_order_is_one_file(self, path):
        with open_sqlite(path) as meta:
            meta.initialise()
            begin(meta)
        assert [file.name for file in path.parent.iterdir()] == ["meta.sqlite"]

    def test_a_relative_path_is_kept_when_the_folder_changes(self, path, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with open_url("sqlite:///folder/meta.sqlite") as meta:
            meta.initialise()
            monkeypatch.chdir("/")
            begin(meta)
        assert path.exists()

    def test_commits_reach_the_disk(self, initialised):
        with open_sqlite(initialised) as meta, meta._database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


class TestTrouble:
    @pytest.mark.parametrize("content", [b"this is no database at all\n" * 500, os.urandom(8192)])
    def test_a_file_that_is_no_database_is_said_to_be_none(self, path, content):
        path.parent.mkdir()
        path.write_bytes(content)
        with open_sqlite(path) as meta:
            for call in (meta.schema_state, meta.initialise, meta.stores):
                with pytest.raises(MetaBackendError, match=r"meta\.sqlite is not a database"):
                    call()
        assert path.read_bytes() == content

    def test_a_folder_in_place_of_a_database_is_said_to_be_none(self, path):
        path.mkdir(parents=True)
        with open_sqlite(path) as meta:
            for call in (meta.schema_state, meta.initialise):
                with pytest.raises(MetaBackendError, match=r"meta\.sqlite"):
                    call()

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        with open_sqlite(tmp_path / "file" / "meta.sqlite") as meta, pytest.raises(MetaBackendError, match="file"):
            meta.initialise()

    def test_a_read_only_file_can_be_listed_and_says_why_it_cannot_be_changed(self, foreign):
        foreign.parent.chmod(0o777)
        with as_somebody_else(), open_sqlite(foreign) as meta:
            assert list(meta.versions(VersionFilter())) == []
            with pytest.raises(MetaBackendError, match=r"meta\.sqlite.*read-only") as caught:
                begin(meta)
        assert not caught.value.retryable

    def test_a_read_only_folder_is_said_to_be_read_only(self, foreign):
        foreign.parent.chmod(0o755)
        with as_somebody_else(), open_sqlite(foreign) as meta, pytest.raises(MetaBackendError, match="read-only"):
            meta.stores()

    def test_a_folder_that_may_not_be_entered_is_not_taken_for_an_empty_database(self, foreign):
        foreign.parent.chmod(0o700)
        with as_somebody_else(), open_sqlite(foreign) as meta:
            with pytest.raises(MetaBackendError, match="Permission denied"):
                meta.schema_state()
            with pytest.raises(MetaBackendError, match="Permission denied"):
                meta.initialise()

    def test_a_database_locked_by_another_process_can_be_read_and_is_worth_another_try(self, initialised):
        locker = start(LOCKER, initialised)
        with open_sqlite(initialised, busy_timeout=0.05) as meta:
            assert meta.stores() == []
            with pytest.raises(MetaBackendError, match=r"meta\.sqlite is locked") as caught:
                begin(meta)
            assert caught.value.retryable
            locker.communicate("")
            assert begin(meta).id == 1

    def test_a_full_disk_is_named_and_nothing_is_changed(self, initialised):
        with open_sqlite(initialised) as meta:
            job = begin(meta).id
            with meta._database.read() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            with pytest.raises(MetaBackendError, match=r"meta\.sqlite.*disk is full"):
                create(meta, job, source="x" * 100_000)
            assert list(meta.versions(VersionFilter())) == []
            assert create(meta, job).id == 1

    def test_a_damaged_database_is_named(self, initialised):
        content = bytearray(initialised.read_bytes())
        content[4096:] = b"\xff" * (len(content) - 4096)
        initialised.write_bytes(content)
        with open_sqlite(initialised) as meta, pytest.raises(MetaBackendError, match=r"meta\.sqlite is damaged"):
            meta.stores()

    @pytest.mark.parametrize(
        "url",
        ["", "no url", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "nosuch://u:geheim@host/db"],
    )
    def test_a_url_that_names_no_database_is_refused(self, url):
        with pytest.raises(MetaBackendError) as caught:
            open_url(url)
        assert "geheim" not in str(caught.value)

    def test_a_driver_that_is_not_installed_is_named(self):
        with pytest.raises(MetaBackendError, match="pyodbc") as caught:
            open_url("mssql+pyodbc://user:geheim@host/db")
        assert "geheim" not in str(caught.value)


class TestSchema:
    def test_processes_may_initialise_at_once(self, path):
        processes = [start(INITIALISER, path) for _ in range(4)]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            assert process.communicate()[0] == "current\n"
            assert process.returncode == 0
        with open_sqlite(path) as meta:
            assert begin(meta).id == 1

    def test_the_schema_of_a_newer_release_is_refused(self, initialised):
        with contextlib.closing(sqlite3.connect(initialised)) as changed, changed:
            changed.execute("UPDATE backy2_schema SET version_num = '9999'")
        with open_sqlite(initialised) as meta:
            assert meta.schema_state() is SchemaState.NEWER
            for call in (meta.initialise, meta.stores, lambda: begin(meta)):
                with pytest.raises(SchemaError, match="newer release"):
                    call()

    def test_the_schema_of_an_older_release_asks_for_initdb(self, initialised, monkeypatch):
        monkeypatch.setattr(sql_database, "REVISIONS", (*sql_database.REVISIONS, "the next one"))
        with open_sqlite(initialised) as meta:
            assert meta.schema_state() is SchemaState.OLD
            with pytest.raises(SchemaError, match=r"older release.*initdb"):
                meta.stores()

    def test_the_migrations_make_what_the_code_expects(self, initialised):
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext
        from alembic.script import ScriptDirectory

        from backy2_plugins.meta_backends.sql.schema import REVISIONS

        with open_sqlite(initialised) as meta, meta._database.read() as connection:
            tables = meta._database.tables
            context = MigrationContext.configure(connection, opts={"version_table": tables.schema.name})
            assert compare_metadata(context, tables.metadata) == []
        scripts = ScriptDirectory(str(Path(sql_database.__file__).with_name("migrations")))
        assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS

    def test_two_prefixes_share_a_file(self, initialised):
        with open_sqlite(initialised) as one, open_sqlite(initialised, table_prefix="other_") as other:
            begin(one)
            assert other.schema_state() is SchemaState.EMPTY
            other.initialise()
            assert begin(other).id == 1
            assert begin(one).id == 2

    def test_every_table_has_the_prefix(self, path):
        with open_sqlite(path, table_prefix="pre_") as meta:
            meta.initialise()
        with contextlib.closing(sqlite3.connect(path)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables
        assert {name for name in tables if not name.startswith("pre_")} == set()

    def test_listing_loads_neither_alembic_nor_a_server_dialect(self, initialised):
        program = f"""
            import sys
            from backy2_core.api import Secret, VersionFilter
            from backy2_plugins.meta_backends import sql
            assert "sqlalchemy" not in sys.modules
            settings = {{"engine": Secret("sqlite:///{initialised}"), "table_prefix": "backy2_", "busy_timeout": 1.0}}
            with sql.backy2_open_meta_backend(settings) as meta:
                assert list(meta.versions(VersionFilter())) == []
            print([name for name in ("alembic", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql",
                                     "sqlalchemy.dialects.mysql") if name in sys.modules])
        """
        arguments = [sys.executable, "-c", textwrap.dedent(program)]
        assert subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True).stdout == "[]\n"
