"""Source and target ``rbd``: ``rbd://POOL/[NAMESPACE/]IMAGE[@SNAPSHOT]``, images of a Ceph cluster and their snapshots."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import Setting, Settings, SettingType, Snapshots, Source, Target, TargetRequest, hookimpl
from backy2_plugins.sources.rbd.access import ACCESS_SETTINGS, Access
from backy2_plugins.sources.rbd.listing import matching
from backy2_plugins.sources.rbd.new_image import NEW_IMAGE_SETTINGS, NewImage
from backy2_plugins.sources.rbd.reading import RbdSource
from backy2_plugins.sources.rbd.snapshots import RbdSnapshots
from backy2_plugins.sources.rbd.target import RbdTarget

backy2_api_version = 1

__all__ = [
    "RbdSnapshots",
    "RbdSource",
    "RbdTarget",
    "backy2_api_version",
    "backy2_list_sources",
    "backy2_open_snapshots",
    "backy2_open_source",
    "backy2_open_target",
    "backy2_settings",
]


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this source; those that the original had are called as it called them."""
    return (
        *ACCESS_SETTINGS,
        Setting("simultaneous_reads", SettingType.INTEGER, 8, "Blocks to read at once.", minimum=1),
        Setting("simultaneous_writes", SettingType.INTEGER, 8, "Blocks to write at once in a restore.", minimum=1),
        Setting(
            "snapshot_name",
            SettingType.TEXT,
            "backy2-{date}-{mark}",
            "Names of the snapshots that backups make. {mark} tells one from another and must be in it; {date} is the time.",
        ),
        *NEW_IMAGE_SETTINGS,
    )


@hookimpl
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Open an image or a snapshot for reading."""
    return RbdSource(url, Access.by(settings), threads=settings["simultaneous_reads"])


@hookimpl
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Open or make an image for a restore."""
    new = NewImage.by(settings)
    return RbdTarget(url, Access.by(settings), request, new, threads=settings["simultaneous_writes"])


@hookimpl
def backy2_open_snapshots(url: str, settings: Settings) -> Snapshots:
    """Open the snapshots of an image."""
    return RbdSnapshots(url, Access.by(settings), pattern=settings["snapshot_name"])


@hookimpl
def backy2_list_sources(pattern: str, settings: Settings) -> Sequence[str] | None:
    """The images of a pool or namespace whose names match."""
    return matching(pattern, Access.by(settings))
