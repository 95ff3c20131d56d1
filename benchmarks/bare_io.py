"""The plainest durable store of blobs, and the runs of a file that hold data: what the bare loops stand on."""

from __future__ import annotations

import ctypes
import os
import pickle
from collections.abc import Iterator
from ctypes import c_int64
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.sizes import KIB, MIB

BATCH_BYTES = 256 * MIB
RUN_BYTES = 4 * MIB
EARLY_BYTES = 256 * KIB
BLOBS_PER_FOLDER = 256

_SYNC_FILE_RANGE_WRITE = 2
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Index:
    """What the bare loops keep in place of a database: the number of each distinct block, and of each block of the image.

    ``known`` goes from checksum to blob number, ``blocks`` from block to blob number; what is in neither is sparse.
    """

    size_bytes: int
    block_bytes: int
    known: dict[bytes, int] = field(default_factory=dict)
    blocks: dict[int, int] = field(default_factory=dict)


class BareStore:
    """A folder of blobs by number; durable after :meth:`make_durable`. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder}/blobs"
        self._index = f"{folder}/index"
        self._new = f"{folder}/new"
        for path in (self._folder, self._new):
            os.makedirs(path, exist_ok=True)
        self._fd = os.open(self._folder, os.O_RDONLY)
        self._parent = os.open(folder, os.O_RDONLY)

    def path(self, number: int) -> str:
        """Where blob ``number`` is."""
        high, low = divmod(number // BLOBS_PER_FOLDER, 256)
        return f"{self._folder}/{high:02x}/{low:02x}/{number:012x}.blob"

    def write_temporary(self, number: int, data: memoryview) -> None:
        """Write a blob beside the others, in one folder: files made in many folders take several times as long."""
        path = self._temporary(number)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            if os.write(fd, data) != len(data):
                raise OSError(f"{path}: short write")
            start_writing(fd, 0, len(data))
        finally:
            os.close(fd)

    def make_durable(self, numbers: list[int]) -> None:
        """Give a batch of blobs their names: sync, rename, sync."""
        sync_file_system(self._fd)
        for folder in {os.path.dirname(self.path(number)) for number in numbers}:
            os.makedirs(folder, exist_ok=True)
        for number in numbers:
            os.rename(self._temporary(number), self.path(number))
        sync_file_system(self._fd)

    def _temporary(self, number: int) -> str:
        return f"{self._new}/{number:x}"

    def read(self, number: int, buffer: memoryview) -> memoryview:
        """Read a blob into ``buffer``; the part that it fills."""
        fd = os.open(self.path(number), os.O_RDONLY)
        try:
            return buffer[: os.readv(fd, [buffer])]
        finally:
            os.close(fd)

    def save(self, index: Index) -> None:
        """Write the index, durable on return."""
        with open(self._index + ".new", "wb") as file:
            pickle.dump((index.size_bytes, index.block_bytes, index.known, index.blocks), file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self._index + ".new", self._index)
        os.fsync(self._parent)

    def load(self) -> Index | None:
        """The index, or None in a new store."""
        try:
            with open(self._index, "rb") as file:
                return Index(*pickle.load(file))
        except FileNotFoundError:
            return None


def sync_file_system(fd: int) -> None:
    """Return when all that was written to the file system of ``fd`` is durable (syncfs)."""
    if _LIBC.syncfs(fd):
        raise OSError(ctypes.get_errno(), "syncfs")


def start_writing(fd: int, offset: int, length: int) -> None:
    """Let the disk begin with a range at once, where it is long enough to be worth it; does not wait.

    Without it the disk idles until the first sync: the loops take half as long again.
    """
    if length >= EARLY_BYTES and _LIBC.sync_file_range(fd, c_int64(offset), c_int64(length), _SYNC_FILE_RANGE_WRITE):
        raise OSError(ctypes.get_errno(), "sync_file_range")


def data_runs(fd: int, index: Index) -> Iterator[tuple[int, int]]:
    """Runs of blocks ``start <= n < stop`` that hold data, of about 4 MiB, ascending; holes are skipped."""
    size, step = index.size_bytes, max(1, RUN_BYTES // index.block_bytes)
    at = 0
    while at < size:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return
        hole = os.lseek(fd, data, os.SEEK_HOLE)
        start, stop = max(data, at) // index.block_bytes, -(-hole // index.block_bytes)
        for first in range(start, stop, step):
            yield first, min(first + step, stop)
        at = stop * index.block_bytes
