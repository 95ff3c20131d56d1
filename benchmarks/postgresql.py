"""Ten million blobs in PostgreSQL: time and memory of backy2's work on metadata, beside plain SQL for the same rows.

``python -m benchmarks.postgresql [--blobs N] [--dir FOLDER]`` starts a server of its own from Debian's packages, and ends it.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from benchmarks import measure, report
from benchmarks.metadata_job import CHANGED
from benchmarks.raw_sql import RawSql
from benchmarks.run import scratch
from benchmarks.sizes import MIB
from benchmarks.subjects import PROJECT
from tests.support.servers import own_postgresql

BLOBS = 10_000_000
BLOCK_BYTES = 512
JOBS = ("first", "ls", "incremental", "rm", "cleanup", "full-cleanup")


def run(folder: Path, blobs: int) -> str:
    """Run each job once, ours and the plain one beside it, and return the table."""
    rows = []
    with closing(own_postgresql()) as server:
        url = server.make_database()
        with closing(RawSql(url, folder, blobs, max(1, round(blobs * CHANGED)))) as raw:
            for job in JOBS:
                rows.append(_row(job, folder, blobs, url, raw))
    title = f"{blobs:,} blobs in PostgreSQL, data dropped; 0.1 % changed"
    columns = ["job", "backy2", "in meta calls", "CPU", "peak MiB", "plain SQL", "meta calls / plain SQL"]
    return report.table(title, columns, rows)


def _row(job: str, folder: Path, blobs: int, url: str, raw: RawSql) -> list[str]:
    words = [sys.executable, "-m", "benchmarks.metadata_job", str(folder), "ours", job, "--database", url]
    done = measure.run([*words, "--blocks", str(blobs), "--block-size", str(BLOCK_BYTES)], cwd=PROJECT)
    timing = json.loads(done.output)
    if job == JOBS[0]:
        raw.prepare()
    plain_s = raw.seconds(job)
    return [
        job,
        report.seconds(timing["seconds"]),
        report.seconds(timing["meta_seconds"]),
        report.seconds(done.cpu_s),
        f"{done.peak_bytes / MIB:.0f}",
        report.seconds(plain_s),
        f"{timing['meta_seconds'] / plain_s:.2f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure metadata in PostgreSQL.")
    parser.add_argument("--blobs", type=int, default=BLOBS, help="how many (default 10 million)")
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), help="folder for what is written beside the server"
    )
    options = parser.parse_args()
    with scratch(options.dir) as folder:
        print(run(folder, options.blobs))


if __name__ == "__main__":
    main()
