"""Opening what a restore writes to: a new file, or with force one that is there."""

from __future__ import annotations

import errno
import os
import stat

from backy2_core.api import TargetError, TargetRequest
from backy2_plugins.sources.file.url import path_of

_ADVICE = {
    errno.ENOENT: "; the folder must exist",
    errno.ENOTDIR: "; a part of the path is no folder",
    errno.EISDIR: "; it is a folder, give a file or a block device",
    errno.ENOSPC: "; make room there, or restore with --sparse",
    errno.EDQUOT: "; raise the quota, or restore with --sparse",
    errno.EFBIG: "; the filesystem cannot hold a file of that size",
    errno.EROFS: "; mount the filesystem writable",
    errno.EACCES: "; check the permissions and the user that backy2 runs as",
    errno.EPERM: "; check the permissions and the user that backy2 runs as",
    errno.EBUSY: "; it is mounted or used by another device, release it first",
    errno.EIO: "; look into the kernel's log and check the disk",
}


def open_target(url: str, request: TargetRequest) -> tuple[int, bool]:
    """The open file or device, and whether it was made just now (then it is one hole of the asked size)."""
    path = path_of(url)
    try:
        return _create(path, request.size_bytes), True
    except FileExistsError as error:
        if stat.S_ISDIR(_mode(url, path)):
            raise TargetError(f"cannot restore to {url}: it is a folder; give a file or a block device") from error
        if not request.force:
            raise TargetError(
                f"cannot restore to {url}: it exists already; give another target, or --force to overwrite it"
            ) from error
    except OSError as error:
        raise failure(f"create {url}", error) from error
    return _open_existing(url, path, request.size_bytes), False


def failure(action: str, error: OSError) -> TargetError:
    """The error to raise for ``error``: what could not be done, why, and what to do."""
    return TargetError(f"cannot {action}: {error.strerror or error}{_ADVICE.get(error.errno or 0, '')}")


def sync_folder_of(url: str) -> None:
    """Return when the name of the file at ``url`` is durable; raises OSError."""
    fd = os.open(os.path.dirname(os.path.abspath(path_of(url))), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _create(path: str, size_bytes: int) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, size_bytes)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _open_existing(url: str, path: str, size_bytes: int) -> int:
    mode = _mode(url, path)
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise TargetError(f"cannot restore to {url}: it is neither file nor block device")
    # On a block device O_EXCL asks that it is not in use, by a mounted filesystem for one.
    exclusive = os.O_EXCL if stat.S_ISBLK(mode) else 0
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | exclusive)
    except OSError as error:
        raise failure(f"open {url}", error) from error
    size = os.lseek(fd, 0, os.SEEK_END)
    if size < size_bytes:
        os.close(fd)
        raise TargetError(
            f"cannot restore to {url}: it has {size} bytes, and {size_bytes} are needed; "
            "make it larger, or give another target"
        )
    return fd


def _mode(url: str, path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError as error:
        raise failure(f"look at {url}", error) from error
