"""The promises of a formatter, into memory; and those of a listener, which is told of nothing unless that is asked for."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from backy2_core.contracts.formatter import ListFormatter, SingleFormatter
from backy2_core.contracts.listener import Listener
from backy2_core.model.event import Event
from backy2_core.testing.live import Promises, Skipped, expect
from backy2_core.testing.samples import EVENTS

COLUMNS = ("uid", "name", "size bytes", "valid")
ROWS: tuple[tuple[Any, ...], ...] = (
    ("uid-one", "name-one", 4194304, True),
    ("uid-two", "wide-Würfel-日本", 0, False),
    ("uid-three", "two\nlines", -1, None),
)

Formatter = ListFormatter | SingleFormatter
FORMATTER = Promises[Formatter]()


@FORMATTER.promise("its options stand beside those of commands")
def _has_options(formatter: Formatter) -> None:
    _arguments(formatter)


@FORMATTER.promise("every cell of a list is written, in order")
def _writes_lists(formatter: Formatter) -> None:
    text = _list(formatter, ROWS)
    places = [text.find(str(row[0])) for row in ROWS]
    expect(-1 not in places and places == sorted(places), "rows are missing, or in another order")
    expect("4194304" in text and "name-one" in text, "a cell is missing")
    expect(text.endswith("\n"), "the output does not end with a line break")
    expect(_list(formatter, iter(ROWS)) == text, "rows that come one by one are written in another way")


@FORMATTER.promise("an empty list is no error")
def _writes_empty_lists(formatter: Formatter) -> None:
    expect("uid-one" not in _list(formatter, ()), "there is a row in an empty list")


@FORMATTER.promise("every value of a record is written")
def _writes_records(formatter: Formatter) -> None:
    text = _record(formatter, ROWS[0])
    missing = [value for value in ("uid-one", "name-one", "4194304") if value not in text]
    expect(not missing, f"missing: {', '.join(missing)}")


@FORMATTER.promise("only the given stream is written to")
def _writes_to_the_stream_only(formatter: Formatter) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        with contextlib.suppress(Skipped):
            _list(formatter, ROWS)
        with contextlib.suppress(Skipped):
            _record(formatter, ROWS[0])
    expect(not out.getvalue() + err.getvalue(), "something was written to standard output or standard error")


@dataclass(frozen=True, slots=True)
class ListenerUnderCheck:
    """``make`` makes the listener as configured. ``events`` says whether it may be told of some that never happened."""

    make: Callable[[], Listener]
    events: bool


@dataclass(frozen=True, slots=True)
class EventOfALaterRelease:
    """An event that no listener of today knows."""

    when: datetime = datetime(2030, 1, 1, tzinfo=UTC)


LISTENER = Promises[ListenerUnderCheck]()


@LISTENER.promise("it is made as configured, and closed")
def _is_made(subject: ListenerUnderCheck) -> None:
    subject.make().close()


@LISTENER.promise("it takes note of every kind of event, and changes none")
def _takes_note(subject: ListenerUnderCheck) -> None:
    listener = _told(subject)
    try:
        for event in EVENTS:
            before = repr(event)
            listener.notify(event)
            expect(repr(event) == before, f"it changed a {type(event).__name__}")
    finally:
        listener.close()


@LISTENER.promise("it ignores events that it does not know")
def _ignores_unknown(subject: ListenerUnderCheck) -> None:
    listener = _told(subject)
    try:
        listener.notify(cast(Event, EventOfALaterRelease()))
    finally:
        listener.close()


def _told(subject: ListenerUnderCheck) -> Listener:
    if not subject.events:
        raise Skipped("it might page somebody; --events tells it of events that never happened")
    return subject.make()


def _arguments(formatter: Formatter) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for option in ("--format", "--column", "--sort-column", "-f", "-c", "-s", "-r", "-t", "-p", "-m"):
        parser.add_argument(option)
    formatter.add_argument_group(parser)
    return parser.parse_args([])


def _list(formatter: Formatter, rows: Iterable[Sequence[Any]]) -> str:
    if not isinstance(formatter, ListFormatter):
        raise Skipped("it writes no lists")
    stream = io.StringIO()
    formatter.emit_list(COLUMNS, rows, stream, _arguments(formatter))
    return stream.getvalue()


def _record(formatter: Formatter, row: Sequence[Any]) -> str:
    if not isinstance(formatter, SingleFormatter):
        raise Skipped("it writes no records")
    stream = io.StringIO()
    formatter.emit_one(COLUMNS, row, stream, _arguments(formatter))
    return stream.getvalue()
