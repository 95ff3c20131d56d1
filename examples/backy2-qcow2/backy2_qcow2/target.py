"""Writing images in a restore."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from backy2_core.api import Target, TargetError, TargetRequest
from backy2_qcow2.errors import QemuError, translated
from backy2_qcow2.images import create, examine, split
from backy2_qcow2.pool import ConnectionPool
from backy2_qcow2.server import NbdServer


class Qcow2Target(Target):
    """An image at ``qcow2://PATH``, opened for a restore.

    One that is not there is made, for its owner only, without a backing file. One that is there is only taken with
    ``force``, and must be large enough; it keeps its size, its snapshots and what it stands on. When a restore fails, a new
    image stays as far as it got. Must be opened by a thread that lives as long as the target is open.
    """

    def __init__(
        self,
        url: str,
        request: TargetRequest,
        *,
        threads: int = 4,
        timeout_s: float = 120.0,
        create_options: Sequence[str] = (),
    ) -> None:
        self._url = url
        self._sparse = request.sparse
        self._threads = threads
        self._closed = False
        with self._translated("restore to"):
            self._path, snapshot = split(url)
            if snapshot:
                raise QemuError("it names a snapshot, and nothing can be written into one; name an image")
            self._fresh = self._make(request, create_options)
            arguments = ["--format=qcow2", "--cache=writeback", "--discard=unmap", self._path]
            self._server = NbdServer(arguments, connections=threads, status=False, timeout_s=timeout_s)
        self._pool = ConnectionPool(self._server.connections)
        self._name_is_durable = not self._fresh

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def write(self, offset: int, data: memoryview) -> None:
        """Write ``data``."""
        with self._translated(f"write {len(data)} bytes at {offset} of"), self._pool.lent() as connection:
            connection.write(offset, data)

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros: nothing on a new image that is to be sparse, else clusters that say so."""
        if length == 0 or (self._fresh and self._sparse and not self._closed):
            return
        with self._translated(f"write {length} zeros at {offset} of"), self._pool.lent() as connection:
            connection.zero(offset, length, may_be_hole=self._sparse)

    def flush(self) -> None:
        """Write out the image, and its name if it is new."""
        with self._translated("flush"), self._pool.lent() as connection:
            connection.flush()
            if not self._name_is_durable:
                _sync_folder(os.path.dirname(self._path))
                self._name_is_durable = True

    def close(self) -> None:
        """End the server, which lets go of the image. Calling it twice does nothing."""
        self._closed = True
        self._server.close()

    def _make(self, request: TargetRequest, options: Sequence[str]) -> bool:
        """Whether the image was made just now; else it was there, and may be taken."""
        try:
            create(self._path, request.size_bytes, options)
            return True
        except FileExistsError as error:
            if not request.force:
                raise TargetError(
                    f"cannot restore to {self._url}: it exists already; give another target, or --force to overwrite it"
                ) from error
        size = examine(self._url).size_bytes
        if size < request.size_bytes:
            raise TargetError(
                f"cannot restore to {self._url}: it has {size} bytes, and {request.size_bytes} are needed; make it "
                f"larger with: qemu-img resize, or give another target"
            )
        return False

    @contextlib.contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        if self._closed:
            raise TargetError(f"cannot {action} {self._url}: it was closed")
        with translated(TargetError, f"{action} {self._url}"):
            yield


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
