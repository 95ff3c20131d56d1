"""The meta backend ``sql`` on SQLite: all that the contract promises."""

from __future__ import annotations

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.secret import Secret
from backy2_core.testing.meta_backend import MetaBackendSuite
from backy2_plugins.meta_backends import sql


def open_sqlite(path, **changed) -> MetaBackend:
    settings = {setting.name: setting.default for setting in sql.backy2_settings()}
    return sql.backy2_open_meta_backend(settings | {"engine": Secret(f"sqlite:///{path}")} | changed)


class TestSqlite(MetaBackendSuite):
    @pytest.fixture
    def open_database(self, tmp_path):
        return lambda: open_sqlite(tmp_path / "folder" / "meta.sqlite")
