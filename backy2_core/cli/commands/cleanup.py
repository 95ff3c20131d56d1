"""Verb ``cleanup``."""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import (
    ConfigError,
    DataBackendError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    PluginError,
    RefusedError,
)

log = logging.getLogger(__name__)


class Cleanup(RecordVerb):
    """Delete from the store what no version needs any more.

    Runs beside backups, restores and other cleanups, on any host. What a running job may still
    need is only marked (condemned), and goes with a later cleanup. Interrupted backups are
    given up after the configured age. With --full the store is listed too, for objects that
    an interrupted job left behind without a record. What the store does not let go (an object
    lock) is warned of and tried again by each cleanup.
    """

    example = """
    backy2 cleanup --dry-run
    backy2 cleanup
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        RefusedError,
        JobLostError,
        KeyringError,
    )
    is_job = True
    columns = (
        "dry_run",
        "abandoned_versions",
        "purged_versions",
        "deleted_segments",
        "deleted_blobs",
        "freed_bytes",
        "condemned_segments",
        "condemned_blobs",
        "orphaned_objects",
        "foreign_objects",
        "spared_blobs",
        "written_copies",
        "deleted_packs",
        "undeleted_blobs",
    )
    record_type = "cleanup"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's ``-f`` and ``-p``, and ``--dry-run``."""
        parser.add_argument("-f", "--full", action="store_true", help="look for objects without a record, too")
        parser.add_argument(
            "-p",
            "--prefix",
            metavar="PREFIX",
            default="",
            help="with --full: look only at objects whose uid begins with PREFIX",
        )
        parser.add_argument(
            "--dangerous-force", action="store_true", help="does nothing; known for the sake of scripts of the original"
        )
        parser.add_argument("--dry-run", action="store_true", help="change nothing, and show what would be done")

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Clean up."""
        from backy2_core.engine.cleanup import cleanup
        from backy2_core.engine.requests import CleanupRequest

        if parsed_args.dangerous_force:
            log.warning("--dangerous-force does nothing here: no cleanup waits for an hour before it deletes")
        with self.installation() as installation:
            request = CleanupRequest(parsed_args.full, parsed_args.dry_run, parsed_args.prefix)
            result = cleanup(installation.engine, request)
        values = dataclasses.asdict(result)
        return tuple(values[column] for column in self.columns)
