"""Which columns of a result are shown, in which order, and how sizes are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backy2_core.cli.cells import Size
from backy2_core.cli.formats import normalised


class Arrangement:
    """The columns of one result: those that are shown come first, the others (by which it may be sorted) behind.

    ``ordered`` are asked for in that order, ``added`` beside them in the order of ``columns``; where neither names any,
    ``default`` are shown, or all. ``size_columns`` hold bytes beside those that say so in their name, and are written for
    people; None leaves all numbers as they are.
    """

    def __init__(
        self,
        columns: Sequence[str],
        ordered: Sequence[str],
        added: Sequence[str],
        default: Sequence[str],
        size_columns: Sequence[str] | None,
    ) -> None:
        more = {normalised(name) for name in added}
        self.shown = [*ordered, *(name for name in columns if normalised(name) in more and name not in ordered)]
        """Names of the columns that are shown."""
        self.shown = self.shown or list(default or columns)
        self.names = [*self.shown, *(name for name in columns if name not in self.shown)]
        """Names of all columns."""
        self._order = [columns.index(name) for name in self.names]
        self._sizes = set() if size_columns is None else {n for n in self.names if n in size_columns or _says_bytes(n)}

    def row(self, cells: Sequence[Any]) -> list[Any]:
        """The cells, given in the order of the columns, in the order of :attr:`names`."""
        return [
            Size(cells[index]) if name in self._sizes and isinstance(cells[index], int) else cells[index]
            for name, index in zip(self.names, self._order, strict=True)
        ]


def _says_bytes(name: str) -> bool:
    return "bytes" in normalised(name).split("_")
