"""Declares settings that cannot be."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_settings() -> list[str]:
    """Wrong."""
    return ["a"]


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Never reached."""
    raise SourceError(url)
