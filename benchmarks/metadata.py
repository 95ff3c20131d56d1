"""What metadata cost at 262,144 blocks (1 TiB at 4 MiB) with 0.1 % changed, beside one indexed row a block.

Only the number of blocks counts for metadata, so the device is made of small blocks and its data are dropped: what is
measured is the whole job of the engine, from the lease to the valid version.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure, report
from benchmarks.subjects import PROJECT

BLOCKS = 262_144
FEW_BLOCKS = 1_000
TIME_TARGET, BYTES_TARGET, RM_TARGET = 1 / 20, 1 / 5, 1 / 50
PATTERNS = {"random": "0.1 % changed, random", "runs": "0.1 % changed, runs of 16"}


@dataclass(frozen=True, slots=True)
class Job:
    """One measured job: seconds of the job itself, those in the meta backend, bytes added, peak memory."""

    seconds: float
    meta_seconds: float
    added_bytes: int
    peak_bytes: int


Round = dict[str, Job]
"""By "subject job" or "subject job pattern"."""


def run(folder: Path, runs: int, blocks: int = BLOCKS, few_blocks: int = FEW_BLOCKS) -> str:
    """Measure everything and return the tables."""
    rounds = [_round(folder / f"round{number}", blocks, reverse=bool(number % 2)) for number in range(runs)]
    few = [_ours_round(folder / f"few{number}", few_blocks) for number in range(runs)]
    title = f"Metadata of {blocks:,} blocks: backy2 beside one indexed row a block (SQLite, same durability)"
    columns = ["job", "backy2", "in meta calls", "db KiB", "rows", "rows db KiB", "time", "target", "bytes", "target "]
    peaks = [
        [job, *(report.mib(_middle(r, f"ours {job}").peak_bytes) for r in (few, rounds))]
        for job in ("first", "incremental random", "rm random", "cleanup random")
    ]
    return report.table(title, columns, _rows(rounds)) + report.table(
        "Peak memory of these jobs of backy2, MiB", ["job", f"{few_blocks:,} blocks", f"{blocks:,} blocks"], peaks
    )


def _rows(rounds: Sequence[Round]) -> list[list[str]]:
    table = [_row("first version", _middle(rounds, "ours first"), _middle(rounds, "rows first"), None, None)]
    for pattern, what in PATTERNS.items():
        ours, rows = (_middle(rounds, f"{subject} incremental {pattern}") for subject in ("ours", "rows"))
        table.append(_row(what, ours, rows, TIME_TARGET, BYTES_TARGET))
    removed = _middle(rounds, "rows rm random")
    table.append(_row("rm", _middle(rounds, "ours rm random"), removed, RM_TARGET, None))
    table.append(_row("cleanup after rm", _middle(rounds, "ours cleanup random"), removed, None, None))
    return table


def _row(what: str, ours: Job, rows: Job, time_target: float | None, bytes_target: float | None) -> list[str]:
    return [
        what,
        report.seconds(ours.seconds),
        report.seconds(ours.meta_seconds),
        f"{ours.added_bytes / 1024:,.0f}",
        report.seconds(rows.seconds),
        f"{rows.added_bytes / 1024:,.0f}",
        *_fraction(ours.seconds, rows.seconds, time_target),
        *_fraction(ours.added_bytes, rows.added_bytes, bytes_target),
    ]


def _fraction(ours: float, rows: float, target: float | None) -> tuple[str, str]:
    if ours <= 0 or rows <= 0:
        return "-", "-"
    shown = f"1/{rows / ours:.1f}"
    if target is None:
        return shown, "-"
    return shown, f"<= 1/{1 / target:.0f} {'met' if ours / rows <= target else 'MISSED'}"


def _middle(rounds: Sequence[Round], key: str) -> Job:
    jobs = [round_[key] for round_ in rounds]
    return Job(
        statistics.median(job.seconds for job in jobs),
        statistics.median(job.meta_seconds for job in jobs),
        round(statistics.median(job.added_bytes for job in jobs)),
        round(statistics.median(job.peak_bytes for job in jobs)),
    )


def _round(folder: Path, blocks: int, *, reverse: bool) -> Round:
    subjects = (_rows_round, _ours_round) if reverse else (_ours_round, _rows_round)
    return {key: job for subject in subjects for key, job in subject(folder, blocks).items()}


def _ours_round(folder: Path, blocks: int) -> Round:
    return _subject_round(folder, "ours", blocks, ("rm", "cleanup"))


def _rows_round(folder: Path, blocks: int) -> Round:
    return _subject_round(folder, "rows", blocks, ("rm",))


def _subject_round(folder: Path, subject: str, blocks: int, after: Sequence[str]) -> Round:
    """A first version; then, each on a copy of that database, an incremental of each pattern and what comes after."""
    first = folder / f"{subject}-first"
    first.mkdir(parents=True)
    results = {f"{subject} first": _measure(first, subject, "first", blocks, "random")}
    for pattern in PATTERNS:
        copy = folder / f"{subject}-{pattern}"
        shutil.copytree(first, copy)
        for job in ("incremental", *after):
            results[f"{subject} {job} {pattern}"] = _measure(copy, subject, job, blocks, pattern)
        shutil.rmtree(copy)
    shutil.rmtree(first)
    return results


def _measure(folder: Path, subject: str, job: str, blocks: int, pattern: str) -> Job:
    words = [sys.executable, "-m", "benchmarks.metadata_job", str(folder), subject, job]
    measure.warm(folder)
    measure.settle()
    before = measure.size_of(folder)
    measured = measure.run([*words, "--blocks", str(blocks), "--pattern", pattern], cwd=PROJECT)
    timing = json.loads(measured.output)
    added = measure.size_of(folder) - before
    return Job(timing["seconds"], timing["meta_seconds"], added, measured.peak_bytes)


def main() -> None:
    """``python -m benchmarks.metadata [--huge]``: the tables of this module, or those of :mod:`benchmarks.huge`."""
    from benchmarks import huge
    from benchmarks.run import scratch

    parser = argparse.ArgumentParser(description="Measure metadata without data.")
    parser.add_argument("--runs", type=int, default=3, help="medians of so many runs (default 3)")
    parser.add_argument("--huge", action="store_true", help="many distinct blobs in place of the tables")
    parser.add_argument("--huge-blobs", type=int, default=huge.BLOBS, help="how many (default 48 million)")
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="folder for the databases, on a real disk")
    options = parser.parse_args()
    with scratch(options.dir) as folder:
        print(huge.run(folder, options.huge_blobs) if options.huge else run(folder, options.runs))


if __name__ == "__main__":
    main()
