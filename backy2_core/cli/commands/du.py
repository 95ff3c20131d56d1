"""Verb ``du``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, MetaBackendError, NotFoundError, PluginError

if TYPE_CHECKING:
    from backy2_core.engine.usage import VersionUsage

_ORIGINAL = ("Real", "Null", "Dedup Own", "Dedup Others", "Individual", "Est. Space", "Est. Space freed")


class Du(ListVerb):
    """Show what space versions take, and how much of it they share.

    A row a version by name, then date; all versions, or the one of UID. The first five columns count
    bytes of the image, the two estimates count bytes in the store, after compression:

    - `Real`: blocks with data. `Null`: blocks that are all zero, which take no space.
    - `Dedup Own`: repeats of blocks that no other version has, without the first place of each.
    - `Dedup Others`: blocks that other versions have too.
    - `Individual`: blocks that occur once, in this version alone.
    - `Est. Space`: the version's share of the store. Each stored block's size is divided by the
      places that it has in all versions, so that the shares of all versions add up to the whole.
    - `Est. Space freed`: what is gained by removing this version alone, once cleanups have run.

    The original's `Est. Space` left repeats out when it added up; it was too small for a version
    that has any, and less than what would be freed. Blocks whose backup never came so far, or that
    a damaged version never had, count nowhere. Only the database is read; it is not locked.
    """

    example = """
    backy2 du
    backy2 du latest:vm1 -f json
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError)
    columns = (*_ORIGINAL, "name", "uid")
    size_columns = _ORIGINAL

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument(
            "uid", nargs="?", metavar="UID", help="only this version: its uid, the beginning of it, or latest:NAME"
        )

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a version."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.usage import measure_usage

        with self.installation() as installation:
            only = find_version(installation.meta, parsed_args.uid) if parsed_args.uid else None
            return [_row(usage) for usage in measure_usage(installation.meta, only)]


def _row(usage: VersionUsage) -> Sequence[Any]:
    return (
        usage.real_bytes,
        usage.null_bytes,
        usage.own_bytes,
        usage.others_bytes,
        usage.individual_bytes,
        usage.space_bytes,
        usage.freed_bytes,
        usage.version.name,
        usage.version.uid,
    )
