"""Verb ``unprotect``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.arguments import UID_HELP
from backy2_core.cli.copies import refresh_copy
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, MetaBackendError, NotFoundError, PluginError, RefusedError

log = logging.getLogger(__name__)


class Unprotect(PlainVerb):
    """Let a protected version be removed again.

    Lifts what protect did. Refused for a version that is not protected.
    """

    example = """
    backy2 unprotect latest:vm1
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError, RefusedError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The version."""
        parser.add_argument("uid", metavar="UID", help=UID_HELP)

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Unprotect."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.retention import unprotect

        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            unprotect(installation.meta, version)
            refresh_copy(installation, version.uid)
        log.info("Lifted the protection of version %s of %s", version.uid, version.name)
