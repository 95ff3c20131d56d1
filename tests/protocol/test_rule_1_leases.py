"""Rule 1: a lease that ran out stays so, and the job's transactions know it.

The check in ``finish_version`` and ``create_version`` alone protects nothing that another rule does not: what is in the map of
an incomplete version stays while that version has rows, and a version that was given up cannot be finished. So it has no test
of its own.
"""

from __future__ import annotations

import contextlib

import pytest

from backy2_core.errors import JobLostError
from tests.protocol.mutants_of_jobs import lease_checked_before, no_lease_check, renewal_of_the_dead
from tests.protocol.world import World


def sleeps_before_append(world: World) -> None:
    """A backup keeps block A of its base, sleeps, and wakes up when the base and its blobs are gone.

    It has stored nothing itself: what it had would be found missing by the check of rule 8.
    """
    backup = world.backup("v2", "A.", base="v1", changed=[1])
    world.upto(backup, "append_segments")
    world.expire(backup)
    world.run(world.rm("v1"), world.cleanup())
    world.run(backup)
    world.check_incomplete()


def sleeps_before_record(world: World) -> None:
    """A backup sleeps between put and record, while a full cleanup deletes what it put; then another one looks up."""
    backup = world.backup("v2", "AC")
    world.upto(backup, "add_blobs")
    world.step(backup)
    world.expire(backup)
    world.run(world.cleanup(full=True), backup)
    world.run(world.backup("v3", "AC"))


def sleeps_and_wakes_before_record(world: World) -> None:
    """The same, but the lease runs out before the record is asked for."""
    backup = world.backup("v2", "AC")
    world.upto(backup, "add_blobs")
    world.expire(backup)
    world.run(world.cleanup(full=True), backup)
    world.run(world.backup("v3", "AC"))


def sleeps_and_renews(world: World) -> None:
    """A backup wakes up after its base is gone, and renews its lease before it goes on."""
    backup = world.backup("v2", "A.", base="v1", changed=[1])
    world.upto(backup, "append_segments")
    world.expire(backup)
    world.run(world.rm("v1"), world.cleanup())
    with contextlib.suppress(JobLostError):
        world.meta.renew_job(backup.jobs[-1].id, 60.0, 0.5)
    world.run(backup)


def test_append_after_the_lease_ran_out_is_refused(rule_counts) -> None:
    rule_counts(sleeps_before_append, no_lease_check("maps"), "incomplete version v2 lacks the record", v1="AB")


def test_no_transaction_of_a_lost_job_makes_a_version_valid(rule_counts) -> None:
    rule_counts(sleeps_before_append, no_lease_check("maps", "finish"), "valid version v2 lacks the record", v1="AB")


def test_record_after_the_lease_ran_out_is_refused(rule_counts) -> None:
    without = no_lease_check("blobs")
    rule_counts(sleeps_and_wakes_before_record, without, "valid version v3 lacks the object", v1="AB")


def test_lease_is_checked_in_the_transaction_that_records(rule_counts) -> None:
    rule_counts(sleeps_before_record, lease_checked_before, "valid version v3 lacks the object", v1="AB")


def test_lease_that_ran_out_is_never_renewed(rule_counts) -> None:
    rule_counts(sleeps_and_renews, renewal_of_the_dead, "valid version v2 lacks the record", v1="AB")


@pytest.mark.parametrize("call", ["create_version", "add_blobs", "append_segments", "finish_version"])
def test_job_that_wakes_up_after_its_lease_ran_out_is_told_so(world: World, call: str) -> None:
    backup = world.backup("v2", "CD")
    world.upto(backup, call)
    world.expire(backup)
    world.run(backup)
    assert isinstance(backup.error, JobLostError)
    world.settle()
    assert [version.name for version in world.rows.versions] == ["v1"]
