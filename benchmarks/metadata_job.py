"""One job on the metadata alone, in a process of its own: ``python -m benchmarks.metadata_job FOLDER ours|rows JOB``.

The jobs of backy2 are the engine's own on a made device, with data dropped; those of the rows (first, incremental, rm) do
the same with one row a block. Prints the seconds of the job itself, without imports and the opening of the
database, and how many of them were spent in calls of the meta backend.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from backy2_core.api import MetaBackend
from backy2_core.cli.collector import collect_rarely
from backy2_core.engine.backup import backup
from backy2_core.engine.cleanup import cleanup
from backy2_core.engine.context import Engine
from backy2_core.engine.hints import parse_hints
from backy2_core.engine.lookup import get_version
from backy2_core.engine.requests import BackupRequest, CleanupRequest
from backy2_core.engine.retention import remove
from backy2_core.model.blob import BlobUid, blob_uid
from backy2_core.model.job import JobState
from backy2_core.model.version import VersionFilter, VersionUid
from benchmarks import made
from benchmarks.rows import Rows, version_rows
from benchmarks.sizes import KIB, parse_size
from benchmarks.stopwatch import Stopwatch

Work = Callable[[], object]
"""A job that is ready to be done."""
CHANGED = 0.001
RUN_BLOCKS = 16
RANDOM, RUNS = "random", "runs"
BLOCK_BYTES = 4 * KIB


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a job, and those of them that were spent in the meta backend."""

    seconds: float
    meta_seconds: float


@dataclass(frozen=True, slots=True)
class Task:
    """What the command line asks for."""

    folder: Path
    blocks: int
    block_bytes: int
    pattern: str
    database: str = ""

    @property
    def url(self) -> str:
        """Where backy2's tables are: in a file of SQLite unless another database was given."""
        return self.database or f"sqlite:///{self.folder}/backy2.sqlite"

    @property
    def newest_file(self) -> Path:
        """Holds the uid of the newest version."""
        return self.folder / "newest"

    @property
    def newest(self) -> VersionUid:
        """Uid of the newest version."""
        return VersionUid(self.newest_file.read_text())

    @property
    def changed(self) -> list[int]:
        """The changed blocks, ascending: 0.1 % of all, single ones or runs of 16."""
        count, dice = max(1, round(self.blocks * CHANGED)), random.Random(7)
        if self.pattern == RANDOM:
            return sorted(dice.sample(range(self.blocks), count))
        starts = dice.sample(range(self.blocks // RUN_BLOCKS), max(1, count // RUN_BLOCKS))
        return sorted(start * RUN_BLOCKS + n for start in starts for n in range(RUN_BLOCKS))


def run_ours(task: Task, job: str) -> Timing:
    """One of backy2's jobs. The version that the last backup made is the base, and the one to be removed."""
    with made.open_database(task.url) as meta:
        stopwatch = Stopwatch(meta)
        source = made.MadeSource(task.blocks, task.block_bytes, task.changed if job == "incremental" else ())
        engine = made.made_engine(stopwatch.as_meta(), source, task.block_bytes, _listed(meta, task, job))
        work = OURS[job](engine, task)
        stopwatch.seconds = 0.0
        seconds = timed(work)
        return Timing(seconds, stopwatch.seconds)


def _first(engine: Engine, task: Task) -> Work:
    return lambda: _backup(engine, task, BackupRequest("made://", "vm"), task.blocks)


def _incremental(engine: Engine, task: Task) -> Work:
    size, changed = task.block_bytes, task.changed
    hints = json.dumps([{"offset": block * size, "length": size, "exists": "true"} for block in changed])
    request = BackupRequest("made://", "vm", hints=parse_hints(hints), base=task.newest)
    return lambda: _backup(engine, task, request, len(changed))


def _backup(engine: Engine, task: Task, request: BackupRequest, expected: int) -> None:
    result = backup(engine, request)
    task.newest_file.write_text(result.version.uid)
    written = result.statistics.counts.blocks_written
    if written != expected:
        raise ValueError(f"{written} blocks were written; expected {expected}")


def _rm(engine: Engine, task: Task) -> Work:
    version = get_version(engine.meta, task.newest)
    return lambda: remove(engine, version)


def _cleanup(engine: Engine, task: Task) -> Work:
    return lambda: cleanup(engine, CleanupRequest())


def _full_cleanup(engine: Engine, task: Task) -> Work:
    return lambda: cleanup(engine, CleanupRequest(full=True))


def _ls(engine: Engine, task: Task) -> Work:
    return lambda: list(engine.meta.versions(VersionFilter()))


def _listed(meta: MetaBackend, task: Task, job: str) -> Iterable[BlobUid]:
    """The uids of the first backup's blobs, where the job lists the store."""
    if job != "full-cleanup":
        return ()
    first = min(meta.jobs(set(JobState), limit=1_000_000), key=lambda found: found.id)
    return (blob_uid(first.token, number) for number in range(task.blocks))


OURS: dict[str, Callable[[Engine, Task], Work]] = {
    "first": _first,
    "incremental": _incremental,
    "rm": _rm,
    "cleanup": _cleanup,
    "full-cleanup": _full_cleanup,
    "ls": _ls,
}


def run_rows(task: Task, job: str) -> Timing:
    """The same with one row a block; all the time is the database's."""
    rows = Rows(task.folder)
    try:
        seconds = timed(_rows_work(rows, task, job))
        return Timing(seconds, seconds)
    finally:
        rows.close()


def _rows_work(rows: Rows, task: Task, job: str) -> Work:
    if job == "rm":
        return lambda: rows.remove(2)
    version, changed = (1, range(task.blocks)) if job == "first" else (2, task.changed)
    ready = version_rows(version, task.blocks, task.block_bytes, frozenset(changed))
    return lambda: rows.insert(ready)


def timed(work: Work) -> float:
    """Seconds that ``work`` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Run one job and print its timing as JSON."""
    # As the command does when it starts.
    collect_rarely()
    parser = argparse.ArgumentParser(description="Run one job on metadata alone.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=["ours", "rows"])
    parser.add_argument("job", choices=OURS)
    parser.add_argument("--blocks", type=int, required=True)
    parser.add_argument("--block-size", type=parse_size, default=BLOCK_BYTES)
    parser.add_argument("--database", default="", help="URL of the database, in place of a file in FOLDER")
    parser.add_argument("--pattern", choices=[RANDOM, RUNS], default=RANDOM)
    arguments = parser.parse_args()
    task = Task(arguments.folder, arguments.blocks, arguments.block_size, arguments.pattern, arguments.database)
    run = run_ours if arguments.kind == "ours" else run_rows
    print(json.dumps(asdict(run(task, arguments.job))))


if __name__ == "__main__":
    main()
