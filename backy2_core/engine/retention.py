"""How long versions are kept: giving up, protecting, dating and tagging them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, datetime

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.engine.copy_files import delete_head
from backy2_core.errors import BackyError, RefusedError
from backy2_core.model.event import VersionRemoved
from backy2_core.model.job import JobState
from backy2_core.model.version import Version, VersionState

log = logging.getLogger(__name__)


def remove(engine: Engine, version: Version, *, force: bool = False) -> None:
    """Mark a version removed, and delete its copy in the store; cleanups then delete what only it used.

    Refused for a protected version, and unless ``force`` for a complete one that is younger than the configured age, and for
    one that a job is writing: the job would fail.
    """
    if version.protected:
        raise RefusedError(f"Version {version.uid} is protected; `backy2 unprotect {version.uid}` lifts that.")
    age_days = (datetime.now(UTC) - version.date).total_seconds() / 86400
    least = engine.options.rm_min_age_days
    if not force and version.state is not VersionState.INCOMPLETE and age_days < least:
        raise RefusedError(
            f"Version {version.uid} is {age_days:.1f} days old; disallow_rm_when_younger_than_days asks for {least:g}."
            " Use --force to remove it all the same."
        )
    if not force and version.state is VersionState.INCOMPLETE:
        _refuse_if_written(engine.meta, version)
    engine.meta.remove_version(version.id)
    try:
        delete_head(engine.data, version.uid)
    except BackyError as error:
        log.warning("The copy of the metadata of version %s is left for the next cleanup: %s", version.uid, error)
    engine.notify(VersionRemoved(version))


def _refuse_if_written(meta: MetaBackend, version: Version) -> None:
    meta.expire_jobs()
    for job in meta.jobs({JobState.LIVE}):
        if version.id in job.versions:
            raise RefusedError(
                f"Version {version.uid} is being written by job {job.id}, process {job.pid} on {job.host}, whose lease lasts"
                f" until {job.lease_until:%H:%M:%S} UTC. Stop that first, or use --force to remove it all the same."
            )


def protect(meta: MetaBackend, version: Version) -> None:
    """Keep a version from being removed. Refused if it is protected already."""
    if version.protected:
        raise RefusedError(f"Version {version.uid} is protected already.")
    meta.set_protected(version.id, True)


def unprotect(meta: MetaBackend, version: Version) -> None:
    """Let a version be removed again. Refused if it is not protected."""
    if not version.protected:
        raise RefusedError(f"Version {version.uid} is not protected.")
    meta.set_protected(version.id, False)


def set_expire(meta: MetaBackend, version: Version, expire: datetime | None) -> None:
    """Set or clear the date from which a version is not needed any more. Nothing is removed by it."""
    meta.set_expire(version.id, expire)


def add_tags(meta: MetaBackend, version: Version, tags: Collection[str]) -> None:
    """Add tags to a version; those it has already are no error."""
    meta.change_tags(version.id, add=tags)


def remove_tags(meta: MetaBackend, version: Version, tags: Collection[str]) -> None:
    """Take tags from a version; those it does not have are no error."""
    meta.change_tags(version.id, remove=tags)
