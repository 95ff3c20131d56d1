"""Targets that break one promise each."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.errors import TargetError
from backy2_core.testing.durability import TargetDurabilitySuite
from backy2_core.testing.outage import Outage
from backy2_core.testing.source import TargetSubject, TargetSuite
from tests.planted.devices import KIB, SIZE, Device, RightTarget
from tests.planted.fault import Faults

FAULTS = Faults("target", (TargetRequest, Target))
plant = FAULTS.plant
A_WHILE_S = 0.002


class RightFileTarget(Target):
    """Keeps every promise, in a file that it makes."""

    def __init__(self, path: Path, request: TargetRequest) -> None:
        self.path = path
        if path.exists() and not request.force:
            raise TargetError(f"{path} is there already")
        if path.exists() and path.stat().st_size < request.size_bytes:
            raise TargetError(f"{path} is too small")
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(self.descriptor).st_size < request.size_bytes:
            os.ftruncate(self.descriptor, request.size_bytes)
        self._closed = False

    def write(self, offset: int, data: memoryview) -> None:
        self.check()
        os.pwrite(self.descriptor, data, offset)

    def zero(self, offset: int, length: int) -> None:
        self.write(offset, memoryview(bytes(length)))

    def flush(self) -> None:
        self.check()
        self.sync_file()
        self.sync_folder()

    def sync_file(self) -> None:
        os.fsync(self.descriptor)

    def sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def check(self) -> None:
        if self._closed:
            raise TargetError(f"{self.path} was closed")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self.descriptor)


# -- what is asked for


@plant("a device of at least size_bytes; a smaller one is refused with a TargetError")
class TakesTooSmall(RightTarget):
    """Takes a device that is too small."""

    def accept(self, request: TargetRequest) -> None:
        super().accept(
            TargetRequest(min(request.size_bytes, len(self.device.data) or SIZE), request.force, request.sparse)
        )


@plant("a smaller one is refused with a TargetError")
class LetsItGrow(RightTarget):
    """Lets a device that is too small grow."""

    def accept(self, request: TargetRequest) -> None:
        if request.force and self.device.data:
            self.device.data.extend(bytes(max(0, request.size_bytes - len(self.device.data))))
        super().accept(request)


@plant("a device of at least size_bytes")
class MakesTooSmall(RightTarget):
    """Makes a device of whole sectors, without the odd end."""

    def accept(self, request: TargetRequest) -> None:
        made = not self.device.data
        super().accept(request)
        if made:
            del self.device.data[request.size_bytes // 512 * 512 :]

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data[: max(0, len(self.device.data) - offset)])

    def zero(self, offset: int, length: int) -> None:
        super().zero(offset, max(0, min(length, len(self.device.data) - offset)))


@plant("a smaller one is refused with a TargetError")
class RefusesInGeneral(RightTarget):
    """Refuses with an error of Python's."""

    def refused(self, reason: str) -> Exception:
        return ValueError(f"{self.device.url} {reason}")


@plant("without it that is refused, and the device stays as it is")
class NeedsNoForce(RightTarget):
    """Takes what is there without being forced."""

    def accept(self, request: TargetRequest) -> None:
        super().accept(TargetRequest(request.size_bytes, True, request.sparse))


@plant("without it that is refused, and the device stays as it is")
class RefusesTooLate(RightTarget):
    """Empties the device, then refuses."""

    def refused(self, reason: str) -> Exception:
        self.device.data[:] = bytes(len(self.device.data))
        return super().refused(reason)


@plant("force allows writing into one that is there already")
class IgnoresForce(RightTarget):
    """Refuses what is there, force or not."""

    def accept(self, request: TargetRequest) -> None:
        super().accept(TargetRequest(request.size_bytes, False, request.sparse))


@plant("sparse asks that ranges of zeros take no space", "without taking space where sparse was asked and it can")
class WritesZeros(RightTarget):
    """Writes zeros where sparse was asked."""

    def zero(self, offset: int, length: int) -> None:
        super().write(offset, memoryview(bytes(length)))


