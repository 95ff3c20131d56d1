"""A source and a target in memory whose pieces can be broken one by one, on a device that changes and fails as told."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.errors import SourceError, TargetError
from backy2_core.model.extent import Extent

KIB = 1024
MIB = 1024 * KIB
SIZE = 2 * MIB + 1234
SILENCE_S = 0.3


def content() -> bytes:
    """Data, a hole, written zeros, data, a hole, and an odd end."""
    draw = random.Random(7)
    middle = bytes(MIB // 4) + bytes(MIB // 8) + draw.randbytes(MIB // 8)
    return draw.randbytes(MIB // 2) + middle + bytes(MIB) + draw.randbytes(SIZE - 2 * MIB)


DATA = (Extent(0, MIB // 2), Extent(MIB // 2 + MIB // 4, MIB // 4), Extent(2 * MIB, SIZE - 2 * MIB))


@dataclass(slots=True)
class Device:
    """Bytes under a URL; ``changes`` counts what others did to it. ``full`` lets every write fail."""

    url: str = "planted://device"
    data: bytearray = field(default_factory=lambda: bytearray(content()))
    changes: int = 0
    full: bool = False
    taken_bytes: int = 0
    server: tuple[str, int] | None = None

    def change(self) -> None:
        self.data[1000:1100] = bytes(100)
        self.changes += 1

    def cut(self) -> None:
        del self.data[len(self.data) // 2 :]
        self.changes += 1


def ask(device: Device, patience_s: float) -> None:
    """Ask the server that the device is on, if there is one."""
    if device.server is not None:
        with contextlib.closing(socket.create_connection(device.server, patience_s)) as connection:
            connection.settimeout(patience_s)
            connection.sendall(b"?")
            connection.recv(1)


class RightSource(Source):
    """Keeps every promise."""

    def __init__(self, device: Device | None) -> None:
        if device is None:
            raise self.missing()
        self.device = device
        self._size = len(device.data)
        self._identity = f"change {device.changes}"
        self._closed = False

    def missing(self) -> Exception:
        return SourceError("planted://missing is not there")

    def patience_s(self) -> float:
        return SILENCE_S

    @property
    def size_bytes(self) -> int:
        return self._size

    @property
    def identity(self) -> str:
        return self._identity

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.check()
        if offset + len(buffer) > self._size:
            raise self.beyond(offset, len(buffer))
        data = self.device.data[offset : offset + len(buffer)]
        if len(data) < len(buffer):
            raise self.beyond(offset, len(buffer))
        buffer[:] = data

    def beyond(self, offset: int, length: int) -> Exception:
        return SourceError(f"{self.device.url}: there are no {length} bytes at {offset}")

    def check(self) -> None:
        if self._closed:
            raise SourceError(f"{self.device.url} was closed")
        try:
            ask(self.device, self.patience_s())
        except OSError as error:
            raise self.silent(error) from error

    def silent(self, error: Exception) -> Exception:
        return SourceError(f"{self.device.url} does not answer: {error}", retryable=True)

    def allocated(self) -> Iterator[Extent]:
        self.check()
        return iter(DATA)

    def close(self) -> None:
        self._closed = True


class RightTarget(Target):
    """Keeps every promise."""

    def __init__(self, device: Device, request: TargetRequest) -> None:
        self.device = device
        self.request = request
        self._closed = False
        ask(device, SILENCE_S)
        self.accept(request)

    def accept(self, request: TargetRequest) -> None:
        if not self.device.data:
            self.device.data[:] = bytes(request.size_bytes)
        elif not request.force:
            raise self.refused("is there already")
        elif len(self.device.data) < request.size_bytes:
            raise self.refused("is too small")

    def refused(self, reason: str) -> Exception:
        return TargetError(f"{self.device.url} {reason}")

    def write(self, offset: int, data: memoryview) -> None:
        self.check()
        self.device.data[offset : offset + len(data)] = data
        self.device.taken_bytes += len(data)

    def zero(self, offset: int, length: int) -> None:
        self.check()
        self.device.data[offset : offset + length] = bytes(length)
        if not self.request.sparse:
            self.device.taken_bytes += length

    def flush(self) -> None:
        self.check()

    def close(self) -> None:
        self._closed = True

    def check(self) -> None:
        if self._closed:
            raise TargetError(f"{self.device.url} was closed")
        if self.device.full:
            raise self.cannot_write()
        try:
            ask(self.device, self.patience_s())
        except OSError as error:
            raise TargetError(f"{self.device.url} does not answer: {error}", retryable=True) from error

    def patience_s(self) -> float:
        return SILENCE_S

    def cannot_write(self) -> Exception:
        return TargetError(f"{self.device.url}: no space left on device")
