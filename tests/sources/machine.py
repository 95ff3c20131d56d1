"""Fixtures of the machine: loop devices, and a look at what the page cache holds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def loop_device() -> Iterator[Callable[[Path], str]]:
    """Makes a block device of a file; all are released at the end."""
    devices: list[str] = []

    def attach(file: Path) -> str:
        made = subprocess.run(["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"this machine allows no loop device: {made.stderr.strip()}")
        devices.append(made.stdout.strip())
        return devices[-1]

    if os.geteuid():
        pytest.skip("only root can make loop devices")
    yield attach
    for device in devices:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def cached_bytes(tmp_path: Path) -> Callable[[Path], int]:
    """Counts how many bytes of a file are in the page cache."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    if kind.strip() in ("tmpfs", "ramfs"):
        pytest.skip("the temporary folder is on a tmpfs, whose files are the page cache")

    def count(file: Path) -> int:
        counted = subprocess.run(["fincore", "-bno", "RES", str(file)], capture_output=True, text=True, check=True)
        return int(counted.stdout)

    try:
        subprocess.run(["fincore", "--version"], capture_output=True, check=True)
    except FileNotFoundError:
        pytest.skip("fincore is not installed")
    return count
