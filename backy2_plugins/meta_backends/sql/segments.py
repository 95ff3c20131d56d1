"""Segments: packed pieces of block maps that versions share."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from backy2_core.api import NewSegment, SegmentId, StoredSegment
from backy2_plugins.meta_backends.sql.bulk import among, chunks, head_of, insert_rows
from backy2_plugins.meta_backends.sql.counters import reserve
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.schema import Tables

_COLUMNS = ("id", "digest", "digest_head", "condemned", "generation", "data")


def store_segments(connection: Connection, tables: Tables, segments: Sequence[NewSegment]) -> list[SegmentId]:
    """Ids of these segments in order: of a stored one with the same data that is not condemned, else of a new one."""
    known = _find(connection, tables, segments)
    new = list({segment.data: segment for segment in segments if segment.data not in known}.values())
    ids = reserve(connection, tables, "segments", len(new))
    rows = [
        (number, segment.digest, head_of(segment.digest), None, 0, segment.data)
        for number, segment in zip(ids, new, strict=True)
    ]
    insert_rows(connection, tables.segments, _COLUMNS, rows)
    known.update((segment.data, SegmentId(number)) for number, segment in zip(ids, new, strict=True))
    return [known[segment.data] for segment in segments]


def read_segments(database: Database, ids: Collection[SegmentId]) -> dict[SegmentId, StoredSegment]:
    """Segments by id; see the contract."""
    segments = database.tables.segments
    found = {}
    with database.read() as connection:
        for chunk in chunks(sorted(set(ids))):
            query = select(segments.c.id, segments.c.digest, segments.c.data).where(
                among(connection, segments.c.id, chunk)
            )
            for number, digest, data in connection.execute(query).all():
                found[SegmentId(number)] = StoredSegment(number, digest, data)
    return found


def read_digests(database: Database, ids: Collection[SegmentId]) -> dict[SegmentId, bytes]:
    """Digests by id; see the contract."""
    segments = database.tables.segments
    found: dict[SegmentId, bytes] = {}
    with database.read() as connection:
        for chunk in chunks(sorted(set(ids))):
            query = select(segments.c.id, segments.c.digest).where(among(connection, segments.c.id, chunk))
            found.update((number, digest) for number, digest in connection.execute(query).all())
    return found


def _find(connection: Connection, tables: Tables, segments: Sequence[NewSegment]) -> dict[bytes, SegmentId]:
    table = tables.segments
    wanted = {segment.data for segment in segments}
    query = select(table.c.id, table.c.data).where(table.c.condemned.is_(None))
    found: dict[bytes, SegmentId] = {}
    for heads in chunks({head_of(segment.digest) for segment in segments}):
        for number, data in connection.execute(query.where(among(connection, table.c.digest_head, heads))):
            if data in wanted:
                found[data] = SegmentId(min(number, found.get(data, number)))
    return found
