"""File stores, and small filesystems to put them on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backy2_plugins.data_backends.file import FileDataBackend
from tests.sources.machine import cached_bytes
from tests.support.ceph import ceph, ceph_with_radosgw, own_ceph
from tests.support.s3 import gateway, moto, scripted

__all__ = [
    "cached_bytes",
    "ceph",
    "ceph_with_radosgw",
    "flush_method",
    "gateway",
    "moto",
    "open_file_store",
    "own_ceph",
    "remount",
    "scripted",
    "small_filesystem",
    "store",
]


@pytest.fixture(params=["syncfs", "fsync"])
def flush_method(request: pytest.FixtureRequest) -> str:
    """Each of the ways to make blobs durable."""
    return str(request.param)


@pytest.fixture
def open_file_store(tmp_path: Path, flush_method: str) -> Callable[[], FileDataBackend]:
    """Opens the store ``store`` in the temporary folder."""
    return lambda: FileDataBackend(str(tmp_path / "store"), flush_method=flush_method)


@pytest.fixture
def store(open_file_store: Callable[[], FileDataBackend]) -> Iterator[FileDataBackend]:
    """The store, open."""
    with open_file_store() as opened:
        yield opened


@pytest.fixture
def small_filesystem(tmp_path: Path) -> Iterator[Path]:
    """An ext4 filesystem of 16 MiB on a loop device."""
    if os.geteuid():
        pytest.skip("only root can mount a small filesystem")
    image, path = tmp_path / "filesystem", tmp_path / "small"
    path.mkdir()
    with image.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    except FileNotFoundError:
        pytest.skip("mkfs.ext4 is not installed")
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine allows no loop mount: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def remount(path: Path, how: str) -> None:
    """Make a mounted filesystem read-only ("ro") or writable ("rw")."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(path)], check=True)
