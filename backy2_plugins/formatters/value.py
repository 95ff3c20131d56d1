"""Formatter ``value``: the bare values, separated by blanks, without names or quotes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.formatters.value import ValueFormatter

from backy2_core.api import API_VERSION, ListFormatter, hookimpl
from backy2_plugins.formatters.flat import flat_row

backy2_api_version = API_VERSION


class FlatValueFormatter(ValueFormatter):
    """cliff's bare values, with lists joined by commas and nothing as an empty text."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write a line for each row."""
        super().emit_list(column_names, (flat_row(row) for row in data), stdout, parsed_args)

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Write a line for each value."""
        super().emit_one(column_names, flat_row(data), stdout, parsed_args)


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """For lists and records."""
    return FlatValueFormatter()
