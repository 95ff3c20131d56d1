"""Asking what strace wrote of a whole process: which system calls surely came before which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from backy2_core.testing.strace import Call, read_record

TRACED = "write,pwrite64,rename,renameat,renameat2,fsync,fdatasync,syncfs,ftruncate,fallocate,unlink,unlinkat"
OPTIONS = ("-f", "-y", "-s", "5000", "-e", f"trace={TRACED}")


def read_log(path: Path) -> list[Call]:
    """The calls that succeeded, in the order in which they began."""
    return sorted(read_record(path), key=lambda call: call.start)


def renamed(call: Call) -> tuple[str, ...]:
    """The old and the new path of a rename, or nothing."""
    return call.paths if call.name.startswith("rename") else ()


def unlinked(call: Call) -> str:
    """The path that was unlinked, or ""."""
    return call.paths[0] if call.name.startswith("unlink") else ""


class Log:
    """Questions about the order of calls. A call comes before another only if it ended before the other began."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls

    def without(self, unwanted: Callable[[Call], bool]) -> Log:
        """The same log as if these calls had not been made."""
        return Log([call for call in self.calls if not unwanted(call)])

    def writes(self, path: str) -> list[Call]:
        """Writes to a file."""
        return [call for call in self.calls if call.name in ("write", "pwrite64") and call.path == path]

    def synced(self, paths: set[str], after: int, before: int) -> bool:
        """Whether one of these files, or the filesystem through one of these folders, was synced between two positions."""
        return any(
            call.start > after and call.end < before and call.path in paths
            for call in self.calls
            if call.name in ("fsync", "fdatasync", "syncfs")
        )

    def synced_alone(self, path: str, after: int, before: int) -> bool:
        """Whether this very file or folder was synced by fsync or fdatasync between two positions."""
        return any(
            call.start > after and call.end < before and call.path == path
            for call in self.calls
            if call.name in ("fsync", "fdatasync")
        )

    def mark(self, point: str) -> list[Call]:
        """When the process was at this point."""
        return [call for call in self.calls if call.name == "write" and f'"{point}\\n"' in call.text]
