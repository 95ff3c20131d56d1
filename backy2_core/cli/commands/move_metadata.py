"""Verb ``move-metadata``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from backy2_core.cli.verbs import ListVerb
from backy2_core.errors import ConfigError, MetaBackendError, PluginError, RefusedError, UsageError


class MoveMetadata(ListVerb):
    """Move all metadata from one database to another, of another kind too.

    FROM and TO are URLs as the setting `engine` of [meta_backend] has them. In both, %(env:NAME)s,
    %(file:PATH)s and %(command:...)s stand for a password, so that it is in no process list; where
    they do, write %% for a percent sign. TO must be empty. Refused while a job runs; nobody can
    write to FROM meanwhile. Interrupted, all is still in FROM: run it again. Afterwards FROM takes
    no more; name TO in the configuration of every host. Blobs stay where they are. Prints the
    number of rows by table.
    """

    example = """
    backy2 move-metadata sqlite:////var/lib/backy2/backy2.sqlite \\
        'postgresql://backy2:%(file:/etc/backy2/password)s@db.example.com/backy2'
    """
    exits = (ConfigError, PluginError, MetaBackendError, RefusedError)
    is_job = True
    columns = ("table", "rows")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """From where to where."""
        parser.add_argument("origin", metavar="FROM", help="URL of the database as it is")
        parser.add_argument("destination", metavar="TO", help="URL of the empty database")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        """A row a table."""
        origin, destination = (_expanded(url) for url in (parsed_args.origin, parsed_args.destination))
        with self.installation() as installation:
            return list(installation.move_metadata(origin, destination).items())


def _expanded(url: str) -> str:
    from backy2_core.config.interpolation import expand, reaches_outside

    if not reaches_outside(url):
        return url
    try:
        return expand(url, {}, private=True)
    except ValueError as error:
        raise UsageError(f"The URL of a database cannot be read: {error}") from error
