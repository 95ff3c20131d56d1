"""48 million distinct blobs, those of a 200 TB image at 4 MiB: through planner, map and meta backend, without the data.

The engine backs up a made device of that many small blocks, then makes an incremental with hints of 0.1 %, removes it and
cleans up. Each is a process of its own; what counts is its time and its peak memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import measure, report
from benchmarks.sizes import MIB, show_bytes
from benchmarks.subjects import PROJECT

BLOBS = 48_000_000
BLOCK_BYTES = 512
PEAK_BYTES = 300 * MIB
JOBS = ("first", "incremental", "rm", "cleanup")


def run(folder: Path, blobs: int = BLOBS) -> str:
    """Run the jobs one after the other, once each, and return the table."""
    rows = []
    for job in JOBS:
        words = [sys.executable, "-m", "benchmarks.metadata_job", str(folder), "ours", job]
        sizes = ["--blocks", str(blobs), "--block-size", str(BLOCK_BYTES)]
        before = measure.size_of(folder)
        done = measure.run([*words, *sizes], cwd=PROJECT)
        added = measure.size_of(folder) - before
        peak, target = report.at_most(done.peak_bytes / MIB, PEAK_BYTES / MIB)
        rows.append([job, report.seconds(done.wall_s), report.seconds(done.cpu_s), peak, target, show_bytes(added)])
    title = f"{blobs:,} distinct blobs of {BLOCK_BYTES} bytes, data dropped"
    return report.table(title, ["job", "wall", "CPU", "peak MiB", "target", "database"], rows)
