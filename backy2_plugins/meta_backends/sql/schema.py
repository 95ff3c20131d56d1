"""The tables as this release knows them; the migrations make them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    VARBINARY,
    BigInteger,
    Boolean,
    Column,
    Double,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every revision of the schema, oldest first; the last one is what this release needs."""
MOVED = "moved"
"""Stands in place of the revision in a database whose rows were moved to another one."""
COUNTED = ("stores", "chains", "blobs", "segments", "versions", "statistics", "jobs")
"""Tables whose ids are given out by a counter, so that no id is given out twice and ids ascend in order of commits."""
WRITER = "writer"
"""The counter whose row a write transaction locks where the database has no lock of its own for that."""

ID = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite keeps a table in the order of its key only if the key's type is called INTEGER."""

REAL = Float().with_variant(Double(), "mysql", "mariadb")
"""MariaDB's FLOAT has seven digits only."""


def binary(length: int) -> TypeEngine[bytes]:
    """Bytes of at most this length, of a kind that MariaDB can compare and index."""
    return LargeBinary().with_variant(VARBINARY(length), "mysql", "mariadb")


@dataclass(frozen=True, slots=True)
class Tables:
    """All tables under one prefix. ``schema`` is the one in which alembic keeps the revision."""

    metadata: MetaData
    schema: Table
    counters: Table
    stores: Table
    notes: Table
    chains: Table
    blobs: Table
    segments: Table
    versions: Table
    tags: Table
    maps: Table
    statistics: Table
    jobs: Table
    uses: Table


def tables(prefix: str) -> Tables:
    """Describe all tables, with names that begin with ``prefix``."""
    metadata = MetaData()
    return Tables(
        metadata=metadata,
        schema=Table(f"{prefix}schema", MetaData(), Column("version_num", String(32), primary_key=True)),
        counters=Table(
            f"{prefix}counters",
            metadata,
            Column("name", String(16), primary_key=True),
            Column("value", BigInteger, nullable=False),
        ),
        stores=_stores(prefix, metadata),
        notes=_notes(prefix, metadata),
        chains=Table(f"{prefix}chains", metadata, _id(), Column("spec", String(255), nullable=False, unique=True)),
        blobs=_blobs(prefix, metadata),
        segments=_segments(prefix, metadata),
        versions=_versions(prefix, metadata),
        tags=Table(
            f"{prefix}tags",
            metadata,
            Column("version", BigInteger, primary_key=True, autoincrement=False),
            Column("name", String(255), primary_key=True),
        ),
        maps=Table(
            f"{prefix}maps",
            metadata,
            Column("version", BigInteger, primary_key=True, autoincrement=False),
            Column("part", Integer, primary_key=True, autoincrement=False),
            Column("data", LargeBinary, nullable=False),
        ),
        statistics=_statistics(prefix, metadata),
        jobs=_jobs(prefix, metadata),
        uses=_uses(prefix, metadata),
    )


def _id() -> Column[int]:
    return Column("id", ID, primary_key=True, autoincrement=False)


def _stores(prefix: str, metadata: MetaData) -> Table:
    return Table(
        f"{prefix}stores",
        metadata,
        _id(),
        Column("identity", String(64), nullable=False, unique=True),
        Column("kind", String(32), nullable=False),
        Column("location", String(1024), nullable=False),
        Column("created", BigInteger, nullable=False),
    )


def _notes(prefix: str, metadata: MetaData) -> Table:
    return Table(
        f"{prefix}notes",
        metadata,
        Column("store", BigInteger, primary_key=True, autoincrement=False),
        Column("name", String(32), primary_key=True),
        Column("data", LargeBinary, nullable=False),
    )


