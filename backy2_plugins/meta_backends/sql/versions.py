"""Versions: making, listing and changing them. Finishing one is in :mod:`.finish`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, insert, select, tuple_, update

from backy2_core.api import (
    Geometry,
    JobId,
    NewVersion,
    NotFoundError,
    RefusedError,
    Version,
    VersionExistsError,
    VersionFilter,
    VersionId,
    VersionState,
    VersionUid,
)
from backy2_plugins.meta_backends.sql.bulk import among, chunks
from backy2_plugins.meta_backends.sql.clock import from_us, now_us, to_us
from backy2_plugins.meta_backends.sql.counters import reserve
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.jobs import hold_lease, name_version, named_by_live
from backy2_plugins.meta_backends.sql.schema import Tables

_BATCH = 500
_LEFTOVERS = (VersionState.PURGED, VersionState.REMOVED, VersionState.ARRIVING)
_EXISTS = "version {uid} is there already ({state}); nothing was changed"


def create_version(database: Database, job: JobId, new: NewVersion) -> Version:
    """Record an incomplete version; see the contract."""
    tables = database.tables
    with database.write() as connection:
        hold_lease(connection, tables, job)
        _give_way(connection, tables, new.uid)
        number = reserve(connection, tables, "versions")[0]
        connection.execute(insert(tables.versions).values(id=number, **_new_row(connection, new)))
        for tag in new.tags:
            connection.execute(insert(tables.tags).values(version=number, name=tag))
        name_version(connection, tables, job, number, exclusive=True)
        return read_version(connection, tables, VersionId(number))


def list_versions(database: Database, which: VersionFilter) -> Iterator[Version]:
    """List versions; see the contract."""
    table = database.tables.versions
    order = (table.c.name, table.c.date, table.c.id)
    query = select(table).where(*_criteria(database.tables, which)).order_by(*order).limit(_BATCH)
    last: Version | None = None
    while True:
        page = query if last is None else query.where(tuple_(*order) > (last.name, to_us(last.date), last.id))
        with database.read() as connection:
            found = versions_of(connection, database.tables, connection.execute(page).all())
        yield from found
        if len(found) < _BATCH:
            return
        last = found[-1]


def remove_version(database: Database, version: VersionId, *, protected_too: bool) -> None:
    """Mark a version removed; see the contract."""
    tables = database.tables
    with database.write() as connection:
        found = read_version(connection, tables, version)
        if found.state is VersionState.ARRIVING:
            drop_versions(connection, tables, [version])
        if found.state.is_gone or found.state is VersionState.ARRIVING:
            return
        if found.protected and not protected_too:
            raise RefusedError(f"version {found.uid} is protected; unprotect it first")
        _change(connection, tables, version, state=VersionState.REMOVED)


def set_version_state(
    database: Database, version: VersionId, state: VersionState, unless: Collection[VersionState]
) -> bool:
    """Change a version's state; see the contract."""
    with database.write() as connection:
        found = read_version(connection, database.tables, version)
        if found.state in unless:
            return found.state is state
        _change(connection, database.tables, version, state=state)
        return True


def set_protected(database: Database, version: VersionId, protected: bool) -> None:
    """Protect a version or lift that; see the contract."""
    with database.write() as connection:
        _listed(connection, database.tables, version)
        _change(connection, database.tables, version, protected=protected)


def set_expire(database: Database, version: VersionId, expire: datetime | None) -> None:
    """Set or clear a version's date of expiry; see the contract."""
    with database.write() as connection:
        _listed(connection, database.tables, version)
        _change(connection, database.tables, version, expire=None if expire is None else to_us(expire))


def change_tags(database: Database, version: VersionId, add: Collection[str], remove: Collection[str]) -> None:
    """Add and remove tags; see the contract."""
    tags = database.tables.tags
    with database.write() as connection:
        found = _listed(connection, database.tables, version)
        for chunk in chunks(set(remove)):
            connection.execute(delete(tags).where(tags.c.version == version, among(connection, tags.c.name, chunk)))
        for name in set(add) - (found.tags - set(remove)):
            connection.execute(insert(tags).values(version=version, name=name))


