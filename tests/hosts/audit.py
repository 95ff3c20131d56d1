"""What must hold when all is over: every valid version is what was backed up, and the store holds what they use, no more."""

from __future__ import annotations

import time

from backy2_core.cli.main import main
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.job import JobState
from backy2_core.model.version import VersionFilter, VersionState
from tests.hosts.site import EVERY, LEASE_S, Site
from tests.hosts.work import Work

VALID = VersionFilter(states=frozenset({VersionState.VALID}))


def leases_run_out(meta: MetaBackend) -> None:
    """Wait until no job holds a lease."""
    deadline = time.monotonic() + 3 * LEASE_S
    while meta.jobs({JobState.LIVE}):
        meta.expire_jobs()
        assert time.monotonic() < deadline, "a lease did not run out"
        time.sleep(0.05)


def audit(site: Site, work: Work, meta: MetaBackend) -> int:
    """Look at everything, once nobody works any more and all leases ran out; the number of valid versions."""
    damaged = [version.uid for version in meta.versions(EVERY) if version.state is VersionState.DAMAGED]
    assert not damaged, f"these became damaged: {damaged}"
    versions = list(meta.versions(VALID))
    for version in versions:
        task = work.restore("alpha", version)
        assert main(["--config", str(site.config("alpha")), *task.words]) == 0
        task.check()
    assert main(["--config", str(site.config("beta", "last")), "cleanup", "--full"]) == 0
    referenced = site.referenced()
    assert site.objects() == referenced, "the bucket does not hold exactly the blobs that versions refer to"
    assert site.records() == referenced, "there are not exactly the records of blobs that versions refer to"
    assert {version.uid for version in meta.versions(EVERY)} == {version.uid for version in versions}
    assert main(["--config", str(site.config("gamma")), "check"]) == 0
    return len(versions)
