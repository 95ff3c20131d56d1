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

    A row a backup that came to its end, by date, also of versions that were removed since. Times
    are UTC. The list is empty if there is no backup of that UID. What the columns count:

    read: what was read from the source. Of a plain backup all but the ranges that the source
    itself knows to be empty; of one with hints (-r) the blocks that a hint touches, but for those
    that it calls empty as a whole, and the end of an image that has another size than the base
    version. The sample that is compared with the base version does not count.
    written: what was read and stored anew.
    dedup: what was read and found stored already, in any version.
    sparse: what is all zero, and so never stored: found so when it was read, empty by the hint or
    by the source, or neither hinted nor in a base version.
    kept (only if asked for with -f or -c): what was taken over from the base version unread, be it
    empty there or not.

    written, dedup, sparse and kept together are the whole version: each block counts in one of
    them. A continued backup (-c) counts only the blocks of its last run. Statistics that were
    taken over from the original count as it counted.
    """

    example = """
    backy2 stats -l 10
    backy2 stats latest:vm1 -f json
    backy2 stats -f 'date,name,bytes written,bytes kept'
    """
    exits = (ConfigError, PluginError, MetaBackendError)
    columns = (*_ORIGINAL, "bytes kept", "blocks kept")
    default_columns = _ORIGINAL
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
            try:
                uid = _full_uid(installation.meta, parsed_args.uid) if parsed_args.uid else None
            except NotFoundError:
                return []
            entries = installation.meta.statistics(uid, parsed_args.limit)
            return [_row(entry, fraction=self.with_fractions) for entry in entries]


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


def _row(entry: Statistics, *, fraction: bool) -> Sequence[Any]:
    from backy2_core.cli.cells import Moment

    counts = entry.counts
    return (
        Moment(entry.date, fraction=fraction),
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
