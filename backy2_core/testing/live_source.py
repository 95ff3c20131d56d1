"""The promises of a source, on a live device: it is only read, a little of it, and readings are compared with each other."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from backy2_core.contracts.source import Source
from backy2_core.errors import SourceError
from backy2_core.testing.live import Promises, Skipped, expect, expect_error

MOST_BYTES = 1024 * 1024
"""The longest range that is read at once."""
RANGES = 16
THREADS = 8
EXTENTS_S = 30.0

Range = tuple[int, int]


class DeviceUnderCheck:
    """A device, open for reading. ``open_source`` opens it once more at each call."""

    def __init__(self, open_source: Callable[[], Source]) -> None:
        self.open_source = open_source
        self.source = open_source()
        self.size = self.source.size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.source.close()

    def read(self, offset: int, length: int, source: Source | None = None) -> bytes:
        """The bytes of a range."""
        # Not zeros: a source that leaves a part of the buffer as it was must be found out.
        buffer = bytearray(b"\xa5\x5a" * (length // 2 + 1))[:length]
        (source or self.source).read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def ranges(self) -> list[Range]:
        """Some ranges: the beginning, the end, and others that fit no page. The same at each call."""
        if not self.size:
            raise Skipped("the device is empty")
        draw, most = random.Random(self.size), min(MOST_BYTES, self.size)
        some = [(0, most), (self.size - most, most), (self.size - 1, 1)]
        for _ in range(RANGES):
            offset = draw.randrange(self.size)
            some.append((offset, draw.randrange(1, min(most, self.size - offset) + 1)))
        return some

    def steady(self) -> dict[Range, bytes]:
        """Those ranges and their bytes, of which two readings agree; skips the promise on a device that changes."""
        found = {}
        for each in self.ranges():
            found[each] = self.read(*each)
            if self.read(*each) != found[each]:
                raise Skipped(
                    "two readings of one range differ: somebody writes to the device, or the source is broken; check a"
                    " snapshot"
                )
        return found


PROMISES = Promises[DeviceUnderCheck]()


@PROMISES.promise("its size is the same each time it is opened")
def _has_a_size(device: DeviceUnderCheck) -> None:
    expect(device.size >= 0, f"its size is {device.size}")
    with device.open_source() as second:
        expect(second.size_bytes == device.size, f"its size is {device.size}, then {second.size_bytes}")
    expect(device.source.size_bytes == device.size, "its size changed while it was open")
    expect(device.source.threads >= 1, f"it asks for {device.source.threads} threads")


@PROMISES.promise("its identity is the same for two that open it one after the other")
def _has_an_identity(device: DeviceUnderCheck) -> None:
    if not device.source.identity:
        raise Skipped("it does not tell whether it changed")
    device.steady()
    with device.open_source() as second:
        expect(second.identity == device.source.identity, "its identity changed, though its bytes did not")


@PROMISES.promise("the same range gives the same bytes, alone and as a part of a larger one")
def _reads_any_range(device: DeviceUnderCheck) -> None:
    for (offset, length), data in device.steady().items():
        start, stop = length // 3, length - length // 5
        if start < stop:
            part = device.read(offset + start, stop - start)
            expect(part == data[start:stop], f"{stop - start} bytes from {offset + start} on are read in two ways")


@PROMISES.promise("only the buffer is written to, all of it, and it is not kept")
def _fills_the_buffer(device: DeviceUnderCheck) -> None:
    (offset, length), data = next(iter(device.steady().items()))
    length = min(length, 4000)
    for filler in (b"#", b"+"):
        buffer = bytearray(filler * (length + 200))
        device.source.read_into(offset, memoryview(buffer)[100 : length + 100])
        expect(buffer[:100] + buffer[length + 100 :] == filler * 200, "bytes around the buffer were changed")
        expect(
            bytes(buffer[100 : length + 100]) == data[:length], "the buffer was not filled with what is on the device"
        )
    try:
        buffer.extend(b"this fails while somebody holds a view")
    except BufferError:
        expect(False, "the source keeps the buffer")


@PROMISES.promise("reading beyond the end is an error, never zeros")
def _knows_its_end(device: DeviceUnderCheck) -> None:
    expect_error(SourceError, lambda: device.read(device.size, 4096), "reading behind the end")
    if device.size:
        expect_error(SourceError, lambda: device.read(device.size - 1, 2), "reading over the end")


@PROMISES.promise("many threads read at once, and agree")
def _serves_threads(device: DeviceUnderCheck) -> None:
    steady = device.steady()

    def read_all(number: int) -> bool:
        ranges = list(steady)
        random.Random(number).shuffle(ranges)
        return all(device.read(*each) == steady[each] for each in ranges)

    with ThreadPoolExecutor(THREADS) as pool:
        agreed = list(pool.map(read_all, range(THREADS)))
    if not all(agreed):
        device_changed = any(device.read(*each) != data for each, data in steady.items())
        if device_changed:
            raise Skipped("the device is written to; check it again on a snapshot")
        expect(False, f"{agreed.count(False)} of {THREADS} threads read other bytes than one alone")


@PROMISES.promise("allocated ranges ascend, do not overlap and lie within the device")
def _knows_its_ranges(device: DeviceUnderCheck) -> None:
    _some_extents(device)


@PROMISES.promise("what is not allocated reads as zeros")
def _has_honest_holes(device: DeviceUnderCheck) -> None:
    holes = [each for each in _holes(device) if each[1]]
    if not holes:
        raise Skipped("all is allocated, or the source cannot tell")
    for offset, length in random.Random(len(holes)).sample(holes, min(RANGES, len(holes))):
        for start in {offset, offset + max(0, length - MOST_BYTES)}:
            data = device.read(start, min(MOST_BYTES, offset + length - start))
            expect(not any(data), f"there are bytes other than zeros from {start} on, which is not allocated")


@PROMISES.promise("closing twice is no error")
def _closes(device: DeviceUnderCheck) -> None:
    second = device.open_source()
    second.close()
    second.close()


def _some_extents(device: DeviceUnderCheck) -> Sequence[Range]:
    """The allocated ranges, as many as come in time."""
    until, end, found = time.monotonic() + EXTENTS_S, 0, []
    for extent in device.source.allocated():
        expect(
            extent.exists and extent.length > 0, f"an allocated range of {extent.length} bytes, exists={extent.exists}"
        )
        expect(extent.offset >= end, f"the range from {extent.offset} on follows one that ends at {end}")
        end = extent.offset + extent.length
        expect(end <= device.size, f"a range ends at {end}, behind the end of the device at {device.size}")
        found.append((extent.offset, extent.length))
        if time.monotonic() > until:
            return found
    return [*found, (device.size, 0)]


def _holes(device: DeviceUnderCheck) -> list[Range]:
    extents = [(0, 0), *_some_extents(device)]
    return [(one[0] + one[1], other[0] - one[0] - one[1]) for one, other in itertools.pairwise(extents)]