def _blobs(prefix: str, metadata: MetaData) -> Table:
    table = Table(
        f"{prefix}blobs",
        metadata,
        _id(),
        Column("store", Integer, nullable=False),
        Column("uid", String(64), nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("stored_size", BigInteger, nullable=False),
        Column("hash", String(32), nullable=False),
        Column("key", String(64), nullable=False),
        Column("checksum", binary(64), nullable=False),
        Column("checksum_head", BigInteger, nullable=False, index=True),
        Column("chain", Integer),
        Column("envelope", LargeBinary),
        Column("state", SmallInteger, nullable=False),
        Column("condemned", BigInteger),
        Column("generation", Integer, nullable=False),
        Column("date", BigInteger, nullable=False),
        Column("job", BigInteger, nullable=False),
        # The uid stands first: an index that begins with the store would tempt the planner to sort whole stores by id.
        UniqueConstraint("uid", "store", name=f"{prefix}blobs_uid"),
    )
    # The migration gives the same condition to PostgreSQL; to say so here would load that dialect at every start.
    Index(f"{prefix}blobs_rare", table.c.state, table.c.id, sqlite_where=table.c.state != 1)
    return table


def _segments(prefix: str, metadata: MetaData) -> Table:
    # The data stand last, so that a scan without them does not read their pages.
    return Table(
        f"{prefix}segments",
        metadata,
        _id(),
        Column("digest", binary(32), nullable=False),
        Column("digest_head", BigInteger, nullable=False, index=True),
        Column("condemned", BigInteger),
        Column("generation", Integer, nullable=False),
        Column("data", LargeBinary, nullable=False),
    )


def _versions(prefix: str, metadata: MetaData) -> Table:
    return Table(
        f"{prefix}versions",
        metadata,
        _id(),
        Column("uid", String(36), nullable=False, unique=True),
        Column("name", String(255), nullable=False),
        Column("snapshot_name", String(255), nullable=False),
        Column("date", BigInteger, nullable=False),
        Column("size_bytes", BigInteger, nullable=False),
        Column("block_size", Integer, nullable=False),
        Column("hash", String(32), nullable=False),
        Column("source", String(1024), nullable=False),
        Column("source_identity", String(1024), nullable=False),
        Column("base", String(36)),
        Column("hints_digest", String(128), nullable=False),
        Column("digest", binary(64), nullable=False),
        Column("state", SmallInteger, nullable=False),
        Column("protected", Boolean, nullable=False),
        Column("expire", BigInteger),
        Column("touched", BigInteger, nullable=False),
        Column("key", String(64), nullable=False, server_default=""),
        Index(f"{prefix}versions_order", "name", "date", "id"),
    )


def _statistics(prefix: str, metadata: MetaData) -> Table:
    kinds = ("read", "written", "dedup", "sparse", "kept")
    counts = [Column(f"{unit}_{kind}", BigInteger, nullable=False) for kind in kinds for unit in ("bytes", "blocks")]
    return Table(
        f"{prefix}statistics",
        metadata,
        _id(),
        Column("uid", String(36), nullable=False, index=True),
        Column("name", String(255), nullable=False),
        Column("date", BigInteger, nullable=False, index=True),
        Column("size_bytes", BigInteger, nullable=False),
        Column("size_blocks", BigInteger, nullable=False),
        *counts,
        Column("duration_s", REAL, nullable=False),
    )


def _jobs(prefix: str, metadata: MetaData) -> Table:
    return Table(
        f"{prefix}jobs",
        metadata,
        _id(),
        Column("token", String(16), nullable=False, unique=True),
        Column("kind", String(16), nullable=False),
        Column("state", SmallInteger, nullable=False, index=True),
        Column("host", String(255), nullable=False),
        Column("pid", BigInteger, nullable=False),
        Column("description", String(1024), nullable=False),
        Column("began", BigInteger, nullable=False),
        Column("renewed", BigInteger, nullable=False),
        Column("lease_until", BigInteger, nullable=False),
        Column("progress", REAL, nullable=False),
        Column("alone", String(512), nullable=False, server_default=""),
    )


def _uses(prefix: str, metadata: MetaData) -> Table:
    return Table(
        f"{prefix}uses",
        metadata,
        Column("job", BigInteger, primary_key=True, autoincrement=False),
        Column("version", BigInteger, primary_key=True, autoincrement=False, index=True),
        Column("exclusive", Boolean, nullable=False),
    )
