"""Sources that break one promise each."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from backy2_core.contracts.source import Source
from backy2_core.errors import SourceError
from backy2_core.model.extent import Extent
from backy2_core.testing.source import SourceSubject, SourceSuite
from tests.planted.devices import DATA, KIB, MIB, SIZE, Device, RightSource, content
from tests.planted.fault import Faults

FAULTS = Faults("source", (Source,))
plant = FAULTS.plant
A_WHILE_S = 0.002

# -- threads and errors


@plant("read_into is called from several threads at once, also while allocated is gone through")
class ReadsAtOnePosition(RightSource):
    """Moves one position, then reads from it."""

    _position = 0

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self._position = offset
        time.sleep(A_WHILE_S)
        super().read_into(self._position, buffer[: max(0, SIZE - self._position)])


@plant("read_into is called from several threads at once, also while allocated is gone through")
class ReadsThroughOneBuffer(RightSource):
    """All reads go through one buffer."""

    _room = b""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        room = bytearray(len(buffer))
        super().read_into(offset, memoryview(room))
        self._room = bytes(room)
        time.sleep(A_WHILE_S)
        buffer[:] = self._room[: len(buffer)].ljust(len(buffer), b"\0")


@plant("also while allocated is gone through")
class ReadsNothingWhileItTells(RightSource):
    """Does not read before all ranges were told."""

    _telling = False

    def allocated(self) -> Iterator[Extent]:
        self.check()
        self._telling = True
        yield from DATA
        self._telling = False

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if self._telling:
            raise SourceError(f"{self.device.url} is busy")
        super().read_into(offset, buffer)


@plant("also while allocated is gone through")
class TellsByOnePosition(RightSource):
    """Reading moves the position at which the next range is looked for."""

    _position = 0

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        self._position = offset + len(buffer)

    def allocated(self) -> Iterator[Extent]:
        self.check()
        self._position = 0
        while found := [extent for extent in DATA if extent.offset >= self._position]:
            self._position = found[0].end
            yield found[0]


@plant("Errors of the system or a library become backy2_core.errors.SourceError")
class LetsSystemErrorsOut(RightSource):
    """Lets an error of the system out."""

    def beyond(self, offset: int, length: int) -> Exception:
        return OSError(5, "Input/output error", self.device.url)


@plant("with the URL in the message")
class SaysNothing(RightSource):
    """Does not say what cannot be read."""

    def beyond(self, offset: int, length: int) -> Exception:
        return SourceError("a short read")


@plant("so does opening what is not there")
class LetsMissingOut(RightSource):
    """Lets the system say that it is not there."""

    def missing(self) -> Exception:
        return FileNotFoundError(2, "No such file or directory", "planted://missing")


@plant("so does opening what is not there")
class OpensAnything(RightSource):
    """Takes what is not there for an empty device."""

    def __init__(self, device: Device | None) -> None:
        super().__init__(device or Device(data=bytearray()))


@plant("No call waits for ever for a device that does not answer.", patience_s=1.0)
class WaitsForEver(RightSource):
    """Waits for a device that does not answer (not for ever, so that the tests end)."""

    def patience_s(self) -> float:
        return 3.0


@plant("No call waits for ever for a device that does not answer.")
class LetsTimeOutsOut(RightSource):
    """Lets the time-out of a socket out."""

    def silent(self, error: Exception) -> Exception:
        return error


# -- what is told of a device


@plant("Size of the device, fixed when it was opened: it does not change while it is open, whatever the device does.")
class FollowsItsDevice(RightSource):
    """Tells the size as it is now."""

    @property
    def size_bytes(self) -> int:
        return len(self.device.data)


@plant("Size of the device, fixed when it was opened")
class RoundsItsSize(RightSource):
    """Tells whole sectors."""

    @property
    def size_bytes(self) -> int:
        return self._size // 512 * 512


@plant("A text that changes whenever the content may have changed")
class NeverChanges(RightSource):
    """Has the same identity whatever it holds."""

    @property
    def identity(self) -> str:
        return self.device.url


@plant('or "" where that cannot be told', "As of the opening.")
class ChangesAtEachOpening(RightSource):
    """Has another identity at each opening, so that nothing is ever continued."""

    def __init__(self, device: Device | None) -> None:
        super().__init__(device)
        self._identity = f"opened {time.monotonic_ns()}"


@plant("As of the opening.")
class IsWhatItBecame(RightSource):
    """Tells the identity as it is now."""

    @property
    def identity(self) -> str:
        return f"change {self.device.changes}"


@plant('or "" where that cannot be told')
class HasNoTextForUnknown(RightSource):
    """Tells None where it cannot tell."""

    @property
    def identity(self) -> str:
        return None  # type: ignore[return-value]


@plant("How many concurrent read_into calls serve this source best; at least 1.")
class ServedByNoThread(RightSource):
    """Says that no call at all serves it best."""

    @property
    def threads(self) -> int:
        return 0


# -- reading


@plant("Fill buffer with the bytes from offset on.")
class ReadsTheNextSector(RightSource):
    """Reads from the beginning of the sector."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset // 512 * 512, buffer)


