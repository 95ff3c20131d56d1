"""Data backend ``rados``: blobs as objects in a pool of a Ceph cluster, in a namespace of their own."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import DataBackend, Setting, Settings, hookimpl
from backy2_plugins.data_backends.rados.settings import SETTINGS, options_of

backy2_api_version = 1

__all__ = ["backy2_api_version", "backy2_open_data_backend", "backy2_settings"]


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this backend; limits of bandwidth and concurrency are kept by the wrappers around it."""
    return SETTINGS


@hookimpl
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Connect to the cluster and open the pool."""
    # Imported here: ctypes, and Ceph's module and library, are for those who selected this backend.
    from backy2_plugins.data_backends.rados.backend import RadosDataBackend

    return RadosDataBackend(options_of(settings))
