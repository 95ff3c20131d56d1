"""Reading images and the snapshots within them, zeros left out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from backy2_core.api import Extent, Source, SourceError
from backy2_qcow2.errors import QemuError, translated
from backy2_qcow2.images import check, check_not_cut, examine
from backy2_qcow2.pool import ConnectionPool
from backy2_qcow2.server import NbdServer

_ASK_BYTES = 1024 * 1024 * 1024


class Qcow2Source(Source):
    """An image at ``qcow2://PATH``, or a snapshot within it at ``qcow2://PATH@SNAPSHOT``, opened for reading.

    As long as it is open, QEMU's locks keep virtual machines from writing to the image. ``identity`` is made of device,
    inode, size and times of the file and of all that it stands on; that of a snapshot is its number and time, and
    what the image stands on. ``thorough`` lets
    ``qemu-img check`` look at the image's tables first. Must be opened by a thread that lives as long as the source is open.
    """

    def __init__(self, url: str, *, threads: int = 4, timeout_s: float = 120.0, thorough: bool = True) -> None:
        self._url = url
        self._threads = threads
        self._closed = False
        with self._translated("open"):
            image = examine(url)
            arguments = ["--read-only", "--format=qcow2", "--cache=writeback", image.path]
            if image.snapshot_id:
                arguments.insert(0, f"--load-snapshot=snapshot.id={image.snapshot_id}")
            self._server = NbdServer(arguments, connections=threads + 1, status=True, timeout_s=timeout_s)
        self._status, *others = self._server.connections
        self._pool = ConnectionPool(others)
        try:
            with self._translated("open"):
                # Looked at again under the lock that the server holds: nothing can have changed since this.
                self._image = examine(url)
                if thorough:
                    check(self._image)
        except BaseException:
            self.close()
            raise

    @property
    def size_bytes(self) -> int:
        """Size of the device that the image holds."""
        return self._status.size_bytes

    @property
    def identity(self) -> str:
        """See the class."""
        return self._image.identity

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer`` from ``offset`` on."""
        if offset + len(buffer) > self.size_bytes:
            raise SourceError(
                f"cannot read {len(buffer)} bytes at {offset} of {self._url}: it has {self.size_bytes} bytes"
            )
        with self._translated(f"read {len(buffer)} bytes at {offset} of"), self._pool.lent() as connection:
            connection.read_into(offset, buffer)
            check_not_cut(self._image)

    def allocated(self) -> Iterator[Extent]:
        """The ranges that hold data, in the image or in what it stands on."""
        if not self._status.can_tell_ranges:
            yield from [Extent(0, self.size_bytes)] if self.size_bytes else []
            return
        start = position = 0
        while position < self.size_bytes:
            length = min(_ASK_BYTES, self.size_bytes - position)
            with self._translated(f"look for data at {position} of"):
                ranges = list(self._status.ranges(position, length))
                if not ranges:
                    raise QemuError("qemu-nbd tells of no ranges")
            for found in ranges:
                if found.is_zero:
                    if position > start:
                        yield Extent(start, position - start)
                    start = position + found.length
                position = min(position + found.length, self.size_bytes)
        if position > start:
            yield Extent(start, position - start)

    def close(self) -> None:
        """End the server. Calling it twice does nothing."""
        self._closed = True
        self._server.close()

    @contextlib.contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        if self._closed:
            raise SourceError(f"cannot {action} {self._url}: it was closed")
        with translated(SourceError, f"{action} {self._url}"):
            yield
