"""Data backend ``s3``: blobs as objects in a bucket, in the layout of the original backy2."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import DataBackend, PluginError, Setting, Settings, hookimpl
from backy2_plugins.data_backends.s3.options import options_of
from backy2_plugins.data_backends.s3.settings import SETTINGS

backy2_api_version = 1

__all__ = ["backy2_api_version", "backy2_open_data_backend", "backy2_settings"]

_LIBRARIES = ("boto3", "botocore", "s3transfer", "urllib3")


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this backend; limits of bandwidth, concurrency and time are kept by the wrappers around it."""
    return SETTINGS


@hookimpl
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Open the store in a bucket. Nothing is asked of the server before the first call."""
    options = options_of(settings)
    try:
        from backy2_plugins.data_backends.s3.backend import S3DataBackend
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        raise PluginError(
            f"the data backend s3 needs the library boto3, and {error.name} is not installed: pip install 'backy2[s3]'"
        ) from error
    return S3DataBackend(options)
