"""Calls of Linux that the os module lacks; each raises OSError as those of the os module do."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import re
from typing import Any

FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02
FALLOC_FL_ZERO_RANGE = 0x10

_RENAME_NOREPLACE = 1
_SYNC_FILE_RANGE_WAIT_BEFORE = 1
_SYNC_FILE_RANGE_WRITE = 2
_SYNC_FILE_RANGE_WAIT_AFTER = 4

_SYNCFS_IS_DURABLE = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # xfs
    0x9123683E,  # btrfs
    0x2FC12FC1,  # zfs
    0xF2F52010,  # f2fs
    0xCA451A4E,  # bcachefs
    0x01021994,  # tmpfs: nothing there outlives the machine anyway
    0x6969,  # nfs
    0x00C36400,  # ceph
    0x01161970,  # gfs2
    0x7461636F,  # ocfs2
}
_STATFS_BYTES = 512

_SIGNATURES: dict[str, tuple[type[Any], ...]] = {
    "syncfs": (ctypes.c_int,),
    "fstatfs": (ctypes.c_int, ctypes.c_char_p),
    "renameat2": (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint),
    "fallocate": (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64),
    "sync_file_range": (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint),
}


def syncfs(fd: int) -> None:
    """Return when all of the filesystem that ``fd`` lies on is durable; tell of write errors since ``fd`` was opened."""
    _call("syncfs", fd)


def syncfs_is_reliable(fd: int) -> bool:
    """Whether :func:`syncfs` on the filesystem of ``fd`` makes all durable, and tells of write errors.

    The kernel tells of them since Linux 5.8. On FUSE and some network filesystems the call ends when the data was sent,
    without asking the other side to keep it; so only filesystems that are known to do better count.
    """
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return (int(major), int(minor)) >= (5, 8) and _filesystem_type(fd) in _SYNCFS_IS_DURABLE


def rename_new(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename ``old`` to ``new``, both relative to open folders; FileExistsError if ``new`` is there already.

    A filesystem that cannot rename so gets a second name and loses the first, which is as atomic.
    """
    try:
        _call("renameat2", old_folder, os.fsencode(old), new_folder, os.fsencode(new), _RENAME_NOREPLACE)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL):
            raise
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
        os.unlink(old, dir_fd=old_folder)


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """Allocate, punch or zero a range, as ``mode`` says; EOPNOTSUPP where the filesystem or device cannot."""
    _call("fallocate", fd, mode, offset, length)


def start_writing(fd: int, offset: int, length: int) -> None:
    """Start to write the dirty pages of a range, without waiting."""
    _call("sync_file_range", fd, offset, length, _SYNC_FILE_RANGE_WRITE)


def finish_writing(fd: int, offset: int, length: int) -> None:
    """Wait until the pages of a range were written. This alone makes nothing durable: metadata and disk cache remain."""
    flags = _SYNC_FILE_RANGE_WAIT_BEFORE | _SYNC_FILE_RANGE_WRITE | _SYNC_FILE_RANGE_WAIT_AFTER
    _call("sync_file_range", fd, offset, length, flags)


def _filesystem_type(fd: int) -> int:
    """The magic number of the filesystem: the first word of what fstatfs tells."""
    told = ctypes.create_string_buffer(_STATFS_BYTES)
    _call("fstatfs", fd, told)
    return ctypes.c_long.from_buffer(told).value & 0xFFFFFFFF


def _call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> None:
    function = _function(name)
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    while function(*arguments) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


@functools.cache
def _function(name: str) -> ctypes._NamedFuncPointer | None:
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError:
        return None
    function.argtypes = _SIGNATURES[name]
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]
