"""Source and target ``null``: ``null://SIZE`` makes data for measuring, ``null://`` takes what a restore writes.

A size is a number of bytes, with k, M, G, T or P behind it for powers of 1024, and B behind that if wished.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator, Sequence

from backy2_core.api import Extent, Setting, Settings, SettingType, Source, SourceError, Target, TargetRequest, hookimpl

backy2_api_version = 1

_PATTERN_BYTES = 64 * 1024
_STAMP_BYTES = 4096
_WORDS_PER_STAMP = _STAMP_BYTES // 8
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_URL = re.compile(r"null://(\d+)([kmgtp]?)b?", re.IGNORECASE)


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this source."""
    return (
        Setting("simultaneous_reads", SettingType.INTEGER, 2, "Blocks to make at once.", minimum=1),
        Setting("simultaneous_writes", SettingType.INTEGER, 2, "Blocks to take at once in a restore.", minimum=1),
    )


@hookimpl
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Make a device of the size that the URL says."""
    match = _URL.fullmatch(url)
    if match is None:
        raise SourceError(f"cannot make data for {url}: expected null://SIZE, such as null://500M or null://1TB")
    return NullSource(int(match[1]) * _UNITS[match[2].lower()], threads=settings["simultaneous_reads"])


@hookimpl
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Make a sink of any size."""
    return NullTarget(threads=settings["simultaneous_writes"])


class NullSource(Source):
    """Made data: a fixed random pattern of 64 KiB, over and over, in which each 4 KiB begin with their own number.

    So every byte follows from its offset, no aligned 4 KiB are all zero or equal to others, and making them costs little
    more than copying. Blocks smaller than 4 KiB repeat.
    """

    def __init__(self, size_bytes: int, *, threads: int = 2) -> None:
        self._size_bytes = size_bytes
        self._threads = threads
        self._closed = False
        self._pattern = hashlib.shake_128(b"backy2 null source").digest(_PATTERN_BYTES)

    @property
    def size_bytes(self) -> int:
        """As the URL says."""
        return self._size_bytes

    @property
    def identity(self) -> str:
        """The same for the same size, since the content is."""
        return f"null:{self._size_bytes}"

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Make the bytes from ``offset`` on."""
        if self._closed:
            raise SourceError(f"null://{self._size_bytes} was closed; it must be opened again to be read")
        if offset + len(buffer) > self._size_bytes:
            raise SourceError(f"null://{self._size_bytes} has no {len(buffer)} bytes at {offset}; it ends before")
        if offset % _STAMP_BYTES or len(buffer) % 8:
            start = offset - offset % _STAMP_BYTES
            made = bytearray(-(-(offset + len(buffer) - start) // 8) * 8)
            self._fill(start, memoryview(made))
            buffer[:] = memoryview(made)[offset - start : offset - start + len(buffer)]
        else:
            self._fill(offset, buffer)

    def allocated(self) -> Iterator[Extent]:
        """The whole device."""
        if self._size_bytes:
            yield Extent(0, self._size_bytes)

    def close(self) -> None:
        """Make no more bytes."""
        self._closed = True

    def _fill(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer of whole words from an ``offset`` that is a multiple of the stamped size."""
        position = 0
        while position < len(buffer):
            phase = (offset + position) % _PATTERN_BYTES
            count = min(_PATTERN_BYTES - phase, len(buffer) - position)
            buffer[position : position + count] = self._pattern[phase : phase + count]
            position += count
        words = buffer.cast("Q")
        first = offset // _STAMP_BYTES + 1
        words[::_WORDS_PER_STAMP] = array("Q", range(first, first + -(-len(words) // _WORDS_PER_STAMP)))


class NullTarget(Target):
    """A sink: takes writes of any size anywhere and keeps nothing."""

    def __init__(self, *, threads: int = 2) -> None:
        self._threads = threads

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def write(self, offset: int, data: memoryview) -> None:
        """Forget the bytes."""

    def zero(self, offset: int, length: int) -> None:
        """Forget the range."""

    def flush(self) -> None:
        """Nothing is there to be made durable."""

    def close(self) -> None:
        """Nothing is held."""
