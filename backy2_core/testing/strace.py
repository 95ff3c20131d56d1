"""Recording the system calls of a child by strace, and reading what was recorded."""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shutil
import subprocess
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

Mark = Callable[[str], None]

NAMING = ("open", "openat", "openat2", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link", "linkat")
REMOVING = ("unlink", "unlinkat", "rmdir")
WRITING = (
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
)
SYNCING = ("fsync", "fdatasync", "sync", "syncfs")
MARK = "backy2-mark "

_ANY_TRACER = ctypes.c_ulong(-1)
_SET_TRACER = 0x59616D61
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_BEGUN = re.compile(r"^(?P<call>\w+\(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(?P<tail>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)(?:<(?P<opened>.*)>)?")
_FD = re.compile(r"^(?P<number>\d+)<(?P<path>[^>]*)>")
_NAMES = re.compile(r'(?:(?:\d+|AT_FDCWD)<(?P<folder>[^>]*)>, )?"(?P<name>[^"]*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One system call that succeeded. ``start`` and ``end`` are positions in the record.

    ``path`` is that of the descriptor it was made with, ``paths`` are those that it names, ``opened`` is what an open gave,
    and ``result`` the number that came back. ``text`` is all that was passed.
    """

    name: str
    start: int
    end: int
    path: str
    paths: tuple[str, ...]
    opened: str
    result: int
    text: str

    @property
    def mark(self) -> str:
        """What the child said at this place, or ""."""
        return self.text.partition(MARK)[2].partition("\\n")[0] if self.name == "write" and MARK in self.text else ""


@functools.cache
def why_no_strace() -> str:
    """Why nothing can be recorded here, or "" where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: install the package strace to have the order of system calls checked"
    tried = subprocess.run(["strace", "-f", "-o", os.devnull, "true"], capture_output=True, check=False)
    return "strace is not permitted here: it needs the right to trace processes" if tried.returncode else ""


def record(work: Callable[[Mark], None], log: Path) -> list[Call]:
    """Let a forked child do the work, and return its system calls; ``work`` may mark places in the record.

    Raises RuntimeError with the child's traceback if the work failed.
    """
    go, gone = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of threads that are not forked along; the child needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_the_child(work, go[0], gone[1])
    os.close(go[0])
    os.close(gone[1])
    strace = _attach(child, log)
    os.write(go[1], b"!")
    os.close(go[1])
    with open(gone[0], encoding="utf-8") as said:
        complaint = said.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    strace.communicate()
    if status != 0:
        raise RuntimeError(f"the child that was traced ended with {status}:\n{complaint}")
    return read_record(log)


def read_record(log: Path) -> list[Call]:
    """The calls that strace wrote into a file (options -f and -y) and that succeeded, in the order in which they ended."""
    return sorted(_calls(log.read_text(errors="replace").splitlines()), key=lambda call: call.end)


def _attach(child: int, log: Path) -> subprocess.Popen[str]:
    calls = ",".join(f"?{name}" for name in (*NAMING, *REMOVING, *WRITING, *SYNCING))
    command = ["strace", "-f", "-y", "-s", "100", "-e", f"trace={calls}", "-o", str(log), "-p", str(child)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    said = strace.stderr.readline()
    assert "attached" in said, f"strace could not be attached: {said}"
    return strace


def _be_the_child(work: Callable[[Mark], None], go: int, gone: int) -> NoReturn:
    """Do the work when told so; never comes back, and runs nothing of the parent's at its end."""
    code = 1
    try:
        # Where the kernel lets only parents trace: whoever wants may trace this one.
        ctypes.CDLL(None).prctl(_SET_TRACER, _ANY_TRACER, 0, 0, 0)
        os.read(go, 1)
        marks = os.open(os.devnull, os.O_WRONLY)
        work(lambda text: _write(marks, f"{MARK}{text}\n"))
        code = 0
    except BaseException:  # the parent is told, whatever it is
        _write(gone, traceback.format_exc())
    finally:
        os._exit(code)


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode())


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
        if (resumed := _RESUMED.match(rest)) and pid in begun:
            start, head = begun.pop(pid)
            text = head + resumed["tail"]
        if (call := _CALL.match(text)) and not call["result"].startswith("-"):
            yield _call(call, start, number)


def _call(found: re.Match[str], start: int, end: int) -> Call:
    name, text = found["name"], found["arguments"]
    fd = _FD.match(text)
    named = _NAMES.findall(text) if name in (*NAMING, *REMOVING) else []
    paths = tuple(os.path.normpath(os.path.join(folder or os.getcwd(), path)) for folder, path in named)
    path = fd["path"] if fd else ""
    if name in ("copy_file_range", "sendfile"):
        path = _written_by_copying(name, text)
    return Call(name, start, end, path, paths, found["opened"] or "", int(found["result"]), text)


def _written_by_copying(name: str, text: str) -> str:
    """The path of the second descriptor of copy_file_range, the first of sendfile."""
    descriptors = re.findall(r"\b\d+<([^>]*)>", text)
    place = 1 if name == "copy_file_range" else 0
    return descriptors[place] if len(descriptors) > place else ""
