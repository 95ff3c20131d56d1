"""Servers for many hosts: S3 is the gateway of a Ceph cluster, or moto where Ceph is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from backy2_core.contracts.meta_backend import MetaBackend
from tests.hosts.fleet import Fleet
from tests.hosts.site import Site
from tests.hosts.work import Work
from tests.support.ceph import ceph, ceph_with_radosgw
from tests.support.ceph_config import what_is_missing
from tests.support.s3 import S3Server, gateway, moto
from tests.support.servers import Server, postgresql

__all__ = ["ceph", "ceph_with_radosgw", "gateway", "moto", "postgresql"]


@pytest.fixture(scope="session")
def s3(request: pytest.FixtureRequest) -> S3Server:
    """The best server there is."""
    server: S3Server = request.getfixturevalue("moto" if what_is_missing(radosgw=True) else "gateway")
    return server


@pytest.fixture
def site(tmp_path: Path, postgresql: Server, s3: S3Server) -> Site:
    made = Site(tmp_path, postgresql.make_database(), s3)
    assert main(["--config", str(made.config("alpha")), "initdb"]) == 0
    return made


@pytest.fixture
def meta(site: Site) -> Iterator[MetaBackend]:
    """The database of the site."""
    with site.meta() as meta:
        yield meta


@pytest.fixture
def work(site: Site, meta: MetaBackend) -> Work:
    return Work(site, meta, random.Random(6))


@pytest.fixture
def fleet(site: Site, work: Work, meta: MetaBackend) -> Iterator[Fleet]:
    with Fleet(site, work, meta) as fleet:
        yield fleet
