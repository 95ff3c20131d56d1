"""Reading the dumps of the original, in all four formats that it ever wrote.

A dump is CSV: a header with the number of the format, a row for the version, then a row a block. This module knows cells
and lines; :mod:`backy2_core.exchange.inspection` knows whether they fit together.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from backy2_core.exchange.lines import Lines, shown
from backy2_core.model.original import OriginalBlock, OriginalVersion

MOST_LINE = 64 * 1024
MOST_CELL = 1024
MOST_BEFORE = 1000
"""Lines of a log that may stand before the header."""

_V21 = ("uid", "date", "name", "size", "size_bytes", "valid")
_V22 = ("uid", "date", "name", "snapshot_name", "size", "size_bytes", "valid", "protected")
_V210 = (*_V22, "expire")
_PLAIN, _SEALABLE = 7, 10

FORMATS: Mapping[str, tuple[Sequence[str], int]] = {
    "2.1": (_V21, _PLAIN),
    "2.2": (_V22, _PLAIN),
    "2.10": (_V210, _PLAIN),
    "2.12": (_V210, _SEALABLE),
}
"""For each number in the header the cells of the version's row, and the number of cells in a block's."""

HEADER = "backy2 Version {} metadata dump"
_HEADER = re.compile(re.escape(HEADER).replace(r"\{\}", r"(\S{1,20})"))
_LOG = re.compile(r" {0,8}(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL): .*", re.DOTALL)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(_DATE.pattern + r" [0-9]{2}:[0-9]{2}:[0-9]{2}")
_NO_BYTES = "\\x"
"""What PostgreSQL makes of empty bytes in a column of text."""


class OriginalDump:
    """A dump from its version's row on; :attr:`version` is known at once, :meth:`blocks` streams the rest.

    ``lines`` stands behind the header, which named ``number`` as its format.
    """

    def __init__(self, lines: Lines, number: str) -> None:
        self._lines = lines
        self._names, self._columns = FORMATS[number]
        text = lines.next()
        if not text:
            raise lines.fault("there is nothing behind the header, expected the row of the version")
        self.version = self._version(self._row(text, may_go_on=True))
        self.version_line = lines.number

    def blocks(self) -> Iterator[tuple[int, OriginalBlock]]:
        """Each block with its line, as they stand in the dump."""
        for text in self._lines:
            if is_beside(text):
                self._expect_end()
                return
            cells = self._row(text)
            if len(cells) != self._columns:
                raise self._lines.fault(
                    f"the row of a block has {len(cells)} cells, expected {self._columns}: {shown(text)}"
                )
            yield self._lines.number, self._block(cells)

    def _row(self, text: str, *, may_go_on: bool = False) -> list[str]:
        """The cells of a row; one with line ends in a cell goes on in the next lines."""
        if '"' not in text:
            bare = text.removesuffix("\n").removesuffix("\r")
            if "\r" in bare:
                raise self._lines.fault("there is a carriage return within the row")
            return self._checked(bare.split(","))
        while may_go_on and text.count('"') % 2 and len(text) <= MOST_LINE and (more := self._lines.next()):
            text += more
        try:
            rows = list(csv.reader([text], strict=True))
        except csv.Error as error:
            raise self._lines.fault(f"the row cannot be read ({error}): {shown(text)}") from error
        if len(rows) != 1:
            raise self._lines.fault(f"expected one row, found {len(rows)}: {shown(text)}")
        return self._checked(rows[0])

    def _checked(self, cells: list[str]) -> list[str]:
        for cell in cells:
            if len(cell) > MOST_CELL:
                raise self._lines.fault(f"a cell has {len(cell)} characters, expected at most {MOST_CELL}")
        return cells

    def _expect_end(self) -> None:
        """Behind the last row nothing may stand but blank lines and lines of a log."""
        first = self._lines.number
        for text in self._lines:
            if not is_beside(text):
                raise self._lines.fault(
                    f"expected the end, since the rows ended before line {first}; found {shown(text)}"
                )

    def _version(self, cells: list[str]) -> OriginalVersion:
        if len(cells) != len(self._names):
            wanted = f"{len(self._names)} ({', '.join(self._names)})"
            raise self._lines.fault(f"the row of the version has {len(cells)} cells, expected {wanted}")
        found = dict(zip(self._names, cells, strict=True))
        expire = found.get("expire", "")
        return OriginalVersion(
            uid=found["uid"],
            date=self._moment(found["date"]),
            name=found["name"],
            snapshot_name=found.get("snapshot_name", ""),
            size_blocks=self._number("size", found["size"]),
            size_bytes=self._number("size_bytes", found["size_bytes"]),
            valid=self._flag("valid", found["valid"]),
            protected=self._flag("protected", found.get("protected", "0")),
            expire=self._date(expire) if expire else None,
        )

    def _block(self, cells: list[str]) -> OriginalBlock:
        uid, version, number, date, checksum, size, valid = cells[:_PLAIN]
        if version != self.version.uid:
            raise self._lines.fault(f"a row of version {shown(version)}, expected only those of {self.version.uid}")
        sealed, envkey, nonce = cells[_PLAIN:] or ("0", "", "")
        return OriginalBlock(
            number=self._number("id", number),
            uid=uid,
            checksum=checksum,
            size=self._number("size", size),
            valid=self._flag("valid", valid),
            date=self._moment(date),
            enc_version=self._number("enc_version", sealed),
            envkey="" if envkey == _NO_BYTES else envkey,
            nonce="" if nonce == _NO_BYTES else nonce,
        )

    def _number(self, name: str, cell: str) -> int:
        if not _NUMBER.fullmatch(cell):
            raise self._lines.fault(f"the cell {name} is {shown(cell)}, expected a whole number")
        return int(cell)

    def _flag(self, name: str, cell: str) -> bool:
        if cell not in ("0", "1"):
            raise self._lines.fault(f"the cell {name} is {shown(cell)}, expected 0 or 1")
        return cell == "1"

    def _moment(self, cell: str) -> datetime:
        moment = _moment_of(cell) if _MOMENT.fullmatch(cell) else None
        if moment is None:
            raise self._lines.fault(f"the cell date is {shown(cell)}, expected a time like 2017-05-02 10:26:48")
        return moment

    def _date(self, cell: str) -> datetime:
        moment = _moment_of(cell) if _DATE.fullmatch(cell) else None
        if moment is None:
            raise self._lines.fault(f"the cell expire is {shown(cell)}, expected a date like 2017-05-02, or nothing")
        return moment


def is_header(text: str) -> bool:
    """True for the first line of any dump of the original, also in a format that is not known."""
    return _HEADER.fullmatch(text.rstrip("\r\n")) is not None


def read_header(lines: Lines, text: str) -> OriginalDump:
    """The dump that the line ``text`` begins. Raises :class:`ExchangeError` for a format that is not known."""
    found = _HEADER.fullmatch(text.rstrip("\r\n"))
    if found is None or found[1] not in FORMATS:
        raise lines.fault(f"the header {shown(text.strip())} is not understood; those that are: {known_headers()}")
    return OriginalDump(lines, found[1])


def known_headers() -> str:
    """The headers that are understood, for messages."""
    return ", ".join(HEADER.format(number) for number in FORMATS)


def is_beside(text: str) -> bool:
    """True for a line that is not of the dump: blank, or of the log that the original printed around it."""
    return not text.strip(" \r\n") or _LOG.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _moment_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
