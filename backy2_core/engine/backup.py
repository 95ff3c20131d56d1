"""Backing up a source as a new version."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.source import Source
from backy2_core.engine.appender import Appender
from backy2_core.engine.buffers import BufferPool, buffer_count
from backy2_core.engine.context import Engine
from backy2_core.engine.copies import write_copy
from backy2_core.engine.damage import trusted_map
from backy2_core.engine.digest import ZeroTest, hash_function
from backy2_core.engine.drafting import draft_segments
from backy2_core.engine.hints import hints_digest, parse_hints
from backy2_core.engine.intake import Intake
from backy2_core.engine.lease import Lease, running_job
from backy2_core.engine.lookup import get_version
from backy2_core.engine.mixed_keys import key_of_all, must_store_again, refuse_clear_blocks, tell_of_mixture
from backy2_core.engine.plan import Run, by_segment, plan_all, plan_hinted, skip_holes
from backy2_core.engine.pool import WorkerPool
from backy2_core.engine.requests import BackupRequest, BackupResult
from backy2_core.engine.sample import check_sample
from backy2_core.engine.stages import Reader, Storer
from backy2_core.engine.store import check_place
from backy2_core.engine.stored_map import StoredMap
from backy2_core.engine.transfer import Crew, Transfer
from backy2_core.errors import BackyError, NotFoundError, RefusedError
from backy2_core.model.blob import BlobUid
from backy2_core.model.block import Geometry
from backy2_core.model.event import BackupFinished
from backy2_core.model.job import JobKind, Use
from backy2_core.model.version import Counts, NewVersion, Statistics, Version, VersionState, VersionUid

log = logging.getLogger(__name__)

_UNIT_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Task:
    """A backup whose arguments were checked against the source and the database."""

    request: BackupRequest
    source: Source
    geometry: Geometry
    hash: str
    base: Version | None
    resume: Version | None

    @property
    def uses(self) -> tuple[Use, ...]:
        """The versions that the job must name."""
        uses = [Use(self.base.uid)] if self.base else []
        if self.resume:
            uses.append(Use(self.resume.uid, frozenset({VersionState.INCOMPLETE}), exclusive=True))
        return tuple(uses)


def backup(engine: Engine, request: BackupRequest) -> BackupResult:
    """Back up a source; the version is valid when this returns.

    If it raises, the version (if there is one yet) stays incomplete and can be continued.
    """
    began = time.monotonic()
    refuse_clear_blocks(engine)
    with engine.open_source(request.source) as source:
        task = _check(engine, request, source)
        description = f"{request.source} as {request.name}"
        with running_job(engine, JobKind.BACKUP, description, task.uses, name=request.name) as lease:
            runs = _plan(task)
            base = trusted_map(engine, task.base) if task.base else None
            if base is not None and request.hints is not None:
                check_sample(engine, source, runs, base)
                if must_store_again(engine, base):
                    runs, base = plan_all(task.geometry), None
            if task.resume is not None:
                tell_of_mixture(engine, task.resume)
            key = key_of_all(engine, base if request.hints is not None else None)
            version = task.resume or engine.meta.create_version(lease.id, _new_version(task, key))
            log.info("Backing up %s as version %s of %s", request.source, version.uid, request.name)
            digest, counts = _transfer(engine, lease, task, version, runs, base)
            digest = engine.seals.sealed(version, digest)
            statistics = _statistics(version, counts, time.monotonic() - began)
            lease.check()
            write_copy(engine, version, digest, [statistics], base=task.base)
            version = engine.meta.finish_version(lease.id, version.id, digest, statistics)
    engine.notify(BackupFinished(version, statistics))
    return BackupResult(version, statistics)


def _check(engine: Engine, request: BackupRequest, source: Source) -> _Task:
    resume = get_version(engine.meta, request.resume) if request.resume else None
    base_uid = request.base or (resume.base if resume else None)
    base = _base(engine, base_uid, resume) if base_uid else None
    pattern = resume or base
    block_size = pattern.geometry.block_size if pattern else engine.options.block_size
    hash_name = resume.hash if resume else engine.options.hash_function
    task = _Task(request, source, Geometry(source.size_bytes, block_size), hash_name, base, resume)
    if resume is not None:
        _check_resume(task, resume, base_uid, engine.chain.key)
    hash_function(hash_name)
    return task


def _base(engine: Engine, uid: VersionUid, resume: Version | None) -> Version:
    try:
        return get_version(engine.meta, uid)
    except NotFoundError as error:
        if resume is None:
            raise
        raise RefusedError(
            f"Version {resume.uid} cannot be continued: its base version {uid} was removed. Begin a new backup; what is"
            " stored already is not stored twice."
        ) from error


def _check_resume(task: _Task, resume: Version, base: VersionUid | None, key: str) -> None:
    request = task.request
    differences = [
        what
        for what, was, now in (
            ("name", resume.name, request.name),
            ("size of the source", resume.geometry, task.geometry),
            ("state of the source", resume.source_identity, task.source.identity),
            ("base version", resume.base, base),
            ("hints", resume.hints_digest, hints_digest(request.hints)),
            ("key of its blocks", resume.key or key, key),
        )
        if was != now
    ]
    if differences:
        raise RefusedError(
            f"Version {resume.uid} cannot be continued: another {' and another '.join(differences)} than when it was"
            " begun. Begin a new backup; what is stored already is not stored twice."
        )


def _plan(task: _Task) -> list[Run]:
    if task.request.hints is None:
        return plan_all(task.geometry)
    hints = parse_hints(task.request.hints, task.geometry.size_bytes)
    return plan_hinted(task.geometry, hints, task.base.geometry if task.base else None)


def _new_version(task: _Task, key: str) -> NewVersion:
    request = task.request
    return NewVersion(
        uid=VersionUid(str(uuid.uuid4())),
        name=request.name,
        snapshot_name=request.snapshot_name,
        geometry=task.geometry,
        hash=task.hash,
        source=request.source,
        source_identity=task.source.identity,
        base=task.base.uid if task.base else None,
        hints_digest=hints_digest(request.hints),
        tags=request.tags,
        expire=request.expire,
        key=key,
    )


def _transfer(
    engine: Engine, lease: Lease, task: _Task, version: Version, runs: list[Run], base: StoredMap | None
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


def _crew(engine: Engine, task: _Task, pool: WorkerPool) -> Crew:
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
