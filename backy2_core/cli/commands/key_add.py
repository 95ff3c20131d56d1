"""Verb ``key add``."""

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
    PluginError,
    RefusedError,
)

log = logging.getLogger(__name__)


class KeyAdd(PlainVerb):
    """Let one more master key open the store.

    The configuration must hold this key, in its section [key:ID], and one that opens the store
    already. Writes one small document, whatever the size of the store; what is stored stays as it
    is, and jobs that run are not disturbed.
    """

    example = """
    backy2 key add offline
    """
    exits = (ConfigError, PluginError, DataBackendError, MetaBackendError, RefusedError, JobLostError, KeyringError)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The key."""
        parser.add_argument("id", metavar="ID", help="the key, as the configuration calls it")

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Add."""
        from backy2_core.assembly.keys import read_key
        from backy2_core.engine.key_edits import add_key

        with self.installation() as installation:
            master = read_key(installation.config, parsed_args.id)
            if add_key(installation.keys, master):
                log.info("The key %s opens the store from now on", master)
            else:
                log.info("The key %s opens the store already", master)
