"""The source and the target keep every promise of their contracts, on images made by QEMU's own programs."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from backy2_qcow2 import Qcow2Source, Qcow2Target

from backy2_core.api import TargetRequest
from backy2_core.testing.durability import TargetDurabilitySuite
from backy2_core.testing.outage import Outage
from backy2_core.testing.source import SourceSubject, SourceSuite, TargetSubject, TargetSuite

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-nbd") is None, reason="qemu-nbd is missing; install it with: apt-get install qemu-utils"
)
MIB = 1024 * 1024


def device() -> bytes:
    """Data, zeros and holes, with an end that fits no cluster."""
    content = bytearray(6 * MIB + 5 * 512)
    for offset, length in ((0, MIB), (2 * MIB + 512, 700_000), (5 * MIB, MIB + 5 * 512)):
        content[offset : offset + length] = random.Random(offset).randbytes(length)
    return bytes(content)


def image(path: Path, content: bytes, *options: str) -> Path:
    raw = path.with_suffix(".raw")
    raw.write_bytes(content)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, raw, path], check=True)
    return path


def write(path: Path) -> None:
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 4M", path], check=True, stdout=subprocess.DEVNULL)


def content_of(path: Path) -> bytes:
    raw = path.with_suffix(".read")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
    return raw.read_bytes()


class TestImage(SourceSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        path = image(tmp_path / "image.qcow2", device())

        def named(name: str) -> Qcow2Source:
            return Qcow2Source(f"qcow2://{shutil.copy(path, tmp_path / name)}")

        return SourceSubject(
            lambda: Qcow2Source(f"qcow2://{path}"),
            device(),
            url=f"qcow2://{path}",
            change=lambda: write(path),
            cut=lambda: os.truncate(path, path.stat().st_size // 2),
            open_missing=lambda: Qcow2Source(f"qcow2://{tmp_path}/missing"),
            open_named=named,
        )


class TestCompressedImage(SourceSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        path = image(tmp_path / "image.qcow2", device(), "-c", "-o", "cluster_size=4k")
        return SourceSubject(lambda: Qcow2Source(f"qcow2://{path}", threads=1), device())


class TestSnapshot(SourceSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        path = image(tmp_path / "image.qcow2", device())
        subprocess.run(["qemu-img", "snapshot", "-c", "before", path], check=True)
        write(path)
        return SourceSubject(
            lambda: Qcow2Source(f"qcow2://{path}@before"),
            device(),
            url=f"qcow2://{path}@before",
            open_missing=lambda: Qcow2Source(f"qcow2://{path}@after"),
        )


class TestTarget(TargetDurabilitySuite, TargetSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> TargetSubject:
        path = tmp_path / "files" / "new.qcow2"
        path.parent.mkdir()
        opened: list[Qcow2Target] = []

        def kill_the_server() -> None:
            opened[-1]._server._process.kill()

        def open_target(request: TargetRequest) -> Qcow2Target:
            opened.append(Qcow2Target(f"qcow2://{path}", request))
            return opened[-1]

        return TargetSubject(
            open_target,
            lambda: content_of(path),
            2 * MIB + 3 * 512,
            url=f"qcow2://{path}",
            space_bytes=lambda: path.stat().st_blocks * 512,
            outage=Outage(kill_the_server, lambda: None, retryable=False),
        )

    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        return tmp_path / "files"
