"""Asks for an argument that its hook does not have."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str, colour: str) -> Source:
    """No one says the colour."""
    raise SourceError(url + colour)
