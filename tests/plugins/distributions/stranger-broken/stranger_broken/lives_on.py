"""Loads, and is as it should be: what is wrong beside it does not matter."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Shows that it was reached, and by which URL."""
    raise SourceError(f"{url} was reached")
