"""Runs one command as a child and measures it: wall, CPU, peak memory, bytes added to folders.

Nothing is ever dropped from the page cache. Before each command all that it will read is read once (:func:`warm`), and
what earlier commands left to be written is written out (:func:`settle`), in the same way for every subject.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sizes import MIB


class CommandFailed(RuntimeError):
    """A measured command did not exit with 0; the message ends with what it wrote to stderr."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a command. ``cpu_s`` is user and system time; ``peak_bytes`` the largest resident size."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str = ""
    store_bytes: int = 0
    database_bytes: int = 0


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Measured:
    """Run ``command`` to its end; raises :class:`CommandFailed`.

    The peak is at least that of this process at the moment of the call, which therefore stays small.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode:
            tail = err.read().decode(errors="replace")[-2000:]
            raise CommandFailed(f"{' '.join(command)} ended with {child.returncode}: {tail}")
        return Measured(
            wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, out.read().decode(errors="replace")
        )


def median(runs: Sequence[Measured]) -> Measured:
    """The median of each figure by itself; the output of the run in the middle by wall time."""
    middle = sorted(runs, key=lambda r: r.wall_s)[(len(runs) - 1) // 2]
    return Measured(
        statistics.median(r.wall_s for r in runs),
        statistics.median(r.cpu_s for r in runs),
        round(statistics.median(r.peak_bytes for r in runs)),
        middle.output,
        round(statistics.median(r.store_bytes for r in runs)),
        round(statistics.median(r.database_bytes for r in runs)),
    )


def size_of(*paths: Path) -> int:
    """Bytes in all files of these paths, by their lengths; a path that is not there has none."""
    total = 0
    for path in paths:
        files = [path] if path.is_file() else path.rglob("*")
        total += sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink())
    return total


def warm(*paths: Path) -> None:
    """Read the data of every file of these paths once, so that it is in the page cache as far as that goes."""
    buffer = memoryview(bytearray(MIB))
    for path in paths:
        for file in sorted([path] if path.is_file() else path.rglob("*")):
            if file.is_file():
                with file.open("rb", buffering=0) as data:
                    _read_data(data.fileno(), buffer)


def _read_data(fd: int, buffer: memoryview) -> None:
    # Reading a hole would fill the page cache with zeros.
    at = 0
    while True:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            return
        hole = os.lseek(fd, at, os.SEEK_HOLE)
        while at < hole:
            at += os.preadv(fd, [buffer[: hole - at]], at)


def settle() -> None:
    """Write out what is dirty, so that no command pays for the one before it."""
    os.sync()
