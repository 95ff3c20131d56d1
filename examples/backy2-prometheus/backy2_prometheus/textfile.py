"""A file of figures that several processes change: read, changed and replaced under a lock, seen whole or as before."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Iterator

from backy2_prometheus.changes import Change
from backy2_prometheus.series import Series

log = logging.getLogger(__name__)

_LOCK_S = 5.0


def update(path: str, changes: Iterable[Change], forget_before_s: float) -> Series:
    """Make changes in the file, and drop names of which nothing was heard since; what it holds then.

    A file that cannot be understood is begun anew. Raises OSError; then nothing was changed.
    """
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    with _locked(os.path.join(folder, f".{os.path.basename(path)}.lock")):
        series = _read(path)
        series.change(changes)
        series.forget(forget_before_s)
        _replace(folder, path, series.render())
    return series


def _read(path: str) -> Series:
    try:
        with open(path, encoding="utf-8") as file:
            return Series.parse(file.read())
    except FileNotFoundError:
        return Series()
    except ValueError as error:
        log.warning("%s cannot be understood, its figures are begun anew: %s", path, error)
        return Series()


def _replace(folder: str, path: str, text: bytes) -> None:
    # The collector reads *.prom: a name that does not end so is never read half written.
    fd, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, 0o644)  # the node exporter is another user
            file.write(text)
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock; OSError if another process holds it for too long."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up_at = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.02)
        yield
    finally:
        os.close(fd)
