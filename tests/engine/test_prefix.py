"""A full cleanup with a prefix looks only at objects whose uid begins with it."""

from __future__ import annotations

import pytest

from backy2_core.engine.lease import running_job
from backy2_core.errors import UsageError
from backy2_core.model.blob import blob_uid
from backy2_core.model.job import JobKind
from tests.engine.place import image


def orphan(place):
    """An object that a job put and did not record."""
    with running_job(place.engine, JobKind.BACKUP, "test") as lease:
        uid = blob_uid(lease.job.token, 0)
    path = place.blob_file(uid)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return uid


@pytest.mark.parametrize("dry_run", [True, False])
def test_only_orphans_that_begin_with_the_prefix_go(place, dry_run):
    place.uid(image("ab"))
    one, other = orphan(place), orphan(place)
    assert one[:8] != other[:8]
    result = place.cleanup(full=True, prefix=one[:8], dry_run=dry_run)
    assert (result.orphaned_objects, result.foreign_objects, result.freed_bytes) == (1, 0, 1)
    assert (one in place.objects()) is dry_run
    assert other in place.objects()
    assert place.cleanup(full=True, dry_run=dry_run).orphaned_objects == (2 if dry_run else 1)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_prefix_without_full_is_refused(place, dry_run):
    with pytest.raises(UsageError, match="--full"):
        place.cleanup(prefix="ab", dry_run=dry_run)
    assert place.meta.jobs([1, 2, 3]) == []