# -- threads and errors


@plant("write and zero are called from several threads at once, never on overlapping ranges")
class WritesAtOnePosition(RightTarget):
    """Moves one position, then writes there."""

    _position = 0

    def write(self, offset: int, data: memoryview) -> None:
        self._position = offset
        time.sleep(A_WHILE_S)
        room = max(0, len(self.device.data) - self._position)
        super().write(self._position, data[:room])


@plant("write and zero are called from several threads at once, never on overlapping ranges")
class ZerosAtOnePosition(RightTarget):
    """Zeros where another thread just writes or zeros."""

    _position = 0

    def write(self, offset: int, data: memoryview) -> None:
        self._position = offset
        super().write(offset, data)

    def zero(self, offset: int, length: int) -> None:
        self._position = offset
        time.sleep(A_WHILE_S)
        super().zero(self._position, max(0, min(length, len(self.device.data) - self._position)))


@plant("Errors become backy2_core.errors.TargetError")
class LetsSystemErrorsOut(RightTarget):
    """Lets an error of the system out."""

    def cannot_write(self) -> Exception:
        return OSError(28, "No space left on device", self.device.url)


@plant("with the URL in the message")
class SaysNothing(RightTarget):
    """Does not say what is full."""

    def cannot_write(self) -> Exception:
        return TargetError("no space left on device")


@plant("with the URL in the message")
class RefusesWithoutAWord(RightTarget):
    """Does not say what it refuses."""

    def refused(self, reason: str) -> Exception:
        return TargetError(reason)


@plant("Errors become backy2_core.errors.TargetError")
class SwallowsErrors(RightTarget):
    """Says nothing of a write that failed."""

    def write(self, offset: int, data: memoryview) -> None:
        if not self.device.full:
            super().write(offset, data)

    def zero(self, offset: int, length: int) -> None:
        if not self.device.full:
            super().zero(offset, length)

    def flush(self) -> None:
        if not self.device.full:
            super().flush()


@plant("No call waits for ever for a device that does not answer.", patience_s=1.0)
class WaitsForEver(RightTarget):
    """Waits for a device that does not answer (not for ever, so that the tests end)."""

    def patience_s(self) -> float:
        return 3.0


@plant("What is neither written nor zeroed is left as it was on a device that was there")
class BeginsWithZeros(RightTarget):
    """Zeros a device that was there."""

    def accept(self, request: TargetRequest) -> None:
        super().accept(request)
        self.device.data[:] = bytes(len(self.device.data))


@plant("What is neither written nor zeroed is left as it was on a device that was there")
class CutsToSize(RightTarget):
    """Cuts a larger device to the size that was asked for."""

    def accept(self, request: TargetRequest) -> None:
        super().accept(request)
        del self.device.data[request.size_bytes :]


@plant("and reads as zeros on one that was made")
class MakesGarbage(RightTarget):
    """Makes a device with whatever was on the disk."""

    def accept(self, request: TargetRequest) -> None:
        made = not self.device.data
        super().accept(request)
        if made:
            self.device.data[:] = b"\xee" * len(self.device.data)


@plant("How many concurrent write calls serve this target best; at least 1.")
class ServedByNoThread(RightTarget):
    """Says that no call at all serves it best."""

    @property
    def threads(self) -> int:
        return 0


# -- writing


@plant("Write all of data at offset.")
class WritesAPart(RightTarget):
    """Writes at most 256 KiB, as one system call may."""

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data[: 256 * KIB])


@plant("Write all of data at offset.")
class WritesWholeSectors(RightTarget):
    """Fills the last sector up with zeros."""

    def write(self, offset: int, data: memoryview) -> None:
        padded = bytes(data) + bytes(-len(data) % 512)
        super().write(offset, memoryview(padded)[: len(self.device.data) - offset])


@plant("Write all of data at offset.")
class WritesAtSectors(RightTarget):
    """Writes at the beginning of the sector."""

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset // 512 * 512, data)


