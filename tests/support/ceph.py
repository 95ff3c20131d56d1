"""A real Ceph cluster for tests: the fixtures ``ceph``, ``ceph_with_radosgw`` and ``own_ceph``; import them into a conftest.

Where the machine cannot run Ceph, a test that asks for one is skipped, with a line that says what is missing.
Such tests need no group of their own: a second process has its own cluster after a second, and both are done sooner.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from functools import cache

import pytest

from tests.support.ceph_cluster import GIB, Cluster, ProgramFailed
from tests.support.ceph_config import what_is_missing
from tests.support.ceph_gateway import Gateway

__all__ = ["GIB", "Cluster", "Gateway", "ProgramFailed", "ceph", "ceph_with_radosgw", "own_ceph", "skip_without_ceph"]


def skip_without_ceph(*, radosgw: bool = False) -> None:
    """Skip the test that asks, if this machine cannot run a cluster."""
    missing = what_is_missing(radosgw=radosgw)
    if missing is not None:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def ceph() -> Cluster:
    """The cluster for all tests of this process: no daemon of it may be killed, and pools are to be one's own."""
    skip_without_ceph()
    return _shared()


@pytest.fixture(scope="session")
def ceph_with_radosgw(ceph: Cluster) -> Cluster:
    """The same cluster, with its S3 gateway running."""
    skip_without_ceph(radosgw=True)
    assert ceph.radosgw.endpoint
    return ceph


@pytest.fixture
def own_ceph() -> Iterator[Cluster]:
    """A cluster for one test alone, which may kill its daemons."""
    skip_without_ceph()
    with Cluster() as cluster:
        yield cluster


@cache
def _shared() -> Cluster:
    # Not the fixture's own: each conftest that imports a fixture makes it anew, and one cluster is enough for all.
    cluster = Cluster()
    atexit.register(cluster.close)
    return cluster