def read_version(connection: Connection, tables: Tables, version: VersionId) -> Version:
    """One version in any state, or :class:`NotFoundError`."""
    query = select(tables.versions).where(tables.versions.c.id == version)
    found = versions_of(connection, tables, connection.execute(query).all())
    if not found:
        raise NotFoundError(f"there is no version with the number {version} any more")
    return found[0]


def versions_of(connection: Connection, tables: Tables, rows: Sequence[Row[Any]]) -> list[Version]:
    """The versions that these rows describe, with their tags."""
    tags: defaultdict[int, set[str]] = defaultdict(set)
    for chunk in chunks(row.id for row in rows):
        query = select(tables.tags.c.version, tables.tags.c.name).where(among(connection, tables.tags.c.version, chunk))
        for version, name in connection.execute(query):
            tags[version].add(name)
    return [_version(row, frozenset(tags[row.id])) for row in rows]


def drop_versions(connection: Connection, tables: Tables, versions: Sequence[int]) -> None:
    """Drop versions with their maps and tags, so that nothing is left of them."""
    for column in (tables.maps.c.version, tables.tags.c.version, tables.versions.c.id):
        connection.execute(delete(column.table).where(among(connection, column, list(versions))))


def _give_way(connection: Connection, tables: Tables, uid: VersionUid) -> None:
    """Drop what is left of a version of this uid, or refuse where there is more than that."""
    versions = tables.versions
    found = connection.execute(select(versions.c.id, versions.c.state).where(versions.c.uid == uid)).one_or_none()
    if found is None:
        return
    number, state = found
    used = select(named_by_live(tables, versions.c.id)).where(versions.c.id == number)
    if state not in _LEFTOVERS or (state != VersionState.PURGED and connection.execute(used).scalar()):
        raise VersionExistsError(_EXISTS.format(uid=uid, state=VersionState(state).name.lower()))
    drop_versions(connection, tables, [number])


def _listed(connection: Connection, tables: Tables, version: VersionId) -> Version:
    found = read_version(connection, tables, version)
    if found.state.is_gone:
        raise NotFoundError(f"version {found.uid} was removed")
    return found


def _change(connection: Connection, tables: Tables, version: VersionId, **values: Any) -> None:
    connection.execute(update(tables.versions).where(tables.versions.c.id == version).values(**values))


def _criteria(tables: Tables, which: VersionFilter) -> Iterator[ColumnElement[bool]]:
    versions, tags = tables.versions, tables.tags
    yield versions.c.state.in_(list(which.states))
    if which.name is not None:
        yield versions.c.name == which.name
    if which.snapshot_name is not None:
        yield versions.c.snapshot_name == which.snapshot_name
    if which.source_identity is not None:
        yield versions.c.source_identity == which.source_identity
    if which.uid_prefix is not None:
        yield versions.c.uid.startswith(which.uid_prefix, autoescape=True)
    if which.tag is not None:
        yield exists().where(tags.c.version == versions.c.id, tags.c.name == which.tag)


def _new_row(connection: Connection, new: NewVersion) -> dict[str, Any]:
    now = now_us(connection)
    return {
        "uid": new.uid,
        "name": new.name,
        "snapshot_name": new.snapshot_name,
        "date": now if new.date is None else to_us(new.date),
        "size_bytes": new.geometry.size_bytes,
        "block_size": new.geometry.block_size,
        "hash": new.hash,
        "source": new.source,
        "source_identity": new.source_identity,
        "base": new.base,
        "hints_digest": new.hints_digest,
        "digest": b"",
        "state": VersionState.ARRIVING if new.arriving else VersionState.INCOMPLETE,
        "protected": new.protected,
        "expire": None if new.expire is None else to_us(new.expire),
        "touched": now,
        "key": new.key,
    }


def _version(row: Row[Any], tags: frozenset[str]) -> Version:
    return Version(
        id=VersionId(row.id),
        uid=VersionUid(row.uid),
        name=row.name,
        snapshot_name=row.snapshot_name,
        date=from_us(row.date),
        geometry=Geometry(row.size_bytes, row.block_size),
        hash=row.hash,
        source=row.source,
        source_identity=row.source_identity,
        base=None if row.base is None else VersionUid(row.base),
        hints_digest=row.hints_digest,
        digest=row.digest,
        state=VersionState(row.state),
        protected=bool(row.protected),
        expire=None if row.expire is None else from_us(row.expire),
        tags=tags,
        key=row.key,
    )
