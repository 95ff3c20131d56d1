"""Data backend ``file``: blobs as files in a folder, in the layout of the original backy2."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import DataBackend, Setting, Settings, SettingType, hookimpl
from backy2_plugins.data_backends.file.backend import FileDataBackend

backy2_api_version = 1

__all__ = ["FileDataBackend", "backy2_api_version", "backy2_open_data_backend", "backy2_settings"]

_FLUSH_HELP = (
    "How blobs are made durable: syncfs writes out the whole filesystem of the store at once; fsync file by file, "
    "slower, but without waiting for what other programs write there. On FUSE and SMB it is fsync in any case."
)


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this backend; the bandwidth limits are kept by the wrapper that the assembly puts around it."""
    integer, bandwidth = SettingType.INTEGER, "Highest number of bytes a second to {}; 0: no limit."
    return (
        Setting("path", SettingType.PATH, None, "Folder of the store; made if its parent exists.", required=True),
        Setting("simultaneous_reads", integer, 2, "Blobs to read at once.", minimum=1),
        Setting("simultaneous_writes", integer, 2, "Blobs to write at once.", minimum=1),
        Setting("bandwidth_read", integer, 0, bandwidth.format("read"), minimum=0),
        Setting("bandwidth_write", integer, 0, bandwidth.format("write"), minimum=0),
        Setting("flush_method", SettingType.TEXT, "syncfs", _FLUSH_HELP, choices=("syncfs", "fsync")),
    )


@hookimpl
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Open the store at ``path``."""
    return FileDataBackend(
        settings["path"],
        threads=max(settings["simultaneous_reads"], settings["simultaneous_writes"]),
        flush_method=settings["flush_method"],
    )
