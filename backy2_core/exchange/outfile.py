"""A file that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backy2_core.errors import ExchangeError, UsageError

_MODE = 0o600


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A file to be written, which takes the place of ``path`` at the end of the ``with``, durably; on any error nothing does.

    What is no regular file (a device, a pipe) is written as it is. Raises :class:`UsageError` where it cannot be made,
    :class:`ExchangeError` where it cannot be written.
    """
    if _is_special(Path(path)):
        # By the name that was given: behind a link such as /dev/stdout may be a pipe, which has no other name.
        with _open(Path(path), os.O_WRONLY) as out, _translated(path):
            yield out
            out.flush()
        return
    place = Path(os.path.realpath(path))
    fresh = place.with_name(f".{place.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        with _open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as out, _translated(path):
            yield out
            out.flush()
            os.fsync(out.fileno())
            os.replace(fresh, place)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    with _translated(path):
        _sync_folder(place.parent)


def _is_special(place: Path) -> bool:
    try:
        return not stat.S_ISREG(place.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"The dump cannot be written to {place}: {error.strerror}.") from error


def _open(place: Path, flags: int) -> BinaryIO:
    try:
        return os.fdopen(os.open(place, flags | os.O_CLOEXEC, _MODE), "wb")
    except OSError as error:
        raise UsageError(f"The dump cannot be written to {place}: {error.strerror}.") from error


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ExchangeError(
            f"The dump cannot be written to {path}: {error.strerror}. What was there is there still."
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
