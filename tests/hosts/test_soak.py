"""Ten processes on four hosts for ten minutes, while processes die, servers fall and connections break.

``make soak`` runs it; $BACKY2_SOAK_SECONDS shortens or lengthens it, and $BACKY2_SOAK_SEED makes other choices.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from tests.hosts.audit import audit, leases_run_out
from tests.hosts.chaos import AT_LEAST, FULL_S, Chaos, Targets, scaled
from tests.hosts.fleet import Fleet, report
from tests.hosts.site import Site
from tests.hosts.work import Work
from tests.support.ceph import Cluster, own_ceph, skip_without_ceph
from tests.support.proxy import Proxy
from tests.support.s3 import S3Server
from tests.support.servers import PASSWORD, USER, Server, own_postgresql

__all__ = ["own_ceph"]

PROCESSES = 10
STORE_FAILED, DATABASE_FAILED, JOB_LOST = 14, 15, 18


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL that may be killed."""
    skip_without_ceph(radosgw=True)
    with closing(own_postgresql()) as server:
        yield server


@pytest.mark.soak
def test_ten_processes_for_ten_minutes(tmp_path: Path, server: Server, own_ceph: Cluster) -> None:
    duration_s = float(os.environ.get("BACKY2_SOAK_SECONDS", FULL_S))
    rng = random.Random(int(os.environ.get("BACKY2_SOAK_SEED", "1")))
    gateway = own_ceph.radosgw
    with ExitStack() as stack:
        to_gateway = stack.enter_context(Proxy(("127.0.0.1", int(gateway.endpoint.rpartition(":")[2]))))
        to_postgresql = stack.enter_context(Proxy(str(server.folder / server.socket)))
        database = server.make_database()
        schema = database.partition("search_path%3D")[2]
        through = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{to_postgresql.port}/postgres"
        site = Site(
            tmp_path,
            database,
            S3Server(gateway.endpoint, gateway.access_key, gateway.secret_key),
            f"{through}?options=-csearch_path%3D{schema}",
            S3Server(f"http://127.0.0.1:{to_gateway.port}", gateway.access_key, gateway.secret_key),
        )
        assert main(["--config", str(site.config("alpha")), "initdb"]) == 0
        meta = stack.enter_context(site.meta())
        work = Work(site, meta, rng)
        fleet = stack.enter_context(Fleet(site, work, meta, frozenset({STORE_FAILED, DATABASE_FAILED, JOB_LOST})))
        chaos = Chaos(Targets(fleet, server, gateway, to_postgresql, to_gateway), rng, duration_s)
        began = time.monotonic()
        try:
            while time.monotonic() - began < duration_s:
                fleet.fill(PROCESSES)
                chaos.strike()
                fleet.look()
            chaos.end()
            leases_run_out(meta)
            valid = audit(site, work, meta)
        finally:
            print(f"\n{report(fleet.ends)}\n{dict(chaos.done)}")
    print(f"{valid} valid versions, all restored identically; {time.monotonic() - began:.0f} s")
    for what, number in AT_LEAST.items():
        assert chaos.done[what] >= scaled(number, duration_s), f"{what}: {chaos.done[what]} of {number}"
    assert valid > 0
