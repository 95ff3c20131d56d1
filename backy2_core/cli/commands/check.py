"""Verb ``check``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import (
    BackyError,
    ConfigError,
    DamageError,
    DataBackendError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    PluginError,
    StoreIdentityError,
)

if TYPE_CHECKING:
    from backy2_core.engine.health import HealthReport


class Check(ListVerb):
    """Check database and store against each other, without reading blocks.

    Made for every day: checks each version's map and digest, each record against a listing of the
    store (objects that are missing, surplus or of a wrong size), the leases of jobs, and the
    copies of the metadata in the store. Proven damage marks the blobs, and the versions that use
    them, as damaged; blobs of an import that are found count as stored; --dry-run writes nothing.
    The verdict of a line is ok, note (untidy, harms nothing), mismatch (store and database do
    not know the same versions; exit code 14) or damage (exit code 20). Whether the bytes of a
    block are right only a scrub tells.
    """

    example = """
    backy2 check
    backy2 check --dry-run -f json
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        JobLostError,
        DamageError,
        KeyringError,
    )
    is_job = True
    columns = ("what", "checked", "problems", "verdict", "detail")
    record_type = "check"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """``--dry-run``, also called ``--read-only``."""
        parser.add_argument("--dry-run", "--read-only", action="store_true", help="write nothing, mark nothing")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row for each thing that was looked at."""
        from backy2_core.engine.health import check_health

        with self.installation() as installation:
            report = check_health(installation.engine, dry_run=parsed_args.dry_run)
        self.failure = _failure(report)
        return [(each.what, each.checked, each.problems, str(each.verdict), each.detail) for each in report.lines]


def _failure(report: HealthReport) -> BackyError | None:
    from backy2_core.engine.health_lines import Verdict

    found = ", ".join(f"{each.what} {each.problems}" for each in report.lines if each.verdict is report.verdict)
    if report.verdict is Verdict.DAMAGE:
        return DamageError(f"The check found damage: {found}.")
    if report.verdict is Verdict.MISMATCH:
        return StoreIdentityError(f"The check found that store and database do not know the same versions: {found}.")
    return None
