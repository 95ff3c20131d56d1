"""Formatter ``csv``: a header line (not under ``backy2 -s``) and comma-separated values."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.formatters.commaseparated import CSVLister

from backy2_core.api import API_VERSION, ListFormatter, SingleFormatter, hookimpl
from backy2_plugins.formatters.flat import flat_row, header_is_skipped

backy2_api_version = API_VERSION


class CSVFormatter(CSVLister, SingleFormatter):
    """cliff's CSV, for records too (as one row), and with lists joined by commas within their cell."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write the header line and a line for each row."""
        lines = itertools.chain([column_names], (flat_row(row) for row in data))
        if header_is_skipped(parsed_args):
            next(lines)
        # For cliff the header is a line like any other.
        first = next(lines, None)
        if first is not None:
            super().emit_list(first, lines, stdout, parsed_args)

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Write the header line and one line."""
        self.emit_list(column_names, [data], stdout, parsed_args)


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """For lists and records."""
    return CSVFormatter()
