"""The promises of a target, on one that the check makes itself; what is there already is never written to."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.errors import BackyError, RefusedError
from backy2_core.testing.live import Broken, Promises, Skipped, expect

MIB = 1024 * 1024
SIZE = 8 * MIB + 4096
THREADS = 4
_PIECE = 256 * 1024


class NewTarget:
    """A target of 8 MiB that was not there before, open for writing. As in a restore, each byte is written or zeroed once.

    Raises :class:`RefusedError` if ``open_source`` can open what the URL names: that is somebody's.
    """

    def __init__(
        self, url: str, open_target: Callable[[TargetRequest], Target], open_source: Callable[[], Source]
    ) -> None:
        self.url = url
        self.open_target = open_target
        self.open_source = open_source
        self._refuse_what_is_there()
        self.target = open_target(TargetRequest(SIZE, force=False, sparse=True))
        self.expected = bytearray(SIZE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.target.close()

    def write(self, offset: int, data: bytes) -> None:
        """Write, and remember what must be read."""
        self.expected[offset : offset + len(data)] = data
        self.target.write(offset, memoryview(bytearray(data)))

    def zero(self, offset: int, length: int) -> None:
        """Make zeros."""
        self.target.zero(offset, length)

    def expect_contents(self, start: int, stop: int) -> None:
        """Flush, and compare what the source of the same URL reads in that range."""
        self.target.flush()
        with self.open_source() as source:
            expect(source.size_bytes >= SIZE, f"{source.size_bytes} bytes are there, {SIZE} were asked for")
            for offset in range(start, stop, _PIECE):
                buffer = bytearray(min(_PIECE, stop - offset))
                source.read_into(offset, memoryview(buffer))
                wanted = self.expected[offset : offset + len(buffer)]
                what = f"between {offset} and {offset + len(buffer)} other bytes are read than were written"
                expect(buffer == wanted, what)

    def _refuse_what_is_there(self) -> None:
        try:
            self.open_source().close()
        except BackyError:
            return
        raise RefusedError(
            f"{self.url} is there already. The check of a target writes: name something that is not there yet."
        )


PROMISES = Promises[NewTarget]()


@PROMISES.promise("every byte is read where it was written")
def _writes(new: NewTarget) -> None:
    expect(new.target.threads >= 1, f"it asks for {new.target.threads} threads")
    draw, end = random.Random(1), 0
    for offset, length in ((0, 4096), (5000, 11), (MIB - 100, 70_001), (2 * MIB - 4096, 4096)):
        new.zero(end, offset - end)
        new.write(offset, draw.randbytes(length))
        end = offset + length
    new.expect_contents(0, 2 * MIB)


@PROMISES.promise("zeros are where they were asked for, and nowhere else")
def _zeroes(new: NewTarget) -> None:
    new.write(2 * MIB, b"\xff" * 1000)
    new.zero(2 * MIB + 1000, 500_000)
    new.write(2 * MIB + 501_000, b"\xff" * 1000)
    new.zero(2 * MIB + 502_000, 2 * MIB - 502_000)
    new.expect_contents(2 * MIB, 4 * MIB)


@PROMISES.promise("many threads write at once")
def _serves_threads(new: NewTarget) -> None:
    pieces = [(4 * MIB + number * 65_536, number) for number in range(32)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda piece: new.write(piece[0], random.Random(piece[1]).randbytes(65_536)), pieces))
    new.expect_contents(4 * MIB, 6 * MIB)


@PROMISES.promise("the buffer of a write is not kept")
def _keeps_no_buffer(new: NewTarget) -> None:
    buffer = bytearray(b"\x11" * 8192)
    new.expected[6 * MIB : 6 * MIB + len(buffer)] = buffer
    new.target.write(6 * MIB, memoryview(buffer))
    buffer[:] = b"\x22" * len(buffer)
    new.zero(6 * MIB + 8192, SIZE - 6 * MIB - 8192)
    new.expect_contents(6 * MIB, SIZE)


@PROMISES.promise("what is there is refused without force, and left as it is")
def _refuses_what_is_there(new: NewTarget) -> None:
    new.target.flush()
    before = _digest(new)
    try:
        second = new.open_target(TargetRequest(SIZE, force=False, sparse=True))
    except BackyError:
        expect(_digest(new) == before, "it was refused, and its bytes are others all the same")
        return
    second.close()
    raise Broken("it was opened a second time, though nobody said force")


@PROMISES.promise("flushing and closing twice is no error")
def _closes(new: NewTarget) -> None:
    new.target.flush()
    new.target.close()
    new.target.close()


@PROMISES.promise("the target is left for whoever asked for the check")
def _is_left(new: NewTarget) -> None:
    raise Skipped(f"no plugin removes what it wrote: {new.url} is to be removed by hand")


def _digest(new: NewTarget) -> bytes:
    with new.open_source() as source:
        buffer = bytearray(min(SIZE, source.size_bytes))
        source.read_into(0, memoryview(buffer))
    return hashlib.sha256(buffer).digest()
