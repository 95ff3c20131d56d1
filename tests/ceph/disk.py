"""An RBD image with an ext4 file system of real files in it, and what may happen to it between two nights."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.tree import ROOT
from tests.sources.rbd_images import FEATURES, KIB, MIB, Image, Pool, feature_bits

TOOLS = ("mkfs.ext4", "debugfs", "e2fsck")
_BLOCK = 4 * KIB
_BIG = "/big"
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def skip_without_tools() -> None:
    """Skip the test that asks where there are no tools for ext4."""
    if any(shutil.which(tool, path=_PATH) is None for tool in TOOLS):
        pytest.skip(f"one of {', '.join(TOOLS)} is missing; they come with: apt-get install e2fsprogs")


def tool(*command: str) -> str:
    """Run a tool of the file system, which must end with 0; what it printed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": _PATH},
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


class Disk:
    """The image, and each thing that may happen to it; the file system in it stays sound. One seed, one story."""

    def __init__(self, folder: Path, pool: Pool, seed: int, *, size_bytes: int, order: int) -> None:
        self.draw = random.Random(seed)
        self._folder, self._pool = folder, pool
        self._bytes, self._order = size_bytes, order
        self._files: list[str] = []
        file = self._make_file()
        self.image = pool.image(size_bytes, order=order)
        self._write_changed(bytes(size_bytes), file.read_bytes())
        self._areas = _areas(tool("debugfs", "-R", f"blocks {_BIG}", str(file)))
        file.unlink()

    @property
    def happenings(self) -> list[Callable[[], None]]:
        """Everything that may happen, each once."""
        return [
            self.edit_files,
            self.write,
            self.discard,
            self.write_zeroes,
            self.grow,
            self.shrink,
            self.roll_back,
            self.clone,
            self.flatten,
            self.lose_object_map,
        ]

    def edit_files(self) -> None:
        """Files are added and removed."""
        before = self.image.content()
        file = self._folder / "edited"
        file.write_bytes(before)
        new = f"/new{len(self._files)}"
        content = self._folder / "new"
        content.write_bytes(self.draw.randbytes(self.draw.randrange(1, MIB)))
        orders = [f"write {content} {new}"]
        if len(self._files) > 2:
            orders.append(f"rm {self._files.pop(0)}")
        script = self._folder / "orders"
        script.write_text("\n".join(orders) + "\n")
        tool("debugfs", "-w", "-f", str(script), str(file))
        self._files.append(new)
        self._write_changed(before, file.read_bytes())
        file.unlink()

    def write(self) -> None:
        """A file is written to in many places."""
        with self.image.opened() as image:
            for _ in range(self.draw.randrange(1, 12)):
                offset, length = self._area()
                image.write(self.draw.randbytes(length), offset)

    def discard(self) -> None:
        """Holes are punched into a file."""
        with self.image.opened() as image:
            for _ in range(self.draw.randrange(1, 4)):
                image.discard(*self._area(at_most=2 * MIB))

    def write_zeroes(self) -> None:
        """A file is written over with zeros, in one way or another."""
        with self.image.opened() as image:
            offset, length = self._area()
            image.write_zeroes(offset, length)
            offset, length = self._area()
            image.write(bytes(length), offset)

    def grow(self) -> None:
        """The image grows, with data behind the file system, and an odd end."""
        size = self._size() + self.draw.randrange(1, 4 * MIB) // 512 * 512 + 512
        self.image.resize(size)
        self.image.write(size - 1000, self.draw.randbytes(1000))

    def shrink(self) -> None:
        """It shrinks, but not into the file system; perhaps it grows again, and what was there is gone."""
        size = self._size()
        self.image.resize(self.draw.randint(self._bytes // 512, size // 512) * 512)
        if self.draw.random() < 0.5:
            self.image.resize(size)

    def roll_back(self) -> None:
        """The image becomes what it was at one of its snapshots, some time after something else happened."""
        names = self.image.names()
        if not names:
            self.image.take("of-a-person")
            names = ["of-a-person"]
        self.write()
        self.image.roll_back(self.draw.choice(names))

    def clone(self) -> None:
        """A clone takes its place."""
        import rbd

        name = self._pool.new_name()
        snapshot = f"for-{name}"
        self.image.take(snapshot)
        self.image.hold(snapshot)
        ioctx, features = self._pool.ioctx, feature_bits(*FEATURES)
        rbd.RBD().clone(ioctx, self.image.name, snapshot, ioctx, name, features=features, order=self._order)
        self.image = Image(self._pool, name)
        self.write()

    def flatten(self) -> None:
        """A clone becomes an image that needs no other."""
        import rbd

        with self.image.opened() as image:
            try:
                image.parent_info()
            except rbd.ImageNotFound:
                return
            image.flatten()

    def lose_object_map(self) -> None:
        """The object map is switched off and on, and rebuilt everywhere, as the documentation of Ceph asks for."""
        self.image.switch(False, "OBJECT_MAP", "FAST_DIFF")
        self.image.switch(True, "OBJECT_MAP", "FAST_DIFF")
        for snapshot in [None, *self.image.names()]:
            with self.image.opened(snapshot) as image:
                image.rebuild_object_map()

    def _make_file(self) -> Path:
        tree, file = self._folder / "files", self._folder / "made"
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "backy2_plugins", tree / "backy2_plugins", ignore=skip)
        (tree / _BIG[1:]).write_bytes(self.draw.randbytes(self._bytes // 3))
        file.touch()
        os.truncate(file, self._bytes)
        tool("mkfs.ext4", "-q", "-F", "-b", str(_BLOCK), "-d", str(tree), str(file))
        shutil.rmtree(tree)
        return file

    def _write_changed(self, before: bytes, after: bytes) -> None:
        """Write what differs; what has become zero is written, zeroed or discarded."""
        with self.image.opened() as image:
            for at in range(0, len(after), _BLOCK):
                new = after[at : at + _BLOCK]
                if new == before[at : at + _BLOCK]:
                    continue
                if any(new) or self.draw.random() < 0.3:
                    image.write(new, at)
                else:
                    self.draw.choice((image.write_zeroes, image.discard))(at, len(new))

    def _area(self, at_most: int = 256 * KIB) -> tuple[int, int]:
        """A range of the image in which bytes of the big file lie, and nothing else."""
        start, end = self.draw.choice(self._areas)
        offset = self.draw.randrange(start, end)
        return offset, min(self.draw.choice((1, 512, _BLOCK, 64 * KIB, at_most)), end - offset)

    def _size(self) -> int:
        with self.image.opened(read_only=True) as image:
            return int(image.size())


def _areas(blocks: str) -> list[tuple[int, int]]:
    """The ranges of bytes that blocks cover, which debugfs lists by number; joined where they touch."""
    areas: list[tuple[int, int]] = []
    for number in sorted(int(word) for word in re.findall(r"\d+", blocks)):
        start = number * _BLOCK
        if areas and areas[-1][1] == start:
            areas[-1] = (areas[-1][0], start + _BLOCK)
        else:
            areas.append((start, start + _BLOCK))
    return areas


def check_file_system(file: Path) -> None:
    """e2fsck finds nothing wrong."""
    tool("e2fsck", "-fn", str(file))
