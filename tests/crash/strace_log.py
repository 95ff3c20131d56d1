"""Reading what strace wrote: which system calls a process made, and which surely came before which."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

TRACED = "write,pwrite64,rename,renameat,renameat2,fsync,fdatasync,syncfs,ftruncate,fallocate,unlink,unlinkat"
OPTIONS = ("-f", "-y", "-s", "5000", "-e", f"trace={TRACED}")

_LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_BEGUN = re.compile(r"^(?P<call>\w+\(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(?P<tail>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_FD = re.compile(r"^\d+<(?P<path>[^>]*)>")
_AT = re.compile(r'\d+<(?P<folder>[^>]*)>, "(?P<name>[^"]*)"')


@dataclass(frozen=True)
class Call:
    """One system call that succeeded. ``start`` and ``end`` are positions in the log.

    ``path`` is that of the descriptor it was made with; ``renamed`` are the old and the new path of a rename, and
    ``text`` is all that was passed.
    """

    name: str
    start: int
    end: int
    path: str
    text: str

    @property
    def renamed(self) -> tuple[str, str] | None:
        found = _AT.findall(self.text) if self.name in ("renameat", "renameat2") else []
        return (os.path.join(*found[0]), os.path.join(*found[1])) if len(found) == 2 else None

    @property
    def unlinked(self) -> str:
        found = _AT.search(self.text) if self.name == "unlinkat" else None
        return os.path.join(found["folder"], found["name"]) if found else ""


def read_log(path: Path) -> list[Call]:
    """The calls that succeeded, in the order in which they began."""
    return sorted(_calls(path.read_text(errors="replace").splitlines()), key=lambda call: call.start)


def _calls(lines: list[str]) -> Iterator[Call]:
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if unfinished := _BEGUN.match(rest):
            begun[pid] = (number, unfinished["call"])
            continue
        start, text = number, rest
        if resumed := _RESUMED.match(rest):
            start, head = begun.pop(pid)
            text = head + resumed["tail"]
        if (call := _CALL.match(text)) and not call["result"].startswith("-"):
            fd = _FD.match(call["arguments"])
            yield Call(call["name"], start, number, fd["path"] if fd else "", call["arguments"])


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
