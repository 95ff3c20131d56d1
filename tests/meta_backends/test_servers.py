"""The meta backend ``sql`` on PostgreSQL and MariaDB: all that the contract promises."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pymysql
import pytest
import sqlalchemy as sa

from backy2_core.contracts.meta_backend import MetaBackend, SchemaState
from backy2_core.errors import MetaBackendError, SchemaError
from backy2_core.model.blob import BlobUid
from backy2_core.model.secret import Secret
from backy2_core.model.version import VersionFilter
from backy2_core.testing.meta_backend import MetaBackendSuite
from backy2_core.testing.meta_backend_base import add, begin, create
from backy2_plugins.meta_backends import sql
from backy2_plugins.meta_backends.sql.failures import translated
from tests.support.engines import settings_of
from tests.support.original_tables import connected, dump
from tests.support.servers import PASSWORD, USER, Server

INITIALISER = """
    import sys
    from backy2_core.api import Secret
    from backy2_plugins.meta_backends import sql
    settings = {"engine": Secret(sys.argv[1]), "table_prefix": "backy2_", "busy_timeout": 60.0}
    meta = sql.backy2_open_meta_backend(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    meta.initialise()
    print(meta.schema_state().value)
"""


def open_url(url: str, **changed) -> MetaBackend:
    return sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(url), **changed))


numbers = itertools.count(1)


def place_in(server: Server) -> Callable[[], MetaBackend]:
    """Opens one and the same place among many in the server's database for our tables."""
    prefix = f"t{next(numbers)}_"
    return lambda: open_url(server.shared_database, table_prefix=prefix)


def start(url: str) -> subprocess.Popen:
    """Start a process that initialises the database when it is told to."""
    command = [sys.executable, "-c", textwrap.dedent(INITIALISER), url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline()
    return process


def kill_others(url: str) -> None:
    """End every other connection to the server."""
    with connected(url) as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL"
            )
            return
        numbers = connection.exec_driver_sql(
            "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND user = 'keeper'"
        )
        for number in list(numbers.scalars()):
            connection.exec_driver_sql(f"KILL CONNECTION {number}")


class ServerSuite(MetaBackendSuite):
    """The tests with very many rows take half a minute on a server: they are for a long night."""

    secret_texts = (PASSWORD,)

    @pytest.mark.soak
    def test_batches_of_a_hundred_thousand(self, meta, job, store):
        super().test_batches_of_a_hundred_thousand(meta, job, store)

    @pytest.mark.soak
    def test_a_hundred_thousand_segments(self, meta, job):
        super().test_a_hundred_thousand_segments(meta, job)


@pytest.mark.xdist_group("postgresql")
class TestPostgreSQL(ServerSuite):
    @pytest.fixture
    def open_database(self, postgresql):
        return place_in(postgresql)

    @pytest.fixture
    def open_silent(self):
        return lambda host, port: open_url(f"postgresql://{USER}:{PASSWORD}@{host}:{port}/backy2?connect_timeout=2")


@pytest.mark.xdist_group("mariadb")
class TestMariaDB(ServerSuite):
    @pytest.fixture
    def open_database(self, mariadb):
        return place_in(mariadb)

    @pytest.fixture
    def open_silent(self):
        return lambda host, port: open_url(f"mysql://{USER}:{PASSWORD}@{host}:{port}/backy2?read_timeout=2")


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ],
)
class TestSchema:
    @pytest.fixture
    def url(self, kind, request):
        return request.getfixturevalue(kind).make_database()

    def test_the_migrations_make_what_the_code_expects(self, url):
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        with open_url(url) as meta:
            meta.initialise()
            with meta._database.read() as connection:
                tables = meta._database.tables
                context = MigrationContext.configure(connection, opts={"version_table": tables.schema.name})
                assert compare_metadata(context, tables.metadata) == []

    def test_text_is_what_it_is_to_the_byte(self, url):
        uids = [BlobUid(uid) for uid in ("aB", "Ab", "AB", "AB ", "ß", "ss")]
        tags = frozenset({"Daily", "daily", "daily ", "größe", "grösse", "大 🐘"})
        with open_url(url) as meta:
            meta.initialise()
            job = begin(meta).id
            store = meta.register_store("store", "file", "/Größe/🐘")
            for uid in uids:
                add(meta, job, store, uid=uid)
                assert meta.recorded_uids(store, uids) == set(uids[: uids.index(uid) + 1])
            version = create(meta, job, name="Größe 🐘 ", tags=tags)
            assert (version.name, version.tags) == ("Größe 🐘 ", tags)
            found = [
                len(list(meta.versions(VersionFilter(tag=tag)))) for tag in ("Daily", "DAILY", "daily ", "daily  ")
            ]
            assert found == [1, 0, 1, 0]
            assert list(meta.versions(VersionFilter(name="Größe 🐘"))) == []

    def test_what_does_not_fit_is_refused_and_not_cut(self, url):
        with open_url(url) as meta:
            meta.initialise()
            job = begin(meta).id
            with pytest.raises(MetaBackendError, match="too long"):
                create(meta, job, name="x" * 256)
            assert list(meta.versions(VersionFilter())) == []

    def test_a_writer_that_waits_too_long_is_told_and_may_try_again(self, url):
        with open_url(url) as holder, open_url(url, busy_timeout=0.05) as meta:
            holder.initialise()
            with holder._database.write():
                assert meta.stores() == []
                with pytest.raises(
                    MetaBackendError, match="locked by another process for longer than busy_t"
                ) as caught:
                    begin(meta)
            assert caught.value.retryable
            assert begin(meta).id == 1

    def test_a_table_that_is_gone_asks_for_initdb(self, url):
        with open_url(url) as meta:
            meta.initialise()
            begin(meta)
            with connected(url) as connection:
                connection.exec_driver_sql("DROP TABLE backy2_stores")
            with pytest.raises(SchemaError, match=r"backy2_stores.*run: backy2 initdb"):
                meta.stores()

    def test_a_lost_connection_is_worth_another_try(self, url):
        with open_url(url) as meta:
            meta.initialise()
            begin(meta)

            def read() -> None:
                with meta._database.read() as connection:
                    kill_others(url)
                    connection.exec_driver_sql("SELECT 1")

            with pytest.raises(MetaBackendError) as caught:
                read()
            assert caught.value.retryable
            assert begin(meta).id == 2

    def test_a_connection_that_is_lost_while_committing_leaves_doubt_and_is_not_tried_again(self, url):
        with open_url(url) as meta:
            meta.initialise()

            def change() -> None:
                with meta._database.write() as connection:
                    connection.execute(meta._database.tables.tags.insert().values(version=1, name="a"))
                    sa.event.listen(connection, "commit", lambda connection: kill_others(url))

            with pytest.raises(MetaBackendError, match="may have been made or not") as caught:
                change()
            assert not caught.value.retryable

    def test_processes_may_initialise_at_once(self, url):
        processes = [start(url) for _ in range(3)]
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate()[0] for process in processes] == ["current\n"] * 3
        with open_url(url) as meta:
            assert begin(meta).id == 1


