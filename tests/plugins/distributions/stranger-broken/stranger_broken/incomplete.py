"""Has another hook than the one that a source needs."""

from __future__ import annotations

from backy2_core.api import Settings, Target, TargetError, TargetRequest, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """A target alone makes no source."""
    raise TargetError(url)
