"""Small filesystems for tests: one in memory, one ext4 on a loop device. Both need root."""

from __future__ import annotations

import contextlib
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk(ABC):
    """A mounted filesystem at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mounted = False

    @abstractmethod
    def mount(self, size_kib: int) -> None:
        """Make and mount it; skips the test where that is not possible."""

    def options(self, text: str) -> None:
        """Mount it again with other options."""
        _run("mount", "-o", f"remount,{text}", str(self.path))

    def unmount(self, *, lazily: bool = False) -> None:
        """Unmount it; lazily: its place is empty at once, and who holds it open keeps it."""
        _run("umount", *(["-l"] if lazily else []), str(self.path))
        self.mounted = False

    def fill(self, leave: int) -> None:
        """Write a ballast file that leaves about so many bytes free."""
        found = os.statvfs(self.path)
        left = found.f_bavail * found.f_bsize - leave
        with (self.path / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while left > 0:  # a filesystem may need some of its free blocks for itself
                left -= file.write(b"x" * min(left, 4096))
            os.fsync(file.fileno())

    def make_room(self) -> None:
        """Delete the ballast file."""
        (self.path / "ballast").unlink()


class MemoryDisk(Disk):
    """A tmpfs."""

    def mount(self, size_kib: int) -> None:
        _or_skip("mount", "-t", "tmpfs", "-o", f"size={size_kib}k", "none", str(self.path))
        self.mounted = True


class LoopDisk(Disk):
    """An ext4 filesystem in a file beside its mount point."""

    @property
    def image(self) -> Path:
        """The file that holds it."""
        return self.path.with_suffix(".img")

    def mount(self, size_kib: int) -> None:
        with self.image.open("wb") as file:
            file.truncate(size_kib * 1024)
        _or_skip("mkfs.ext4", "-q", "-m", "0", "-N", "1500", str(self.image))
        self.mount_again()

    def mount_again(self) -> None:
        """Mount what is in the file."""
        _or_skip("mount", "-o", "loop", str(self.image), str(self.path))
        self.mounted = True


@contextmanager
def mounted(disk: Disk, size_kib: int) -> Iterator[Disk]:
    """A disk for as long as the context lasts."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a filesystem")
    disk.path.mkdir()
    disk.mount(size_kib)
    try:
        yield disk
    finally:
        if disk.mounted:
            disk.unmount(lazily=True)


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended


def _or_skip(*command: str) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed")
    if ended.returncode != 0:
        pytest.skip(f"{command[0]} does not work here: {ended.stderr.strip()}")
