"""Two ways to make files and their names durable: the whole filesystem at once, or file by file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from backy2_plugins import linux
from backy2_plugins.data_backends.file.root import StoreRoot

_THREADS = 8


class Durability(ABC):
    """Makes durable what was written to a store. Raises OSError, also for writes that failed in the background."""

    @abstractmethod
    def sync_contents(self, folder: int, names: Sequence[str]) -> None:
        """Return when the bytes of these files in the open ``folder`` are durable. A file may be deleted meanwhile."""

    @abstractmethod
    def sync_names(self, folders: Sequence[str]) -> None:
        """Return when the names in these folders, and those of the folders themselves, are durable."""


class WholeFilesystem(Durability):
    """One call for any number of files. It waits for what other programs write to the filesystem as well.

    The call goes to the store's folder, which is open since the store is: it tells of all write errors since then.
    """

    def __init__(self, root: StoreRoot) -> None:
        self._root = root

    def sync_contents(self, folder: int, names: Sequence[str]) -> None:
        """Write out the filesystem."""
        linux.syncfs(self._root.fd)

    def sync_names(self, folders: Sequence[str]) -> None:
        """Write out the filesystem."""
        linux.syncfs(self._root.fd)


class FileByFile(Durability):
    """One call a file, several at once, and one a folder."""

    def __init__(self, root: StoreRoot) -> None:
        self._root = root
        self._known: set[str] = set()

    def sync_contents(self, folder: int, names: Sequence[str]) -> None:
        """Write out each file."""

        def sync(name: str) -> None:
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            except FileNotFoundError:
                return
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)

        with ThreadPoolExecutor(_THREADS, "backy2-sync") as pool:
            for _ in pool.map(sync, names):
                pass

    def sync_names(self, folders: Sequence[str]) -> None:
        """Write out each folder, and those above it unless this object has done so before.

        A folder that was found there may have been made by another process just now, so that it is not durable yet.
        """
        above = {parent for folder in folders if folder not in self._known for parent in _parents(folder)}
        for path in [*folders, *above]:
            self._root.sync_folder(path)
        self._known.update(folders)


def choose(root: StoreRoot, method: str) -> Durability:
    """The way that ``method`` ("syncfs" or "fsync") names; file by file where syncfs is not to be relied on."""
    return WholeFilesystem(root) if method == "syncfs" and linux.syncfs_is_reliable(root.fd) else FileByFile(root)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return [".", *("/".join(parts[:count]) for count in range(1, len(parts)))]
