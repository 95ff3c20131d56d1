"""Backing up a source as a new version."""

from __future__ import annotations

import time

from backy2_core.engine.backup_run import run
from backy2_core.engine.backup_task import make_task, plan
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import trusted_map
from backy2_core.engine.lease import running_job
from backy2_core.engine.mixed_keys import must_store_again, refuse_clear_blocks
from backy2_core.engine.plan import plan_all
from backy2_core.engine.requests import BackupRequest, BackupResult
from backy2_core.engine.sample import check_sample
from backy2_core.engine.snapshot_backup import backup_snapshot
from backy2_core.engine.turns import in_turn, turn_of
from backy2_core.model.event import BackupFinished
from backy2_core.model.job import JobKind


def backup(engine: Engine, request: BackupRequest) -> BackupResult:
    """Back up a source; the version is valid when this returns.

    If it raises, the version (if there is one yet) stays incomplete and can be continued. A source that has snapshots is
    backed up by one of them, unless hints or a base are given.
    """
    refuse_clear_blocks(engine)
    result = in_turn(engine, lambda: _backup(engine, request))
    engine.notify(BackupFinished(result.version, result.statistics))
    return result


def _backup(engine: Engine, request: BackupRequest) -> BackupResult:
    snapshots = None if request.by_hand else engine.open_snapshots(request.source)
    if snapshots is None:
        return _backup_as_it_stands(engine, request)
    with snapshots:
        return backup_snapshot(engine, request, snapshots) or _backup_as_it_stands(engine, request)


def _backup_as_it_stands(engine: Engine, request: BackupRequest) -> BackupResult:
    began = time.monotonic()
    with engine.open_source(request.source) as source:
        task = make_task(engine, request, source)
        description, turn = f"{request.source} as {request.name}", turn_of(engine, request.name)
        with running_job(engine, JobKind.BACKUP, description, task.uses, name=request.name, alone=turn) as lease:
            runs = plan(task)
            base = trusted_map(engine, task.base) if task.base else None
            if base is not None and request.hints is not None:
                check_sample(engine, source, runs, base)
                if must_store_again(engine, base):
                    runs, base = plan_all(task.geometry), None
            return run(engine, lease, task, runs, base, began)
