"""Implements a hook that there is not."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Never reached."""
    raise SourceError(url)


@hookimpl
def backy2_open_sauce(url: str) -> Source:
    """There is no such hook."""
    raise SourceError(url)
