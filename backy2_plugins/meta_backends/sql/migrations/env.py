"""What alembic runs to apply revisions: on the connection, and in the transaction, that it was handed."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["table_prefix"] + "schema",
    transactional_ddl=True,
)
context.run_migrations()
