"""Formatters that break one promise each; cliff's documentation says what a formatter does, the contract only names it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import pytest

from backy2_core.contracts import formatter as contract
from backy2_core.testing.formatter import FormatterSuite
from backy2_plugins.formatters.csv import backy2_make_formatter as make_csv
from backy2_plugins.formatters.machine import MachineFormatter
from tests.planted.fault import Faults

FAULTS = Faults("formatter", (contract,))  # type: ignore[arg-type]
plant = FAULTS.plant
MANY_ROWS = "many rows"
ONE_RECORD = "one record"
METHODS = "add_argument_group, emit_list and emit_one"


class Right(MachineFormatter):
    """Keeps every promise."""


@plant(MANY_ROWS)
class LosesTheLastRow(Right):
    """Writes all rows but the last."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names, list(data)[:-1], stdout, arguments)


@plant(MANY_ROWS)
class SortsRows(Right):
    """Writes rows in an order of its own."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names, sorted(data, key=str), stdout, arguments)


@plant(MANY_ROWS)
class ReadsRowsTwice(Right):
    """Goes through the rows twice, which an iterator allows once."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        for _ in data:
            pass
        super().emit_list(names, data, stdout, arguments)


@plant(MANY_ROWS)
class CountsRows(Right):
    """Asks how many rows there are, which an iterator does not know."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        assert len(data) >= 0  # type: ignore[arg-type]
        super().emit_list(names, data, stdout, arguments)


@plant(MANY_ROWS)
class FailsWithoutRows(Right):
    """Fails where there is no row."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        rows = list(data)
        assert rows[0] is not None
        super().emit_list(names, rows, stdout, arguments)


@plant(MANY_ROWS)
class LosesTheLastColumn(Right):
    """Leaves the last column out."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names[:-1], [row[:-1] for row in data], stdout, arguments)


@plant(METHODS)
class WritesToTheTerminal(Right):
    """Writes to standard output in place of the stream that it is given."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names, data, sys.stdout, arguments)


@plant(METHODS)
class WritesToTheTerminalToo(Right):
    """Writes beside the stream that it is given."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names, data, stdout, arguments)
        sys.stdout.write("done\n")


@plant(METHODS)
class ClosesTheStream(Right):
    """Closes the stream that it is given."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names, data, stdout, arguments)
        stdout.close()


@plant(METHODS)
class WritesAsciiOnly(Right):
    """Cannot write letters beyond ASCII."""

    @staticmethod
    def _write(stdout: TextIO, lead: list[str], cells: Sequence[Any]) -> None:
        for cell in cells:
            str(cell).encode("ascii")
        MachineFormatter._write(stdout, lead, cells)


@plant(MANY_ROWS)
class KnowsOnlyTexts(Right):
    """Fails at a value that is no text."""

    @staticmethod
    def _write(stdout: TextIO, lead: list[str], cells: Sequence[Any]) -> None:
        stdout.write("|".join([*lead, *cells]) + "\n")


@plant(MANY_ROWS)
class FailsAtNothing(Right):
    """Fails at a value that is not set."""

    @staticmethod
    def _write(stdout: TextIO, lead: list[str], cells: Sequence[Any]) -> None:
        if None in cells:
            raise TypeError("None has no width")
        MachineFormatter._write(stdout, lead, cells)


@plant(ONE_RECORD)
class LosesTheRecord(Right):
    """Writes the names of a record, without its values."""

    def emit_one(self, names: Sequence[str], data: Sequence[Any], stdout: TextIO, arguments: Any) -> None:
        super().emit_list(names, [], stdout, arguments)


@plant(ONE_RECORD)
class LosesTheLastField(Right):
    """Writes a record without its last field."""

    def emit_one(self, names: Sequence[str], data: Sequence[Any], stdout: TextIO, arguments: Any) -> None:
        super().emit_one(names[:-1], data[:-1], stdout, arguments)


@plant(METHODS)
class NeedsAnOption(Right):
    """Declares an option that must be given."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--planted", required=True)


@plant(METHODS)
class TakesAnOptionThatIsThere(Right):
    """Declares an option that is there already."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--help")


@plant(METHODS)
class TakesOptionsOnce(Right):
    """Declares its options to the first command only."""

    _declared = False

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        if self._declared:
            raise RuntimeError("declared already")
        self._declared = True


@plant(METHODS)
class NeedsItsOwnArguments(Right):
    """Needs an argument that it did not declare."""

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        assert arguments.planted
        super().emit_list(names, data, stdout, arguments)


@plant(
    "A formatter's hook returns an object that is a ListFormatter (many rows), a SingleFormatter (one record), or both."
)
class IsNoFormatter:
    """Has the methods, but is neither of the classes."""

    def __init__(self) -> None:
        self._inner = MachineFormatter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@plant(MANY_ROWS)
class KeepsRows(Right):
    """Writes the rows of the last call again."""

    def __init__(self) -> None:
        self._rows: list[Sequence[Any]] = []

    def emit_list(self, names: Sequence[str], data: Iterable[Sequence[Any]], stdout: TextIO, arguments: Any) -> None:
        self._rows += data
        super().emit_list(names, self._rows, stdout, arguments)


class RightCsv:
    """Keeps every promise, for people and for programs."""

    def __new__(cls) -> Any:
        return make_csv()


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of formatter."""

    class Formats(FormatterSuite):
        @pytest.fixture
        def formatter(self):
            return kind()

    return Formats


globals().update(FAULTS.suites(suite_of, Right, RightCsv))
