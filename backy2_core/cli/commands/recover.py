"""Verb ``recover``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.units import counted
from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import (
    ConfigError,
    DamageError,
    DataBackendError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
)

if TYPE_CHECKING:
    from backy2_core.exchange.recovery import Recovery


class Recover(RecordVerb):
    """Make a lost database again from the store alone.

    Every version leaves a copy of its metadata in the store. This reads these copies, and takes
    in what the database lacks: all of it where the database is empty (it is set up then), or what
    is newer where it is an old copy. Then it compares the records with a listing of the store, and
    marks damaged what is gone. A version whose copy is damaged, or not all there, is named and left
    out, unless --damaged asks for what is left of it. Running it again does no harm. The exit code
    is 20 if a version is damaged, or could not be recovered as it was.
    """

    example = """
    backy2 recover --dry-run
    backy2 recover
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        JobLostError,
        DamageError,
        KeyringError,
    )
    is_job = True
    columns = (
        "dry_run",
        "documents",
        "unusable_documents",
        "recovered_versions",
        "updated_versions",
        "removed_versions",
        "damaged_versions",
        "found_blobs",
        "missing_blobs",
        "surplus_objects",
    )
    record_type = "recovery"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """``--dry-run``."""
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only read and check the copies, and say what would be recovered; an empty database is set up all the same",
        )
        parser.add_argument(
            "--damaged",
            action="store_true",
            help="take in what is left of versions whose copies are damaged or incomplete, too; their lost blocks are damage",
        )

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Recover."""
        from backy2_core.exchange.recovery import recover

        with self.installation() as installation:
            installation.set_up()
            result = recover(installation.engine, dry_run=parsed_args.dry_run, damaged=parsed_args.damaged)
        self.failure = _failure(result)
        return (
            result.dry_run,
            result.documents,
            result.unusable,
            result.recovered,
            result.updated,
            result.removed,
            result.damaged,
            result.found,
            result.missing,
            result.surplus,
        )


def _failure(result: Recovery) -> DamageError | None:
    if not (result.damaged or result.problems):
        return None
    return DamageError(
        f"{counted(result.damaged, 'version')} damaged, {counted(len(result.problems), 'problem')} with copies of metadata;"
        " the log names them."
    )