@plant("Write all of data at offset.")
class SkipsZeros(RightTarget):
    """Does not write zeros, whatever was there."""

    def write(self, offset: int, data: memoryview) -> None:
        if any(data):
            super().write(offset, data)
        else:
            self.check()


@plant("The buffer may be read-only")
class NeedsAWritableBuffer(RightTarget):
    """Takes the address of the buffer, as a C library would, which a read-only one has not."""

    def write(self, offset: int, data: memoryview) -> None:
        if len(data):
            (ctypes.c_char * len(data)).from_buffer(data)
        super().write(offset, data)


@plant("and a part of a larger one")
class WritesTheWholeBuffer(RightTarget):
    """Writes from the beginning of the object behind the view."""

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, memoryview(data.obj).cast("B")[: len(data)])


@plant("belongs to the caller and must not be kept")
class HoldsAView(RightTarget):
    """Holds a view of the buffer that was written last."""

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data)
        self.last = memoryview(data)


@plant("belongs to the caller and must not be kept")
class WritesLate(RightTarget):
    """Writes what is in the buffer when it flushes."""

    def __init__(self, device: Device, request: TargetRequest) -> None:
        self._late: list[tuple[int, memoryview]] = []
        super().__init__(device, request)

    def write(self, offset: int, data: memoryview) -> None:
        super().write(offset, data)
        self._late.append((offset, data))

    def flush(self) -> None:
        for offset, data in self._late:
            super().write(offset, data)
        self._late.clear()
        super().flush()


