"""What no two live jobs may be at, such as a backup of one name.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; empty means that the job minds nobody."""
    name = context.config.attributes["table_prefix"] + "jobs"
    if "alone" not in {column["name"] for column in sa.inspect(op.get_bind()).get_columns(name)}:
        op.add_column(name, sa.Column("alone", sa.String(512), nullable=False, server_default=""))
