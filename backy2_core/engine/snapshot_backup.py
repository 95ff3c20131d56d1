"""Backing up a device by its snapshots: what changed since the last one is read, and what no backup needs any more goes.

The job begins before the snapshot is made, and the snapshot carries the job's token. So whoever finds a snapshot without a
version knows whether somebody is still about to record one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from backy2_core.contracts.source import Source
from backy2_core.engine.backup_run import run
from backy2_core.engine.backup_task import Task, make_task, plan, uses_of
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import trusted_map
from backy2_core.engine.lease import Lease, running_job
from backy2_core.engine.lookup import get_version
from backy2_core.engine.mixed_keys import must_store_again
from backy2_core.engine.plan import Run, plan_all
from backy2_core.engine.requests import BackupRequest, BackupResult
from backy2_core.engine.sample import find_difference, find_leftover
from backy2_core.engine.snapshot_changes import changes_since, is_of_snapshots
from backy2_core.engine.snapshot_choice import Origin, origins
from backy2_core.engine.snapshot_tidy import remove_unrecorded, tidy
from backy2_core.engine.store import store_of
from backy2_core.engine.stored_map import StoredMap
from backy2_core.engine.turns import turn_of
from backy2_core.errors import RefusedError, SourceError
from backy2_core.model.job import JobKind
from backy2_core.model.version import Version, VersionFilter, VersionState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a backup begins from. ``snapshot`` is the one to be backed up, where it is there already."""

    origin: Origin | None
    snapshot: Snapshot | None
    resume: Version | None = None


def backup_snapshot(engine: Engine, request: BackupRequest, snapshots: Snapshots) -> BackupResult | None:
    """Back up the device by a new snapshot, or by the one that the URL names; valid when this returns.

    None, with nothing done, for a version to be continued that was not made from one of these snapshots.
    """
    began = time.monotonic()
    choice = _resumed(engine, request, snapshots) if request.resume else _choice(engine, request, snapshots)
    if choice is None:
        return None
    origin = choice.origin
    uses = uses_of(origin.version if origin else None, choice.resume)
    description, turn = f"{request.source} as {request.name}", turn_of(engine, request.name)
    with running_job(engine, JobKind.BACKUP, description, uses, name=request.name, alone=turn) as lease:
        _tell(engine, request, choice)
        base = trusted_map(engine, origin.version) if origin else None
        with _snapshot(engine, lease, choice, snapshots) as snapshot:
            told = _told(request, choice, snapshot, snapshots)
            with engine.open_source(snapshot.url) as source:
                _check_source(source, snapshot)
                task, runs, base = _planned(engine, told, source, base, choice)
                result = run(engine, lease, task, runs, base, began)
        if result.version.state is VersionState.VALID:
            tidy(engine, lease, request.name, snapshots)
    return result


def _choice(engine: Engine, request: BackupRequest, snapshots: Snapshots) -> _Choice:
    named = snapshots.named
    if request.full:
        return _Choice(None, named)
    which = VersionFilter(name=request.name, states=frozenset({VersionState.VALID}))
    for origin in origins(snapshots.list(), engine.meta.versions(which), named):
        if store_of(engine.meta, engine.meta.read_map(origin.version.id)) in (None, engine.store):
            return _Choice(origin, named)
    return _Choice(None, named)


def _tell(engine: Engine, request: BackupRequest, choice: _Choice) -> None:
    """Say what is not as one might expect."""
    base = choice.origin.version if choice.origin else None
    if base is None and choice.resume is None and not request.full:
        log.info(
            "No snapshot of an earlier backup of %s is left on %s; everything is read", request.name, request.source
        )
    if base is not None and base.geometry.block_size != engine.options.block_size:
        log.info(
            "Blocks have %d bytes as in version %s, not %d as configured; --full begins anew",
            base.geometry.block_size,
            base.uid,
            engine.options.block_size,
        )


