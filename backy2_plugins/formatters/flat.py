"""What simple text formats share: cells as one text each, and whether there is a header."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from cliff.columns import FormattableColumn


def flat_cell(cell: Any) -> Any:
    """The cell's value for programs, a list joined by commas, nothing as an empty text; numbers stay numbers."""
    value = cell.machine_readable() if isinstance(cell, FormattableColumn) else cell
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def header_is_skipped(parsed_args: argparse.Namespace) -> bool:
    """True if the names of the columns are not wanted (``backy2 -s``)."""
    return bool(getattr(parsed_args, "skip_header", False))


def flat_row(row: Sequence[Any]) -> list[Any]:
    """Each cell of a row, flattened."""
    return [flat_cell(cell) for cell in row]
