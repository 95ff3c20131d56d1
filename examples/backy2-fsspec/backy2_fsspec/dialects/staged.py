"""Filesystems with folders and renaming: a file is written under a temporary name, and then gets its own.

This is also how a filesystem is used of which nothing else is known: it needs a rename that replaces, as WebDAV and most
others have it. Where no step makes a file only if there is none, a look before the rename has to do.
"""

from __future__ import annotations

import contextlib
import errno
import posixpath
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from backy2_fsspec.dialects.base import PROCESS_WIDE, Dialect
from backy2_fsspec.layout import TEMPORARY_FOLDER, made_at, temporary_name

_ABANDONED_S = 86400
_PIECE_BYTES = 1024 * 1024


class StagedDialect(Dialect):
    """Writes below ``<store>/.backy2-tmp`` and renames. What killed writers left there goes after a day."""

    def __init__(self) -> None:
        super().__init__()
        self._tidy = False

    def make_root(self, fs: Any) -> None:
        """Make the store's folder; never the one above it, which may be a mount that is missing."""
        if is_folder(fs, self.root):
            return
        parent = posixpath.dirname(self.root)
        if parent.strip("/") and not is_folder(fs, parent):
            raise FileNotFoundError(
                errno.ENOENT, "the folder above the store's does not exist; make or mount it", parent
            )
        self.make_folder(fs, self.root)

    def check_root(self, fs: Any) -> None:
        """Look whether the store's folder is there."""
        if not is_folder(fs, self.root):
            raise FileNotFoundError(errno.ENOENT, "the folder of the store is gone; is it still mounted?", self.root)

    def create(self, fs: Any, path: str, data: memoryview) -> None:
        """Write a temporary file and rename it where there is none of that name."""
        with self._written(fs, data) as temporary:
            self._in_folder(fs, path, lambda: self.move_new(fs, temporary, path))

    def replace(self, fs: Any, path: str, data: memoryview) -> None:
        """Write a temporary file and rename it over what is there."""
        with self._written(fs, data) as temporary:
            self._in_folder(fs, path, lambda: self.move_over(fs, temporary, path))

    def read_into(self, fs: Any, path: str, buffer: memoryview) -> int:
        """Read in pieces, with no second copy of the whole."""
        with fs.open(path, "rb") as file:
            return fill(file, buffer)

    def write_new(self, fs: Any, path: str, data: memoryview) -> None:
        """Write a file under a name that nobody else uses, and see that it came out in full length."""
        with fs.open(path, "wb") as file:
            for start in range(0, len(data), _PIECE_BYTES):
                file.write(data[start : start + _PIECE_BYTES])
        self.check_length(fs, path, len(data))

    def check_length(self, fs: Any, path: str, length: int) -> None:
        """Raise OSError if the file has another length than was written."""
        found = self.size_of(fs, path)
        if found != length:
            raise OSError(errno.EIO, f"of {length} bytes {found} were written; is there room?", path)

    def move_new(self, fs: Any, temporary: str, path: str) -> None:
        """Rename; FileExistsError if there is one of the name. Two processes at the same moment are not kept apart."""
        with PROCESS_WIDE:
            if kind_of(fs, path) is not None:
                raise FileExistsError(errno.EEXIST, "it is there already", path)
            self.move_over(fs, temporary, path)

    def move_over(self, fs: Any, temporary: str, path: str) -> None:
        """Rename, replacing what has the name."""
        fs.mv(temporary, path)

    def make_folder(self, fs: Any, path: str) -> None:
        """Make one folder; one that is there is no error."""
        try:
            fs.mkdir(path, create_parents=False)
        except OSError:
            if not is_folder(fs, path):
                raise

    def _in_folder(self, fs: Any, path: str, action: Callable[[], None]) -> None:
        """Do something with ``path``, and again when its folders were made, if there were none."""
        try:
            action()
        except FileNotFoundError:
            self.check_root(fs)
            below = posixpath.relpath(posixpath.dirname(path), self.root)
            folder = self.root
            for part in below.split("/"):
                folder = posixpath.join(folder, part)
                self.make_folder(fs, folder)
            action()

    @contextlib.contextmanager
    def _written(self, fs: Any, data: memoryview) -> Iterator[str]:
        """A temporary file with ``data``; it is gone, or has another name, when the context ends."""
        temporary = posixpath.join(self.root, TEMPORARY_FOLDER, temporary_name(time.time(), secrets.token_hex(8)))
        self._remove_abandoned(fs)
        try:
            self._in_folder(fs, temporary, lambda: self.write_new(fs, temporary, data))
            yield temporary
        except BaseException:
            with contextlib.suppress(Exception):  # the error that is on its way tells more
                self.remove(fs, temporary)
            raise

    def _remove_abandoned(self, fs: Any) -> None:
        """Once for each open store, when it is first written to: a reader leaves it as it is."""
        if self._tidy:
            return
        self._tidy = True
        with contextlib.suppress(OSError):
            for entry in self.entries(fs, posixpath.join(self.root, TEMPORARY_FOLDER)):
                made = made_at(posixpath.basename(entry.path))
                if made is not None and made < time.time() - _ABANDONED_S:
                    with contextlib.suppress(OSError):
                        self.remove(fs, entry.path)


def fill(file: Any, buffer: memoryview, piece_bytes: int = _PIECE_BYTES) -> int:
    """Read from an open file until the buffer is full or the file ends; how many bytes there were."""
    position = 0
    while position < len(buffer):
        piece = file.read(min(piece_bytes, len(buffer) - position))
        if not piece:
            break
        buffer[position : position + len(piece)] = piece
        position += len(piece)
    return position


def is_folder(fs: Any, path: str) -> bool:
    """Whether a folder is there. fsspec's own answer would be "no" too when the server is out of reach."""
    return kind_of(fs, path) == "directory"


def kind_of(fs: Any, path: str) -> str | None:
    """What is at ``path``: "file", "directory" or something else; None if nothing is."""
    fs.invalidate_cache()
    try:
        return str(fs.info(path)["type"])
    except FileNotFoundError:
        return None
