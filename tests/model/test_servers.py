"""The same walks where blobs and metadata are on servers: S3, RADOS and a folder, PostgreSQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backy2_core.contracts.data_backend import DataBackend
from tests.data_backends import rados_stores
from tests.model.places import on_servers
from tests.model.walk import walk
from tests.support.ceph import Cluster, ceph, ceph_with_radosgw
from tests.support.engines import open_folder_store
from tests.support.s3 import S3Server, gateway
from tests.support.servers import Server, mariadb, postgresql

__all__ = ["ceph", "ceph_with_radosgw", "gateway", "mariadb", "postgresql"]

STEPS = 300


def walk_well(server: Server, open_data: Callable[[Path], DataBackend], seed: int) -> None:
    """Far enough for everything to have been done."""
    done = walk(seed, STEPS, on_servers(server.make_database(), open_data))
    assert sum(done[kind] for kind in done if kind.startswith("restore")) > 20
    for kind in ("cleanup --full", "continued", "rm", "damage, found and repaired"):
        assert done[kind], f"{kind} was not done in {STEPS} steps of seed {seed}: {dict(done)}"


@pytest.mark.xdist_group("postgresql")
def test_on_a_folder_and_postgresql(postgresql: Server) -> None:
    walk_well(postgresql, open_folder_store, 1)


@pytest.mark.xdist_group("postgresql")
def test_on_s3_and_postgresql(postgresql: Server, gateway: S3Server) -> None:
    bucket = gateway.make_bucket()
    walk_well(postgresql, lambda folder: gateway.open(bucket), 2)


@pytest.mark.xdist_group("mariadb")
def test_on_rados_and_mariadb(mariadb: Server, ceph: Cluster) -> None:
    pool = ceph.make_pool()
    walk_well(mariadb, lambda folder: rados_stores.open_store(ceph, pool), 3)
