"""The work of a backup: from the plan to the valid version."""

from __future__ import annotations

import logging
import time

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.source import Source
from backy2_core.engine.appender import Appender
from backy2_core.engine.backup_task import Task, new_version
from backy2_core.engine.buffers import BufferPool, buffer_count
from backy2_core.engine.context import Engine
from backy2_core.engine.copies import write_copy
from backy2_core.engine.digest import ZeroTest
from backy2_core.engine.drafting import draft_segments
from backy2_core.engine.intake import Intake
from backy2_core.engine.lease import Lease
from backy2_core.engine.mixed_keys import key_of_all, tell_of_mixture
from backy2_core.engine.plan import Run, by_segment, skip_holes
from backy2_core.engine.pool import WorkerPool
from backy2_core.engine.requests import BackupResult
from backy2_core.engine.stages import Reader, Storer
from backy2_core.engine.store import check_place
from backy2_core.engine.stored_map import StoredMap
from backy2_core.engine.transfer import Crew, Transfer
from backy2_core.errors import BackyError
from backy2_core.model.blob import BlobUid
from backy2_core.model.version import Counts, Statistics, Version

log = logging.getLogger(__name__)

_UNIT_BYTES = 2 * 1024 * 1024


def run(
    engine: Engine, lease: Lease, task: Task, runs: list[Run], base: StoredMap | None, began: float
) -> BackupResult:
    """Do what the plan ``runs`` says, with kept blocks from ``base``; the version is valid when this returns.

    ``began`` is the monotonic time at which the backup began. If this raises, the version (if there is one yet) stays
    incomplete.
    """
    if task.resume is not None:
        tell_of_mixture(engine, task.resume)
    key = key_of_all(engine, base if task.request.hints is not None else None)
    version = task.resume or engine.meta.create_version(lease.id, new_version(task, key))
    log.info("Backing up %s as version %s of %s", task.request.source, version.uid, task.request.name)
    digest, counts = _transfer(engine, lease, task, version, runs, base)
    digest = engine.seals.sealed(version, digest)
    statistics = _statistics(version, counts, time.monotonic() - began)
    lease.check()
    task.source.confirm()
    write_copy(engine, version, digest, [statistics], base=task.base)
    version = engine.meta.finish_version(lease.id, version.id, digest, statistics)
    return BackupResult(version, statistics)


def _transfer(
    engine: Engine, lease: Lease, task: Task, version: Version, runs: list[Run], base: StoredMap | None
) -> tuple[bytes, Counts]:
    appender = Appender(engine.meta, lease.id, version)
    if task.resume is not None:
        check_place(engine.meta, appender.take_stock(), engine.store)
    segments = by_segment(skip_holes(runs, task.source.allocated(), task.geometry.block_size))
    drafted = draft_segments(segments, task.geometry, engine.meta, base, appender.length)
    intake = _intake(engine, lease, task.hash)
    engine.progress.begin(f"Backing up Version {version.uid} from {task.request.source}", task.geometry.size_bytes, "B")
    try:
        with WorkerPool(_threads(engine, task.source)) as pool:
            transfer = Transfer(engine, lease, version.geometry, _crew(engine, task, pool), intake, appender)
            transfer.run(drafted)
    except BaseException:
        _discard(engine.data, intake.discardable)
        raise
    finally:
        engine.progress.finish()
    return appender.digest(), transfer.tally.counts()


def _threads(engine: Engine, source: Source) -> int:
    return max(engine.options.worker_count, source.threads, engine.data.capabilities.threads)


def _crew(engine: Engine, task: Task, pool: WorkerPool) -> Crew:
    size = max(task.geometry.block_size, _UNIT_BYTES // task.geometry.block_size * task.geometry.block_size)
    buffers = BufferPool(buffer_count(engine.options.buffer_bytes, size, _threads(engine, task.source)), size)
    is_zero = ZeroTest(task.geometry.block_size)
    checksum = engine.checksums.function(task.hash, engine.chain.key)
    reader = Reader(task.source, task.geometry, checksum, is_zero)
    return Crew(pool, buffers, reader, Storer(engine.data, engine.chain, task.hash))


def _intake(engine: Engine, lease: Lease, hash_name: str) -> Intake:
    return Intake(
        engine.meta,
        engine.store,
        lease.id,
        lease.job.token,
        hash_name,
        engine.chain.key,
        deduplicate=engine.options.deduplication,
    )


def _discard(data: DataBackend, uids: list[BlobUid]) -> None:
    try:
        data.delete(uids)
    except BackyError as error:
        log.warning(
            "%d blobs of the failed backup were left in the store; `backy2 cleanup --full` finds them: %s",
            len(uids),
            error,
        )


def _statistics(version: Version, counts: Counts, duration_s: float) -> Statistics:
    geometry = version.geometry
    return Statistics(version.uid, version.name, version.date, geometry.size_bytes, geometry.count, counts, duration_s)
