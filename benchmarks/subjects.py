"""What is measured, step by step: backy2 itself and the bare loop. Each is a program with a store of its own."""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from benchmarks import measure
from benchmarks.image import Images
from benchmarks.measure import Measured
from benchmarks.modes import FIRST, FULL, HINTS, RESTORE, SCRUB, UNCHANGED

PROJECT = Path(__file__).resolve().parent.parent

_CONFIG = """\
[backy2]
block_size = {block_bytes}
transforms = {transforms}

[data_backend]
type = file
path = {store}

[meta_backend]
type = sql
engine = sqlite:///{database}/backy2.sqlite
"""
_KEY_SECTION = """
[key:benchmark]
secret = %(file:{key})s
"""
_SEALING = "zstd, aes_gcm"
_KEY = "0b" * 32


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and what it will read (to be warmed). It runs in ``cwd``."""

    words: Sequence[str]
    reads: Sequence[Path]
    cwd: Path = PROJECT


@dataclass(slots=True)
class Subject(ABC):
    """A program under measurement, with its store and database below ``folder``."""

    folder: Path
    images: Images
    backed_up: Path = field(default_factory=Path)
    """The image that was backed up last: what a restore must give."""

    def __post_init__(self) -> None:
        self.store.mkdir(parents=True)
        self.database.mkdir()
        self.restored.parent.mkdir()

    @property
    def store(self) -> Path:
        """Folder of the stored data."""
        return self.folder / "store"

    @property
    def database(self) -> Path:
        """Folder of the metadata that is not within the store."""
        return self.folder / "database"

    @property
    def restored(self) -> Path:
        """The file that a restore makes."""
        return self.folder / "restored" / "image"

    @abstractmethod
    def prepare(self) -> None:
        """Make an empty store, unmeasured."""

    @abstractmethod
    def command(self, step: str) -> Command | None:
        """The command of a step, or None where this program has no such thing."""

    def environment(self) -> Mapping[str, str]:
        """Variables of the commands."""
        return os.environ

    def learn(self, step: str, output: str) -> None:
        """Take note of what a step printed; here, of which image it was."""
        if step in (FIRST, UNCHANGED, HINTS, FULL):
            self.backed_up = self.images.first if step in (FIRST, UNCHANGED) else self.images.second

    def measure(self, step: str) -> Measured | None:
        """Run one step and measure it; None where there is none."""
        if step == HINTS:
            return self.fork(self.folder.with_name(self.folder.name + "-hints")).run_and_remove(step)
        return self.run(step)

    def run(self, step: str) -> Measured | None:
        """Warm, settle, run."""
        command = self.command(step)
        if command is None:
            return None
        measure.warm(*command.reads)
        measure.settle()
        before = measure.size_of(self.store), measure.size_of(self.database)
        result = measure.run(command.words, cwd=command.cwd, env=self.environment())
        self.learn(step, result.output)
        store_bytes, database_bytes = measure.size_of(self.store), measure.size_of(self.database)
        return replace(result, store_bytes=store_bytes - before[0], database_bytes=database_bytes - before[1])

    def take_restored(self, *, compare: bool) -> None:
        """Remove what a restore made; raises ValueError if it is to be compared and is not what was backed up."""
        try:
            if compare and not filecmp.cmp(self.restored, self.backed_up, shallow=False):
                raise ValueError(f"{self.restored} is not identical with {self.backed_up}")
        finally:
            self.restored.unlink()

    def run_and_remove(self, step: str) -> Measured | None:
        """Run one step as the last of this subject."""
        try:
            return self.run(step)
        finally:
            shutil.rmtree(self.folder)

    def fork(self, folder: Path) -> Self:
        """A subject with the same state, whose next step does not change this one. Blobs are hard links."""
        copy = replace(self, folder=folder)
        shutil.copytree(self.store, copy.store, copy_function=os.link, dirs_exist_ok=True)
        shutil.copytree(self.database, copy.database, dirs_exist_ok=True)
        return copy


@dataclass(slots=True)
class Ours(Subject):
    """backy2 by its command line, as it comes: SQLite and a store in a folder; ``sealed`` with transforms and a key."""

    block_bytes: int = 4 * 1024 * 1024
    sealed: bool = False
    uid: str = ""

    def __post_init__(self) -> None:
        Subject.__post_init__(self)
        transforms, key = (_SEALING, self.folder / "key") if self.sealed else ("", None)
        text = _CONFIG.format(
            block_bytes=self.block_bytes, transforms=transforms, store=self.store, database=self.database
        )
        if key is not None:
            key.touch(mode=0o600)
            key.write_text(_KEY)
            text += _KEY_SECTION.format(key=key)
        self.config.write_text(text)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "plugins.cfg"

    def prepare(self) -> None:
        """Make the schema, which is not part of a first backup of the bare loop."""
        measure.run(self.words("initdb"), cwd=PROJECT, env=self.environment())

    def environment(self) -> Mapping[str, str]:
        """Its log file stands beside the rest, and goes with it."""
        return os.environ | {"XDG_STATE_HOME": str(self.folder / "state")}

    def words(self, *arguments: str) -> list[str]:
        """A command line of backy2."""
        return [program("backy2"), "-m", "--config", str(self.config), *arguments]

    def command(self, step: str) -> Command | None:
        """Backups print the uid of the version, which later steps use."""
        first, second, hints = f"file://{self.images.first}", f"file://{self.images.second}", str(self.images.hints)
        words, reads = {
            FIRST: (("backup", first, "vm"), self.images.first),
            UNCHANGED: (("backup", first, "vm"), self.images.first),
            HINTS: (("backup", "-r", hints, "-f", self.uid, second, "vm"), self.images.second),
            FULL: (("backup", second, "vm"), self.images.second),
            RESTORE: (("restore", "-s", self.uid, f"file://{self.restored}"), self.store),
            SCRUB: (("scrub", self.uid), self.store),
        }[step]
        return Command(self.words(*words), [reads, self.database])

    def learn(self, step: str, output: str) -> None:
        """Remember the uid of the newest version."""
        if step in (FIRST, UNCHANGED, HINTS, FULL):
            self.uid = output.split()[0]
        Subject.learn(self, step, output)


@dataclass(slots=True)
class Bare(Subject):
    """The bare loop; see :mod:`benchmarks.bare`."""

    block_bytes: int = 4 * 1024 * 1024
    sealed: bool = False

    def prepare(self) -> None:
        """It needs nothing."""

    def command(self, step: str) -> Command | None:
        """The same steps without versions: the store holds one image, the newest."""
        size, images, store = ("--block-size", str(self.block_bytes)), self.images, str(self.store)
        words, reads = {
            FIRST: (("backup", *size, str(images.first), store), images.first),
            UNCHANGED: (("backup", *size, str(images.first), store), images.first),
            HINTS: (("backup", *size, "--hints", str(images.hints), str(images.second), store), images.second),
            FULL: (("backup", *size, str(images.second), store), images.second),
            RESTORE: (("restore", store, str(self.restored)), self.store),
            SCRUB: (("scrub", store), self.store),
        }[step]
        how = ["--sealed"] if self.sealed else []
        return Command([sys.executable, "-m", "benchmarks.bare", *words, *how], [reads])


def program(name: str) -> str:
    """The program of this environment; raises FileNotFoundError where it was not installed."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there; install the project into this environment, as `make bench` does")
    return str(path)
