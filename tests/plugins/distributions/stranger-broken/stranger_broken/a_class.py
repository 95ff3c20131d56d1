"""Names a class where an instance is wanted."""

from __future__ import annotations

from backy2_core.api import Source, SourceError, hookimpl


class Plugin:
    """Nobody makes an instance of it."""

    backy2_api_version = 1

    @hookimpl
    def backy2_open_source(self, url: str) -> Source:
        """Never reached."""
        raise SourceError(url)