@plant("Fill buffer with the bytes from offset on.")
class ReadsAPart(RightSource):
    """Fills at most 256 KiB of the buffer, as one system call may."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if offset + len(buffer) > SIZE:
            super().read_into(offset, buffer)
        super().read_into(offset, buffer[: 256 * KIB])


@plant("What lies beyond the end of the device", "never zeros")
class ReadsZerosBeyondTheEnd(RightSource):
    """Fills up with zeros beyond the end."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        within = max(0, min(len(buffer), self._size - offset))
        buffer[within:] = bytes(len(buffer) - within)
        super().read_into(offset, buffer[:within])


@plant("What lies beyond the end of the device")
class LeavesTheBufferBeyondTheEnd(RightSource):
    """Leaves the buffer as it was beyond the end."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer[: max(0, self._size - offset)])


@plant("What lies beyond the end of the device")
class ReadsWhollyBeyondTheEnd(RightSource):
    """Notices the end only where it lies within the buffer."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if offset >= self._size:
            self.check()
            buffer[:] = bytes(len(buffer))
            return
        super().read_into(offset, buffer)


@plant("or cannot be read any more since it became shorter, is a SourceError, never zeros")
class ReadsZerosWhereItWasCut(RightSource):
    """Fills up with zeros what was cut off."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.check()
        if offset + len(buffer) > self._size:
            raise self.beyond(offset, len(buffer))
        data = bytes(self.device.data[offset : offset + len(buffer)])
        buffer[:] = data.ljust(len(buffer), b"\0")


@plant("The buffer has at least one byte")
class ReadsWholeSectors(RightSource):
    """Reads no single bytes."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        if len(buffer) < 16:
            buffer[:] = bytes(len(buffer))


@plant("may be a part of a larger one")
class FillsFromTheBeginning(RightSource):
    """Fills the object behind the view from its beginning."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, memoryview(buffer.obj).cast("B")[: len(buffer)])


@plant("may be a part of a larger one")
class FillsMoreThanAsked(RightSource):
    """Fills the object behind the view to its end."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        whole = memoryview(buffer.obj).cast("B")
        if len(whole) > len(buffer):
            whole[-1] ^= 0xFF


@plant("belongs to the caller and must not be kept")
class HoldsAView(RightSource):
    """Holds a view of the buffer that was filled last."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        self.last = memoryview(buffer)


@plant("belongs to the caller and must not be kept")
class FillsLate(RightSource):
    """Fills the buffer again a moment after it returned."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        super().read_into(offset, buffer)
        data = bytes(buffer)

        def fill() -> None:
            with contextlib.suppress(ValueError):
                buffer[:] = data

        threading.Timer(0.02, fill).start()


# -- ranges


@plant("The ranges that may hold other bytes than zeros", "Whatever is not within them reads as zeros and is not read.")
class LeavesOutARange(RightSource):
    """Leaves the last range out."""

    def allocated(self) -> Iterator[Extent]:
        return iter(list(super().allocated())[:-1])


