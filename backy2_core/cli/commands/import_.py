"""Verb ``import``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from backy2_core.cli.formats import MACHINE
from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import (
    ConfigError,
    DamageError,
    DataBackendError,
    ExchangeError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    PluginError,
    RefusedError,
    UsageError,
    VersionExistsError,
)


class Import(RecordVerb):
    """Take in a version that was exported.

    Reads our own dumps, and those of every release of the original backy2, also with the log
    lines that `export UID -` of old releases printed around them. The whole dump is read and
    checked before anything is written; a dump that is cut, damaged or contradicts itself is
    refused with the number of the line, and changes nothing. The version keeps its uid. Its
    blobs must be in the store already; new backups share them only after a scrub has found them
    there. A version that was damaged or incomplete where it comes from arrives as damaged, with
    exit code 20. An empty database is set up. Prints the version; under -m only its uid.
    """

    example = """
    backy2 import /var/backups/vm1.dump
    zcat vm1.dump.gz | backy2 import -
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        RefusedError,
        JobLostError,
        DamageError,
        VersionExistsError,
        ExchangeError,
        KeyringError,
    )
    is_job = True
    columns = ("uid", "name", "snapshot_name", "date", "state", "size_bytes", "protected", "expire", "tags")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's, and the hash function."""
        parser.add_argument(
            "--hash",
            metavar="NAME",
            help="the hash function that made the checksums of a dump of the original, such as sha256; without it their"
            " length tells it, which is right unless hash_function was changed to a rare one",
        )
        parser.add_argument("file", metavar="FILE", help="the dump; - is standard input")

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Import."""
        from backy2_core.cli.cells import Moment, Names
        from backy2_core.exchange.dumps import import_dump
        from backy2_core.model.version import VersionState

        path = parsed_args.file
        with self.installation() as installation, opened(path) as stream:
            installation.set_up()
            origin = "standard input" if path == "-" else path
            version = import_dump(installation.engine, stream, origin, parsed_args.hash)
        if version.state is not VersionState.VALID:
            self.failure = DamageError(
                f"Version {version.uid} arrived, but damaged, as it was where it comes from or because a blob of it is known to"
                " be damaged here; `backy2 scrub` names the blocks."
            )
        return (
            version.uid,
            version.name,
            version.snapshot_name,
            Moment(version.date),
            version.state.name.lower(),
            version.geometry.size_bytes,
            version.protected,
            Moment(version.expire),
            Names(version.tags),
        )

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        """The record; for programs the uid alone on a line, as of a backup."""
        if parsed_args.formatter == MACHINE and not parsed_args.columns:
            self.app.stdout.write(f"{data[0]}\n")
            return 0
        return super().produce_output(parsed_args, column_names, data)


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The bytes of a file; of standard input for ``-``."""
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(path, "rb")  # noqa: SIM115 # closed below
    except OSError as error:
        raise UsageError(f"The dump {path} cannot be read: {error.strerror}.") from error
    with stream:
        yield stream
