"""A backy2 of one's own for each test: folders, an image, and ways to run commands."""

from __future__ import annotations

import contextlib
import io
import os
import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backy2_core.cli.main import main

MIB = 1024 * 1024


@dataclass(frozen=True)
class Ended:
    """A command that came to its end."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Backy:
    """Runs commands under the embedded defaults, with all files below ``folder``."""

    folder: Path
    patch: pytest.MonkeyPatch = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("DATA", "STATE", "CONFIG"):
            self.patch.setenv(f"XDG_{name}_HOME", str(self.folder / name.lower()))
        # The plain console script is what users call; here it must not differ in the width of its help.
        self.patch.setenv("COLUMNS", "100")

    @property
    def log_file(self) -> Path:
        return self.folder / "state" / "backy2" / "backy2.log"

    @property
    def store(self) -> Path:
        return self.folder / "data" / "backy2" / "data"

    @property
    def image(self) -> str:
        """URL of an image of 9 MiB whose first MiB is not zero."""
        path = self.folder / "image"
        if not path.exists():
            path.write_bytes(random.Random(1).randbytes(MIB))
            os.truncate(path, 9 * MIB)
        return f"file://{path}"

    def call(self, *argv: str) -> Ended:
        """Run a command within this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
        return Ended(code, out.getvalue(), err.getvalue())

    def ok(self, *argv: str) -> str:
        """Run a command that must succeed; its output."""
        ended = self.call(*argv)
        assert ended.code == 0, ended.err
        return ended.out

    def backup(self, *argv: str, name: str = "vm") -> str:
        """Back up the image; the new version's uid."""
        return self.ok("-m", "backup", *argv, self.image, name).strip()

    def command(self, *argv: str) -> list[str]:
        """The arguments that start a command as a process."""
        return [sys.executable, "-W", "error", "-m", "backy2_core.cli.main", *argv]

    def spawn(self, *argv: str, **options: object) -> subprocess.Popen[str]:
        """Start a command as a process, with pipes unless told otherwise."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(self.command(*argv), text=True, **{**pipes, **options})  # type: ignore[call-overload]

    def run(self, *argv: str, **options: object) -> Ended:
        """Run a command as a process."""
        with self.spawn(*argv, **options) as process:
            out, err = process.communicate(timeout=60)
        return Ended(process.returncode, out or "", err or "")


@pytest.fixture
def backy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backy:
    """An installation without anything in it yet."""
    return Backy(tmp_path, monkeypatch)


@pytest.fixture
def slow(backy: Backy) -> Backy:
    """Writes so slowly (until ``$SPEED`` is 0) that a backup is still running whenever one looks."""
    config = backy.folder / "config" / "backy2" / "plugins.cfg"
    config.parent.mkdir(parents=True)
    config.write_text(
        f"[backy2]\nblock_size = 64k\n[data_backend]\npath = {backy.folder}/data/blobs\nbandwidth_write = %(env:SPEED)s\n"
    )
    backy.patch.setenv("SPEED", "300k")
    backy.ok("initdb")
    return backy
