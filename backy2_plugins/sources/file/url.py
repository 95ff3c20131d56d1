"""From ``file://PATH`` to the path."""

from __future__ import annotations

SCHEME = "file://"


def path_of(url: str) -> str:
    """Everything behind ``file://``, as it stands: nothing is decoded, and a relative path is relative. May be empty."""
    return url.removeprefix(SCHEME)
