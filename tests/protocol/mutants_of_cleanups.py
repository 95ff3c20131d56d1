"""What cleanups and scrubs do, with one rule of the protocol switched off (3 to 7, 9). Each function patches the real code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, false, func, select, update

from backy2_core.contracts.data_backend import StoredBlob
from backy2_core.engine import damage, orphans, sweep
from backy2_core.engine.context import Engine
from backy2_core.engine.idset import IdSet
from backy2_core.engine.lease import Lease
from backy2_core.engine.requests import CleanupResult
from backy2_core.model.blob import BlobState, job_token_of
from backy2_core.model.job import JobKind, JobState
from backy2_core.model.segment import block_ids
from backy2_core.model.version import VersionState
from backy2_plugins.meta_backends.sql import cleanup, jobs, maps
from backy2_plugins.meta_backends.sql.bulk import among

_NEVER = 1 << 62


# -- rules 3 and 6: marks


def _sweeping(change_seen: Callable[..., int], revived: dict[str, Any]) -> Callable[..., int]:
    def sweep_blobs(database: Any, decided: Any, horizon: int) -> int:
        table = database.tables.blobs
        change = update(table).where(table.c.state != BlobState.DELETING)
        with database.write() as connection:
            change_seen(connection, change.values(condemned=None, **revived), decided.revive, horizon)
            dropped = change_seen(connection, change.values(state=BlobState.DELETING), decided.drop, horizon)
            cleanup._condemn(connection, database.tables, change, decided.condemn)
        return dropped

    return sweep_blobs


def reviving_makes_stored(patch: pytest.MonkeyPatch) -> None:
    """Un-condemning sets the state ``stored``, whatever it was."""
    patch.setattr(cleanup, "sweep_blobs", _sweeping(cleanup._change_seen, {"state": BlobState.STORED}))


def no_compare_and_swap(patch: pytest.MonkeyPatch) -> None:
    """A sweep changes its rows whatever became of them since they were read."""

    def change_all(connection: Any, change: Any, rows: Iterable[tuple[int, int]], horizon: int) -> int:
        numbers = [number for number, _ in rows]
        return int(connection.execute(change.where(among(connection, change.table.c.id, numbers))).rowcount)

    patch.setattr(cleanup, "_change_seen", change_all)


# -- rule 4: horizon, order of scans


def horizon_of_jobs_only(patch: pytest.MonkeyPatch) -> None:
    """The horizon is not bounded by the cleanup's own beginning: candidates are whatever is condemned when read."""
    patch.setattr(jobs, "horizon", lambda database, job: _oldest(database) or _NEVER)


def horizon_of_cleanup_only(patch: pytest.MonkeyPatch) -> None:
    """The horizon does not wait for live jobs."""
    patch.setattr(jobs, "horizon", lambda database, job: job)


def _oldest(database: Any) -> int | None:
    table = database.tables.jobs
    oldest = select(func.min(table.c.id)).where(table.c.state == JobState.LIVE, table.c.kind != JobKind.CLEANUP)
    with database.read() as connection:
        found: int | None = connection.execute(oldest).scalar()
    return found


def descending_scans(patch: pytest.MonkeyPatch) -> None:
    """Rows are scanned from the highest id down."""

    def pages(database: Any, table: Any, columns: Any, size: int, *criteria: Any) -> Iterator[Any]:
        query = select(*columns).where(*criteria).order_by(table.c.id.desc()).limit(size)
        last = _NEVER
        while True:
            with database.read() as connection:
                rows = connection.execute(query.where(table.c.id < last)).all()
            if not rows:
                return
            yield rows
            last = rows[-1].id

    patch.setattr(cleanup, "_pages", pages)


# -- rule 5: who is referred to


def only_reachable(patch: pytest.MonkeyPatch) -> None:
    """Blobs are judged by the segments that the maps of versions reach."""

    def sweep_round(engine: Engine, horizon: int, result: CleanupResult) -> CleanupResult:
        in_maps, in_any, in_live = IdSet(), IdSet(), IdSet()
        for numbers in engine.meta.scan_maps():
            in_maps.add_all(numbers)
        result = sweep._sweep_segments(engine, horizon, in_maps, result)
        for rows in engine.meta.scan_segments(with_data=True):
            for row in rows:
                if row.id in in_maps:
                    for wanted in (in_any, in_live) if row.condemned is None else (in_any,):
                        wanted.add_all(blob for blob in block_ids(row.data) if blob > 0)
        return sweep._sweep_blobs(engine, horizon, in_any, in_live, result)

    patch.setattr("backy2_core.engine.cleanup.sweep_round", sweep_round)


def condemned_segments_do_not_count(patch: pytest.MonkeyPatch) -> None:
    """A blob that only condemned segments refer to may go."""
    real = sweep._judge_blobs
    patch.setattr(sweep, "_judge_blobs", lambda rows, horizon, in_any, in_live: real(rows, horizon, in_live, in_live))


# -- rule 7: the end of a blob


