"""What a backup is to do, once its arguments were checked against the source and the database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from backy2_core.contracts.source import Source
from backy2_core.engine.context import Engine
from backy2_core.engine.digest import hash_function
from backy2_core.engine.hints import within
from backy2_core.engine.lookup import get_version
from backy2_core.engine.plan import Run, plan_all, plan_hinted
from backy2_core.engine.requests import BackupRequest
from backy2_core.errors import NotFoundError, RefusedError
from backy2_core.model.block import Geometry
from backy2_core.model.job import Use
from backy2_core.model.version import NewVersion, Version, VersionState, VersionUid


@dataclass(frozen=True, slots=True)
class Task:
    """A backup whose arguments were checked."""

    request: BackupRequest
    source: Source
    geometry: Geometry
    hash: str
    base: Version | None
    resume: Version | None

    @property
    def hints_digest(self) -> str:
        """What names the hints in the record; empty where there are none."""
        return self.request.hints.digest if self.request.hints else ""

    @property
    def uses(self) -> tuple[Use, ...]:
        """The versions that the job must name."""
        return uses_of(self.base, self.resume)


def uses_of(base: Version | None, resume: Version | None) -> tuple[Use, ...]:
    """The versions that a job must name which takes blocks from ``base`` and continues ``resume``."""
    uses = [Use(base.uid)] if base else []
    if resume:
        uses.append(Use(resume.uid, frozenset({VersionState.INCOMPLETE}), exclusive=True))
    return tuple(uses)


def make_task(engine: Engine, request: BackupRequest, source: Source) -> Task:
    """Check a request; raises what the caller should know before anything is done."""
    resume = get_version(engine.meta, request.resume) if request.resume else None
    base_uid = request.base or (resume.base if resume else None)
    base = _base(engine, base_uid, resume) if base_uid else None
    pattern = resume or base
    block_size = pattern.geometry.block_size if pattern else engine.options.block_size
    hash_name = resume.hash if resume else engine.options.hash_function
    task = Task(request, source, Geometry(source.size_bytes, block_size), hash_name, base, resume)
    if resume is not None:
        _check_resume(task, resume, base_uid, engine.chain.key)
    hash_function(hash_name)
    return task


def plan(task: Task) -> list[Run]:
    """What is to be done with each block. Raises :class:`HintsError` for hints that do not fit the source."""
    if task.request.hints is None:
        return plan_all(task.geometry)
    extents = within(task.request.hints, task.geometry.size_bytes)
    return plan_hinted(task.geometry, extents, task.base.geometry if task.base else None)


def new_version(task: Task, key: str) -> NewVersion:
    """The record of the version that is about to be begun."""
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
        hints_digest=task.hints_digest,
        tags=request.tags,
        expire=request.expire,
        key=key,
    )


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


def _check_resume(task: Task, resume: Version, base: VersionUid | None, key: str) -> None:
    differences = [
        what
        for what, was, now in (
            ("name", resume.name, task.request.name),
            ("size of the source", resume.geometry, task.geometry),
            ("state of the source", resume.source_identity, task.source.identity),
            ("base version", resume.base, base),
            ("hints", resume.hints_digest, task.hints_digest),
            ("key of its blocks", resume.key or key, key),
        )
        if was != now
    ]
    if differences:
        raise RefusedError(
            f"Version {resume.uid} cannot be continued: another {' and another '.join(differences)} than when it was"
            " begun. Begin a new backup; what is stored already is not stored twice."
        )
