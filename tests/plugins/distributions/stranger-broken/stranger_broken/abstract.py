"""Has a class that lacks methods."""

from __future__ import annotations

from backy2_core.api import Source, hookimpl

backy2_api_version = 1


class Half(Source):
    """Half a source."""

    @property
    def size_bytes(self) -> int:
        return 0

    def close(self) -> None:
        pass


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Cannot be made."""
    return Half()
