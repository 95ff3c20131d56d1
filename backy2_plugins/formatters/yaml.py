"""Formatter ``yaml``: a sequence of mappings, or one mapping; the keys are the column names."""

from __future__ import annotations

from cliff.formatters.yaml_format import YAMLFormatter

from backy2_core.api import API_VERSION, ListFormatter, hookimpl

backy2_api_version = API_VERSION


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """cliff's own YAML, for lists and records."""
    return YAMLFormatter()
