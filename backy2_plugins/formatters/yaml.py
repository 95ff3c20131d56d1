"""Formatter ``yaml``: a sequence of mappings, or one mapping; the keys are the column names."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.columns import FormattableColumn
from cliff.formatters.yaml_format import YAMLFormatter

from backy2_core.api import API_VERSION, ListFormatter, hookimpl

backy2_api_version = API_VERSION


class OrderedYAMLFormatter(YAMLFormatter):
    """cliff's own YAML, with the columns of a list in their order; cliff's would sort them by name."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write a mapping for each row."""
        # Imported here: it is slow, and the help of a command loads this module.
        import yaml

        items = [dict(zip(column_names, map(_plain, row), strict=True)) for row in data]
        yaml.safe_dump(items, stream=stdout, default_flow_style=False, sort_keys=False)


def _plain(cell: Any) -> Any:
    return cell.machine_readable() if isinstance(cell, FormattableColumn) else cell


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """For lists and records."""
    return OrderedYAMLFormatter()
