"""``make bench-s3``: backs an image up to a real Ceph gateway and restores it, beside a bare boto3 loop.

Both move the same blobs with the same number of threads, turn by turn; each is a process of its own, from its start to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure, report
from benchmarks.image import BLOCK_BYTES, make_images, plan_first
from benchmarks.measure import Measured
from benchmarks.run import scratch
from benchmarks.sizes import GIB, MIB, parse_size
from benchmarks.subjects import PROJECT
from tests.support.ceph_cluster import Cluster
from tests.support.ceph_gateway import Gateway

TARGET = 0.8
_CONFIG = """\
[backy2]
logfile = {folder}/log
[data_backend]
type = s3
endpoint = {endpoint}
bucket = {bucket}
simultaneous_reads = {threads}
simultaneous_writes = {threads}
[meta_backend]
type = sql
engine = sqlite:///{folder}/backy2.sqlite
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _parser().parse_args(arguments)
    with scratch(options.dir) as folder, Cluster(radosgw=True) as cluster:
        make_images(folder / "images", options.size)
        image = folder / "images" / "first" / "image"
        offsets = distinct_blocks(options.size)
        (folder / "blocks.json").write_text(json.dumps(offsets))
        bench = _Bench(folder, cluster.radosgw, image, options.threads)
        for _ in range(options.runs):
            bench.turn()
        print(bench.table(len(offsets) * BLOCK_BYTES), flush=True)


def distinct_blocks(size_bytes: int) -> list[int]:
    """Offsets of the first block of each content, without holes: what a backup stores."""
    seen = {}
    for block, piece in enumerate(plan_first(size_bytes).pieces):
        if piece is not None:
            seen.setdefault(piece, block * BLOCK_BYTES)
    return list(seen.values())


class _Bench:
    """The runs, by what was measured."""

    def __init__(self, folder: Path, gateway: Gateway, image: Path, threads: int) -> None:
        self._folder = folder
        self._gateway = gateway
        self._image = image
        self._threads = threads
        self._runs: dict[str, list[Measured]] = {}
        keys = {"AWS_ACCESS_KEY_ID": gateway.access_key, "AWS_SECRET_ACCESS_KEY": gateway.secret_key}
        self._environment = {**os.environ, **keys, "AWS_DEFAULT_REGION": "default"}

    def turn(self) -> None:
        """One run of everything, into new buckets."""
        folder = self._folder / "turn"
        folder.mkdir()
        bare, ours = self._gateway.make_bucket(), self._gateway.make_bucket()
        config = folder / "plugins.cfg"
        config.write_text(
            _CONFIG.format(folder=folder, endpoint=self._gateway.endpoint, bucket=ours, threads=self._threads)
        )
        backy2 = [sys.executable, "-m", "backy2_core.cli.main", "--config", str(config)]
        self._measured("", [*backy2, "initdb"])
        self._measured("bare put", self._bare("put", bare, self._image))
        self._measured("backup", [*backy2, "backup", f"file://{self._image}", "image"])
        self._measured("bare get", self._bare("get", bare, folder / "got"))
        (folder / "got").unlink()
        self._measured("restore", [*backy2, "restore", "--sparse", "latest:image", f"file://{folder}/restored"])
        self._measured("", ["cmp", str(self._image), str(folder / "restored")])
        shutil.rmtree(folder)

    def table(self, moved_bytes: int) -> str:
        """The medians, and their ratios."""
        rows = []
        for step, bare in (("backup", "bare put"), ("restore", "bare get")):
            ours, other = measure.median(self._runs[step]), measure.median(self._runs[bare])
            ratio = report.at_least(other.wall_s / ours.wall_s, TARGET)
            rate = f"{moved_bytes / ours.wall_s / MIB:.0f}"
            peak = report.mib(ours.peak_bytes)
            walls = (report.seconds(ours.wall_s), report.seconds(other.wall_s))
            rows.append([step, *walls, *ratio, rate, report.seconds(ours.cpu_s), report.seconds(other.cpu_s), peak])
        columns = ["step", "backy2", "bare boto3", "ratio", "target", "MiB/s", "cpu", "cpu bare", "peak MiB"]
        title = f"S3: {moved_bytes / GIB:.2f} GiB in blobs of 4 MiB to a Ceph gateway, {self._threads} threads"
        return report.table(title, columns, rows)

    def _bare(self, how: str, bucket: str, image: Path) -> list[str]:
        words = [self._gateway.endpoint, bucket, str(image), str(self._folder / "blocks.json"), str(self._threads)]
        return [sys.executable, "-m", "benchmarks.bare_s3", how, *words]

    def _measured(self, name: str, words: Sequence[str]) -> None:
        measure.warm(self._image)
        measure.settle()
        run = measure.run(words, cwd=PROJECT, env=self._environment)
        if name:
            self._runs.setdefault(name, []).append(run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.s3", description="Measure backy2 on S3 beside boto3.")
    parser.add_argument("--size", type=parse_size, default=4 * GIB, help="size of the image (default 4G)")
    parser.add_argument("--runs", type=int, default=3, help="medians of so many runs (default 3)")
    parser.add_argument("--threads", type=int, default=8, help="blobs at once, for both (default 8)")
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), help="folder for the image and the cluster's data"
    )
    return parser


if __name__ == "__main__":
    main()
