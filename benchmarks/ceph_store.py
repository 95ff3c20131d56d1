"""The data backend ``rados`` beside a bare loop on librados: the same blobs, the same number of threads, turn by turn.

Each is a process of its own. An image of one block goes through the same steps: what these take is the fixed cost of a
job of each, which the last ratio leaves out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import measure, report
from benchmarks.image import BLOCK_BYTES, make_images, plan_first
from benchmarks.measure import Measured
from benchmarks.modes import FIRST, PLAIN, RESTORE, SCRUB
from benchmarks.sizes import GIB, MIB
from benchmarks.subjects import PROJECT
from tests.support.ceph_cluster import Cluster

LOOPS = {FIRST: "put", RESTORE: "get", SCRUB: "check"}
"""By step, what the bare loop does for it."""
OURS, BARE = "backy2", "bare"

_CONFIG = """\
[data_backend]
type = rados
pool = {pool}
namespace = {namespace}
ceph_conffile = {conf}
simultaneous_reads = {threads}
simultaneous_writes = {threads}
[meta_backend]
type = sql
engine = sqlite:///{folder}/backy2.sqlite
"""


def run(cluster: Cluster, folder: Path, options: argparse.Namespace) -> str:
    """Measure, and return the table."""
    runs: dict[tuple[str, str, bool], list[Measured]] = {}
    blocks: dict[int, list[tuple[int, int]]] = {}
    pool = cluster.make_pool()
    for size in (options.size, BLOCK_BYTES):
        blocks[size] = data_blocks(size) or [(0, 0)]
        image = make_images(folder / f"images{size}", size).first
        if size == BLOCK_BYTES:
            image.write_bytes(os.urandom(size))
        for number in range(options.runs):
            turn = _Turn(cluster, pool, folder / "turn", image, blocks[size], options.threads)
            for step, subject, measured in turn.run(namespace=f"s{size}-{number}", swapped=number % 2 == 1):
                runs.setdefault((step, subject, size == BLOCK_BYTES), []).append(measured)
            shutil.rmtree(folder / "turn")
    medians = {key: measure.median(found) for key, found in runs.items()}
    return _table(medians, len(blocks[options.size]) * BLOCK_BYTES, options)


def data_blocks(size_bytes: int) -> list[tuple[int, int]]:
    """Of each block that holds data its offset, and that of the first block with the same content."""
    seen: dict[object, int] = {}
    blocks = []
    for number, piece in enumerate(plan_first(size_bytes).pieces):
        if piece is not None:
            blocks.append((number * BLOCK_BYTES, seen.setdefault(piece, number * BLOCK_BYTES)))
    return blocks


class _Turn:
    """One run of every step for one image, into a new namespace."""

    def __init__(
        self,
        cluster: Cluster,
        pool: str,
        folder: Path,
        image: Path,
        blocks: Sequence[tuple[int, int]],
        threads: int,
    ) -> None:
        folder.mkdir()
        self._cluster, self._pool, self._folder, self._image, self._threads = cluster, pool, folder, image, threads
        (folder / "blocks.json").write_text(json.dumps(blocks))
        self._environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}

    def run(self, namespace: str, *, swapped: bool) -> list[tuple[str, str, Measured]]:
        """What each step took each subject; ``swapped``: the bare loop goes first."""
        config = self._folder / "plugins.cfg"
        config.write_text(
            _CONFIG.format(
                pool=self._pool,
                namespace=namespace,
                conf=self._cluster.conf,
                threads=self._threads,
                folder=self._folder,
            )
        )
        backy2 = [sys.executable, "-m", "backy2_core.cli.main", "--config", str(config)]
        target = self._folder / "restored"
        ours = {
            FIRST: [*backy2, "backup", f"file://{self._image}", "image"],
            RESTORE: [*backy2, "restore", "--sparse", "latest:image", f"file://{target}"],
            SCRUB: [*backy2, "scrub", "latest:image"],
        }
        self._measured([*backy2, "initdb"])
        found = []
        for step, loop in LOOPS.items():
            words = {OURS: ours[step], BARE: self._bare(loop, namespace + "-bare")}
            for subject in sorted(words, reverse=swapped):
                found.append((step, subject, self._measured(words[subject])))
            if step == RESTORE:
                for path in (target, self._folder / "got"):
                    self._measured(["cmp", "-n", str(path.stat().st_size), str(self._image), str(path)])
        return found

    def _bare(self, loop: str, namespace: str) -> list[str]:
        image = self._image if loop == "put" else self._folder / "got"
        place = [str(self._cluster.conf), self._pool, namespace]
        words = [*place, str(image), str(self._folder / "blocks.json"), str(self._threads)]
        return [sys.executable, "-m", "benchmarks.ceph_bare", loop, *words]

    def _measured(self, words: Sequence[str]) -> Measured:
        measure.warm(self._image)
        measure.settle()
        return measure.run(words, cwd=PROJECT, env=self._environment)


def _table(medians: Mapping[tuple[str, str, bool], Measured], moved_bytes: int, options: argparse.Namespace) -> str:
    rows = []
    for step in LOOPS:
        ours, bare = medians[step, OURS, False], medians[step, BARE, False]
        pure = [full.wall_s - medians[step, who, True].wall_s for who, full in ((OURS, ours), (BARE, bare))]
        walls = [report.seconds(ours.wall_s), report.seconds(bare.wall_s), f"{bare.wall_s / ours.wall_s:.2f}"]
        share = report.at_least(pure[1] / pure[0], PLAIN.of_bare[step])
        rate = f"{moved_bytes / ours.wall_s / MIB:.0f}"
        rows.append([step, *walls, *share, rate, report.seconds(ours.cpu_s), report.mib(ours.peak_bytes)])
    columns = ["step", "backy2", "bare librados", "walls", "throughput", "target", "MiB/s", "cpu", "peak MiB"]
    size = f"{options.size / GIB:.2f} GiB image, {moved_bytes / GIB:.2f} GiB of it data"
    return report.table(
        f"Data backend rados: {size}, {options.threads} threads, medians of {options.runs}", columns, rows
    )
