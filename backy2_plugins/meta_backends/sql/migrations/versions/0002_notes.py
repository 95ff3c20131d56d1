"""Notes about stores: the database's copy of a store's wrapped keys.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    name = context.config.attributes["table_prefix"] + "notes"
    if sa.inspect(op.get_bind()).has_table(name):
        # Where a table is made for good at once, an interrupted run left it.
        return
    op.create_table(
        name,
        sa.Column("store", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        **_options(op.get_bind().dialect),
    )


def _options(dialect: sa.Dialect) -> dict[str, Any]:
    """Names are what they are to the byte, which MariaDB must be told."""
    if dialect.name not in ("mysql", "mariadb"):
        return {}
    collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    return {
        f"{dialect.name}_engine": "InnoDB",
        f"{dialect.name}_charset": "utf8mb4",
        f"{dialect.name}_collate": collation,
    }
