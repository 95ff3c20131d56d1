"""The store's folder, held open; all paths of the store are relative to it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from backy2_core.api import DataBackendError

_MAY_PASS = (errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ENETDOWN, errno.ENETUNREACH, errno.ESTALE, errno.ETIMEDOUT)
_ADVICE = {
    errno.ENOSPC: "; make room there, or run a cleanup",
    errno.EDQUOT: "; raise the quota, or run a cleanup",
    errno.EROFS: "; mount the filesystem writable",
    errno.EACCES: "; check the permissions and the user that backy2 runs as",
    errno.EPERM: "; check the permissions and the user that backy2 runs as",
    errno.EMFILE: "; raise the limit of open files",
    errno.EIO: "; look into the kernel's log and check the disk",
}


class StoreRoot:
    """Holds the folder open, so that it stays the same one whatever is mounted or renamed while it is in use."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.fd = _open(self.path)

    def close(self) -> None:
        """Let go of the folder. Calling it twice does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def check_open(self) -> None:
        """Raise if the store was closed, in a call that would find nothing to do in it."""
        if self.fd < 0:
            raise DataBackendError(f"the store {self.path} was closed; open it again")

    def failure(self, action: str, path: str, error: OSError, *, final: bool = False) -> DataBackendError:
        """The error to raise for ``error``: what could not be done, where, why, and what to do.

        ``final``: the same call would not help, whatever the cause.
        """
        advice = _ADVICE.get(error.errno or 0, "")
        message = f"cannot {action} {self.path}/{path}: {error.strerror or error}{advice}"
        return DataBackendError(message, retryable=not final and error.errno in _MAY_PASS)

    def check_present(self) -> None:
        """Raise if the store itself is gone: what is missing then is not a blob."""
        try:
            there, held = os.stat(self.path), os.fstat(self.fd)
        except OSError as error:
            raise DataBackendError(f"the store {self.path} is gone: {error.strerror}; is it still mounted?") from error
        if (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
            raise DataBackendError(f"the store {self.path} was replaced while in use; is something else mounted there?")

    def make_folders(self, path: str) -> None:
        """Make the folder ``path`` and those above it, for the owner only."""
        for end in [i for i, c in enumerate(path) if c == "/"] + [len(path)]:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path[:end], 0o700, dir_fd=self.fd)

    def sync_folder(self, path: str) -> None:
        """Return when the names in the folder ``path`` are durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.fd)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _open(path: str) -> int:
    try:
        _make(path)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise DataBackendError(
            f"cannot open the store {path}: its parent folder does not exist; make it, mount it, or correct the path"
        ) from error
    except NotADirectoryError as error:
        raise DataBackendError(f"cannot open the store {path}: it is not a folder; correct the path") from error
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "")
        raise DataBackendError(f"cannot open the store {path}: {error.strerror}{advice}") from error


def _make(path: str) -> None:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another process opens the same new store
            os.mkdir(path, 0o700)
        parent = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
