"""Transactions on a server: their isolation is ours, whatever the server has by itself, and writers never miss each other."""

from __future__ import annotations

import threading

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.job import JobKind, JobState, NewJob
from tests.meta_backends.test_servers import open_url
from tests.support.original_tables import connected

QUESTIONS = {"postgresql": "SHOW transaction_isolation", "mariadb": "SELECT @@tx_isolation"}
DEFAULTS = {
    "postgresql": "ALTER ROLE keeper SET default_transaction_isolation = '{}'",
    "mariadb": "SET GLOBAL tx_isolation = '{}'",
}
pytestmark = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ],
)


@pytest.fixture
def url(kind, request):
    return request.getfixturevalue(kind).make_database()


def level(meta: MetaBackend, kind: str) -> str:
    with meta._database.read() as connection:
        return str(connection.exec_driver_sql(QUESTIONS[kind]).scalar_one()).lower().replace("-", " ")


@pytest.mark.parametrize("default", ["serializable", "read uncommitted"])
def test_it_is_read_committed_whatever_the_server_has_by_itself(kind, url, default):
    name = default if kind == "postgresql" else default.upper().replace(" ", "-")
    usual = "read committed" if kind == "postgresql" else "REPEATABLE-READ"
    with connected(url) as connection:
        connection.exec_driver_sql(DEFAULTS[kind].format(name))
    try:
        with open_url(url) as meta:
            meta.initialise()
            assert level(meta, kind) == "read committed"
    finally:
        with connected(url) as connection:
            connection.exec_driver_sql(DEFAULTS[kind].format(usual))


def test_a_writer_waits_for_the_one_before_it_and_sees_what_that_one_did(kind, url):
    order: list[str] = []
    with open_url(url) as first, open_url(url) as second:
        first.initialise()
        began = threading.Event()

        def write() -> None:
            began.wait()
            with second._database.write() as connection:
                order.append("second")
                count = connection.exec_driver_sql("SELECT count(*) FROM backy2_tags").scalar_one()
                connection.execute(second._database.tables.tags.insert().values(version=1, name=f"tag {count}"))

        thread = threading.Thread(target=write)
        thread.start()
        with first._database.write() as connection:
            began.set()
            thread.join(0.2)
            connection.execute(first._database.tables.tags.insert().values(version=1, name="tag"))
            order.append("first")
        thread.join()
        with first._database.read() as connection:
            names = connection.exec_driver_sql("SELECT name FROM backy2_tags ORDER BY name").scalars().all()
    assert (order, names) == (["first", "second"], ["tag", "tag 1"])


def test_of_many_that_begin_the_same_thing_at_once_one_is_let_in(kind, url):
    with open_url(url) as meta:
        meta.initialise()
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def begin() -> None:
        with open_url(url) as meta:
            meta.stores()
            start.wait()
            try:
                meta.begin_job(NewJob(JobKind.BACKUP, "host", 1, "x", 60.0, alone="vm"))
                outcomes.append("in")
            except Exception as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["RefusedError"] * 5 + ["in"]
    with open_url(url) as meta:
        assert len(meta.jobs({JobState.LIVE})) == 1
