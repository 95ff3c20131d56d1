"""Cells of the output that look one way in a table and another way in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cliff.columns import FormattableColumn


class Moment(FormattableColumn[str | None]):
    """A time in UTC, or none: ``2024-01-31 23:59:59`` in a table, ``2024-01-31T23:59:59Z`` (or null) in JSON.

    The machine format shows what a table shows, as the original did.
    """

    def __init__(self, moment: datetime | None) -> None:
        # An empty text, and not None, stands for no time, so that a column with both can be sorted.
        super().__init__("" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}")

    def human_readable(self) -> str:
        """The text for a table; empty for no time."""
        return (self._value or "").replace("T", " ").rstrip("Z")

    def machine_readable(self) -> str | None:
        """The text for programs; None for no time."""
        return self._value or None


class Names(FormattableColumn[list[str]]):
    """Some names in order: ``a,b`` in a table, a list in JSON."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(sorted(names))

    def human_readable(self) -> str:
        """The names with commas between."""
        return ",".join(self._value)
