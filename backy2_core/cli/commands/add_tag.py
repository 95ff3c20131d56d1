"""Verb ``add-tag``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.arguments import UID_HELP, some_tags
from backy2_core.cli.copies import refresh_copy
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, MetaBackendError, NotFoundError, PluginError

log = logging.getLogger(__name__)


class AddTag(PlainVerb):
    """Add tags to a version.

    Tags are names by which versions are found (ls -t) and counted (due, sla). A tag that the
    version has already is no error.
    """

    example = """
    backy2 add-tag latest:vm1 before-upgrade
    backy2 add-tag 1f4b9c weekly,keep
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The version and the tags."""
        parser.add_argument("uid", metavar="UID", help=UID_HELP)
        parser.add_argument(
            "tags", metavar="NAME[,NAME]", type=some_tags, help="the tag, or several with commas between"
        )

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Add."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.retention import add_tags

        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            add_tags(installation.meta, version, parsed_args.tags)
            refresh_copy(installation, version.uid)
        log.info("Tagged version %s of %s with %s", version.uid, version.name, ", ".join(sorted(parsed_args.tags)))
