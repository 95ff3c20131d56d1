"""The demonstration on Ceph shows what it promises, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.demo import CHUNK, IMAGE_BYTES
from tests.house.tree import ROOT
from tests.support.ceph import skip_without_ceph

CHANGED_BYTES = 8 * CHUNK


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder with a path that is short enough for the sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="backy2-"))
    yield folder
    shutil.rmtree(folder)


def test_the_demonstration_shows_what_it_promises_and_leaves_nothing(short_folder: Path) -> None:
    skip_without_ceph()
    if shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        pytest.skip("the program mkfs.ext4 is missing; it comes with: apt-get install e2fsprogs")
    environment = os.environ | {"TMPDIR": str(short_folder)}
    done = subprocess.run(
        [sys.executable, "-m", "demo.ceph"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("\nidentical\n")
    first, second = (int(number) for number in re.findall(r"bytes_read +\| (\d+)", done.stdout))
    assert CHANGED_BYTES <= second <= 4 * CHANGED_BYTES < first < IMAGE_BYTES / 2
    made, kept = re.findall(r"TIMESTAMP *\n +\d+ +(backy2-\S+) .*\n\$ ", done.stdout)
    assert made != kept
    assert list(short_folder.iterdir()) == []
