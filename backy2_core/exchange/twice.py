"""Reading a stream of unknown kind twice."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from typing import BinaryIO, Self

from backy2_core.exchange.lines import Readable


class Twice:
    """A stream that is to be read twice: a regular file as it is, any other by way of a temporary file.

    That copy is made while the stream is read for the first time, so that what is no dump is not copied either.
    :attr:`length` is what there is to read, 0 as long as nobody knows.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._spool: BinaryIO | None = None
        self._begin = 0
        self.length = 0

    def __enter__(self) -> Self:
        if _can_return(self._stream):
            self._begin = self._stream.tell()
            self.length = self._stream.seek(0, os.SEEK_END) - self._begin
            self._stream.seek(self._begin)
        else:
            # Without a name, and for the owner alone.
            self._spool = tempfile.TemporaryFile()
        return self

    def __exit__(self, *error: object) -> None:
        if self._spool is not None:
            self._spool.close()

    def first(self) -> Readable:
        """The stream from its beginning."""
        return self._stream if self._spool is None else _Copied(self._stream, self._spool)

    def again(self) -> Readable:
        """The same bytes once more; what :meth:`first` gave was read to its end."""
        if self._spool is None:
            self._stream.seek(self._begin)
            return self._stream
        self.length = self._spool.tell()
        self._spool.seek(0)
        return self._spool


@dataclass(frozen=True, slots=True)
class _Copied:
    """Lines that are written down as they are read."""

    stream: BinaryIO
    spool: BinaryIO

    def readline(self, size: int, /) -> bytes:
        """The next line."""
        line = self.stream.readline(size)
        self.spool.write(line)
        return line


def _can_return(stream: BinaryIO) -> bool:
    """True for what can be read again from where it stands: a regular file, or bytes in memory."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return stream.seekable()
