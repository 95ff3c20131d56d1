"""The meta backend ``sql`` on PostgreSQL and MariaDB: all that the contract promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.secret import Secret
from backy2_core.testing.meta_backend import MetaBackendSuite
from backy2_plugins.meta_backends import sql
from tests.support.engines import settings_of
from tests.support.servers import Server


def open_url(url: str, **changed) -> MetaBackend:
    return sql.backy2_open_meta_backend(settings_of(sql, engine=Secret(url), **changed))


numbers = itertools.count(1)


def database_of(server: Server) -> Callable[[], MetaBackend]:
    """Opens one and the same place among many in the server's database for our tables."""
    prefix = f"t{next(numbers)}_"
    return lambda: open_url(server.shared_database, table_prefix=prefix)


@pytest.mark.xdist_group("postgresql")
class TestPostgreSQL(MetaBackendSuite):
    @pytest.fixture
    def open_database(self, postgresql):
        return database_of(postgresql)


@pytest.mark.xdist_group("mariadb")
class TestMariaDB(MetaBackendSuite):
    @pytest.fixture
    def open_database(self, mariadb):
        return database_of(mariadb)
