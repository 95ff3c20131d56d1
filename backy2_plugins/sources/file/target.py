"""Writing regular files and block devices in a restore."""

from __future__ import annotations

import errno
import os

from backy2_core.api import Target, TargetError, TargetRequest
from backy2_plugins import linux
from backy2_plugins.sources.file.opening import failure, open_target, sync_folder_of
from backy2_plugins.sources.file.write_behind import WriteBehind

_ZEROS = memoryview(b"\0" * (1024 * 1024))
_CANNOT = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.ENODEV, errno.ENOTTY)


class FileTarget(Target):
    """A regular file or block device at ``file://PATH``, opened for a restore.

    A file that is not there is made, as one hole of the asked size, for its owner only. One that is there, and a block
    device, is only taken with ``force``, and must be large enough; a larger file keeps its size and its bytes behind the
    restored ones. A block device must not be in use. When a restore fails, a new file stays as far as it got.
    """

    def __init__(self, url: str, request: TargetRequest, *, threads: int = 2) -> None:
        self._url = url
        self._sparse = request.sparse
        self._threads = threads
        self._fd, self._fresh = open_target(url, request)
        self._name_is_durable = not self._fresh
        self._behind = WriteBehind(self._fd)

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def write(self, offset: int, data: memoryview) -> None:
        """Write ``data``; may wait for the disk, so that little stays in the page cache."""
        self._check_open()
        try:
            self._write(offset, data)
        except OSError as error:
            raise self._failed("write", offset, error) from error

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros.

        Sparse: nothing on a new file, a hole on what is there. Not sparse: reserved space. Where neither can be had, zeros
        are written.
        """
        self._check_open()
        if length == 0 or (self._fresh and self._sparse):
            return
        try:
            if not self._zero_by_call(offset, length):
                self._write_zeros(offset, length)
        except OSError as error:
            raise self._failed("write zeros to", offset, error) from error

    def flush(self) -> None:
        """Write out the file, and its name if it is new."""
        self._check_open()
        try:
            os.fsync(self._fd)
            if not self._name_is_durable:
                sync_folder_of(self._url)
                self._name_is_durable = True
            self._behind.flushed()
        except OSError as error:
            raise failure(f"flush {self._url}", error) from error

    def close(self) -> None:
        """Close the file. Calling it twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _check_open(self) -> None:
        if self._fd < 0:
            raise TargetError(f"{self._url} was closed; it must be opened again to be written")

    def _write(self, offset: int, data: memoryview) -> None:
        written = 0
        while written < len(data):
            written += os.pwrite(self._fd, data[written:] if written else data, offset + written)
        self._behind.wrote(offset, written)

    def _zero_by_call(self, offset: int, length: int) -> bool:
        """Have the filesystem or the device make the zeros; False if it cannot."""
        if self._fresh:
            mode = 0
        elif self._sparse:
            mode = linux.FALLOC_FL_PUNCH_HOLE | linux.FALLOC_FL_KEEP_SIZE
        else:
            mode = linux.FALLOC_FL_ZERO_RANGE | linux.FALLOC_FL_KEEP_SIZE
        try:
            linux.fallocate(self._fd, mode, offset, length)
        except OSError as error:
            if error.errno in _CANNOT:
                return False
            raise
        return True

    def _write_zeros(self, offset: int, length: int) -> None:
        end = offset + length
        while offset < end:
            count = min(len(_ZEROS), end - offset)
            self._write(offset, _ZEROS[:count])
            offset += count

    def _failed(self, action: str, offset: int, error: OSError) -> Exception:
        return failure(f"{action} {self._url} at byte {offset}", error)
