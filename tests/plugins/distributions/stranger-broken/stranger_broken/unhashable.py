"""Its plugin object cannot be hashed."""

from __future__ import annotations

from dataclasses import dataclass

from backy2_core.api import Source, SourceError, hookimpl


@dataclass
class Plugin:
    """A dataclass that can be compared is not hashable."""

    backy2_api_version: int = 1

    @hookimpl
    def backy2_open_source(self, url: str) -> Source:
        """Never reached."""
        raise SourceError(url)


plugin = Plugin()
