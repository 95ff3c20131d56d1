"""The key under which all blocks of a version are sealed, so that an incremental backup need not look at each.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; empty means that nothing is known."""
    name = context.config.attributes["table_prefix"] + "versions"
    if "key" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(name)}:
        op.add_column(name, sa.Column("key", sa.String(64), nullable=False, server_default=""))
