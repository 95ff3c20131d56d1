"""The data backend ``rados`` keeps every promise of the contract, on a real cluster, also with every blob in parts."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.testing.data_backend_base import OpenStore
from backy2_core.testing.data_backend_blobs import BlobPromises
from backy2_core.testing.data_backend_closing import BufferPromises
from backy2_core.testing.data_backend_crash import CrashPromises
from backy2_core.testing.data_backend_outage import OutagePromises
from backy2_core.testing.data_backend_threads import ThreadPromises
from backy2_core.testing.outage import Outage
from backy2_plugins.data_backends.rados.backend import RadosDataBackend
from backy2_plugins.data_backends.rados.settings import RadosOptions
from tests.data_backends.rados_stores import open_store
from tests.support.ceph import Cluster, skip_without_ceph

# For a store that is paused: each call waits this long.
SHORT_S = 1


@pytest.fixture(scope="module")
def pool(ceph: Cluster) -> str:
    return ceph.make_pool()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One whose OSD may be stopped."""
    skip_without_ceph()
    with Cluster() as cluster:
        cluster.make_pool("outages")
        yield cluster


@pytest.fixture
def namespace() -> str:
    """One of this test's own."""
    return secrets.token_hex(4)


class TestWhole(DataBackendSuite):
    @pytest.fixture
    def open_store(self, ceph: Cluster, pool: str, namespace: str) -> OpenStore:
        return lambda: open_store(ceph, pool, namespace=namespace)


class TestInParts(BlobPromises, BufferPromises):
    """All but the smallest blobs are larger than one object may be."""

    # A uid that is there in parts is not looked for when a small blob is put under it.
    refuses_existing = False

    @pytest.fixture
    def open_store(self, ceph: Cluster, pool: str, namespace: str) -> OpenStore:
        return lambda: open_store(ceph, pool, namespace=namespace, object_size=500)

    @pytest.mark.parametrize("size", [0, 1, 499, 500, 501, 1000, 65537])
    def test_every_size_is_kept(self, readable: DataBackend, size: int) -> None:
        super().test_every_size_is_kept(readable, size)


class TestAtOnceInParts(ThreadPromises, CrashPromises):
    """The blobs by which it is seen whether they are whole have some parts."""

    @pytest.fixture
    def open_store(self, ceph: Cluster, pool: str, namespace: str) -> OpenStore:
        return lambda: open_store(ceph, pool, namespace=namespace, object_size=60_000)


class TestOutages(OutagePromises):
    """The OSD is stopped, and goes on later, as behind a broken network."""

    patience_s = 4 * SHORT_S

    @pytest.fixture
    def open_store(self, cluster: Cluster) -> OpenStore:
        return lambda: open_store(cluster, "outages", timeout_s=SHORT_S)

    @pytest.fixture
    def outage(self, cluster: Cluster) -> Outage:
        osd = cluster.pids[-1]
        return Outage(begin=lambda: os.kill(osd, signal.SIGSTOP), end=lambda: os.kill(osd, signal.SIGCONT))

    @pytest.fixture
    def open_silent(self, cluster: Cluster, tmp_path: Path):
        def open_at(host: str, port: int) -> DataBackend:
            conf = tmp_path / "silent.conf"
            conf.write_text(f"[global]\nmon_host = v2:{host}:{port}\nkeyring = {cluster.keyring}\n")
            return RadosDataBackend(RadosOptions(pool="outages", conf_file=str(conf), timeout_s=SHORT_S))

        return open_at
