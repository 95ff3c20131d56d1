"""The first schema.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REAL = sa.Float().with_variant(sa.Double(), "mysql", "mariadb")
COUNTERS = ("stores", "chains", "blobs", "segments", "versions", "statistics", "jobs", "writer")


def upgrade() -> None:
    """Make all tables, and the counters at zero."""
    prefix = context.config.attributes["table_prefix"]
    counters = _table(
        f"{prefix}counters",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": name, "value": 0} for name in COUNTERS])
    _stores(prefix)
    _blobs(prefix)
    _segments(prefix)
    _versions(prefix)
    _statistics(prefix)
    _jobs(prefix)


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return op.create_table(name, *columns, **_options(op.get_bind().dialect))


def _options(dialect: Any) -> dict[str, Any]:
    """Uids, names and tags are what they are to the byte, which MariaDB must be told."""
    if dialect.name not in ("mysql", "mariadb"):
        return {}
    collation = "utf8mb4_nopad_bin" if dialect.is_mariadb else "utf8mb4_0900_bin"
    options = {"engine": "InnoDB", "charset": "utf8mb4", "collate": collation}
    return {f"{dialect.name}_{name}": value for name, value in options.items()}


def _binary(length: int) -> TypeEngine[bytes]:
    return sa.LargeBinary().with_variant(sa.VARBINARY(length), "mysql", "mariadb")


def _id() -> sa.Column[int]:
    return sa.Column("id", ID, primary_key=True, autoincrement=False)


def _key(name: str, kind: TypeEngine[int]) -> sa.Column[int]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _index(prefix: str, table: str, column: str, *, unique: bool = False) -> None:
    op.create_index(f"ix_{prefix}{table}_{column}", f"{prefix}{table}", [column], unique=unique)


def _stores(prefix: str) -> None:
    _table(
        f"{prefix}stores",
        _id(),
        sa.Column("identity", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("location", sa.String(1024), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )
    _table(f"{prefix}chains", _id(), sa.Column("spec", sa.String(255), nullable=False, unique=True))


def _blobs(prefix: str) -> None:
    _table(
        f"{prefix}blobs",
        _id(),
        sa.Column("store", sa.Integer, nullable=False),
        sa.Column("uid", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("stored_size", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(32), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("checksum", _binary(64), nullable=False),
        sa.Column("checksum_head", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.Integer),
        sa.Column("envelope", sa.LargeBinary),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("condemned", sa.BigInteger),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
        sa.Column("job", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("uid", "store", name=f"{prefix}blobs_uid"),
    )
    _index(prefix, "blobs", "checksum_head")
    rare = sa.text("state != 1")
    op.create_index(f"{prefix}blobs_rare", f"{prefix}blobs", ["state", "id"], sqlite_where=rare, postgresql_where=rare)


def _segments(prefix: str) -> None:
    _table(
        f"{prefix}segments",
        _id(),
        sa.Column("digest", _binary(32), nullable=False),
        sa.Column("digest_head", sa.BigInteger, nullable=False),
        sa.Column("condemned", sa.BigInteger),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    _index(prefix, "segments", "digest_head")


def _versions(prefix: str) -> None:
    _table(
        f"{prefix}versions",
        _id(),
        sa.Column("uid", sa.String(36), nullable=False, unique=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("snapshot_name", sa.String(255), nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("block_size", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(32), nullable=False),
        sa.Column("source", sa.String(1024), nullable=False),
        sa.Column("source_identity", sa.String(1024), nullable=False),
        sa.Column("base", sa.String(36)),
        sa.Column("hints_digest", sa.String(128), nullable=False),
        sa.Column("digest", _binary(64), nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("protected", sa.Boolean, nullable=False),
        sa.Column("expire", sa.BigInteger),
        sa.Column("touched", sa.BigInteger, nullable=False),
    )
    op.create_index(f"{prefix}versions_order", f"{prefix}versions", ["name", "date", "id"])
    _table(
        f"{prefix}tags",
        _key("version", sa.BigInteger()),
        sa.Column("name", sa.String(255), primary_key=True),
    )
    _table(
        f"{prefix}maps",
        _key("version", sa.BigInteger()),
        _key("part", sa.Integer()),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )


def _statistics(prefix: str) -> None:
    kinds = ("read", "written", "dedup", "sparse", "kept")
    _table(
        f"{prefix}statistics",
        _id(),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("date", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("size_blocks", sa.BigInteger, nullable=False),
        *[sa.Column(f"{unit}_{kind}", sa.BigInteger, nullable=False) for kind in kinds for unit in ("bytes", "blocks")],
        sa.Column("duration_s", REAL, nullable=False),
    )
    _index(prefix, "statistics", "uid")
    _index(prefix, "statistics", "date")


def _jobs(prefix: str) -> None:
    _table(
        f"{prefix}jobs",
        _id(),
        sa.Column("token", sa.String(16), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("description", sa.String(1024), nullable=False),
        sa.Column("began", sa.BigInteger, nullable=False),
        sa.Column("renewed", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("progress", REAL, nullable=False),
    )
    _index(prefix, "jobs", "state")
    _table(
        f"{prefix}uses",
        _key("job", sa.BigInteger()),
        _key("version", sa.BigInteger()),
        sa.Column("exclusive", sa.Boolean, nullable=False),
    )
    _index(prefix, "uses", "version")
