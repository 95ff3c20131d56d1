"""Verb ``ls``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, MetaBackendError, PluginError

if TYPE_CHECKING:
    from backy2_core.model.version import Version

_ORIGINAL = ("date", "name", "snapshot_name", "size", "size_bytes", "uid", "valid", "protected", "tags")


class Ls(ListVerb):
    """List versions.

    By name, then date. Without arguments all of them; NAME and the options narrow that down,
    and combine. `size` counts blocks. Times are UTC. Under -m the columns are those of
    the original backy2 2.9, or of 2.13 where machine_output is configured so.
    """

    example = """
    backy2 ls vm1
    backy2 ls -t daily -f csv -f date,uid
    backy2 -s ls --expired -f value -f uid | xargs -r -n 1 backy2 rm
    backy2 -m ls
    """
    exits = (ConfigError, PluginError, MetaBackendError)
    columns = (*_ORIGINAL, "expire", "state")
    machine_columns = _ORIGINAL
    later_machine_columns = (*_ORIGINAL, "expire")
    record_type = "version"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument("name", nargs="?", metavar="NAME", help="only versions of this name")
        parser.add_argument("-s", "--snapshot-name", metavar="SNAPSHOT", help="only those of this snapshot name")
        parser.add_argument("-t", "--tag", metavar="TAG", help="only those with this tag")
        parser.add_argument("-e", "--expired", action="store_true", help="only those whose expiry date is past")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a version."""
        from backy2_core.model.version import VersionFilter

        which = VersionFilter(name=parsed_args.name, snapshot_name=parsed_args.snapshot_name, tag=parsed_args.tag)
        now = datetime.now(UTC)
        with self.installation() as installation:
            return [
                _row(version, fraction=self.with_fractions)
                for version in installation.meta.versions(which)
                if not parsed_args.expired or (version.expire is not None and version.expire < now)
            ]


def _row(version: Version, *, fraction: bool) -> Sequence[Any]:
    from backy2_core.cli.cells import Moment, Names
    from backy2_core.model.version import VersionState

    return (
        Moment(version.date, fraction=fraction),
        version.name,
        version.snapshot_name,
        version.geometry.count,
        version.geometry.size_bytes,
        version.uid,
        version.state is VersionState.VALID,
        version.protected,
        Names(version.tags),
        Moment(version.expire),
        version.state.name.lower(),
    )
