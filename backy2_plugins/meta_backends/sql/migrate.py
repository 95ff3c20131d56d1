"""Bringing the schema up to date, with alembic and without a configuration file."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, select

from backy2_core.api import SchemaError, SchemaState
from backy2_plugins.meta_backends.sql.database import NEXT_STEP, Database


def initialise(database: Database) -> None:
    """Make the tables, or change old ones; does nothing to current ones and refuses newer ones."""
    state = database.schema_state()
    if state in (SchemaState.NEWER, SchemaState.MOVED):
        raise SchemaError(f"database {database.location} {NEXT_STEP[state]}")
    if state is not SchemaState.CURRENT:
        with database.migrate() as connection:
            if connection.dialect.name in ("mysql", "mariadb"):
                _drop_leftovers(connection, database)
            _upgrade(connection, database.table_prefix)


def _drop_leftovers(connection: Connection, database: Database) -> None:
    """Drop the tables of an interrupted run: where a table is made for good at once, they would be in the way."""
    tables = database.tables
    if database.revision(connection) is not None:
        return
    there = set(sqlalchemy.inspect(connection).get_table_names())
    leftovers = [table for table in tables.metadata.sorted_tables if table.name in there]
    for table in leftovers:
        used = table.c.value != 0 if table is tables.counters else sqlalchemy.true()
        if connection.execute(select(table).where(used).limit(1)).first() is not None:
            raise SchemaError(
                f"database {database.location} has the table {table.name}, which is not empty, but not the revision of "
                f"its schema; restore {tables.schema.name} from a copy, or choose another table_prefix"
            )
    tables.metadata.drop_all(connection, leftovers)


def _upgrade(connection: Connection, table_prefix: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["table_prefix"] = table_prefix
    command.upgrade(config, "head")
