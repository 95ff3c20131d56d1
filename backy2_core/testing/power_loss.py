"""What a power loss would take away: files and names that were not synced, told from the system calls made before."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backy2_core.testing.strace import NAMING, REMOVING, SYNCING, WRITING, Call

_DESCRIPTOR = re.compile(r"/(?:proc/self|dev)/fd/(\d+)$")
_SYNCED_WRITES = ("O_SYNC", "O_DSYNC")
_MAKING = ("O_CREAT", "O_TMPFILE")


@dataclass(slots=True, eq=False)
class _File:
    """A file, whatever it is called. ``unsynced`` are the positions at which writes ended that nothing has synced yet."""

    unsynced: list[int] = field(default_factory=list)
    synced_by_itself: bool = False


class Disk:
    """A disk below one path, as the calls of a process leave it; ``see`` them in order, and ask in between.

    ``volatile`` are patterns of names of files that need not survive. Not seen: what is written through a mapping into
    memory.
    """

    def __init__(self, path: str, volatile: Sequence[str] = ()) -> None:
        self._path = os.path.normpath(path)
        self._volatile = volatile
        self._files: dict[str, _File] = {}
        self._new_names: dict[str, int] = {}
        self._gone_names: dict[str, int] = {}
        self._descriptors: dict[int, str] = {}
        self.named_too_early: list[str] = []
        self.bytes_written = 0

    def see(self, call: Call) -> None:
        """Take note of a call."""
        if call.name in WRITING:
            self._write(call)
        elif call.name in SYNCING:
            self._sync(call)
        elif call.name in NAMING:
            self._name(call)
        elif call.name in REMOVING:
            self._remove(call)

    def unsynced_files(self) -> list[str]:
        """Files that have a name and hold writes that were not synced."""
        return sorted(path for path, file in self._files.items() if file.unsynced and self._matters(path))

    def unsynced_names(self) -> list[str]:
        """Names of files, and of folders above them, that stand in folders that were not synced since."""
        needed = {above for path in self._files if self._matters(path) for above in self._with_those_above(path)}
        return sorted(needed & self._new_names.keys())

    def unsynced_removals(self) -> list[str]:
        """Names that went, from folders that were not synced since."""
        return sorted(path for path in self._gone_names if self._matters(path))

    def _matters(self, path: str) -> bool:
        return self._is_within(path) and not any(
            fnmatch.fnmatchcase(part, pattern) for part in path.split(os.sep) for pattern in self._volatile
        )

    def _is_within(self, path: str) -> bool:
        return path == self._path or path.startswith(self._path + os.sep)

    def _with_those_above(self, path: str) -> Iterator[str]:
        while self._is_within(path):
            yield path
            path = os.path.dirname(path)

    def _write(self, call: Call) -> None:
        if not self._is_within(call.path):
            return
        self.bytes_written += call.result
        file = self._files.setdefault(call.path, _File())
        if not file.synced_by_itself:
            file.unsynced.append(call.end)

    def _sync(self, call: Call) -> None:
        """What ended before this began is safe: of a file its writes, of a folder its names, by syncfs everything."""
        everything = call.name in ("sync", "syncfs")
        for path, file in self._files.items():
            if everything or path == call.path:
                file.unsynced = [end for end in file.unsynced if end > call.start]
        for names in (self._new_names, self._gone_names):
            for path, end in list(names.items()):
                if end < call.start and (everything or os.path.dirname(path) == call.path):
                    del names[path]

    def _name(self, call: Call) -> None:
        if call.name.startswith(("open", "creat")):
            self._open(call)
        elif call.name.startswith("mkdir"):
            self._new_names[call.paths[0]] = call.end
        elif len(call.paths) == 2:
            self._move_or_link(call, *call.paths)

    def _open(self, call: Call) -> None:
        self._descriptors[call.result] = call.opened
        if not any(flag in call.text for flag in _MAKING) and call.name != "creat":
            return
        if not self._is_within(call.opened):
            return
        if call.opened not in self._files:
            self._files[call.opened] = _File(synced_by_itself=any(flag in call.text for flag in _SYNCED_WRITES))
            if "O_TMPFILE" not in call.text:
                self._new_names[call.opened] = call.end

    def _move_or_link(self, call: Call, old: str, new: str) -> None:
        if descriptor := _DESCRIPTOR.search(old):
            old = self._descriptors.get(int(descriptor[1]), old)
        file = self._files.get(old)
        if file is not None and any(end < call.start for end in file.unsynced) and self._matters(new):
            self.named_too_early.append(new)
        if self._is_within(new):
            self._files[new] = file or _File()
            self._new_names[new] = call.end
        if call.name.startswith("rename"):
            self._files.pop(old, None)
            self._new_names.pop(old, None)

    def _remove(self, call: Call) -> None:
        path = call.paths[0] if call.paths else ""
        self._files.pop(path, None)
        if self._new_names.pop(path, None) is None and self._is_within(path):
            self._gone_names[path] = call.end
