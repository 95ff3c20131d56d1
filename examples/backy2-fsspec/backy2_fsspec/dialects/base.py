"""What differs between filesystems: how a file is written whole, read, listed, and which errors pass by themselves."""

from __future__ import annotations

import errno
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a listing; ``path`` is as the filesystem names it."""

    path: str
    is_folder: bool
    size_bytes: int


class Dialect(ABC):
    """How one kind of filesystem is used. ``fs`` is an object of fsspec, for one thread at a time; paths are its own.

    Errors are those of fsspec; FileNotFoundError and FileExistsError mean what they say. Threads: all methods may be
    called from several threads at once. ``root`` is the store's folder, set when it is known.
    """

    persistent = True
    """Whether what is written outlives the process."""
    lists_subtrees = False
    """Whether one call lists a folder with all below it as cheaply as the folder alone."""

    def __init__(self) -> None:
        self.root = ""
        self.access: AbstractContextManager[Any] = nullcontext()

    def connected(self, fs: Any) -> None:
        """Called when a connection was made."""

    def disconnect(self, fs: Any) -> None:
        """Let go of a connection."""

    @abstractmethod
    def make_root(self, fs: Any) -> None:
        """Make the store's folder, if its parent is there."""

    def check_root(self, fs: Any) -> None:
        """Raise FileNotFoundError if the store itself is gone: what is missing then is not a blob."""

    @abstractmethod
    def create(self, fs: Any, path: str, data: memoryview) -> None:
        """Make a file, whole or not at all; FileExistsError if there is one."""

    @abstractmethod
    def replace(self, fs: Any, path: str, data: memoryview) -> None:
        """Make a file, or replace the one that is there, whole or not at all."""

    @abstractmethod
    def read_into(self, fs: Any, path: str, buffer: memoryview) -> int:
        """Fill ``buffer`` from the beginning of a file; fewer bytes than it holds if the file is shorter."""

    def flush(self) -> None:
        """Return when all that was written is durable, as far as the filesystem can be asked for that."""

    def size_of(self, fs: Any, path: str) -> int:
        """Size of a file in bytes."""
        fs.invalidate_cache()
        found = fs.info(path)
        if found["type"] != "file":
            raise FileNotFoundError(errno.ENOENT, "it is no file", path)
        return int(found["size"])

    def remove(self, fs: Any, path: str) -> None:
        """Remove a file."""
        fs.rm_file(path)

    def entries(self, fs: Any, folder: str) -> list[Entry]:
        """What is in a folder."""
        fs.invalidate_cache()
        return [_entry(found) for found in fs.ls(folder, detail=True)]

    def files_below(self, fs: Any, folder: str) -> list[Entry]:
        """All files in a folder and below it, where :attr:`lists_subtrees` holds."""
        fs.invalidate_cache()
        return [_entry(found) for found in fs.find(folder, detail=True).values()]

    def is_passing(self, error: Exception) -> bool:
        """Whether the same call may succeed later: the network, the server or a time-out is at fault."""
        return any(_is_passing(cause) for cause in _causes(error))


PROCESS_WIDE = threading.RLock()
"""For filesystems that cannot check and write in one step: at least within one process nobody comes between."""


def _entry(found: dict[str, Any]) -> Entry:
    return Entry(found["name"].rstrip("/"), found["type"] == "directory", int(found["size"] or 0))


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError | EOFError):
        return True
    if isinstance(error, OSError) and error.errno in PASSING:
        return True
    # What HTTP libraries raise has the answer's status under one of these names.
    return any(getattr(error, name, None) in _PASSING_STATUS for name in ("status", "status_code", "code"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
