"""The data backend keeps every promise of the contract on filesystems of every kind."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from backy2_fsspec.backend import FsspecDataBackend

from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.testing.durability import DurabilitySuite
from backy2_core.testing.outage import Outage


def moved_away(store: Path) -> Outage:
    """A store whose disk is unmounted; when it is mounted again, all is well."""
    away = store.with_name("away")
    return Outage(lambda: store.rename(away), lambda: away.rename(store) if away.exists() else None, retryable=False)


class TestLocal(DurabilitySuite, DataBackendSuite):
    @pytest.fixture
    def open_store(self, tmp_path: Path):
        return lambda: FsspecDataBackend(f"file://{tmp_path}/store", threads=8)

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        return tmp_path / "store"

    @pytest.fixture
    def outage(self, tmp_path: Path) -> Outage:
        return moved_away(tmp_path / "store")


class TestMemory(DataBackendSuite):
    shared_between_processes = False

    @pytest.fixture
    def open_store(self):
        url = f"memory://{secrets.token_hex(8)}/store"
        return lambda: FsspecDataBackend(url, threads=8)


class TestUnknownFilesystem(DataBackendSuite):
    """One of which nothing is known but that it renames: the local one, spoken to as any other."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("backy2_fsspec.dialects.LOCAL", frozenset())
        return lambda: FsspecDataBackend(f"file://{tmp_path}/store", threads=8)

    @pytest.fixture
    def outage(self, tmp_path: Path) -> Outage:
        return moved_away(tmp_path / "store")


@pytest.mark.xdist_group("backy2-fsspec")
class TestSftp(DataBackendSuite):
    @pytest.fixture
    def open_store(self, ssh_server, tmp_path: Path, request: pytest.FixtureRequest):
        if "outage" not in request.fixturenames:
            return lambda: FsspecDataBackend(ssh_server.url(f"{tmp_path}/store"), ssh_server.options, threads=4)
        port = request.getfixturevalue("relay").port
        url, options = ssh_server.url(f"{tmp_path}/store", port), ssh_server.options_at(port)
        return lambda: FsspecDataBackend(url, options, threads=4)

    @pytest.fixture
    def outage(self, relay) -> Outage:
        return Outage(relay.cut, relay.mend)

    @pytest.fixture
    def open_silent(self):
        return lambda host, port: FsspecDataBackend(f"sftp://nobody@{host}:{port}/store", timeout_s=1)
