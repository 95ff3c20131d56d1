"""Verb ``initdb``."""

from __future__ import annotations

import argparse
import logging

from backy2_core.cli.verbs import PlainVerb
from backy2_core.errors import ConfigError, MetaBackendError, PluginError, RefusedError

log = logging.getLogger(__name__)


class Initdb(PlainVerb):
    """Set up the database, or bring one of an earlier release up to date.

    Needed once for a configured database; the embedded default sets itself up. Refused for a
    database that is up to date already. Make a copy of an old one before it is changed.
    """

    example = """
    backy2 initdb
    """
    exits = (ConfigError, PluginError, MetaBackendError, RefusedError)

    def act(self, parsed_args: argparse.Namespace) -> None:
        """Set up."""
        from backy2_core.contracts.meta_backend import SchemaState

        with self.installation() as installation:
            database = installation.database
            if database.schema_state() is SchemaState.CURRENT:
                raise RefusedError(f"The database {database.location} is set up and up to date already.")
            database.initialise()
            log.info("The database %s is set up", database.location)
