"""Returns nothing."""

from __future__ import annotations

from backy2_core.api import hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> None:
    """Not a source."""
