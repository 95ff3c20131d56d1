"""Verb ``backup``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backy2_core.cli.arguments import DATE_HELP, moment, split_tags
from backy2_core.cli.formats import MACHINE
from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import (
    ConfigError,
    DamageError,
    DataBackendError,
    HintsError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
    SourceError,
    TransformError,
    UsageError,
)

if TYPE_CHECKING:
    from backy2_core.contracts.meta_backend import MetaBackend
    from backy2_core.engine.requests import BackupRequest, BackupResult


class Backup(RecordVerb):
    """Back up a source as a new version.

    Reads SOURCE (a URL such as file:///dev/vg0/vm1 or rbd://pool/image@snapshot) and stores
    what is not stored yet. With a list of changed ranges (-r) only those are read; all other
    blocks are taken from the version given with -f, or are zeros without one. An interrupted
    backup leaves an incomplete version, which -c continues with the same arguments; its tags and
    expiry date stay. Prints the new version; under -m only its uid.

    Without -t the version gets the tag b_daily if no valid version of that name from today has
    it, b_weekly if none from the last 7 days, today included, and b_monthly if none from the
    last 30. Days are those of UTC. With -t it gets only the tags given, and with -t '' none.
    """

    example = """
    backy2 backup -s monday -t daily file:///dev/vg0/vm1-snapshot vm1
    rbd diff --format json pool/vm1@tuesday --from-snap monday \\
        | backy2 backup -s tuesday -r - -f latest:vm1 rbd://pool/vm1@tuesday vm1
    """
    exits = (
        HintsError,
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
    columns = (
        "uid",
        "name",
        "snapshot_name",
        "date",
        "state",
        "size_bytes",
        "bytes_read",
        "bytes_written",
        "bytes_dedup",
        "bytes_sparse",
        "bytes_kept",
        "duration_s",
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's, and ``-c``."""
        parser.add_argument("source", metavar="SOURCE", help="URL of what to back up")
        parser.add_argument("name", metavar="NAME", help="name of the versions of this source")
        parser.add_argument("-s", "--snapshot-name", default="", metavar="SNAPSHOT", help="name of the snapshot")
        parser.add_argument(
            "-r",
            "--rbd",
            "--hints",
            dest="hints",
            metavar="FILE",
            help="changed ranges, as `rbd diff --format json` prints them; - is standard input",
        )
        parser.add_argument("-f", "--from-version", metavar="UID", help="take unchanged blocks from this version")
        parser.add_argument(
            "-t", "--tag", action="append", metavar="TAG", help="a tag, or several with commas; repeatable"
        )
        parser.add_argument(
            "-e", "--expire", type=moment, metavar="DATE", help=f"not needed any more from this date on: {DATE_HELP}"
        )
        parser.add_argument("-c", "--continue-version", metavar="UID", help="continue this incomplete version")
        parser.add_argument(
            "--full", action="store_true", help="take nothing from an earlier version, where the source has snapshots"
        )

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Back up."""
        from backy2_core.engine.backup import backup
        from backy2_core.model.version import VersionState

        with self.installation() as installation:
            result = backup(installation.engine, _request(installation.meta, parsed_args))
        if result.version.state is not VersionState.VALID:
            self.failure = DamageError(
                f"Version {result.version.uid} refers to blocks that turned out damaged; `backy2 scrub` names them."
            )
        return _record(result)

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """The record; for programs the uid alone on a line, as scripts around the original expect."""
        if parsed_args.formatter == MACHINE and not parsed_args.columns:
            self.app.stdout.write(f"{data[0]}\n")
            return 0
        return super().produce_output(parsed_args, column_names, data)


def _request(meta: MetaBackend, parsed_args: argparse.Namespace) -> BackupRequest:
    from backy2_core.engine.hints import parse_hints
    from backy2_core.engine.lookup import find_version
    from backy2_core.engine.requests import BackupRequest

    base, resume = parsed_args.from_version, parsed_args.continue_version
    if parsed_args.full and (base or resume or parsed_args.hints is not None):
        raise UsageError("--full takes nothing from before; it does not go with -r, -f or -c. Leave one of them out.")
    return BackupRequest(
        source=parsed_args.source,
        name=parsed_args.name,
        snapshot_name=parsed_args.snapshot_name,
        tags=_tags(meta, parsed_args),
        hints=None if parsed_args.hints is None else parse_hints(_read_hints(parsed_args.hints)),
        base=find_version(meta, base).uid if base else None,
        resume=find_version(meta, resume).uid if resume else None,
        expire=parsed_args.expire,
        full=parsed_args.full,
    )


def _tags(meta: MetaBackend, parsed_args: argparse.Namespace) -> frozenset[str]:
    from backy2_core.engine.tagging import automatic_tags_of

    if parsed_args.tag is not None:
        return split_tags(parsed_args.tag)
    return automatic_tags_of(meta, parsed_args.name, datetime.now(UTC))


def _read_hints(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The hints file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise HintsError(f"The hints file {path} is no UTF-8 text: {error.reason}") from error


def _record(result: BackupResult) -> Sequence[Any]:
    from backy2_core.cli.cells import Moment

    version, counts = result.version, result.statistics.counts
    return (
        version.uid,
        version.name,
        version.snapshot_name,
        Moment(version.date),
        version.state.name.lower(),
        version.geometry.size_bytes,
        counts.bytes_read,
        counts.bytes_written,
        counts.bytes_dedup,
        counts.bytes_sparse,
        counts.bytes_kept,
        round(result.statistics.duration_s, 3),
    )
