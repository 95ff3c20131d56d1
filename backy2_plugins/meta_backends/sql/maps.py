"""Block maps: which segments a version is made of, in order."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, insert, select, update

from backy2_core.api import (
    BlobGoneError,
    JobId,
    KeptSegment,
    MetaBackendError,
    NewSegment,
    SegmentId,
    Version,
    VersionId,
    VersionState,
)
from backy2_plugins.meta_backends.sql.blobs import unusable_blobs
from backy2_plugins.meta_backends.sql.clock import now_us
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import hold_lease
from backy2_plugins.meta_backends.sql.schema import Tables
from backy2_plugins.meta_backends.sql.segments import store_segments
from backy2_plugins.meta_backends.sql.versions import read_version

PART_IDS = 1024
"""Ids in one row of the table of maps; all rows of a map but the last are full."""
_ID_BYTES = 8


def append_segments(
    database: Database, job: JobId, version: VersionId, segments: Sequence[NewSegment | KeptSegment]
) -> list[SegmentId]:
    """Append to the map of an incomplete version; see the contract."""
    tables = database.tables
    with database.write() as connection:
        hold_lease(connection, tables, job)
        require_incomplete(read_version(connection, tables, version))
        new = [segment for segment in segments if isinstance(segment, NewSegment)]
        gone = unusable_blobs(connection, tables, {blob for segment in new for blob in segment.fresh})
        if gone:
            raise BlobGoneError(gone)
        stored = iter(store_segments(connection, tables, new))
        ids = [segment.id if isinstance(segment, KeptSegment) else next(stored) for segment in segments]
        _append(connection, tables, version, ids)
        change = update(tables.versions).where(tables.versions.c.id == version)
        connection.execute(change.values(touched=now_us(connection)))
        return ids


def map_length(database: Database, version: VersionId) -> int:
    """Number of segments in a map; see the contract."""
    with database.read() as connection:
        part, ids = _last_part(connection, database.tables, version)
    return part * PART_IDS + len(ids)


def read_map(database: Database, version: VersionId, start: int) -> Iterator[SegmentId]:
    """Stream a map; see the contract."""
    part, skip = divmod(start, PART_IDS)
    while True:
        with database.read() as connection:
            found = _parts(connection, database.tables, version, part, 1)
        if not found:
            return
        yield from found[0][1][skip:]
        part, skip = part + 1, 0


def parts_from(
    connection: Connection, tables: Tables, version: VersionId, part: int
) -> Iterator[tuple[int, tuple[SegmentId, ...]]]:
    """The parts of a map from number ``part`` on, read one by one within the caller's transaction."""
    while found := _parts(connection, tables, version, part, 1):
        yield found[0]
        part += 1


def unpack_ids(data: bytes) -> tuple[SegmentId, ...]:
    """The ids in one part of a map."""
    return struct.unpack(f"<{len(data) // _ID_BYTES}q", data)


def require_incomplete(version: Version) -> None:
    """Refuse to write to a version that is not being made."""
    if version.state not in (VersionState.INCOMPLETE, VersionState.ARRIVING):
        raise MetaBackendError(
            f"version {version.uid} is {version.state.name.lower()}; only an incomplete version can be written to"
        )


def _append(connection: Connection, tables: Tables, version: VersionId, ids: Sequence[SegmentId]) -> None:
    maps = tables.maps
    part, begun = _last_part(connection, tables, version)
    ids = [*begun, *ids]
    rows = [ids[start : start + PART_IDS] for start in range(0, len(ids), PART_IDS)]
    for number, row in enumerate(rows, start=part):
        data = struct.pack(f"<{len(row)}q", *row)
        if number == part and begun:
            change = update(maps).where(maps.c.version == version, maps.c.part == number)
            connection.execute(change.values(data=data))
        else:
            connection.execute(insert(maps).values(version=version, part=number, data=data))


def _last_part(connection: Connection, tables: Tables, version: VersionId) -> tuple[int, tuple[SegmentId, ...]]:
    """The last part and the ids in it; an empty map has an empty part 0."""
    maps = tables.maps
    query = select(maps.c.part, maps.c.data).where(maps.c.version == version).order_by(maps.c.part.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return 0, ()
    return row.part, unpack_ids(row.data)


def _parts(
    connection: Connection, tables: Tables, version: VersionId, part: int, limit: int
) -> list[tuple[int, tuple[SegmentId, ...]]]:
    maps = tables.maps
    query = select(maps.c.part, maps.c.data).where(maps.c.version == version, maps.c.part >= part)
    rows = connection.execute(query.order_by(maps.c.part).limit(limit)).all()
    return [(number, unpack_ids(data)) for number, data in rows]
