"""The conformance suite for output formatters.

An author writes, in a test module of the plugin::

    class TestMyFormatter(FormatterSuite):
        @pytest.fixture
        def formatter(self):
            return MyFormatter()
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from cliff.columns import FormattableColumn

from backy2_core.contracts.formatter import ListFormatter, SingleFormatter

Formatter = ListFormatter | SingleFormatter
COLUMNS = ("uid", "name", "size bytes", "valid")
ROWS: tuple[tuple[Any, ...], ...] = (
    ("uid-one", "name-one", 4194304, True),
    ("uid-two", "wide-Würfel-日本", 0, False),
    ("uid-three", None, -1, None),
    ("uid-four", "", 2.5, True),
)
AWKWARD: tuple[tuple[Any, ...], ...] = (
    ("two\nlines", "a|b,c;d\te", 1, True),
    ("quotes \" and '", "back\\slash", 2, False),
    (["tag-one", "tag-two"], "list-cell", 3, True),
)


class HumanOrMachine(FormattableColumn[str]):
    """A cell of two faces."""

    def human_readable(self) -> str:
        """For people."""
        return f"human-{self._value}"

    def machine_readable(self) -> str:
        """For programs."""
        return f"machine-{self._value}"


class FormatterSuite:
    """Subclass it, and give the fixture ``formatter``."""

    @pytest.fixture
    def formatter(self) -> Formatter:
        """The formatter under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture formatter")

    def test_it_writes_lists_or_records(self, formatter: Formatter) -> None:
        assert isinstance(formatter, ListFormatter | SingleFormatter)

    def test_its_options_stand_beside_those_of_commands(self, formatter: Formatter) -> None:
        parser = _parser()
        formatter.add_argument_group(parser)
        assert parser.parse_args(["--format", "x", "-s", "a", "-r", "b"]).format == "x"

    def test_every_cell_of_a_list_is_written(self, formatter: Formatter) -> None:
        written = _list(formatter, ROWS)
        for text in ("uid-one", "name-one", "4194304", "uid-two", "wide-", "uid-three", "uid-four", "2.5"):
            assert text in written

    def test_the_last_column_is_written_too(self, formatter: Formatter) -> None:
        written = _list(formatter, [("uid-one", "name-one", 1, "last-one"), ("uid-two", "name-two", 2, "last-two")])
        assert "last-one" in written
        assert "last-two" in written

    def test_the_last_value_of_a_record_is_written_too(self, formatter: Formatter) -> None:
        assert "last-one" in _record(formatter, ("uid-one", "name-one", 1, "last-one"))

    def test_rows_are_written_in_their_order(self, formatter: Formatter) -> None:
        written = _list(formatter, ROWS)
        places = [written.index(str(row[0])) for row in ROWS]
        assert places == sorted(places)

    def test_rows_may_come_one_by_one(self, formatter: Formatter) -> None:
        assert _list(formatter, (row for row in ROWS)) == _list(formatter, ROWS)

    def test_an_empty_list_is_no_error(self, formatter: Formatter) -> None:
        assert "uid-one" not in _list(formatter, ())

    def test_awkward_cells_are_no_error(self, formatter: Formatter) -> None:
        written = _list(formatter, AWKWARD)
        for text in ("two", "lines", "list-cell", "tag-one", "tag-two"):
            assert text in written

    def test_one_of_the_two_faces_of_a_cell_is_written(self, formatter: Formatter) -> None:
        written = _list(formatter, [("uid-one", HumanOrMachine("7"), 1, True)])
        assert ("human-7" in written) != ("machine-7" in written)

    def test_every_value_of_a_record_is_written(self, formatter: Formatter) -> None:
        written = _record(formatter, ROWS[0])
        for text in ("uid-one", "name-one", "4194304"):
            assert text in written

    def test_awkward_values_of_a_record_are_no_error(self, formatter: Formatter) -> None:
        for row in (*AWKWARD, *ROWS):
            _record(formatter, row)

    def test_only_the_given_stream_is_written_to(
        self, formatter: Formatter, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _list(formatter, ROWS)
        _record(formatter, ROWS[0])
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "")

    def test_output_ends_with_a_line_break(self, formatter: Formatter) -> None:
        assert _list(formatter, ROWS).endswith("\n")

    def test_the_same_rows_give_the_same_output(self, formatter: Formatter) -> None:
        assert _list(formatter, ROWS) == _list(formatter, ROWS)


def _parser() -> argparse.ArgumentParser:
    """With the options that cliff and our commands have themselves."""
    parser = argparse.ArgumentParser()
    for option in ("--format", "--column", "--sort-column", "-f", "-c", "-s", "-r", "-t", "-p", "-m"):
        parser.add_argument(option)
    return parser


def _arguments(formatter: Formatter) -> argparse.Namespace:
    parser = _parser()
    formatter.add_argument_group(parser)
    return parser.parse_args([])


def _list(formatter: Formatter, rows: Iterable[Sequence[Any]]) -> str:
    if not isinstance(formatter, ListFormatter):
        pytest.skip("writes no lists")
    stream = io.StringIO()
    formatter.emit_list(COLUMNS, rows, stream, _arguments(formatter))
    return stream.getvalue()


def _record(formatter: Formatter, row: Sequence[Any]) -> str:
    if not isinstance(formatter, SingleFormatter):
        pytest.skip("writes no records")
    stream = io.StringIO()
    formatter.emit_one(COLUMNS, row, stream, _arguments(formatter))
    return stream.getvalue()