def _resumed(engine: Engine, request: BackupRequest, snapshots: Snapshots) -> _Choice | None:
    """The snapshots that an interrupted backup was working with, found by their identities."""
    assert request.resume is not None
    resume = get_version(engine.meta, request.resume)
    found = {snapshot.identity: snapshot for snapshot in snapshots.list() if snapshot.identity}
    snapshot, named = found.get(resume.source_identity), snapshots.named
    if snapshot is None or (named is not None and named.identity != snapshot.identity):
        return None
    if not is_of_snapshots(resume.hints_digest):
        return None if resume.base else _Choice(None, snapshot, resume)
    base = get_version(engine.meta, resume.base) if resume.base else None
    older = found.get(base.source_identity) if base else None
    if base is None or older is None:
        raise RefusedError(
            f"Version {resume.uid} cannot be continued: the snapshot of its base version {resume.base} is not there any more."
            " Begin a new backup; what is stored already is not stored twice."
        )
    return _Choice(Origin(base, older), snapshot, resume)


@contextmanager
def _snapshot(engine: Engine, lease: Lease, choice: _Choice, snapshots: Snapshots) -> Iterator[Snapshot]:
    """The snapshot to be backed up. One that is made here goes again if the backup fails before a version tells of it."""
    if choice.snapshot is not None:
        yield choice.snapshot
        return
    snapshot = snapshots.create(lease.job.token)
    log.info("Made snapshot %s", snapshot.url)
    try:
        yield snapshot
    except BaseException:
        remove_unrecorded(engine, snapshots, snapshot)
        raise


def _told(request: BackupRequest, choice: _Choice, snapshot: Snapshot, snapshots: Snapshots) -> BackupRequest:
    """The request in other words: this snapshot, with what changed since the origin as its hints."""
    told = replace(request, source=snapshot.url, snapshot_name=request.snapshot_name or snapshot.name)
    hints = changes_since(snapshots, choice.origin, snapshot) if choice.origin else None
    if choice.origin is None or hints is None:
        return told
    changed = sum(extent.length for extent in hints.extents)
    log.info(
        "%.1f MiB of %.1f MiB may have changed since snapshot %s (version %s)",
        changed / 2**20,
        snapshot.size_bytes / 2**20,
        choice.origin.snapshot.name,
        choice.origin.version.uid,
    )
    return replace(told, hints=hints, base=choice.origin.version.uid)


def _check_source(source: Source, snapshot: Snapshot) -> None:
    if source.identity != snapshot.identity or source.size_bytes != snapshot.size_bytes:
        raise SourceError(
            f"{snapshot.url} is another snapshot than it was when this backup began: somebody removed it, and made one of the"
            " same name. Nothing was stored; run the backup again."
        )


def _planned(
    engine: Engine, told: BackupRequest, source: Source, base: StoredMap | None, choice: _Choice
) -> tuple[Task, list[Run], StoredMap | None]:
    """The plan, and the base that it may be carried out with; everything is read where the changes prove to be wrong."""
    task = make_task(engine, told, source)
    runs = plan(task)
    if base is None or task.request.hints is None:
        return task, runs, None
    wrong = find_difference(engine, source, runs, base)
    if wrong is None:
        wrong = find_leftover(engine, source, runs, task.geometry)
    if wrong is not None:
        _complain(task, choice, wrong)
        return make_task(engine, replace(told, hints=None, base=None), source), plan_all(task.geometry), None
    if must_store_again(engine, base):
        return task, plan_all(task.geometry), None
    return task, runs, base


def _complain(task: Task, choice: _Choice, block: int) -> None:
    """Say loudly that the device is wrong; refuse to go on with a version that holds what it said before."""
    assert choice.origin is not None
    older, newer = choice.origin.snapshot.url, task.request.source
    if choice.resume is not None:
        raise RefusedError(
            f"Version {choice.resume.uid} cannot be continued: what changed from {older} to {newer} was told wrong (block"
            f" {block} is not among it). Back up with --full, and scrub the versions since with --source."
        )
    log.error(
        "THE CHANGES FROM %s TO %s ARE WRONG: block %d (offset %d) is not among them, but differs from version %s. This backup"
        " reads everything. Earlier backups from such changes may be wrong, too: look into the source, and scrub them.",
        older,
        newer,
        block,
        task.geometry.offset(block),
        choice.origin.version.uid,
    )
