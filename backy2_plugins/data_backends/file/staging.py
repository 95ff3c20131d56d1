"""The private folder in which files are written before they get their names.

``<store>/.backy2-tmp/<host>-<pid>-<random>/`` belongs to one open store and is locked as long as that lives. The kernel
lets go of the lock when the process ends, however it ends; so a folder whose lock can be taken has no owner.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator

from backy2_plugins.data_backends.file.layout import STAGING_FOLDER
from backy2_plugins.data_backends.file.root import StoreRoot

_FOREIGN_AGE_S = 86400
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Staging:
    """The private folder of one open store, made when it is first needed: reading a store leaves no trace in it.

    Threads: all methods but :meth:`close` may be called from several threads at once.
    """

    def __init__(self, root: StoreRoot) -> None:
        self._root = root
        self._making = threading.Lock()
        self._fd = -1
        self._path = ""
        self._ordinal = 0

    @property
    def fd(self) -> int:
        """The folder, open and locked; made if there is none yet."""
        if self._fd < 0:
            with self._making:
                if self._fd < 0:
                    self._path, self._fd = _make(self._root)
        return self._fd

    @property
    def path(self) -> str:
        """The folder below the store's, for messages."""
        return self._path or STAGING_FOLDER

    def fresh_name(self) -> str:
        """A name that no blob has and that this folder has not had before."""
        with self._making:
            self._ordinal += 1
            return f"document.{self._ordinal}"

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens if that is not possible, since the next opening removes all of the folder."""
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=self.fd)

    def close(self) -> None:
        """Remove the folder and what is in it. Calling it twice does nothing."""
        if self._fd >= 0:
            _remove(self._root, self._path, self._fd)
            os.close(self._fd)
            self._fd = -1


def remove_abandoned(root: StoreRoot) -> None:
    """Remove the staging folders whose owner is dead.

    Locks of another host may not be visible through a network filesystem; so its folders go only after a day of silence
    too. A store that cannot be written to is left as it is.
    """
    for name in _folders(root):
        path = f"{STAGING_FOLDER}/{name}"
        with contextlib.suppress(OSError):
            fd = os.open(path, _FOLDER_FLAGS, dir_fd=root.fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if name.startswith(_host() + "-") or time.time() - os.fstat(fd).st_mtime > _FOREIGN_AGE_S:
                    _remove(root, path, fd)
            finally:
                os.close(fd)


def _folders(root: StoreRoot) -> Iterator[str]:
    try:
        fd = os.open(STAGING_FOLDER, _FOLDER_FLAGS, dir_fd=root.fd)
    except OSError:
        return
    try:
        yield from os.listdir(fd)
    finally:
        os.close(fd)


def _make(root: StoreRoot) -> tuple[str, int]:
    root.make_folders(STAGING_FOLDER)
    while True:
        path = f"{STAGING_FOLDER}/{_host()}-{os.getpid()}-{secrets.token_hex(4)}"
        os.mkdir(path, 0o700, dir_fd=root.fd)
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(path, _FOLDER_FLAGS, dir_fd=root.fd)
            if _lock(root, path, fd):
                return path, fd
            os.close(fd)


def _lock(root: StoreRoot, path: str, fd: int) -> bool:
    """Lock a folder just made; False if another process took it for abandoned before it was locked."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.stat(path, dir_fd=root.fd), os.fstat(fd))
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        # A filesystem without locks: nobody else can take this one either, so the folder is safe but never tidied up.
        return True


def _remove(root: StoreRoot, path: str, fd: int) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(fd):
            os.unlink(name, dir_fd=fd)
        os.rmdir(path, dir_fd=root.fd)


def _host() -> str:
    return re.sub(r"[^0-9A-Za-z.]", "_", socket.gethostname()) or "host"
