"""Verb ``key remove``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import (
    ConfigError,
    DataBackendError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
)

log = logging.getLogger(__name__)


class KeyRemove(PlainVerb):
    """Let a master key open the store no longer.

    Refused for the only key of the store, and (unless forced) for the only one that is configured
    here. Who had the key, and a copy of the store from before, may still read what was stored:
    the secret behind the master keys stays the same. Writes one small document; jobs that run are
    not disturbed.
    """

    example = """
    backy2 key remove old
    """
    exits = (
        ConfigError,
        PluginError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        JobLostError,
        KeyringError,
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The key."""
        parser.add_argument(
            "--force", action="store_true", help="even if no key that is configured here opens the store any more"
        )
        parser.add_argument("id", metavar="ID", help="the key, as `backy2 key list` shows it")

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Remove."""
        from backy2_core.engine.key_edits import remove_key

        with self.installation() as installation:
            slot = remove_key(installation.keys, parsed_args.id, force=parsed_args.force)
        log.info("The key %s opens the store no longer", slot)
