"""Source and target ``file``: ``file://PATH`` for regular files and block devices."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import Setting, Settings, SettingType, Source, Target, TargetRequest, hookimpl
from backy2_plugins.sources.file.source import FileSource
from backy2_plugins.sources.file.target import FileTarget

backy2_api_version = 1

__all__ = [
    "FileSource",
    "FileTarget",
    "backy2_api_version",
    "backy2_open_source",
    "backy2_open_target",
    "backy2_settings",
]


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this source."""
    return (
        Setting("simultaneous_reads", SettingType.INTEGER, 2, "Blocks to read at once.", minimum=1),
        Setting("simultaneous_writes", SettingType.INTEGER, 2, "Blocks to write at once in a restore.", minimum=1),
    )


@hookimpl
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Open a file or block device for reading."""
    return FileSource(url, threads=settings["simultaneous_reads"])


@hookimpl
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Open or make a file, or open a block device, for a restore."""
    return FileTarget(url, request, threads=settings["simultaneous_writes"])
