"""Making a version valid, and the statistics that are kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal_column, select, update

from backy2_core.api import (
    BlobState,
    Counts,
    JobId,
    MetaBackendError,
    SegmentId,
    Statistics,
    Version,
    VersionId,
    VersionState,
    VersionUid,
    blob_ids,
    segment_count,
)
from backy2_plugins.meta_backends.sql.bulk import among, chunks
from backy2_plugins.meta_backends.sql.clock import from_us, to_us
from backy2_plugins.meta_backends.sql.counters import reserve
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import hold_lease
from backy2_plugins.meta_backends.sql.maps import parts_from, require_incomplete
from backy2_plugins.meta_backends.sql.schema import Tables
from backy2_plugins.meta_backends.sql.versions import read_version

_COUNTS = tuple(
    f"{unit}_{kind}" for kind in ("read", "written", "dedup", "sparse", "kept") for unit in ("bytes", "blocks")
)


def finish_version(
    database: Database,
    job: JobId,
    version: VersionId,
    digest: bytes,
    statistics: Statistics | None,
    *,
    damaged: bool,
) -> Version:
    """Make an incomplete version valid; see the contract."""
    tables = database.tables
    with database.write() as connection:
        hold_lease(connection, tables, job)
        found = read_version(connection, tables, version)
        require_incomplete(found)
        _check_map(connection, tables, found)
        damaged = damaged or _refers_to_damage(connection, tables, version)
        state = VersionState.DAMAGED if damaged else VersionState.VALID
        change = update(tables.versions).where(tables.versions.c.id == version)
        connection.execute(change.values(state=state, digest=digest))
        if statistics is not None:
            _keep_statistics(connection, tables, statistics)
        return read_version(connection, tables, version)


def list_statistics(database: Database, uid: VersionUid | None, limit: int | None) -> list[Statistics]:
    """Statistics by date; see the contract."""
    table = database.tables.statistics
    query = select(table).order_by(table.c.date.desc(), table.c.id.desc())
    if uid is not None:
        query = query.where(table.c.uid == uid)
    if limit is not None:
        query = query.limit(limit)
    with database.read() as connection:
        return [_statistics(row) for row in reversed(connection.execute(query).all())]


def add_statistics(database: Database, entries: Sequence[Statistics]) -> int:
    """Keep statistics from elsewhere; see the contract."""
    tables = database.tables
    table, added = tables.statistics, 0
    for chunk in chunks(entries):
        with database.write() as connection:
            same = select(table.c.uid, table.c.date).where(
                among(connection, table.c.uid, sorted({entry.uid for entry in chunk}))
            )
            known = {(uid, date) for uid, date in connection.execute(same)}
            for entry in chunk:
                if (entry.uid, to_us(entry.date)) not in known:
                    known.add((entry.uid, to_us(entry.date)))
                    _keep_statistics(connection, tables, entry)
                    added += 1
    return added


def _check_map(connection: Connection, tables: Tables, version: Version) -> None:
    length = 0
    for _, ids in parts_from(connection, tables, version.id, 0):
        length += len(ids)
        _check_segments(connection, tables, version, ids)
    expected = segment_count(version.geometry)
    if length != expected:
        raise MetaBackendError(
            f"version {version.uid} has {length} of {expected} segments in its map, so it cannot be finished; continue it"
        )


def _check_segments(connection: Connection, tables: Tables, version: Version, ids: tuple[SegmentId, ...]) -> None:
    """Every segment is stored; those that are condemned are revived. Usually two counts say that nothing is to be done."""
    segments = tables.segments
    for chunk in chunks(sorted(set(ids))):
        these = among(connection, segments.c.id, chunk)
        stored, condemned = connection.execute(
            select(func.count(), func.count(segments.c.condemned)).select_from(segments).where(these)
        ).one()
        if stored != len(chunk):
            missing = set(chunk).difference(connection.execute(select(segments.c.id).where(these)).scalars())
            raise MetaBackendError(
                f"version {version.uid} refers to segments that are not stored (such as {min(missing)}); back up again"
            )
        if condemned:
            connection.execute(update(segments).where(these).values(condemned=None))


def _refers_to_damage(connection: Connection, tables: Tables, version: VersionId) -> bool:
    blobs = tables.blobs
    # The second condition is that of the index of rare states, so that the usual answer (none) costs nothing.
    damaged = select(blobs.c.id).where(blobs.c.state == BlobState.DAMAGED, blobs.c.state != literal_column("1"))
    if connection.execute(damaged.limit(1)).first() is None:
        return False
    segments = tables.segments
    for _, ids in parts_from(connection, tables, version, 0):
        for chunk in chunks(sorted(set(ids)), 128):
            data = connection.execute(select(segments.c.data).where(among(connection, segments.c.id, chunk))).scalars()
            used = {blob for packed in data for blob in blob_ids(packed)}
            for keys in chunks(sorted(used)):
                if connection.execute(damaged.where(among(connection, blobs.c.id, keys)).limit(1)).first() is not None:
                    return True
    return False


def _keep_statistics(connection: Connection, tables: Tables, new: Statistics) -> None:
    connection.execute(
        insert(tables.statistics).values(
            id=reserve(connection, tables, "statistics")[0],
            uid=new.uid,
            name=new.name,
            date=to_us(new.date),
            size_bytes=new.size_bytes,
            size_blocks=new.size_blocks,
            duration_s=new.duration_s,
            **{name: getattr(new.counts, name) for name in _COUNTS},
        )
    )


def _statistics(row: Row[Any]) -> Statistics:
    return Statistics(
        uid=VersionUid(row.uid),
        name=row.name,
        date=from_us(row.date),
        size_bytes=row.size_bytes,
        size_blocks=row.size_blocks,
        counts=Counts(**{name: row._mapping[name] for name in _COUNTS}),
        duration_s=row.duration_s,
    )
