"""INVARIANT 4 on four hosts: whatever they do side by side, and whoever dies, nothing is lost and nothing leaks."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import time

import pytest

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.model.job import JobState
from tests.hosts.audit import audit, leases_run_out
from tests.hosts.fleet import KILLED, Fleet, Running, report
from tests.hosts.site import Site
from tests.hosts.work import Work

pytestmark = pytest.mark.xdist_group("postgresql")

SLOTS = 4
TASKS = 20
KILLS = 3
JOB_LOST = 18


def test_nothing_is_lost_and_nothing_leaks_whoever_dies_or_sleeps(
    site: Site, work: Work, fleet: Fleet, meta: MetaBackend
) -> None:
    sleeper = fall_asleep(fleet, work, site)
    died = {fall_dead(fleet, work) for _ in range(KILLS)} | {sleeper.who}
    while sum(fleet.ends.values()) < TASKS:
        fleet.fill(SLOTS + 1)
        fleet.look()
    meta.expire_jobs()
    assert fleet.job_of(sleeper) is None, "its lease should have run out"
    os.kill(sleeper.process.pid, signal.SIGCONT)
    fleet.drain()
    assert fleet.ends["sleeping backup", JOB_LOST] == 1, report(fleet.ends)
    leases_run_out(meta)
    assert who_died(site) == died
    assert audit(site, work, meta) > 3, report(fleet.ends)
    assert not meta.jobs({JobState.LIVE})


def fall_asleep(fleet: Fleet, work: Work, site: Site) -> Running:
    """A backup that is frozen while it stores blobs, and not while it writes to the database: see test_forgotten.py."""
    task = dataclasses.replace(work.backup(), kind="sleeping backup", may_end_with=frozenset({JOB_LOST}))
    sleeper = fleet.start(task, "slow")
    fleet.wait_for_job(sleeper)
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    time.sleep(0.1)
    while not site.is_silent():
        os.kill(sleeper.process.pid, signal.SIGCONT)
        time.sleep(0.05)
        os.kill(sleeper.process.pid, signal.SIGSTOP)
        time.sleep(0.1)
    return sleeper


def fall_dead(fleet: Fleet, work: Work) -> tuple[str, int]:
    """A backup that is killed while it stores blobs, others working beside it; who it was."""
    fleet.fill(SLOTS)
    victim = fleet.start(dataclasses.replace(work.backup(), kind="killed backup"), "slow")
    fleet.wait_for_job(victim)
    fleet.kill(victim)
    while victim in fleet.running:
        fleet.look()
    assert victim.process.returncode == KILLED
    return victim.who


def who_died(site: Site) -> set[tuple[str, int]]:
    """What ``backy2 jobs`` shows, on a host that was nearby."""
    done = subprocess.run(site.command("delta", "jobs", "-f", "json"), check=True, capture_output=True, text=True)
    jobs = json.loads(done.stdout)
    assert {job["state"] for job in jobs} == {"expired"}
    return {(job["host"], job["pid"]) for job in jobs}
