"""Forgot to mark its hook."""

from __future__ import annotations

from backy2_core.api import Source, SourceError

backy2_api_version = 1


def backy2_open_source(url: str) -> Source:
    """Never reached."""
    raise SourceError(url)
