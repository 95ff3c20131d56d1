"""Verb ``rm``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import (
    ConfigError,
    DataBackendError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
)

log = logging.getLogger(__name__)


class Rm(PlainVerb):
    """Remove a version.

    The version is gone from the list at once; what only it used is deleted from the store by
    the next cleanups. Refused for a protected version. Refused, unless --force is given, for one
    that is younger than disallow_rm_when_younger_than_days, and for one that a backup is writing
    (jobs shows it; that of a killed one counts until its lease is over). A restore or scrub of
    the version that runs already comes to its end.
    """

    example = """
    backy2 rm 1f4b9c
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        KeyringError,
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument(
            "-f", "--force", action="store_true", help="remove it even if it is too young, or a backup is writing it"
        )
        parser.add_argument("uid", metavar="UID", help="the version: its uid, the beginning of it, or latest:NAME")

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Remove."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.retention import remove

        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            remove(installation.engine, version, force=parsed_args.force)
        log.info("Removed version %s of %s", version.uid, version.name)
