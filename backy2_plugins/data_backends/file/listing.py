"""Walking through the folders of a store, with no more in memory than one folder's reading position."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from backy2_core.api import BlobUid, StoredBlob
from backy2_plugins.data_backends.file.layout import uid_of
from backy2_plugins.data_backends.file.root import StoreRoot


def stored_blobs(root: StoreRoot) -> Iterator[StoredBlob]:
    """Every blob that has its name. Folders are opened below the store's own, so that a lost mount is no empty store."""
    root.check_present()
    path = ""
    try:
        for folder in _subfolders(root.fd, "."):
            for subfolder in _subfolders(root.fd, folder):
                path = f"{folder}/{subfolder}"
                yield from _blobs(root.fd, folder, subfolder)
    except OSError as error:
        raise root.failure("list", path, error) from error


def _subfolders(root_fd: int, folder: str) -> Iterator[str]:
    with _entries(root_fd, folder) as entries:
        for entry in entries:
            if len(entry.name) == 2 and entry.is_dir():
                yield entry.name


def _blobs(root_fd: int, folder: str, subfolder: str) -> Iterator[StoredBlob]:
    with _entries(root_fd, f"{folder}/{subfolder}") as entries:
        for entry in entries:
            uid = uid_of(folder, subfolder, entry.name)
            size = None if uid is None else _file_size(entry)
            if uid is not None and size is not None:
                yield StoredBlob(BlobUid(uid), size)


def _file_size(entry: os.DirEntry[str]) -> int | None:
    """Size of a regular file; None for anything else, and for one that was deleted while the listing runs."""
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


@contextlib.contextmanager
def _entries(root_fd: int, path: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of a folder. It is opened anew each time, since two listings must not share a reading position."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root_fd)
    try:
        with os.scandir(fd) as entries:
            yield entries
    finally:
        os.close(fd)
