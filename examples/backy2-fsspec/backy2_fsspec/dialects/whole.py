"""Object stores: a file is there when the one call that writes it was done, and there are no folders."""

from __future__ import annotations

from typing import Any

from backy2_fsspec.dialects.base import PROCESS_WIDE, Dialect


class WholeDialect(Dialect):
    """Writes each file in one call. ``create`` is as exclusive as the filesystem's own mode ``create``."""

    lists_subtrees = True

    def make_root(self, fs: Any) -> None:
        """Nothing: a folder is there as soon as something is in it."""

    def create(self, fs: Any, path: str, data: memoryview) -> None:
        """Write with the condition that there is none."""
        fs.invalidate_cache()
        fs.pipe_file(path, bytes(data), mode="create")

    def replace(self, fs: Any, path: str, data: memoryview) -> None:
        """Write, whatever was there."""
        fs.pipe_file(path, bytes(data))

    def read_into(self, fs: Any, path: str, buffer: memoryview) -> int:
        """Read in one call."""
        data = fs.cat_file(path)[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)


class MemoryDialect(WholeDialect):
    """fsspec's memory, for trying things out: one for all of the process, and for one thread at a time."""

    persistent = False

    def __init__(self) -> None:
        super().__init__()
        self.access = PROCESS_WIDE
