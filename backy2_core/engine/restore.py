"""Restoring a version to a target."""

from __future__ import annotations

import logging
import time

from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import DamageReport, mark_damage, trusted_map
from backy2_core.engine.fetch import Fetcher
from backy2_core.engine.inventory import SparseBlocks, StoredBlock, inventory
from backy2_core.engine.lease import Lease, running_job
from backy2_core.engine.lookup import get_version
from backy2_core.engine.proof import prove_keys
from backy2_core.engine.requests import RestoreRequest, RestoreResult
from backy2_core.engine.retrieval import Retrieval
from backy2_core.engine.stored_map import StoredMap
from backy2_core.model.event import RestoreFinished
from backy2_core.model.job import JobKind, Use
from backy2_core.model.version import FINISHED

log = logging.getLogger(__name__)


def restore(engine: Engine, request: RestoreRequest) -> RestoreResult:
    """Write a version to a target; every byte written was checked, and all is durable when this returns.

    Damaged and missing blocks are left out and reported in the result, and marked in the database; the caller must not
    call a restore good unless ``damaged_blocks`` is 0. A version whose map itself is damaged is refused before anything is
    written (:class:`backy2_core.errors.DamageError`).
    """
    began = time.monotonic()
    version = get_version(engine.meta, request.uid)
    description = f"{version.uid} ({version.name}) to {request.target}"
    with running_job(engine, JobKind.RESTORE, description, (Use(version.uid, FINISHED),), name=version.name) as lease:
        stored_map = trusted_map(engine, version)
        prove_keys(engine, stored_map)
        wanted = TargetRequest(version.geometry.size_bytes, request.force, request.sparse)
        with engine.open_target(request.target, wanted) as target:
            report, restored = _write(engine, lease, stored_map, target, request)
            target.flush()
        if report.count:
            mark_damage(engine.meta, version, report.blobs)
    duration_s = time.monotonic() - began
    engine.notify(RestoreFinished(version, request.target, report.count, duration_s))
    return RestoreResult(version, restored, report.count, report.damage, duration_s)


def _write(
    engine: Engine, lease: Lease, stored_map: StoredMap, target: Target, request: RestoreRequest
) -> tuple[DamageReport, int]:
    version, geometry = stored_map.version, stored_map.version.geometry
    report = DamageReport(version, engine.notify)

    def use(block: StoredBlock, data: memoryview) -> None:
        target.write(geometry.offset(block.number), data)

    def sparse(blocks: SparseBlocks) -> None:
        length = geometry.span_length(blocks.start, blocks.stop - blocks.start)
        target.zero(geometry.offset(blocks.start), length)

    retrieval = Retrieval(engine, lease, geometry, Fetcher(engine.data, engine.chain, engine.checksums, use), report)
    retrieval.on_sparse = sparse
    threads = max(engine.options.worker_count, target.threads, engine.data.capabilities.threads)
    engine.progress.begin(f"Restoring Version {version.uid} to {request.target}", geometry.size_bytes, "B")
    try:
        retrieval.run(inventory(engine.meta, stored_map), threads)
    finally:
        engine.progress.finish()
    return report, retrieval.bytes_whole
