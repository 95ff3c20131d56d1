"""Removing snapshots of our own making that no backup needs: those of a backup that died, and those that were followed."""

from __future__ import annotations

import logging

from backy2_core.contracts.snapshots import Snapshot, Snapshots
from backy2_core.engine.context import Engine
from backy2_core.engine.lease import Lease
from backy2_core.engine.retention import remove
from backy2_core.engine.snapshot_choice import OwnSnapshot, given_up, removable
from backy2_core.errors import BackyError, RefusedError, SourceError
from backy2_core.model.blob import JobToken
from backy2_core.model.job import JobState
from backy2_core.model.version import Version, VersionFilter

log = logging.getLogger(__name__)

_ALL = 1_000_000_000


def tidy(engine: Engine, lease: Lease, name: str, snapshots: Snapshots) -> None:
    """After a backup of ``name`` became valid: give dead backups of it up, and remove the snapshots that none needs.

    Whatever fails is a warning, and left for the next backup: the version is valid.
    """
    try:
        own = _own(engine, lease, snapshots)
        dead = given_up(own, name)
        if dead:
            for version in dead:
                _give_up(engine, version)
            own = _own(engine, lease, snapshots)
        for snapshot in removable(own, engine.options.keep_snapshots):
            # Whatever was read before is worth nothing if this process slept since.
            lease.confirm()
            _remove(snapshots, snapshot)
    except BackyError as error:
        log.warning("Older snapshots of %s are left for the next backup to remove: %s", name, error)


def remove_unrecorded(engine: Engine, snapshots: Snapshots, snapshot: Snapshot) -> None:
    """Remove the snapshot of a backup that failed, unless a version was begun with it, which can be continued."""
    try:
        if not _versions(engine, snapshot):
            snapshots.remove(snapshot)
    except BackyError as error:
        log.warning("Snapshot %s is left for a later backup to remove: %s", snapshot.url, error)


def _own(engine: Engine, lease: Lease, snapshots: Snapshots) -> list[OwnSnapshot]:
    """What is known of each snapshot of our own.

    The order matters. A job begins before it makes its snapshot, and records a version before it ends. So the maker of
    what is listed first is still live when the jobs are read after that, or what it recorded is found when the versions
    are read at last, or it is dead and will record nothing any more.
    """
    own = [snapshot for snapshot in snapshots.list() if snapshot.own]
    kept = snapshots.named.identity if snapshots.named else None
    engine.meta.expire_jobs()
    live = [job for job in engine.meta.jobs({JobState.LIVE}, limit=_ALL) if job.id != lease.id]
    tokens = {job.token for job in live}
    named = {version for job in live for version in job.versions}
    known = engine.meta.find_jobs({JobToken(snapshot.mark) for snapshot in own})
    return [
        OwnSnapshot(
            snapshot,
            versions,
            ours=snapshot.mark in known,
            in_use=snapshot.identity == kept
            or snapshot.mark in tokens
            or any(version.id in named for version in versions),
        )
        for snapshot, versions in ((snapshot, _versions(engine, snapshot)) for snapshot in own)
    ]


def _versions(engine: Engine, snapshot: Snapshot) -> list[Version]:
    found = engine.meta.versions(VersionFilter(source_identity=snapshot.identity))
    return [version for version in found if version.source_identity == snapshot.identity]


def _give_up(engine: Engine, version: Version) -> None:
    try:
        remove(engine, version)
    except RefusedError as error:
        log.debug("The interrupted version %s stays for now: %s", version.uid, error)
    else:
        log.info("Gave up version %s: its backup was interrupted, and a later one is valid", version.uid)


def _remove(snapshots: Snapshots, snapshot: Snapshot) -> None:
    try:
        snapshots.remove(snapshot)
    except SourceError as error:
        log.warning("Snapshot %s is not needed any more, but cannot be removed: %s", snapshot.url, error)
    else:
        log.info("Removed snapshot %s", snapshot.url)
