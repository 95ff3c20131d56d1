"""A backy2 installation beside a pool of a Ceph cluster: its command line, and what every version must be when restored."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backy2_core.cli.main import main
from tests.house.tree import ROOT
from tests.sources.rbd_images import Image, Pool
from tests.support.ceph import Cluster

SOURCE, TARGET, DATA_BACKEND = 12, 13, 14
_CONFIG = """\
[backy2]
block_size = {block_size}
logfile = {folder}/backy2.log
{options}

[data_backend]
type = file
path = {folder}/store
{store}

[meta_backend]
type = sql
engine = sqlite:///{folder}/backy2.sqlite

[source:rbd]
ceph_conffile = {conf}
{source}
"""
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    out: str
    err: str


class World:
    """Runs commands with files in ``folder``; remembers of each version the SHA-256 of what it must hold.

    ``options`` are lines for the section ``[backy2]``, ``store`` for ``[data_backend]``, ``source`` for ``[source:rbd]``.
    """

    def __init__(
        self, folder: Path, pool: Pool, *, block_size: str = "64k", options: str = "", store: str = "", source: str = ""
    ) -> None:
        self.folder, self.pool = folder, pool
        self.expected: dict[str, str] = {}
        self._config = folder / "plugins.cfg"
        values = {"block_size": block_size, "options": options, "store": store, "source": source}
        text = _CONFIG.format(folder=folder, conf=pool.cluster.conf, **values)
        self._config.write_text(text)
        self.ok("initdb")

    # -- commands

    def call(self, *words: str) -> Ended:
        """Run a command in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--config", str(self._config), *words])
        return Ended(code, out.getvalue(), err.getvalue())

    def ok(self, *words: str) -> str:
        """Run a command that must succeed; what it printed."""
        ended = self.call(*words)
        assert ended.code == 0, f"{words} ended with {ended.code}: {ended.err}"
        return ended.out

    def start(self, *words: str, module: str = "backy2_core.cli.main", before: Sequence[str] = ()) -> Running:
        """Run a command as a process; ``before`` are words for the module itself."""
        command = [sys.executable, "-m", module, *before, "--config", str(self._config), *words]
        output = self.folder / f"output{next(_NUMBERS)}"
        with output.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        return Running(process, output)

    # -- backups and what they must hold

    def backup(self, image: Image, name: str = "vm") -> str:
        """Back up an image as a night would do it, and remember what its snapshot holds; the version's uid."""
        ended = self.call("-m", "backup", image.url, name)
        assert ended.code == 0, ended.err
        uid = ended.out.strip()
        self.remember(image, uid)
        return uid

    def remember(self, image: Image, uid: str) -> None:
        """What ``rbd export`` gives of the snapshot is what this version must hold."""
        self.expected[uid] = self.exported(f"{image.name}@{self.version(uid)['snapshot_name']}")

    def exported(self, path: str) -> str:
        """SHA-256 of what ``rbd export`` gives of an image or a snapshot in the pool."""
        file = self.folder / "exported"
        with exported(self.pool, path, file):
            return digest(file)

    def versions(self) -> list[dict[str, Any]]:
        """All rows of ``ls``."""
        rows: list[dict[str, Any]] = json.loads(self.ok("ls", "--format", "json"))
        return rows

    def version(self, uid: str) -> dict[str, Any]:
        """The row of one version."""
        return next(row for row in self.versions() if row["uid"] == uid)

    def check_file(self, uid: str) -> Path:
        """Restore a version to a file, which must hold what it must; the file."""
        target = self.folder / f"restored-{uid}"
        self.ok("restore", "-s", uid, f"file://{target}")
        assert digest(target) == self.expected[uid], f"version {uid} differs from its snapshot"
        return target

    def check_image(self, uid: str) -> None:
        """Restore a version to a new image, of which ``rbd export`` must give what it gave of the snapshot."""
        name = self.pool.new_name()
        self.ok("restore", uid, self.pool.url(name))
        assert self.exported(name) == self.expected[uid], f"version {uid} differs from its snapshot"
        self.remove_image(name)

    def check_all(self) -> None:
        """Every valid version must be known, and be restored as it must."""
        for row in self.versions():
            if row["state"] == "valid":
                self.check_file(row["uid"]).unlink()

    # -- past the command line

    def remove_image(self, name: str) -> None:
        """Remove an image of the pool."""
        import rbd

        rbd.RBD().remove(self.pool.ioctx, name)

    def let_leases_run_out(self) -> None:
        """Make the leases of all live jobs end at once."""
        with closing(sqlite3.connect(self.folder / "backy2.sqlite", timeout=60)) as database, database:
            database.execute("UPDATE backy2_jobs SET lease_until = 0 WHERE state = 1")


@dataclass(frozen=True)
class Running:
    """A command that runs as a process of its own, and where its output goes."""

    process: subprocess.Popen[bytes]
    output: Path

    def wait(self, timeout_s: float = 120.0) -> int:
        """Its exit code; one that does not end in time hangs, which is an error."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.process.args} did not end within {timeout_s} s:\n{self.said()}") from None

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        """All that it printed up to now."""
        return self.output.read_text(errors="replace")


@contextlib.contextmanager
def exported(pool: Pool, path: str, file: Path) -> Iterator[Path]:
    """What ``rbd export`` gives, in a file that is gone afterwards."""
    pool.cluster.run("rbd", "export", "--no-progress", f"{pool.url(path).removeprefix('rbd://')}", file)
    try:
        yield file
    finally:
        file.unlink()


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def own_pool(cluster: Cluster) -> Iterator[Pool]:
    """A new pool, with a connection of other programs' to it."""
    handle = cluster.rados()
    name = cluster.make_pool()
    ioctx = handle.open_ioctx(name)
    try:
        yield Pool(cluster, name, ioctx)
    finally:
        ioctx.close()
        handle.shutdown()