def objects_first(patch: pytest.MonkeyPatch) -> None:
    """Objects are deleted on the strength of the scan, then the records are dropped."""

    def sweep_blobs(
        engine: Engine, horizon: int, in_any: IdSet, in_live: IdSet, result: CleanupResult
    ) -> CleanupResult:
        meta: Any = engine.meta
        for rows in engine.meta.scan_blobs(engine.store):
            decisions = sweep._judge_blobs(rows, horizon, in_any, in_live)
            if decisions.drop:
                records = meta.inner.read_blobs([number for number, _ in decisions.drop])
                engine.data.delete([record.uid for record in records.values()])
            if decisions.changes:
                engine.meta.sweep_blobs(decisions.sweep(), horizon)
        return result

    patch.setattr(sweep, "_sweep_blobs", sweep_blobs)


def deleting_is_not_final(patch: pytest.MonkeyPatch) -> None:
    """A commit takes a blob that is ``deleting`` as it takes one that is condemned."""
    real = maps.unusable_blobs

    def unusable_blobs(connection: Any, tables: Any, ids: Any) -> Any:
        table = tables.blobs
        back = update(table).where(among(connection, table.c.id, sorted(ids)), table.c.state == BlobState.DELETING)
        connection.execute(back.values(state=BlobState.STORED))
        return real(connection, tables, ids)

    patch.setattr(maps, "unusable_blobs", unusable_blobs)


def records_dropped_at_once(patch: pytest.MonkeyPatch) -> None:
    """A record is dropped in place of being ``deleting``, and its object is deleted only by the one who dropped it."""

    def sweep_blobs(database: Any, decided: Any, horizon: int) -> int:
        dropped = real(database, replace(decided, drop=()), horizon)
        with database.write() as connection:
            return dropped + cleanup._change_seen(connection, delete(database.tables.blobs), decided.drop, horizon)

    real = cleanup.sweep_blobs
    patch.setattr(cleanup, "sweep_blobs", sweep_blobs)


# -- rule 9: full cleanup


def any_job_is_over(patch: pytest.MonkeyPatch) -> None:
    """A job that was not live when that was read is over, even if it began later."""
    real = orphans.find_orphans
    patch.setattr(orphans, "find_orphans", lambda engine, before, prefix: real(engine, None, prefix))


def live_jobs_are_not_asked_for(patch: pytest.MonkeyPatch) -> None:
    """Objects of live jobs are no exception."""
    patch.setattr(jobs, "list_jobs", lambda database, states, limit: [])


def jobs_last(patch: pytest.MonkeyPatch) -> None:
    """The store is listed, then records are read, and then which jobs are over."""

    def find_orphans(engine: Engine, before: Any, prefix: str) -> Iterator[tuple[list[StoredBlob], int]]:
        listed = list(engine.data.list_blobs())
        recorded = engine.meta.recorded_uids(engine.store, [blob.uid for blob in listed])
        live = {job.token for job in engine.meta.jobs({JobState.LIVE})}
        yield [blob for blob in listed if blob.uid not in recorded and job_token_of(blob.uid) not in live], 0

    patch.setattr(orphans, "find_orphans", find_orphans)


def orphans_without_record(patch: pytest.MonkeyPatch) -> None:
    """Orphaned objects are deleted at once, with no ``deleting`` record."""

    def doom_orphans(engine: Engine, lease: Lease, prefix: str) -> tuple[int, int]:
        doomed = 0
        for found, _ in orphans.find_orphans(engine, lease.id, prefix):
            engine.data.delete([blob.uid for blob in found])
            doomed += len(found)
        return doomed, 0

    patch.setattr("backy2_core.engine.cleanup.doom_orphans", doom_orphans)


# -- beyond the rules: continued backups


def only_complete_maps(patch: pytest.MonkeyPatch) -> None:
    """Cleanups do not look at the maps of incomplete versions."""

    def scan_maps(database: Any) -> Iterator[Any]:
        versions, table = database.tables.versions, database.tables.maps
        query = select(table.c.data).join(versions, versions.c.id == table.c.version)
        with database.read() as connection:
            found = connection.execute(query.where(versions.c.state != VersionState.INCOMPLETE)).scalars().all()
        yield [number for data in found for number in maps.unpack_ids(data)]

    patch.setattr(cleanup, "scan_maps", scan_maps)


def abandoned_under_a_lease(patch: pytest.MonkeyPatch) -> None:
    """Incomplete versions are given up by their age alone."""

    def abandon_versions(database: Any, older_than_s: float) -> Any:
        with patch.context() as within:
            within.setattr(cleanup, "named_by_live", lambda tables, version: false())
            return real(database, older_than_s)

    real = cleanup.abandon_versions
    patch.setattr(cleanup, "abandon_versions", abandon_versions)


# -- beyond the rules: damage


def users_before_blobs(patch: pytest.MonkeyPatch) -> None:
    """Versions that use damaged blobs are looked for before the blobs are marked."""

    def mark_damage(meta: Any, version: Any, found: Any) -> None:
        for other in damage._users(meta, set(found)):
            meta.set_version_state(other.id, VersionState.DAMAGED, damage.UNMARKED)
        meta.set_blob_state(found, BlobState.DAMAGED, BlobState.STORED)
        meta.set_version_state(version.id, VersionState.DAMAGED, damage.UNMARKED)

    patch.setattr("backy2_core.engine.scrub.mark_damage", mark_damage)
