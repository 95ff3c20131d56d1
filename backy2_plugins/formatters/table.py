"""Formatter ``table``: a table with rules for people."""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.formatters.table import TableFormatter
from prettytable import PrettyTable

from backy2_core.api import API_VERSION, ListFormatter, hookimpl
from backy2_plugins.formatters.flat import header_is_skipped

backy2_api_version = API_VERSION


class HeadedTableFormatter(TableFormatter):
    """cliff's own table; one without rows still shows its header, where cliff's would be an empty line.

    ``backy2 -s`` leaves the header out. A cell may say by an attribute ``align`` (``l``, ``c`` or ``r``) where it stands.
    """

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Add cliff's options."""
        super().add_argument_group(parser)
        parser.set_defaults(print_empty=True)

    def add_rows(self, table: PrettyTable, column_names: Sequence[str], data: Iterable[Sequence[Any]]) -> None:
        """Add them, and align the columns by the first of them."""
        rows = list(data)
        super().add_rows(table, column_names, rows)
        for name, cell in zip(column_names, rows[0] if rows else (), strict=False):
            if align := getattr(cell, "align", None):
                table.align[name] = align

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write a table with a line for each row."""
        drawn = io.StringIO()
        super().emit_list(column_names, data, drawn, parsed_args)
        self._write(drawn.getvalue(), stdout, parsed_args)

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Write a table with a line for each field."""
        drawn = io.StringIO()
        super().emit_one(column_names, data, drawn, parsed_args)
        self._write(drawn.getvalue(), stdout, parsed_args)

    @staticmethod
    def _write(table: str, stdout: TextIO, parsed_args: argparse.Namespace) -> None:
        # A name may come from anywhere; what it holds must not command the terminal.
        tame = "".join(char if char.isprintable() or char == "\n" else "?" for char in table)
        stdout.write(_without_header(tame) if header_is_skipped(parsed_args) else tame)


def _without_header(table: str) -> str:
    """What is below the header: from the second rule on."""
    return table[table.find("\n+") + 1 :]


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """For lists and records."""
    return HeadedTableFormatter()
