"""Formatter ``machine``: the lines of the original backy2's machine output.

A header line, then a line for each row; values stand between ``|`` without padding. Where the command has a record type
(``version``, ``statistics``), a leading column ``type`` holds it. Times are UTC, ``YYYY-MM-DD HH:MM:SS``; yes and no are 1
and 0; lists are joined by commas. A backslash, a ``|`` or a line break within a value is written with a backslash before
it (``\\\\``, ``\\|``, ``\\n``, ``\\r``), so that a line always has as many separators as the header. ``backy2 -s`` leaves
the header out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from cliff.columns import FormattableColumn

from backy2_core.api import API_VERSION, ListFormatter, SingleFormatter, hookimpl
from backy2_plugins.formatters.flat import flat_cell, header_is_skipped

backy2_api_version = API_VERSION

_ESCAPES = str.maketrans({"\\": "\\\\", "|": "\\|", "\n": "\\n", "\r": "\\r"})


def machine_cell(cell: Any) -> str:
    """The text of one value, without what would break the line."""
    if isinstance(cell, FormattableColumn):
        text = cell.human_readable()
    elif isinstance(cell, bool):
        text = str(int(cell))
    else:
        text = str(flat_cell(cell))
    return text.translate(_ESCAPES)


class MachineFormatter(ListFormatter, SingleFormatter):
    """Writes lists and records; the record type comes from ``parsed_args.record_type``, where the command sets it."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """It has no options."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write the header line and a line for each row."""
        record_type: str | None = getattr(parsed_args, "record_type", None)
        if not header_is_skipped(parsed_args):
            self._write(stdout, ["type"] if record_type else [], column_names)
        for row in data:
            self._write(stdout, [record_type] if record_type else [], row)

    def emit_one(
        self, column_names: Sequence[str], data: Sequence[Any], stdout: TextIO, parsed_args: argparse.Namespace
    ) -> None:
        """Write the header line and one line."""
        self.emit_list(column_names, [data], stdout, parsed_args)

    @staticmethod
    def _write(stdout: TextIO, lead: list[str], cells: Sequence[Any]) -> None:
        stdout.write("|".join([*lead, *map(machine_cell, cells)]) + "\n")


@hookimpl
def backy2_make_formatter() -> ListFormatter:
    """For lists and records."""
    return MachineFormatter()
