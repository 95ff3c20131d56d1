"""Many rows at once into PostgreSQL: what goes wrong in the middle is said as anywhere else, and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backy2_core.errors import MetaBackendError, SchemaError
from backy2_plugins.meta_backends.sql.bulk import insert_rows
from backy2_plugins.meta_backends.sql.copying import can_copy, copy_rows
from tests.meta_backends.test_servers import kill_others, open_url
from tests.support.original_tables import connected

pytestmark = pytest.mark.xdist_group("postgresql")
COLUMNS = ("version", "name")


@pytest.fixture
def meta(postgresql) -> Iterator:
    with open_url(postgresql.make_database()) as opened:
        opened.initialise()
        opened.url = opened._database._engine.url.render_as_string(hide_password=False)
        yield opened


def names(meta) -> list[str]:
    with meta._database.read() as connection:
        return sorted(connection.exec_driver_sql("SELECT name FROM backy2_tags").scalars())


def test_values_of_every_kind_arrive_as_they_are(meta):
    odd = ["", "a\tb", "line\nfeed", "back\\slash", "\\N", "größe 🐘", "\\.", '"quoted"']
    with meta._database.write() as connection:
        assert can_copy(connection)
        insert_rows(connection, meta._database.tables.tags, COLUMNS, [(1, name) for name in odd])
        data = [(1, 0, b""), (1, 1, bytes(range(256)))]
        insert_rows(connection, meta._database.tables.maps, ("version", "part", "data"), data)
    with meta._database.read() as connection:
        rows = connection.exec_driver_sql("SELECT version, part, data FROM backy2_maps ORDER BY part").all()
    assert [(version, part, bytes(value)) for version, part, value in rows] == data
    assert names(meta) == sorted(odd)


def test_a_row_that_is_there_already_refuses_all_of_them(meta):
    rows = [(1, "a"), (1, "b"), (1, "a")]
    with (
        pytest.raises(MetaBackendError, match=r"refuses a record that is there already: .*backy2_tags_pkey") as caught,
        meta._database.write() as connection,
    ):
        copy_rows(connection, "backy2_tags", COLUMNS, rows)
    assert not caught.value.retryable
    assert names(meta) == []


def test_an_exception_while_rows_are_made_passes_and_leaves_nothing(meta):
    def rows() -> Iterator[tuple[int, str]]:
        yield 1, "a"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), meta._database.write() as connection:
        copy_rows(connection, "backy2_tags", COLUMNS, rows())
    assert names(meta) == []


def test_a_connection_that_is_lost_in_the_middle_is_worth_another_try(meta):
    def rows() -> Iterator[tuple[int, str]]:
        yield 1, "a"
        kill_others(meta.url)
        for number in range(100_000):
            yield 1, f"b{number}"

    with pytest.raises(MetaBackendError) as caught, meta._database.write() as connection:
        copy_rows(connection, "backy2_tags", COLUMNS, rows())
    assert caught.value.retryable
    assert names(meta) == []
    with meta._database.write() as connection:
        copy_rows(connection, "backy2_tags", COLUMNS, [(1, "a")])
    assert names(meta) == ["a"]


def test_a_table_that_is_gone_asks_for_initdb(meta):
    with connected(meta.url) as connection:
        connection.exec_driver_sql("DROP TABLE backy2_tags")
    with pytest.raises(SchemaError, match="run: backy2 initdb"), meta._database.write() as connection:
        copy_rows(connection, "backy2_tags", COLUMNS, [(1, "a")])


def test_no_plan_of_a_statement_outlives_the_state_that_it_was_made_for(meta):
    for _ in range(10):
        assert meta.stores() == []
    with meta._database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one() == 0
