"""Verb ``stats``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, MetaBackendError, NotFoundError, PluginError

if TYPE_CHECKING:
    from backy2_core.contracts.meta_backend import MetaBackend
    from backy2_core.model.version import Statistics, VersionUid

_ORIGINAL = (
    "date",
    "uid",
    "name",
    "size bytes",
    "size blocks",
    "bytes read",
    "blocks read",
    "bytes written",
    "blocks written",
    "bytes dedup",
    "blocks dedup",
    "bytes sparse",
    "blocks sparse",
    "duration (s)",
)
_UID_LENGTH = 36


class Stats(ListVerb):
    """Show what finished backups read and wrote.

    A row a backup by date, also of versions that were removed since. Each block counts once as
    written (stored anew), dedup (read, and found stored already), sparse (all zero) or kept
    (taken over unread). Times are UTC. Under -m the columns are those of the original
    backy2 2.9, which knew no kept blocks.
    """

    example = """
    backy2 stats -l 10
    backy2 stats latest:vm1 -f json
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError)
    columns = (*_ORIGINAL, "bytes kept", "blocks kept")
    machine_columns = _ORIGINAL
    record_type = "statistics"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument(
            "uid", nargs="?", metavar="UID", help="only this version: its uid, the beginning of it, or latest:NAME"
        )
        parser.add_argument("-l", "--limit", type=count, metavar="COUNT", help="only the newest COUNT backups")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a backup."""
        with self.installation() as installation:
            uid = _full_uid(installation.meta, parsed_args.uid) if parsed_args.uid else None
            return [_row(entry) for entry in installation.meta.statistics(uid, parsed_args.limit)]


def count(text: str) -> int:
    """A whole number that is not negative."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number


def _full_uid(meta: MetaBackend, text: str) -> VersionUid:
    """A whole uid as it is, since statistics outlive their version; anything else is looked up."""
    from backy2_core.engine.lookup import find_version
    from backy2_core.model.version import VersionUid

    return VersionUid(text) if len(text) == _UID_LENGTH else find_version(meta, text).uid


def _row(entry: Statistics) -> Sequence[Any]:
    from backy2_core.cli.cells import Moment

    counts = entry.counts
    return (
        Moment(entry.date),
        entry.uid,
        entry.name,
        entry.size_bytes,
        entry.size_blocks,
        counts.bytes_read,
        counts.blocks_read,
        counts.bytes_written,
        counts.blocks_written,
        counts.bytes_dedup,
        counts.blocks_dedup,
        counts.bytes_sparse,
        counts.blocks_sparse,
        round(entry.duration_s),
        counts.bytes_kept,
        counts.blocks_kept,
    )