@plant("The ranges that may hold other bytes than zeros", "Whatever is not within them reads as zeros and is not read.")
class RoundsRangesDown(RightSource):
    """Tells whole sectors, without the odd end."""

    def allocated(self) -> Iterator[Extent]:
        return (Extent(e.offset, e.length // 4096 * 4096 or 1) for e in super().allocated())


@plant("ascending, disjoint, within the device, exists True")
class TellsBackwards(RightSource):
    """Tells the last range first."""

    def allocated(self) -> Iterator[Extent]:
        return iter(list(super().allocated())[::-1])


@plant("ascending, disjoint, within the device, exists True")
class TellsOverlaps(RightSource):
    """Tells ranges that overlap."""

    def allocated(self) -> Iterator[Extent]:
        self.check()
        return iter([Extent(0, MIB), Extent(MIB // 2, SIZE - MIB // 2)])


@plant("ascending, disjoint, within the device, exists True")
class TellsWholeSectors(RightSource):
    """Tells a range that reaches beyond the end."""

    def allocated(self) -> Iterator[Extent]:
        return (Extent(e.offset, -(-e.length // 4096) * 4096) for e in super().allocated())


@plant("ascending, disjoint, within the device, exists True")
class TellsHolesToo(RightSource):
    """Tells holes among the ranges."""

    def allocated(self) -> Iterator[Extent]:
        at = 0
        for extent in super().allocated():
            yield Extent(at, extent.offset - at, exists=False)
            yield extent
            at = extent.end


@plant("A source that cannot tell yields the whole device.")
class TellsNothing(RightSource):
    """Tells nothing, since it cannot tell."""

    def allocated(self) -> Iterator[Extent]:
        self.check()
        return iter(())


@plant("Called at most once at a time, and again after that")
class TellsOnce(RightSource):
    """Tells the ranges at the first call only."""

    def __init__(self, device: Device | None) -> None:
        super().__init__(device)
        self._ranges = iter(DATA)

    def allocated(self) -> Iterator[Extent]:
        self.check()
        return self._ranges


@plant("may be slow, so it yields as it goes")
class TellsAList(RightSource):
    """Gives a list in place of an iterator."""

    def allocated(self) -> Iterator[Extent]:
        return list(super().allocated())  # type: ignore[return-value]


@plant("Raise SourceError where what was read may not be what was opened.")
class DoubtsAll(RightSource):
    """Does not trust what was read of a device that stayed as it was."""

    def confirm(self) -> None:
        raise SourceError(f"{self.device.url} may be another device than before")


# -- close


@plant("Calling it twice does nothing.")
class ClosesOnce(RightSource):
    """Complains when it is closed twice."""

    def close(self) -> None:
        if self._closed:
            raise SourceError(f"{self.device.url} was closed already")
        super().close()


@plant("Reading behind it raises SourceError.")
class ReadsOn(RightSource):
    """Reads on after it was closed."""

    def close(self) -> None:
        pass


@plant("Reading behind it raises SourceError.")
class RaisesAnythingOnceClosed(RightSource):
    """Raises an error of Python's once it was closed."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if self._closed:
            raise ValueError("read of closed file")
        super().read_into(offset, buffer)


@plant("Release everything.")
class LeavesAThread(RightSource):
    """Leaves a thread behind."""

    def close(self) -> None:
        if not self._closed:
            threading.Thread(target=time.sleep, args=(30.0,), daemon=True).start()
        super().close()


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of source."""

    class OnADevice(SourceSuite):
        @pytest.fixture
        def subject(self) -> SourceSubject:
            device = Device()
            return SourceSubject(
                lambda: kind(device),
                content(),
                url=device.url,
                change=device.change,
                cut=device.cut,
                open_missing=lambda: kind(None),
                open_named=lambda name: kind(Device(url=f"planted://{name}")),
                open_silent=lambda host, port: kind(Device(server=(host, port))),
            )

    return OnADevice


globals().update(FAULTS.suites(suite_of, RightSource))
