"""Reading through the page cache without filling it: what was not cached before is dropped again."""

from __future__ import annotations

import errno
import mmap
import os

_NOT_CACHED = (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def read_through(fd: int, offset: int, buffer: memoryview) -> int:
    """Read up to ``len(buffer)`` bytes from ``offset`` on; returns how many, fewer only at the end of the file.

    What other programs have in the cache stays there. What had to be fetched is dropped: a backup reads every byte once,
    and would otherwise drive out what the machine works with.
    """
    done = _read_cached(fd, offset, buffer)
    if done == len(buffer):
        return done
    fetched_from = offset + done
    while done < len(buffer):
        count = os.preadv(fd, [buffer[done:]], offset + done)
        if count == 0:
            break
        done += count
    drop(fd, fetched_from, offset + done - fetched_from)
    return done


def stop_read_ahead(fd: int) -> None:
    """Have the kernel fetch only what is asked for: what it reads ahead is in nobody's range, and nobody drops it.

    Reading pieces of a megabyte and more loses no speed by it; pieces of some KiB do.
    """
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)


def drop(fd: int, offset: int, length: int) -> None:
    """Drop clean pages of a range from the cache, and start to write dirty ones.

    The pages at both ends go whole: the kernel itself would keep those that are only partly in the range.
    """
    start = offset - offset % mmap.PAGESIZE
    stop = -(-(offset + length) // mmap.PAGESIZE) * mmap.PAGESIZE
    if length > 0:
        os.posix_fadvise(fd, start, stop - start, os.POSIX_FADV_DONTNEED)


def _read_cached(fd: int, offset: int, buffer: memoryview) -> int:
    try:
        return os.preadv(fd, [buffer], offset, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in _NOT_CACHED:
            return 0
        raise