@plant("Make the range, which may be empty, read as zeros, whatever was there")
class ZerosWholeSectors(RightTarget):
    """Zeros whole sectors, more than it was asked for."""

    def zero(self, offset: int, length: int) -> None:
        start = offset // 512 * 512
        super().zero(start, min(-(-(offset + length) // 512) * 512, len(self.device.data)) - start)


@plant("Make the range, which may be empty, read as zeros, whatever was there")
class ZerosOnlySectors(RightTarget):
    """Leaves out what is less than a sector."""

    def zero(self, offset: int, length: int) -> None:
        start, stop = -(-offset // 512) * 512, (offset + length) // 512 * 512
        super().zero(start, max(0, stop - start))


@plant("Make the range, which may be empty, read as zeros, whatever was there")
class ZerosNothing(RightTarget):
    """Trusts that there are zeros already."""

    def zero(self, offset: int, length: int) -> None:
        self.check()


@plant("Make the range, which may be empty, read as zeros, whatever was there")
class ZerosAllOrNothing(RightTarget):
    """Takes a range of no bytes for all that follows."""

    def zero(self, offset: int, length: int) -> None:
        super().zero(offset, length or len(self.device.data) - offset)


@plant("Make the range, which may be empty, read as zeros, whatever was there")
class RefusesEmptyRanges(RightTarget):
    """Refuses a range of no bytes."""

    def zero(self, offset: int, length: int) -> None:
        if not length:
            raise TargetError(f"{self.device.url}: nothing to zero at {offset}")
        super().zero(offset, length)


@plant("Return only when everything written before is durable, and so is the device itself if it was made.")
class NeverSyncs(RightFileTarget):
    """Leaves the bytes to the kernel."""

    def sync_file(self) -> None:
        pass


@plant("Return only when everything written before is durable, and so is the device itself if it was made.")
class NeverSyncsItsName(RightFileTarget):
    """Leaves the name of the new file to the kernel."""

    def sync_folder(self) -> None:
        pass


@plant("Return only when everything written before is durable")
class WritesWhenClosed(RightTarget):
    """Writes when it is closed."""

    def __init__(self, device: Device, request: TargetRequest) -> None:
        self._late: list[tuple[int, bytes]] = []
        super().__init__(device, request)

    def write(self, offset: int, data: memoryview) -> None:
        self.check()
        self._late.append((offset, bytes(data)))

    def zero(self, offset: int, length: int) -> None:
        self.check()
        self._late.append((offset, bytes(length)))

    def close(self) -> None:
        if not self._closed:
            for offset, data in self._late:
                super().write(offset, memoryview(data))
        super().close()


# -- close


@plant("Calling it twice does nothing.")
class ClosesOnce(RightTarget):
    """Complains when it is closed twice."""

    def close(self) -> None:
        if self._closed:
            raise TargetError(f"{self.device.url} was closed already")
        super().close()


@plant("Any other call behind it raises TargetError.")
class WritesOn(RightTarget):
    """Writes on after it was closed."""

    def close(self) -> None:
        pass


@plant("Any other call behind it raises TargetError.")
class ZerosOn(RightTarget):
    """Takes ranges to zero after it was closed, without a word."""

    def zero(self, offset: int, length: int) -> None:
        if not self._closed:
            super().zero(offset, length)


@plant("Any other call behind it raises TargetError.")
class FlushesOn(RightTarget):
    """Flushes after it was closed, without a word."""

    def flush(self) -> None:
        if not self._closed:
            super().flush()


@plant("Any other call behind it raises TargetError.")
class RaisesAnythingOnceClosed(RightTarget):
    """Raises an error of Python's once it was closed."""

    def write(self, offset: int, data: memoryview) -> None:
        if self._closed:
            raise ValueError("write to closed file")
        super().write(offset, data)


@plant("Release everything.")
class LeavesAThread(RightTarget):
    """Leaves a thread behind."""

    def close(self) -> None:
        if not self._closed:
            threading.Thread(target=time.sleep, args=(30.0,), daemon=True).start()
        super().close()


@plant("Release everything.")
class LeavesAFileOpen(RightFileTarget):
    """Leaves its file open."""

    def close(self) -> None:
        self._closed = True


OLD = b"old bytes" * (SIZE // 9 + 100)
OF_OLD_DEVICES = (
    "BeginsWithZeros",
    "CutsToSize",
    "LetsItGrow",
    "TakesTooSmall",
    "NeedsNoForce",
    "RefusesTooLate",
    "SkipsZeros",
    "ZerosNothing",
    "RightTargetOnAnOldDevice",
    "IgnoresForce",
    "ZerosWholeSectors",
    "ZerosOnlySectors",
)


class RightTargetOnAnOldDevice(RightTarget):
    """Keeps every promise; tried on a device that is there already."""


def suite_of(kind: Any) -> type:
    """The public suite, for one kind of target: on a new device, or on one that is there already."""
    if issubclass(kind, RightFileTarget):
        return _suite_of_files(kind)
    made = kind.__name__ not in OF_OLD_DEVICES

    class OnADevice(TargetSuite):
        @pytest.fixture
        def subject(self) -> TargetSubject:
            device = Device(data=bytearray() if made else bytearray(OLD))
            return TargetSubject(
                lambda request: kind(device, request),
                lambda: bytes(device.data),
                SIZE,
                creates=made,
                url=device.url,
                space_bytes=lambda: device.taken_bytes,
                outage=Outage(lambda: setattr(device, "full", True), lambda: setattr(device, "full", False), False),
                open_silent=lambda host, port, request: _silent(kind, host, port, request),
            )

    return OnADevice


def _silent(kind: Any, host: str, port: int, request: TargetRequest) -> Target:
    device = Device(data=bytearray())
    target = kind(device, request)
    device.server = (host, port)
    return target


def _suite_of_files(kind: Any) -> type:
    class OnAFile(TargetDurabilitySuite, TargetSuite):
        @pytest.fixture
        def files(self, tmp_path: Path) -> Path:
            return tmp_path / "restored"

        @pytest.fixture
        def subject(self, tmp_path: Path) -> TargetSubject:
            path = tmp_path / "restored"
            return TargetSubject(lambda request: kind(path, request), path.read_bytes, SIZE)

    return OnAFile


globals().update(FAULTS.suites(suite_of, RightTarget, RightFileTarget, RightTargetOnAnOldDevice))
