"""Fails when it is called."""

from __future__ import annotations

from backy2_core.api import Source, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> Source:
    """No error of ours."""
    raise ValueError("bad luck")
