"""Verb ``export``."""

from __future__ import annotations

import argparse
import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from backy2_core.cli.outcome import OutputClosed
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import (
    ConfigError,
    DamageError,
    ExchangeError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
    UsageError,
)

log = logging.getLogger(__name__)

_FORMATS = ("original", "own")


class Export(PlainVerb):
    """Write the metadata of a version to a file.

    The dump says which blob each block is; with it and the store alone the version can be had
    back by import. The data are not in it. The store is not needed, so that this works while it
    is away. FILE is replaced at once when the dump is complete; - is standard output.

    The format `own` carries every version and everything of it. The format `original` is that
    of backy2 2.9: it carries versions whose blocks are neither compressed nor encrypted, have
    checksums of one function of Python's hashlib (so not of blake3), and are not lost; tags,
    expiry, statistics and the source have no place in it. Without --dump-format a version whose
    checksums are all of sha512 is written in the original's format if that can carry its
    blocks, any other in our own.
    """

    example = """
    backy2 export latest:vm1 /var/backups/vm1.dump
    backy2 export --dump-format own 1f4b9c - | gzip > vm1.dump.gz
    """
    exits = (
        ConfigError,
        PluginError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        DamageError,
        ExchangeError,
    )
    is_job = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's, and the format."""
        parser.add_argument(
            "--dump-format", choices=_FORMATS, help="the format of the dump; without it what the version is decides"
        )
        parser.add_argument("uid", metavar="UID", help="the version: its uid, the beginning of it, or latest:NAME")
        parser.add_argument("file", metavar="FILE", help="where to write the dump; - is standard output")

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Export."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.exchange.export import DumpFormat
        from backy2_core.exchange.export import Export as Exporting

        wanted = DumpFormat(parsed_args.dump_format) if parsed_args.dump_format else None
        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            export = Exporting(installation.meta, version, wanted, self.app.make_progress())
            with self._opened(parsed_args.file) as out:
                export.write(out)
        log.info("Exported version %s of %s", version.uid, version.name)

    @contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        from backy2_core.exchange.outfile import replacing

        try:
            if path != "-":
                with replacing(path) as out:
                    yield out
                return
            if getattr(self.app.stdout, "name", "") == os.devnull:  # what stands in for a descriptor that was closed
                raise UsageError("The dump cannot be written to -: standard output is closed. Give a file, or open it.")
            with binary_output(self.app.stdout) as out:
                yield out
        except BrokenPipeError as error:
            raise OutputClosed from error
        except OSError as error:
            raise ExchangeError(f"The dump cannot be written to {path}: {error.strerror}.") from error


@contextmanager
def binary_output(stream: TextIO) -> Iterator[BinaryIO]:
    """Standard output for bytes; where it takes texts only, all of it is written at the end."""
    if isinstance(stream, io.TextIOWrapper):
        stream.flush()
        yield stream.buffer
        stream.buffer.flush()
        return
    collected = io.BytesIO()
    yield collected
    stream.write(collected.getvalue().decode())
