"""Checks the leases: which jobs live, which died since the last check, and which versions nobody goes on with."""

from __future__ import annotations

import logging

from backy2_core.engine.context import Engine
from backy2_core.engine.health_lines import Faults, Line, Verdict, line
from backy2_core.engine.lease import Lease
from backy2_core.model.job import Job, JobKind, JobState
from backy2_core.model.version import VersionFilter, VersionState

DESCRIPTION = "check of the database and the store"
"""Of the job of a health check, by which the next one finds it."""

_ALL = 1_000_000_000
_PAST = 1000
_UNFINISHED = frozenset({VersionState.INCOMPLETE, VersionState.ARRIVING})


def job_lines(engine: Engine, lease: Lease | None) -> list[Line]:
    """A line on the jobs, and one on versions that are incomplete with nobody working on them."""
    # Versions before jobs: whoever works on one of them began before. And versions again, as some jobs end meanwhile.
    unfinished = list(engine.meta.versions(VersionFilter(states=_UNFINISHED)))
    live = [job for job in engine.meta.jobs({JobState.LIVE}, limit=_ALL) if lease is None or job.id != lease.id]
    worked_on = {version for job in live for version in job.versions}
    still = {version.id for version in engine.meta.versions(VersionFilter(states=_UNFINISHED))} - worked_on
    died, left = Faults(), Faults()
    for job in _died(engine):
        died.add(str(job.id), f"{job.kind} on {job.host} (process {job.pid}) died: {job.description}")
    for version in unfinished:
        if version.id in still:
            left.add(version.uid, f"{version.name} is incomplete, and nobody works on it")
    died.log("Job", logging.WARNING)
    left.log("Version", logging.WARNING)
    days = engine.options.abandon_incomplete_s / 86400
    advice = f"`backy2 backup -c UID`; after {days:g} days a cleanup gives it up"
    return [
        line("jobs", len(live) + died.count, died, Verdict.NOTE, "`backy2 cleanup --full`"),
        line("incomplete_versions", len(unfinished), left, Verdict.NOTE, advice),
    ]


def _died(engine: Engine) -> list[Job]:
    """Jobs whose lease ran out since the last health check that came to its end; all, if there was none."""
    past = engine.meta.jobs({JobState.ENDED, JobState.EXPIRED}, limit=_PAST)
    checks = [job for job in past if job.kind is JobKind.SCRUB and job.description == DESCRIPTION]
    since = max((job.began for job in checks if job.state is JobState.ENDED), default=None)
    return [job for job in past if job.state is JobState.EXPIRED and (since is None or job.lease_until >= since)]
