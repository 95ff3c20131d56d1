"""Reading regular files and block devices, holes left out, the page cache left as it was."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from backy2_core.api import Extent, Source, SourceError
from backy2_plugins import page_cache
from backy2_plugins.sources.file.url import path_of

_CANNOT_TELL = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTTY)
_ADVICE = {
    errno.ENOENT: "check the path, a snapshot may be gone",
    errno.EACCES: "check the permissions and the user that backy2 runs as",
    errno.EPERM: "check the permissions and the user that backy2 runs as",
    errno.EIO: "look into the kernel's log and check the disk",
}


class FileSource(Source):
    """A regular file or block device at ``file://PATH``, opened for reading.

    What is read must not change meanwhile: back up a snapshot, or something that nobody writes to. ``identity`` of a
    regular file is made of device, inode, size and the times of the last change of content and of inode; so it
    changes with every write that the filesystem's clock can tell from the last one.
    """

    def __init__(self, url: str, *, threads: int = 2) -> None:
        self._url = url
        self._threads = threads
        self._fd = self._open(path_of(url))
        try:
            self._size_bytes, self._identity = self._examine()
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def size_bytes(self) -> int:
        """Size of the file or device when it was opened."""
        return self._size_bytes

    @property
    def identity(self) -> str:
        """See the class; "" for a block device, whose changes leave no trace."""
        return self._identity

    @property
    def threads(self) -> int:
        """As many as were asked for."""
        return self._threads

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; what had to be fetched from the disk leaves the page cache again."""
        try:
            count = page_cache.read_through(self._fd, offset, buffer)
        except OSError as error:
            raise self._failure(f"read {self._url} at byte {offset}", error) from error
        if count != len(buffer):
            raise self._shrunk(offset + count)

    def allocated(self) -> Iterator[Extent]:
        """The ranges between holes; the whole where the filesystem cannot tell, and of a block device."""
        position = 0
        while position < self._size_bytes:
            extent = self._next_data(position)
            if extent is None:
                return
            yield extent
            position = extent.end

    def close(self) -> None:
        """Close the file. Calling it twice does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self, path: str) -> int:
        try:
            # O_NONBLOCK: opening a named pipe must end in an error, not wait for a writer.
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise self._failure(f"open {self._url}", error) from error

    def _examine(self) -> tuple[int, str]:
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISBLK(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "neither file nor block device"
            raise SourceError(f"cannot back up {self._url}: it is {kind}; give a regular file or a block device")
        try:
            page_cache.stop_read_ahead(self._fd)
            size = os.lseek(self._fd, 0, os.SEEK_END)
        except OSError as error:
            raise self._failure(f"open {self._url}", error) from error
        if stat.S_ISBLK(found.st_mode):
            return size, ""
        return size, f"{found.st_dev}:{found.st_ino}:{size}:{found.st_mtime_ns}:{found.st_ctime_ns}"

    def _next_data(self, position: int) -> Extent | None:
        """The next range with data from ``position`` on, within the size; None if there is no more."""
        try:
            start = os.lseek(self._fd, position, os.SEEK_DATA)
            stop = os.lseek(self._fd, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno in _CANNOT_TELL:
                return Extent(position, self._size_bytes - position)
            if error.errno == errno.ENXIO:
                self._check_not_cut()
                return None
            raise self._failure(f"look for holes in {self._url} at byte {position}", error) from error
        if start >= self._size_bytes:
            return None
        return Extent(start, min(stop, self._size_bytes) - start)

    def _check_not_cut(self) -> None:
        """No more data is either a hole up to the end or a file that was cut: then what is missing is not zeros."""
        size = os.fstat(self._fd).st_size
        if size < self._size_bytes:
            raise self._shrunk(size)

    def _shrunk(self, end: int) -> SourceError:
        return SourceError(
            f"{self._url} ended at byte {end}; expected {self._size_bytes} bytes, as when it was opened. "
            "Something shortened it meanwhile: back up a snapshot, or stop what writes to it"
        )

    def _failure(self, action: str, error: OSError) -> SourceError:
        advice = _ADVICE.get(error.errno or 0)
        return SourceError(f"cannot {action}: {error.strerror or error}" + (f"; {advice}" if advice else ""))
