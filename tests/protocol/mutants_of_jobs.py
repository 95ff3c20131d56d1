"""What jobs do, with one rule of the protocol switched off (1, 2, 8, 11). Each function patches the real code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backy2_core.model.blob import BlobState
from backy2_core.model.job import JobState
from backy2_plugins.meta_backends.sql import blobs, finish, jobs, maps
from backy2_plugins.meta_backends.sql.bulk import among
from tests.protocol.scheduler import pause

SQL = "backy2_plugins.meta_backends.sql"
_NEVER = 250_000_000_000_000_000
"""A time in the year 9892, in microseconds."""

Mutant = Callable[[pytest.MonkeyPatch], None]


# -- rule 1: leases


def no_lease_check(*modules: str) -> Mutant:
    """Transactions of these rooms do not ask whether the job lives."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        for module in modules:
            patch.setattr(f"{SQL}.{module}.hold_lease", lambda connection, tables, job: None)

    return mutate


def lease_checked_before(patch: pytest.MonkeyPatch) -> None:
    """Whether the job lives is asked in one transaction, and records are committed in the next."""

    def add_blobs(database: Any, job: Any, store: Any, new: Any) -> Any:
        with database.write() as connection:
            jobs.hold_lease(connection, database.tables, job)
        pause("commit")
        with database.write() as connection:
            return blobs.insert_blobs(connection, database.tables, store, new, BlobState.STORED, job)

    patch.setattr(blobs, "add_blobs", add_blobs)


def renewal_of_the_dead(patch: pytest.MonkeyPatch) -> None:
    """A renewal makes an expired job live again."""

    def renew_job(database: Any, job: Any, lease_s: float, progress: float) -> None:
        table = database.tables.jobs
        with database.write() as connection:
            connection.execute(update(table).where(table.c.id == job).values(state=JobState.LIVE, lease_until=_NEVER))

    patch.setattr(jobs, "renew_job", renew_job)


# -- rule 2: naming


def unnamed(patch: pytest.MonkeyPatch) -> None:
    """A job that begins does not name the versions it uses."""
    patch.setattr(jobs, "name_version", lambda connection, tables, job, version, *, exclusive: None)


def named_too_late(patch: pytest.MonkeyPatch) -> None:
    """That the versions are valid is checked in one transaction, and they are named in the next."""

    def begin_job(database: Any, new: Any) -> Any:
        with database.write() as connection:
            uses = [(jobs._usable(connection, database.tables, use), use.exclusive) for use in new.uses]
        pause("name")
        job = real(database, replace(new, uses=()))
        with database.write() as connection:
            for version, exclusive in uses:
                jobs.name_version(connection, database.tables, job.id, version, exclusive=exclusive)
        return job

    real = jobs.begin_job
    patch.setattr(jobs, "begin_job", begin_job)


# -- rule 8: the guard


def no_check_of_blobs(patch: pytest.MonkeyPatch) -> None:
    """A segment is committed whatever became of its blobs."""
    patch.setattr(maps, "unusable_blobs", lambda connection, tables, ids: [])


def no_revival(patch: pytest.MonkeyPatch) -> None:
    """A commit checks its blobs, and leaves condemned ones condemned."""

    def unusable_blobs(connection: Any, tables: Any, ids: Any) -> Any:
        table = tables.blobs
        query = select(table.c.id, table.c.condemned).where(among(connection, table.c.id, sorted(ids)))
        marks = dict(map(tuple, connection.execute(query)))
        unusable = real(connection, tables, ids)
        for number, stamp in marks.items():
            connection.execute(update(table).where(table.c.id == number).values(condemned=stamp))
        return unusable

    real = maps.unusable_blobs
    patch.setattr(maps, "unusable_blobs", unusable_blobs)


def no_check_of_segments(patch: pytest.MonkeyPatch) -> None:
    """A version becomes valid whatever became of its segments."""
    patch.setattr(finish, "_check_segments", lambda connection, tables, version, ids: None)


def damage_is_not_asked_for(patch: pytest.MonkeyPatch) -> None:
    """A version becomes valid even if it refers to a damaged blob."""
    patch.setattr(finish, "_refers_to_damage", lambda connection, tables, version: False)


# -- rule 11: ids


def ids_come_back(patch: pytest.MonkeyPatch) -> None:
    """The next id is one above the highest that is there."""

    def reserve(connection: Any, tables: Any, name: str, count: int = 1) -> range:
        highest = connection.execute(select(func.max(getattr(tables, name).c.id))).scalar() or 0
        return range(highest + 1, highest + 1 + count)

    patch.setattr(blobs, "reserve", reserve)
    patch.setattr(f"{SQL}.segments.reserve", reserve)
