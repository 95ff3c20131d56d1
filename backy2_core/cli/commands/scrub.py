"""Verb ``scrub``."""

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
    RefusedError,
    SourceError,
    TransformError,
)

if TYPE_CHECKING:
    from backy2_core.engine.requests import ScrubResult


class Scrub(RecordVerb):
    """Check that a version can be restored.

    Reads its blocks from the store and compares them with their checksums; with --source also
    with the source, which must still be in the state that was backed up. Damage marks every
    version that uses the block as damaged; a full scrub that finds all right makes the
    version valid again. A difference to the source marks nothing. Both end with exit code 20.
    """

    example = """
    backy2 scrub latest:vm1
    backy2 scrub -p 10 1f4b9c
    backy2 scrub -s file:///dev/vg0/vm1-snapshot 1f4b9c
    """
    exits = (
        ConfigError,
        PluginError,
        SourceError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        JobLostError,
        TransformError,
        DamageError,
        KeyringError,
    )
    is_job = True
    columns = ("uid", "name", "state", "checked_blocks", "damaged_blocks", "different_blocks", "duration_s")
    record_type = "scrub"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument("-s", "--source", metavar="URL", help="compare with this source, too")
        parser.add_argument(
            "-p",
            "--percentile",
            type=percent,
            default=100,
            metavar="PERCENT",
            help="check only so many percent of the blocks, drawn at random (1 to 100; default: all)",
        )
        parser.add_argument("uid", metavar="UID", help="the version: its uid, the beginning of it, or latest:NAME")

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Scrub."""
        from backy2_core.engine.lookup import find_version, get_version
        from backy2_core.engine.requests import ScrubRequest
        from backy2_core.engine.scrub import scrub

        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            request = ScrubRequest(version.uid, parsed_args.source, parsed_args.percentile)
            result = scrub(installation.engine, request)
            state = get_version(installation.meta, version.uid).state
        self.failure = _failure(result)
        return (
            version.uid,
            version.name,
            state.name.lower(),
            result.checked_blocks,
            result.damaged_blocks,
            result.different_blocks,
            round(result.duration_s, 3),
        )


def percent(text: str) -> int:
    """A whole number from 1 to 100; checking nothing would prove nothing."""
    number = int(text)
    if not 1 <= number <= 100:
        raise argparse.ArgumentTypeError(f"{number} is not within 1 to 100")
    return number


def _failure(result: ScrubResult) -> DamageError | None:
    found = []
    if result.damaged_blocks:
        found.append(f"{counted(result.damaged_blocks, 'block')} damaged or missing")
    if result.different_blocks:
        found.append(f"{counted(result.different_blocks, 'block')} different from the source")
    return DamageError(f"Version {result.version.uid}: {', '.join(found)}.") if found else None