@pytest.mark.xdist_group("mariadb")
class TestMariaDBAlone:
    """MariaDB makes a table for good at once, so that a run may leave some of them behind."""

    @pytest.fixture
    def url(self, mariadb):
        url = mariadb.make_database()
        with open_url(url) as meta:
            meta.initialise()
        return url

    def test_a_setup_that_was_interrupted_is_begun_anew(self, url):
        with connected(url) as connection:
            connection.exec_driver_sql("DROP TABLE backy2_jobs, backy2_uses, backy2_statistics")
            connection.exec_driver_sql("DELETE FROM backy2_schema")
        with open_url(url) as meta:
            assert meta.schema_state() is SchemaState.EMPTY
            meta.initialise()
            assert begin(meta).id == 1

    def test_tables_that_are_in_use_are_not_taken_for_leftovers(self, url):
        with open_url(url) as meta:
            begin(meta)
        with connected(url) as connection:
            connection.exec_driver_sql("DROP TABLE backy2_schema")
        before = dump(url, ours=True)
        with open_url(url) as meta, pytest.raises(SchemaError, match=r"backy2_(counters|jobs), which is not empty"):
            meta.initialise()
        assert dump(url, ours=True) == before


@pytest.mark.parametrize("connection_lost", [False, True])
def test_a_server_that_goes_down_while_committing_leaves_doubt_whatever_became_of_the_connection(connection_lost):
    said = pymysql.err.OperationalError(1053, "Server shutdown in progress")
    error = sa.exc.OperationalError("COMMIT", None, said, connection_invalidated=connection_lost)
    assert translated(error, "here").retryable
    assert not translated(error, "here", in_doubt=True).retryable
    deadlock = sa.exc.OperationalError("COMMIT", None, pymysql.err.OperationalError(1213, "Deadlock found"))
    assert translated(deadlock, "here", in_doubt=True).retryable
