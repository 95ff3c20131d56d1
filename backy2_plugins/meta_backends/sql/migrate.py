"""Bringing the schema up to date, with alembic and without a configuration file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from backy2_core.api import SchemaError, SchemaState
from backy2_plugins.meta_backends.sql.database import Database


def initialise(database: Database) -> None:
    """Make the tables, or change old ones; does nothing to current ones and refuses newer ones."""
    state = database.schema_state()
    if state is SchemaState.NEWER:
        raise SchemaError(f"database {database.location} was changed by a newer release of backy2; install that one")
    if state is not SchemaState.CURRENT:
        with database.migrate() as connection:
            _upgrade(connection, database.table_prefix)


def _upgrade(connection: Connection, table_prefix: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["table_prefix"] = table_prefix
    command.upgrade(config, "head")
