"""Jobs and their leases."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from backy2_core.api import (
    Job,
    JobId,
    JobKind,
    JobLostError,
    JobState,
    JobToken,
    NewJob,
    NotFoundError,
    RefusedError,
    Use,
    VersionId,
    VersionState,
)
from backy2_plugins.meta_backends.sql.bulk import among, chunks
from backy2_plugins.meta_backends.sql.clock import duration_us, from_us, now_us
from backy2_plugins.meta_backends.sql.counters import reserve
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.schema import Tables


def hold_lease(connection: Connection, tables: Tables, job: JobId) -> None:
    """Write to the row of a live job, so that it cannot expire beside this transaction; else :class:`JobLostError`."""
    jobs = tables.jobs
    held = update(jobs).where(jobs.c.id == job, jobs.c.state == JobState.LIVE).values(renewed=now_us(connection))
    if connection.execute(held).rowcount != 1:
        raise lost(job)


def lost(job: JobId) -> JobLostError:
    """The error of a job that is not live any more."""
    return JobLostError(f"job {job} has lost its lease: it was silent for too long, or ended; start it again")


def name_version(connection: Connection, tables: Tables, job: JobId, version: int, *, exclusive: bool) -> None:
    """Record that a job uses a version."""
    connection.execute(insert(tables.uses).values(job=job, version=version, exclusive=exclusive))


def named_by_live(tables: Tables, version: ColumnElement[int]) -> ColumnElement[bool]:
    """The condition that a live job names the version."""
    jobs, uses = tables.jobs, tables.uses
    named = select(uses.c.job).where(uses.c.version == version, uses.c.job == jobs.c.id, jobs.c.state == JobState.LIVE)
    return named.exists()


def begin_job(database: Database, new: NewJob) -> Job:
    """Give out a lease; see the contract."""
    tables = database.tables
    with database.write() as connection:
        _expire(connection, tables)
        _refuse_company(connection, tables, new)
        named: dict[VersionId, bool] = {}
        for use in new.uses:
            version = _usable(connection, tables, use)
            named[version] = named.get(version, False) or use.exclusive
        row = _new_row(connection, tables, new)
        connection.execute(insert(tables.jobs).values(row))
        for version, exclusive in named.items():
            name_version(connection, tables, row["id"], version, exclusive=exclusive)
        return _job(row, tuple(sorted(named)))


def renew_job(database: Database, job: JobId, lease_s: float, progress: float) -> None:
    """Extend a lease; see the contract."""
    jobs = database.tables.jobs
    with database.write() as connection:
        now = now_us(connection)
        renewal = update(jobs).where(jobs.c.id == job, jobs.c.state == JobState.LIVE)
        renewal = renewal.values(renewed=now, lease_until=now + duration_us(lease_s), progress=progress)
        if connection.execute(renewal).rowcount != 1:
            raise lost(job)


def end_job(database: Database, job: JobId) -> None:
    """End a live job; see the contract."""
    jobs = database.tables.jobs
    with database.write() as connection:
        connection.execute(
            update(jobs).where(jobs.c.id == job, jobs.c.state == JobState.LIVE).values(state=JobState.ENDED)
        )
        connection.execute(delete(database.tables.uses).where(database.tables.uses.c.job == job))


def expire_jobs(database: Database) -> list[Job]:
    """Expire what has run out; see the contract."""
    with database.write() as connection:
        return _expire(connection, database.tables)


def list_jobs(database: Database, states: Collection[JobState], limit: int) -> list[Job]:
    """List jobs, newest first; see the contract."""
    table = database.tables.jobs
    query = select(table).where(table.c.state.in_(list(states))).order_by(table.c.id.desc()).limit(limit)
    with database.read() as connection:
        return _jobs(connection, database.tables, connection.execute(query).all())


def find_jobs(database: Database, tokens: Collection[JobToken]) -> dict[JobToken, tuple[JobId, JobState]]:
    """Look jobs up by token; see the contract."""
    table = database.tables.jobs
    found = {}
    with database.read() as connection:
        for chunk in chunks(set(tokens)):
            query = select(table.c.token, table.c.id, table.c.state).where(among(connection, table.c.token, chunk))
            for token, number, state in connection.execute(query):
                found[JobToken(token)] = (JobId(number), JobState(state))
    return found


def horizon(database: Database, job: JobId) -> int:
    """The oldest job that what is deleted now could harm; see the contract."""
    table = database.tables.jobs
    oldest = select(func.min(table.c.id)).where(table.c.state == JobState.LIVE, table.c.kind != JobKind.CLEANUP)
    with database.write() as connection:
        hold_lease(connection, database.tables, job)
        found = connection.execute(oldest).scalar()
    return job if found is None else min(job, found)


def _expire(connection: Connection, tables: Tables) -> list[Job]:
    table = tables.jobs
    run_out = (table.c.state == JobState.LIVE, table.c.lease_until <= now_us(connection))
    found = _jobs(connection, tables, connection.execute(select(table).where(*run_out)).all(), JobState.EXPIRED)
    for job in found:
        connection.execute(update(table).where(table.c.id == job.id).values(state=JobState.EXPIRED))
        connection.execute(delete(tables.uses).where(tables.uses.c.job == job.id))
    return found


def _refuse_company(connection: Connection, tables: Tables, new: NewJob) -> None:
    jobs = tables.jobs
    same = select(jobs.c.id, jobs.c.host, jobs.c.pid, jobs.c.description).where(
        jobs.c.state == JobState.LIVE, jobs.c.alone == new.alone
    )
    other = connection.execute(same).first() if new.alone else None
    if other is not None:
        raise RefusedError(
            f"job {other.id} is at it already: {other.description} (process {other.pid} on {other.host}); `backy2 jobs`"
            " shows how far it is, and if it died, when its lease runs out",
            retryable=True,
        )


def _usable(connection: Connection, tables: Tables, use: Use) -> VersionId:
    versions = tables.versions
    row = connection.execute(select(versions.c.id, versions.c.state).where(versions.c.uid == use.version)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no version {use.version}; ls shows those there are")
    number, state = row
    if state not in use.states:
        wanted = " or ".join(sorted(wanted.name.lower() for wanted in use.states))
        raise RefusedError(f"version {use.version} is {VersionState(state).name.lower()}, but must be {wanted}")
    if use.exclusive:
        _refuse_written(connection, tables, VersionId(number), use.version)
    return VersionId(number)


def _refuse_written(connection: Connection, tables: Tables, version: VersionId, uid: str) -> None:
    jobs, uses = tables.jobs, tables.uses
    query = select(jobs.c.id, jobs.c.host, jobs.c.pid, jobs.c.lease_until).where(
        uses.c.version == version, uses.c.exclusive, uses.c.job == jobs.c.id, jobs.c.state == JobState.LIVE
    )
    job = connection.execute(query).first()
    if job is not None:
        raise RefusedError(
            f"version {uid} is being written by another job, {job.id} (process {job.pid} on {job.host}); if that died, try"
            f" again when its lease has run out, at {from_us(job.lease_until):%H:%M:%S} UTC"
        )


def _new_row(connection: Connection, tables: Tables, new: NewJob) -> dict[str, Any]:
    now = now_us(connection)
    return {
        "id": JobId(reserve(connection, tables, "jobs")[0]),
        "token": secrets.token_hex(8),
        "kind": new.kind,
        "state": JobState.LIVE,
        "host": new.host,
        "pid": new.pid,
        "description": new.description,
        "began": now,
        "renewed": now,
        "lease_until": now + duration_us(new.lease_s),
        "progress": 0.0,
        "alone": new.alone,
    }


def _jobs(connection: Connection, tables: Tables, rows: Sequence[Row[Any]], state: JobState | None = None) -> list[Job]:
    named = _named(connection, tables, [row.id for row in rows])
    changed = {} if state is None else {"state": state}
    return [_job({**row._mapping, **changed}, tuple(named[row.id])) for row in rows]


def _named(connection: Connection, tables: Tables, jobs: Iterable[int]) -> defaultdict[int, list[VersionId]]:
    uses = tables.uses
    named: defaultdict[int, list[VersionId]] = defaultdict(list)
    for chunk in chunks(jobs):
        query = select(uses.c.job, uses.c.version).where(among(connection, uses.c.job, chunk)).order_by(uses.c.version)
        for job, version in connection.execute(query):
            named[job].append(version)
    return named


def _job(row: dict[str, Any], named: tuple[VersionId, ...]) -> Job:
    return Job(
        id=row["id"],
        token=JobToken(row["token"]),
        kind=JobKind(row["kind"]),
        state=JobState(row["state"]),
        host=row["host"],
        pid=row["pid"],
        description=row["description"],
        began=from_us(row["began"]),
        renewed=from_us(row["renewed"]),
        lease_until=from_us(row["lease_until"]),
        progress=row["progress"],
        versions=named,
        alone=row["alone"],
    )
