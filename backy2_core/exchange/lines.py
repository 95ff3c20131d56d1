"""Lines of a text of unknown origin: numbered, bounded, and refused where they are no text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

from backy2_core.errors import ExchangeError

_SHOWN = 60
_BOM = "\ufeff"


class Readable(Protocol):
    """What lines are read from; a binary file is one."""

    def readline(self, size: int, /) -> bytes:
        """The next line, or as much of it as ``size`` bytes."""


class Lines:
    """The lines of ``stream``, from where it stands, each with its end; ``origin`` is its name in messages.

    :attr:`raw` is the line that was read last, :attr:`number` its number from 1. :attr:`most` bounds the bytes of a line.
    ``advance`` is told after each line how many bytes were read in all.
    """

    def __init__(
        self, stream: Readable, origin: str, most: int, advance: Callable[[int], None] = lambda done: None
    ) -> None:
        self.origin = origin
        self.number = 0
        self.raw = b""
        self._stream = stream
        self.most = most
        self._advance = advance
        self._bytes = 0
        self._before = hashlib.sha256()

    def __iter__(self) -> Iterator[str]:
        """The lines from the next one on."""
        while line := self.next():
            yield line

    def next(self) -> str:
        """The next line with its end (the last one may have none), or an empty text. Raises :class:`ExchangeError`.

        The mark (BOM) that some editors put before a text in UTF-8 is left out.
        """
        self._before.update(self.raw)
        self.raw = self._read()
        if not self.raw:
            return ""
        self.number += 1
        self._bytes += len(self.raw)
        self._advance(self._bytes)
        if len(self.raw) > self.most:
            raise self.fault(f"the line is longer than {self.most} bytes, as none of a dump is")
        if b"\0" in self.raw:
            raise self.fault("there is a zero byte, as there is none in a dump")
        try:
            text = self.raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fault(f"byte {error.start + 1} of the line is no UTF-8") from error
        return text.removeprefix(_BOM) if self.number == 1 else text

    def sha256(self, more: bytes = b"") -> str:
        """SHA-256 of all bytes before the line that was read last, and ``more``, in hexadecimal."""
        hasher = self._before.copy()
        hasher.update(more)
        return hasher.hexdigest()

    def fault(self, text: str) -> ExchangeError:
        """The error that says what is wrong with the line that was read last."""
        place = f"line {self.number}" if self.number else "the file"
        return ExchangeError(f"{self.origin}, {place}: {text}.")

    def _read(self) -> bytes:
        try:
            return self._stream.readline(self.most + 1)
        except OSError as error:
            raise self.fault(f"it cannot be read: {error.strerror}") from error


def shown(text: str) -> str:
    """Some of a text of unknown origin, safe for a terminal."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
