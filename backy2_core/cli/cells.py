"""Cells of the output that look one way in a table and another way in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cliff.columns import FormattableColumn

from backy2_core.cli.units import whole_size

_TO_THE_SECOND = len("2024-01-31 23:59:59")


class Moment(FormattableColumn[str | None]):
    """A time in UTC, or none: ``2024-01-31 23:59:59`` in a table, ``2024-01-31T23:59:59Z`` (or null) in JSON.

    The machine format shows what a table shows, as the original did; with ``fraction`` also the microseconds, where there
    are any.
    """

    def __init__(self, moment: datetime | None, *, fraction: bool = False) -> None:
        # An empty text, and not None, stands for no time, so that a column with both can be sorted.
        super().__init__("" if moment is None else moment.replace(tzinfo=None).isoformat(timespec="microseconds"))
        self._fraction = fraction

    def human_readable(self) -> str:
        """The text for a table; empty for no time."""
        text = (self._value or "").replace("T", " ")
        return text if self._fraction and not text.endswith(".000000") else text[:_TO_THE_SECOND]

    def machine_readable(self) -> str | None:
        """The text for programs; None for no time."""
        return f"{self._value[:_TO_THE_SECOND]}Z" if self._value else None


class Names(FormattableColumn[list[str]]):
    """Some names in order: ``a,b`` in a table, a list in JSON."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(sorted(names))

    def human_readable(self) -> str:
        """The names with commas between."""
        return ",".join(self._value)


class Size(FormattableColumn["int | str"]):
    """A number of bytes under ``-r``: ``125 KiB`` in every format, and sorted as the number that it is."""

    align = "r"
    """Numbers stand at the right of a table's column."""

    def human_readable(self) -> str:
        """The text."""
        return whole_size(int(self._value))

    def machine_readable(self) -> str:
        """The text, too: who asks for ``-r`` wants it."""
        return self.human_readable()
