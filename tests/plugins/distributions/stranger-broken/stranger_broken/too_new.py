"""Was written for another version of the API."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl

backy2_api_version = 2


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Never reached."""
    raise SourceError(url)
