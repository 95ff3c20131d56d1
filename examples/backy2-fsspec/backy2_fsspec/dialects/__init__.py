"""Which dialect is spoken to a URL's protocol."""

from __future__ import annotations

from typing import Any

from fsspec.core import url_to_fs

from backy2_fsspec.dialects.base import Dialect
from backy2_fsspec.dialects.local import LocalDialect
from backy2_fsspec.dialects.staged import StagedDialect
from backy2_fsspec.dialects.whole import MemoryDialect, WholeDialect
from backy2_fsspec.options import Options

LOCAL = frozenset({"file", "local"})
SFTP = frozenset({"sftp", "ssh"})
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss", "obs", "tos", "r2"})


def choose(protocol: str, writing: str, timeout_s: float) -> Dialect:
    """The dialect for a protocol. ``writing`` ("rename", "whole") decides where the protocol is not one that is known."""
    if protocol in LOCAL:
        return LocalDialect()
    if protocol == "memory":
        return MemoryDialect()
    if protocol in SFTP:
        from backy2_fsspec.dialects.sftp import SftpDialect

        return SftpDialect(timeout_s=timeout_s)
    if writing == "whole" or (writing == "auto" and protocol in OBJECT_STORES):
        return WholeDialect()
    return StagedDialect()


def arranged(protocol: str, options: Options, timeout_s: float) -> Options:
    """The options to open a filesystem of that protocol with."""
    if protocol not in SFTP:
        return options
    from backy2_fsspec.dialects.sftp import arranged as for_sftp

    return for_sftp({"timeout": timeout_s, "banner_timeout": timeout_s, "auth_timeout": timeout_s, **options})


def open_filesystem(protocol: str, url: str, options: Options) -> tuple[Any, str]:
    """A filesystem of its own, not one that fsspec keeps for others, and the path in it that ``url`` names."""
    if protocol in SFTP:
        from backy2_fsspec.dialects.sftp import open_sftp

        return open_sftp(url, options)
    fs, root = url_to_fs(url, skip_instance_cache=True, **options)
    return fs, root
