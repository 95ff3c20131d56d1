"""The local filesystem: written through to the disk, and never replaced by a second writer."""

from __future__ import annotations

import errno
import os
import posixpath
import threading
from typing import Any

from backy2_fsspec.dialects.staged import StagedDialect


class LocalDialect(StagedDialect):
    """Each file is synced before it gets its name, and the folders of the names at the flush; a name is given by a hard
    link, which the kernel makes only where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._failures = 0
        self._unsynced: set[str] = set()
        self._known: set[str] = set()

    def make_folder(self, fs: Any, path: str) -> None:
        """Make a folder for the owner only."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not os.path.isdir(path):
                raise
        self._changed(path)

    def write_new(self, fs: Any, path: str, data: memoryview) -> None:
        """Write and sync a file."""
        with fs.open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def move_new(self, fs: Any, temporary: str, path: str) -> None:
        """Give the name by a hard link."""
        fs.link(temporary, path)
        os.unlink(temporary)
        self._changed(path)

    def move_over(self, fs: Any, temporary: str, path: str) -> None:
        """Rename."""
        os.replace(temporary, path)
        self._changed(path)

    def remove(self, fs: Any, path: str) -> None:
        """Remove a file."""
        os.unlink(path)
        self._changed(path)

    def flush(self) -> None:
        """Sync the folders in which names were given or removed, and those above them.

        Flushes go one after the other, and one that waited for another that failed fails too: it could not tell whether
        what it is to make durable was among what is lost.
        """
        failures = self._failures
        with self._flushing:
            if failures != self._failures:
                raise OSError(errno.EIO, "a flush beside this one failed")
            with self._lock:
                folders, self._unsynced = self._unsynced, set()
            try:
                for folder in folders.union(*map(self._above, folders)):
                    _sync(folder)
            except BaseException:
                self._failures += 1
                raise
            self._known |= folders

    def _changed(self, path: str) -> None:
        with self._lock:
            self._unsynced.add(posixpath.dirname(path))

    def _above(self, folder: str) -> set[str]:
        """The folders above one that this object has not synced before; another process may have made them just now."""
        above: set[str] = set()
        while folder.startswith(self.root + "/") and folder not in self._known:
            folder = posixpath.dirname(folder)
            above.add(folder)
        return above


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
