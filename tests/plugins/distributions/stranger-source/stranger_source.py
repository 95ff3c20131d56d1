"""Source ``gz``: an image in a gzip file, held in memory while it is open. ``gz:///path``."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

from backy2_core.api import Extent, Settings, Source, SourceError, Target, TargetError, TargetRequest, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_open_source(url: str) -> Source:
    """Unpack the file; needs no settings, so it does not take them."""
    try:
        return GzSource(gzip.decompress(_path(url).read_bytes()))
    except OSError as error:
        raise SourceError(f"{url} cannot be read: {error}") from error


@hookimpl
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Make a new file."""
    if _path(url).exists() and not request.force:
        raise TargetError(f"{url} exists")
    return GzTarget(_path(url), request.size_bytes)


class GzSource(Source):
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def size_bytes(self) -> int:
        return len(self._content)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self._content[offset : offset + len(buffer)]

    def allocated(self) -> Iterator[Extent]:
        yield Extent(0, len(self._content))

    def close(self) -> None:
        self._content = b""


class GzTarget(Target):
    """Bytes in memory, packed when they are flushed."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._content = bytearray(size_bytes)

    def write(self, offset: int, data: memoryview) -> None:
        self._content[offset : offset + len(data)] = data

    def zero(self, offset: int, length: int) -> None:
        self._content[offset : offset + length] = bytes(length)

    def flush(self) -> None:
        self._path.write_bytes(gzip.compress(self._content))

    def close(self) -> None:
        pass


def _path(url: str) -> Path:
    return Path(url.removeprefix("gz://"))
