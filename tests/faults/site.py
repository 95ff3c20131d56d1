"""An installation with an image, a store and a database, worked by the real command alone."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backy2_core.cli.main import main
from tests.crash.audit import objects

BLOCK = 4096
USAGE, HINTS, SOURCE, TARGET, DATA_BACKEND, NOT_FOUND, REFUSED, DAMAGE = 2, 5, 12, 13, 14, 16, 17, 20
KEYRING, EXISTS, EXCHANGE = 21, 22, 23


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> Any:
        """What it printed with ``--format json``."""
        return json.loads(self.out)


class Site:
    """Everything in ``folder``, except for what another one shares with it (``store``, ``database``)."""

    def __init__(
        self,
        folder: Path,
        *,
        store: Path | None = None,
        database: Path | None = None,
        core: Mapping[str, Any] | None = None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.store = store or folder / "data"
        self.database = database or folder / "meta.sqlite"
        self.image = folder / "image"
        self.log = folder / "log"
        self._core = {
            "block_size": BLOCK,
            "buffer_size": "1M",
            "flush_size": "1M",
            "lease": "1s",
            "logfile": self.log,
        } | dict(core or {})
        self.command = [sys.executable, "-W", "error", "-m", "backy2_core.cli.main"]
        self._targets = 0
        self._started: list[subprocess.Popen[str]] = []
        self.configure()

    def configure(
        self, core: Mapping[str, Any] | None = None, more: str = "", *, slow_bytes_s: int = 1_500_000
    ) -> None:
        """Write the configuration anew, with these settings of the core and these sections besides.

        A slow backup stores ``slow_bytes_s`` bytes a second.
        """
        self._core |= core or {}
        for name, speed in (("plugins.cfg", 0), ("slow.cfg", slow_bytes_s)):
            lines = ["[backy2]", *(f"{key} = {value}" for key, value in self._core.items())]
            lines += ["[data_backend]", "type = file", f"path = {self.store}", f"bandwidth_write = {speed}"]
            lines += ["[meta_backend]", "type = sql", f"engine = sqlite:///{self.database}", more]
            (self.folder / name).write_text("\n".join(lines) + "\n")
            (self.folder / name).chmod(0o600)

    # -- running commands

    def call(self, *argv: str) -> Ended:
        """Run a command line within this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--config", str(self.folder / "plugins.cfg"), *argv])
        return Ended(code, out.getvalue(), err.getvalue())

    def ok(self, *argv: str) -> str:
        """Run one that must succeed; its output."""
        ended = self.call(*argv)
        assert ended.code == 0, ended
        return ended.out

    def start(self, *argv: str, slow: bool = False, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a process."""
        config = self.folder / ("slow.cfg" if slow else "plugins.cfg")
        command = [*self.command, "--config", str(config), *argv]
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._started.append(subprocess.Popen(command, text=True, **(pipes | options)))
        return self._started[-1]

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self._started:
            with process:
                process.kill()

    def run(self, *argv: str, timeout_s: float = 60, zone: str = "", **options: Any) -> Ended:
        """Run a command as a process, which must end in time; ``zone`` is the host's time zone."""
        environment = os.environ | ({"TZ": zone} if zone else {})
        with self.start(*argv, env=environment, **options) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ended(process.returncode, out, err)

    def slow_backup(self, *argv: str, name: str = "vm", after: int = 20) -> subprocess.Popen[str]:
        """A backup that runs, and has put at least so many blobs when this returns."""
        before = self._put()
        process = self.start("-m", "backup", *argv, self.url, name, slow=True)
        wait_until(lambda: self._put() >= before + after, process)
        return process

    # -- what tests say often

    @property
    def url(self) -> str:
        """The image as a source."""
        return f"file://{self.image}"

    def backup(self, content: bytes | None = None, *argv: str, name: str = "vm", hints: Any = None) -> str:
        """Back up the image, which first gets ``content`` if there is any; the new version's uid."""
        if content is not None:
            self.image.write_bytes(content)
        if hints is not None:
            argv = ("-r", str(self.hints_file(hints)), *argv)
        return self.ok("-m", "backup", *argv, self.url, name).strip()

    def hints_file(self, hints: Any) -> Path:
        """A file with these hints as JSON, on one line."""
        path = self.folder / "hints.json"
        path.write_text(json.dumps(hints))
        return path

    def target(self) -> Path:
        """A path where nothing is."""
        self._targets += 1
        return self.folder / f"restored-{self._targets}"

    def restored(self, uid: str, *argv: str) -> bytes:
        """The bytes of a version whose restore says that all is well."""
        path = self.target()
        self.ok("restore", *argv, uid, f"file://{path}")
        content = path.read_bytes()
        path.unlink()
        return content

    def versions(self, *argv: str) -> list[dict[str, Any]]:
        """What ``ls`` lists."""
        listed: list[dict[str, Any]] = json.loads(self.ok("ls", *argv, "--format", "json"))
        return listed

    def state(self, uid: str) -> str:
        """The state of a version."""
        (state,) = (version["state"] for version in self.versions() if version["uid"] == uid)
        return str(state)

    def incomplete(self) -> str:
        """The uid of the one version that is incomplete."""
        (uid,) = (version["uid"] for version in self.versions() if version["state"] == "incomplete")
        return str(uid)

    def let_leases_run_out(self) -> None:
        """Make the leases of all jobs end now, as time would."""
        self.execute("UPDATE backy2_jobs SET lease_until = 0 WHERE state = 1")

    # -- the store and the database, past the program

    def objects(self) -> set[str]:
        """Uids of all blobs in the store."""
        return objects(self.store)

    def files(self) -> dict[str, bytes]:
        """Every file of the store, by its path in it."""
        return {str(p.relative_to(self.store)): p.read_bytes() for p in self.store.rglob("*") if p.is_file()}

    def blob(self, content: bytes) -> Path:
        """The file of the one blob that holds just this."""
        (found,) = (path for path in self.store.glob("??/??/*.blob") if path.read_bytes() == content)
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the database."""
        with closing(sqlite3.connect(self.database, timeout=60)) as connection:
            return connection.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        """Change the database."""
        with closing(sqlite3.connect(self.database, timeout=60)) as connection, connection:
            connection.execute(statement)

    def _put(self) -> int:
        return len(list(self.store.glob(".backy2-tmp/*/*"))) + len(list(self.store.glob("??/??/*.blob")))


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Return when it is true; ``process`` must not end before that."""
    deadline = time.monotonic() + 30
    while not true():
        assert process is None or process.poll() is None, process and process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(process: subprocess.Popen[str]) -> Ended:
    """The end of a process."""
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)


def blocks(numbers: Iterator[int] | range | list[int], *, seed: int = 0) -> bytes:
    """A block for each number, all different; 0 is a block of zeros."""
    return b"".join(b"%08d" % (seed * 10_000_000 + n) * (BLOCK // 8) if n else bytes(BLOCK) for n in numbers)
