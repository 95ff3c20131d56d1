"""Which snapshot a backup begins from, and which ones may go when it is valid. Pure: decides on what was read before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backy2_core.contracts.snapshots import Snapshot
from backy2_core.model.version import Version, VersionState


@dataclass(frozen=True, slots=True)
class Origin:
    """A valid version, and the snapshot that it was made from."""

    version: Version
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class OwnSnapshot:
    """One of our own, and what the database knows of it.

    ``versions`` were made from it, whatever their names; removed ones are left out. ``ours``: a job of this database
    made it. ``in_use``: a job that lives made it, or names one of its versions, or this backup was told to use it.
    """

    snapshot: Snapshot
    versions: Sequence[Version]
    ours: bool
    in_use: bool


def origins(listed: Sequence[Snapshot], versions: Iterable[Version], until: Snapshot | None) -> list[Origin]:
    """What a backup can begin from, best first: the snapshot nearest to the present, and its newest version.

    ``listed`` are the device's snapshots, oldest first, ``versions`` the valid ones of the name. Only identity tells
    that they belong together, and the size must be the same. None is newer than ``until``, where that is to be backed up.
    """
    made: defaultdict[str, list[Version]] = defaultdict(list)
    for version in versions:
        made[version.source_identity].append(version)
    identities = [snapshot.identity for snapshot in listed]
    if until is not None and until.identity in identities:
        listed = listed[: identities.index(until.identity) + 1]
    return [
        Origin(version, snapshot)
        for snapshot in reversed(listed)
        for version in sorted(made.get(snapshot.identity, ()), key=lambda v: (v.date, v.id), reverse=True)
        if snapshot.identity and version.geometry.size_bytes == snapshot.size_bytes
    ]


def given_up(own: Sequence[OwnSnapshot], name: str) -> list[Version]:
    """Incomplete versions of this name whose backup is dead, and that stand in the way of removing their snapshots."""
    return [
        version
        for one in own
        if one.ours and not one.in_use
        for version in one.versions
        if version.state is VersionState.INCOMPLETE and version.name == name and not version.protected
    ]


def removable(own: Sequence[OwnSnapshot], keep: int) -> list[Snapshot]:
    """Those of our own that no backup needs, oldest first; ``own`` are all of them, oldest first.

    Needed are those in use, the ``keep`` newest that valid versions of a name were made from, for each name, and those of
    versions that can still be continued. What no job of this database made is not ours to remove.
    """
    ours = [one for one in own if one.ours]
    needed = {one.snapshot.identity for one in ours if one.in_use or _to_be_continued(one)}
    kept: defaultdict[str, int] = defaultdict(int)
    for one in reversed(ours):
        for name in {version.name for version in one.versions if version.state is VersionState.VALID}:
            kept[name] += 1
            if kept[name] <= keep:
                needed.add(one.snapshot.identity)
    return [one.snapshot for one in ours if one.snapshot.identity not in needed]


def _to_be_continued(one: OwnSnapshot) -> bool:
    return any(version.state is VersionState.INCOMPLETE for version in one.versions)
