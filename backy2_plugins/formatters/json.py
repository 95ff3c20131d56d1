"""Formatter ``json``: a list of objects, or one object; the keys are the column names."""

from __future__ import annotations

from cliff.formatters.json_format import JSONFormatter

from backy2_core.api import API_VERSION, ListFormatter, hookimpl

backy2_api_version = API_VERSION


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """cliff's own JSON, for lists and records."""
    return JSONFormatter()
