"""Verb ``jobs``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, MetaBackendError, PluginError

if TYPE_CHECKING:
    from backy2_core.model.job import Job


_RECENT = timedelta(hours=24)


class Jobs(ListVerb):
    """Show what runs where, since when, and how far it is, and what died.

    Lists the jobs that hold a lease on the database, on every host, the newest first, and those
    whose lease ran out in the last 24 hours (their process died, or could not reach the database),
    as expired. --all shows older ones too, and the ones that ended in order. Times are UTC.
    """

    example = """
    backy2 jobs
    backy2 jobs --all -f json
    """
    exits = (ConfigError, PluginError, MetaBackendError)
    columns = ("id", "kind", "state", "description", "host", "pid", "began", "renewed", "lease_until", "percent")
    record_type = "job"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """``-a``."""
        parser.add_argument("-a", "--all", action="store_true", help="show jobs that ended or expired, too")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a job."""
        from backy2_core.model.job import JobState

        states = list(JobState) if parsed_args.all else [JobState.LIVE, JobState.EXPIRED]
        since = datetime.now(UTC) - _RECENT
        with self.installation() as installation:
            # A job that was killed keeps its lease until somebody looks; so look.
            installation.meta.expire_jobs()
            jobs = installation.meta.jobs(states)
            return [_row(job) for job in jobs if parsed_args.all or job.state is JobState.LIVE or job.renewed > since]


def _row(job: Job) -> Sequence[Any]:
    from backy2_core.cli.cells import Moment
    from backy2_core.model.job import JobState

    return (
        job.id,
        job.kind.value,
        job.state.name.lower(),
        job.description,
        job.host,
        job.pid,
        Moment(job.began),
        Moment(job.renewed),
        Moment(job.lease_until),
        round(100 * job.progress, 1) if job.state is JobState.LIVE else "",
    )
