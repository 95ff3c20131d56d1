"""Verb ``remove-tag``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.arguments import UID_HELP, some_tags
from backy2_core.cli.copies import refresh_copy
from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, MetaBackendError, NotFoundError, PluginError

log = logging.getLogger(__name__)


class RemoveTag(PlainVerb):
    """Take tags from a version.

    A tag that the version does not have is no error.
    """

    example = """
    backy2 remove-tag 1f4b9c keep
    """
    exits = (ConfigError, PluginError, MetaBackendError, NotFoundError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The version and the tags."""
        parser.add_argument("uid", metavar="UID", help=UID_HELP)
        parser.add_argument(
            "tags", metavar="NAME[,NAME]", type=some_tags, help="the tag, or several with commas between"
        )

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Remove."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.retention import remove_tags

        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            remove_tags(installation.meta, version, parsed_args.tags)
            refresh_copy(installation, version.uid)
        log.info("Took %s from version %s of %s", ", ".join(sorted(parsed_args.tags)), version.uid, version.name)
