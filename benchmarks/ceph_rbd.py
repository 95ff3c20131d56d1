"""RBD images beside the command ``rbd``: first backup and `export`, restore and `import`, second backup and `export-diff`.

Backups go into the data backend ``file`` or ``null``, as a dump by ``rbd`` goes into a file or nowhere; both read and write
through the same library, turn by turn. The image holds data that no step could make smaller. An image of one block goes
through the same steps: what these take is the fixed cost of a job of each, which the throughput leaves out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import measure, report
from benchmarks.image import BLOCK_BYTES
from benchmarks.measure import Measured
from benchmarks.sizes import GIB, MIB, show_bytes
from benchmarks.subjects import PROJECT
from tests.support.ceph_cluster import Cluster

NOWHERE, FIRST, RESTORE, SECOND = "first backup, to nowhere", "first backup", "restore", "second backup"
PEERS = {
    NOWHERE: "rbd export to /dev/null",
    FIRST: "rbd export, and sync",
    RESTORE: "rbd import",
    SECOND: "rbd export-diff",
}
TARGETS = {NOWHERE: 0.8, FIRST: None, RESTORE: 0.8, SECOND: None}
OURS, THEIRS = "backy2", "rbd"
IMAGE = "image"
CHANGED = 0.01
# It refuses to write to a file that is there, such as /dev/null.
_TO_NOWHERE = ["sh", "-c", 'exec "$0" "$@" > /dev/null']
_AND_SYNC = ["sh", "-c", 'file=$0; "$@" "$file" && sync "$file"']

_CONFIG = """\
[data_backend]
{store}
[meta_backend]
type = sql
engine = sqlite:///{folder}/{kind}.sqlite
[source:rbd]
ceph_conffile = {conf}
simultaneous_reads = {threads}
simultaneous_writes = {threads}
"""


def run(cluster: Cluster, folder: Path, options: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    found: list[dict[tuple[str, str], Measured]] = []
    fixed: list[dict[tuple[str, str], Measured]] = []
    for number in range(options.runs):
        full = _Turn(cluster, folder / f"full{number}", options, options.size, number)
        large = _Turn(cluster, folder / f"large{number}", options, options.image_size, number)
        found.append(full.whole() | large.changes())
        fixed.append(_Turn(cluster, folder / f"tiny{number}", options, BLOCK_BYTES, number).whole())
    return _times(_medians(found), _medians(fixed), options) + "\n" + _amounts(large)


def _medians(found: Sequence[Mapping[tuple[str, str], Measured]]) -> dict[tuple[str, str], Measured]:
    return {key: measure.median([one[key] for one in found]) for key in found[0]}


class _Turn:
    """One run of some steps, with an image of ``size_bytes`` and a pool of its own."""

    def __init__(
        self, cluster: Cluster, folder: Path, options: argparse.Namespace, size_bytes: int, number: int
    ) -> None:
        folder.mkdir()
        self._cluster, self._folder, self._data, self._size = cluster, folder, options.size, size_bytes
        self._swapped = number % 2 == 1
        self._pool = cluster.make_pool()
        self._environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        for kind, store in (("file", f"path = {folder}/store"), ("null", f"simultaneous_writes = {options.threads}")):
            values = {"kind": kind, "store": f"type = {kind}\n{store}", "threads": options.threads}
            (folder / f"{kind}.cfg").write_text(_CONFIG.format(folder=folder, conf=cluster.conf, **values))
        self.second: dict[str, Any] = {}
        """What the second backup says of itself."""
        self.changed_objects = 0
        self.diff_bytes = 0

    def whole(self) -> dict[tuple[str, str], Measured]:
        """What backing up and restoring the whole image took each subject."""
        self._fill()
        exported = self._folder / "exported"
        self._measured(self._backy2("initdb", kind="null"))
        nowhere = [*_TO_NOWHERE, *self._rbd("export", self._path(), "-")]
        found = self._both(NOWHERE, self._backup(kind="null"), nowhere)
        export = [*_AND_SYNC, str(exported), *self._rbd("export", self._path())]
        found |= self._both(FIRST, self._backup(), export)
        restore = [*self._backy2("restore"), "--sparse", "latest:image", self._url("restored")]
        found |= self._both(RESTORE, restore, self._rbd("import", str(exported), self._path("imported")))
        exported.unlink()
        return found

    def changes(self) -> dict[tuple[str, str], Measured]:
        """What backing up changes took each subject."""
        self._fill()
        self._measured(self._backup())
        self._change()
        self._measured(self._rbd("snap", "create", f"{self._path()}@theirs2"))
        diff = self._folder / "diff"
        export_diff = self._rbd("export-diff", "--from-snap", "theirs", f"{self._path()}@theirs2", str(diff))
        found = self._both(SECOND, [*self._backup(), "--format", "json"], export_diff)
        self.second = json.loads(found[SECOND, OURS].output)
        self.diff_bytes = diff.stat().st_size
        return found

    def _fill(self) -> None:
        """A new installation and an image with data in pieces of a block, spread over it."""
        self._measured(self._backy2("initdb"))
        self._cluster.run("rbd", "create", "--size", f"{self._size}B", self._path())
        blocks = self._size // BLOCK_BYTES
        self._places = sorted(random.Random(1).sample(range(blocks), min(blocks, self._data // BLOCK_BYTES)))
        self._write(self._places, BLOCK_BYTES)
        self._measured(self._rbd("snap", "create", f"{self._path()}@theirs"))

    def _change(self) -> None:
        """A hundredth of the blocks is written to, a little each, as machines do."""
        count = max(1, round(len(self._places) * CHANGED))
        self._write(random.Random(2).sample(self._places, count), BLOCK_BYTES // 4)
        self.changed_objects = count

    def _write(self, places: Sequence[int], length: int) -> None:
        import rbd

        handle = self._cluster.rados()
        with handle.open_ioctx(self._pool) as ioctx, rbd.Image(ioctx, IMAGE) as image:
            for place in places:
                image.write(os.urandom(length), place * BLOCK_BYTES)
        handle.shutdown()

    def _both(self, step: str, ours: Sequence[str], theirs: Sequence[str]) -> dict[tuple[str, str], Measured]:
        words = {OURS: ours, THEIRS: theirs}
        return {(step, who): self._measured(words[who]) for who in sorted(words, reverse=self._swapped)}

    def _backup(self, kind: str = "file") -> list[str]:
        return [*self._backy2("backup", kind=kind), self._url(IMAGE), "image"]

    def _backy2(self, verb: str, kind: str = "file") -> list[str]:
        config = str(self._folder / f"{kind}.cfg")
        return [sys.executable, "-m", "backy2_core.cli.main", "--config", config, verb]

    def _rbd(self, verb: str, *words: str) -> list[str]:
        progress = [] if verb == "snap" else ["--no-progress"]
        return ["rbd", "--conf", str(self._cluster.conf), verb, *progress, *words]

    def _path(self, image: str = IMAGE) -> str:
        return f"{self._pool}/{image}"

    def _url(self, image: str) -> str:
        return f"rbd://{self._path(image)}"

    def _measured(self, words: Sequence[str]) -> Measured:
        measure.settle()
        return measure.run(words, cwd=PROJECT, env=self._environment)


def _times(
    medians: Mapping[tuple[str, str], Measured],
    fixed: Mapping[tuple[str, str], Measured],
    options: argparse.Namespace,
) -> str:
    rows = []
    for step, peer in PEERS.items():
        ours, theirs = medians[step, OURS], medians[step, THEIRS]
        walls = [report.seconds(ours.wall_s), report.seconds(theirs.wall_s), f"{theirs.wall_s / ours.wall_s:.2f}"]
        ratio: Sequence[str] = ("-", "-")
        if (step, OURS) in fixed:
            pure = [medians[step, who].wall_s - fixed[step, who].wall_s for who in (OURS, THEIRS)]
            ratio = report.at_least(pure[1] / pure[0], TARGETS[step])
        rows.append([step, peer, *walls, *ratio, report.seconds(ours.cpu_s), report.mib(ours.peak_bytes)])
    columns = ["step", "beside", "backy2", "rbd", "walls", "throughput", "target", "cpu", "peak MiB"]
    title = (
        f"RBD images: {options.size / GIB:.2f} GiB of data, for the second backup in an image of "
        f"{show_bytes(options.image_size)}; {options.threads} threads, medians of {options.runs}"
    )
    return report.table(title, columns, rows)


def _amounts(turn: _Turn) -> str:
    read = int(turn.second["bytes_read"])
    rows = [
        ["objects changed", str(turn.changed_objects), ""],
        ["read by backy2", show_bytes(read), f"{read / BLOCK_BYTES:.0f} objects"],
        ["written by rbd export-diff", show_bytes(turn.diff_bytes), f"{turn.diff_bytes / MIB:.1f} MiB"],
    ]
    return report.table("The second backup", ["what", "size", "which is"], rows)
