"""Verb ``expire``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.arguments import DATE_HELP, UID_HELP, moment_or_none
from backy2_core.cli.copies import refresh_copy
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, MetaBackendError, NotFoundError, PluginError

log = logging.getLogger(__name__)


class Expire(PlainVerb):
    """Set the date from which a version is not needed any more.

    Nothing is removed by it: `ls --expired` lists the versions whose date is past, and a script
    removes them with rm, for which protection and the least age count as ever.
    """

    example = """
    backy2 expire 1f4b9c 2031-12-31
    backy2 expire latest:vm1 '2031-12-31 18:00:00'
    backy2 expire 1f4b9c ''
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The version and the date."""
        parser.add_argument("uid", metavar="UID", help=UID_HELP)
        parser.add_argument("date", metavar="DATE", type=moment_or_none, help=f"{DATE_HELP}; '' takes the date away")

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Set or clear."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.retention import set_expire

        date = parsed_args.date
        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            set_expire(installation.meta, version, date)
            refresh_copy(installation, version.uid)
        when = "does not expire" if date is None else f"expires {date:%Y-%m-%d %H:%M:%S} UTC"
        log.info("Version %s of %s %s", version.uid, version.name, when)
