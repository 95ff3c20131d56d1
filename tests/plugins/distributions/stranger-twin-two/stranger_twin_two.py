"""Source ``twin``, which another distribution has as well."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Say which of the two it is."""
    raise SourceError(f"{url}: this is twin two")
