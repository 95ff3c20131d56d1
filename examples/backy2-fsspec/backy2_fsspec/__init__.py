"""Data backend ``fsspec``: blobs on whatever fsspec opens, such as SFTP, WebDAV and object stores."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import DataBackend, Setting, Settings, SettingType, hookimpl

backy2_api_version = 1

_URL_HELP = (
    "Folder of the store, such as sftp://backup@host/srv/backy2, file:///srv/backy2 or memory://backy2; without a "
    "password. Only file:// is flushed to the disk; elsewhere the server decides when it writes."
)
_OPTIONS_HELP = (
    "Options of the filesystem, one key=value a line. A value in JSON's notation is a number, true, false, ..."
)
_SECRETS_HELP = (
    "Options that are secret, one key=value a line, such as password=...; each value is a text as it stands."
)
_WRITING_HELP = (
    "How a file gets its name: by renaming a temporary one, or whole in one call as object stores do; auto knows which."
)


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this backend; the bandwidth limits are kept by the wrapper that backy2 puts around it."""
    integer, text = SettingType.INTEGER, SettingType.TEXT
    bandwidth = "Highest number of bytes a second to {}; 0: no limit."
    return (
        Setting("url", text, None, _URL_HELP, required=True),
        Setting("options", text, "", _OPTIONS_HELP),
        Setting("secret_options", SettingType.SECRET, None, _SECRETS_HELP),
        Setting("writing", text, "auto", _WRITING_HELP, choices=("auto", "rename", "whole")),
        Setting("timeout", SettingType.DURATION, 60.0, "Longest wait for an answer of an SFTP server.", minimum=1),
        Setting("simultaneous_reads", integer, 4, "Blobs to read at once; each has a connection.", minimum=1),
        Setting("simultaneous_writes", integer, 4, "Blobs to write at once; each has a connection.", minimum=1),
        Setting("bandwidth_read", integer, 0, bandwidth.format("read"), minimum=0),
        Setting("bandwidth_write", integer, 0, bandwidth.format("write"), minimum=0),
    )


@hookimpl
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Open the store at ``url``. fsspec is imported here and not before."""
    from backy2_fsspec.backend import FsspecDataBackend
    from backy2_fsspec.options import parse_options, parse_secret_options

    return FsspecDataBackend(
        settings["url"],
        parse_options(settings["options"]),
        parse_secret_options(settings["secret_options"]),
        writing=settings["writing"],
        timeout_s=settings["timeout"],
        threads=max(settings["simultaneous_reads"], settings["simultaneous_writes"]),
    )
