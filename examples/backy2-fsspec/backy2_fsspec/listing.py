"""Walking through the folders of a store, with one folder in memory at a time.

No connection is held while the caller looks at what was found: it may use the store meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

from backy2_core.api import StoredBlob
from backy2_fsspec.connections import Connections
from backy2_fsspec.dialects.base import Entry
from backy2_fsspec.layout import uid_of


def stored_blobs(connections: Connections) -> Iterator[StoredBlob]:
    """Every blob. Folders are named by the first letters of the uids, so that each holds a small part of all."""
    for folder in _folders(connections, connections.dialect.root):
        if connections.dialect.lists_subtrees:
            yield from _blobs(connections, folder)
        else:
            for subfolder in _folders(connections, folder):
                yield from _blobs(connections, subfolder)


def _folders(connections: Connections, folder: str) -> Iterator[str]:
    for entry in _entries(connections, folder):
        if entry.is_folder and len(entry.path.rpartition("/")[2]) == 2:
            yield entry.path


def _blobs(connections: Connections, folder: str) -> Iterator[StoredBlob]:
    for entry in _entries(connections, folder, below=connections.dialect.lists_subtrees):
        uid = uid_of("/".join(entry.path.split("/")[-3:]))
        if uid is not None and not entry.is_folder:
            yield StoredBlob(uid, entry.size_bytes)


def _entries(connections: Connections, folder: str, *, below: bool = False) -> list[Entry]:
    """What is in a folder; nothing, if it vanished meanwhile with the last file in it."""
    dialect = connections.dialect
    try:
        with connections.use(f"list {folder}") as fs:
            return dialect.files_below(fs, folder) if below else dialect.entries(fs, folder)
    except FileNotFoundError:
        return []
