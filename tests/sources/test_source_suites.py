"""Our own sources and targets, and the reference ones, keep every promise of the contract."""

from __future__ import annotations

import os
import random
import resource
from pathlib import Path

import pytest

from backy2_core.contracts.source import Target, TargetRequest
from backy2_core.model.extent import Extent
from backy2_core.testing.durability import TargetDurabilitySuite
from backy2_core.testing.memory import MemorySource, MemoryTarget
from backy2_core.testing.outage import Outage
from backy2_core.testing.source import SourceSubject, SourceSuite, TargetSubject, TargetSuite
from backy2_plugins.sources.file import FileSource, FileTarget
from backy2_plugins.sources.null import NullSource, NullTarget

MIB = 1024 * 1024
SIZE = 3 * MIB + 1234


def _content() -> bytes:
    """Data, a hole, written zeros, data, a hole, and an odd end."""
    draw = random.Random(3)
    return (
        draw.randbytes(MIB)
        + bytes(MIB // 2)
        + bytes(MIB // 4)
        + draw.randbytes(MIB // 4)
        + bytes(MIB)
        + b"end" * 411
        + b"."
    )


def _write_with_holes(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.truncate(len(content))
        for start, stop in ((0, MIB), (3 * MIB // 2, 2 * MIB), (3 * MIB, len(content))):
            file.seek(start)
            file.write(content[start:stop])


def _no_file_may_grow() -> Outage:
    """A limit of this process, at which writing fails as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def set_limit(soft: int) -> None:
        # Python ignores the signal that would come with it.
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, limits[1]))

    return Outage(begin=lambda: set_limit(0), end=lambda: set_limit(limits[0]), retryable=False)


class TestFileSource(SourceSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> SourceSubject:
        content, path = _content(), tmp_path / "image"
        _write_with_holes(path, content)

        def open_named(name: str) -> FileSource:
            (tmp_path / name).write_bytes(content)
            return FileSource(f"file://{tmp_path}/{name}")

        return SourceSubject(
            lambda: FileSource(f"file://{path}"),
            content,
            url=f"file://{path}",
            change=lambda: os.utime(path, ns=(1, 1)),
            cut=lambda: os.truncate(path, SIZE // 2),
            open_missing=lambda: FileSource(f"file://{tmp_path}/missing"),
            open_named=open_named,
        )


class TestNullSource(SourceSuite):
    @pytest.fixture
    def subject(self) -> SourceSubject:
        return SourceSubject(lambda: NullSource(SIZE))


class TestMemorySource(SourceSuite):
    @pytest.fixture
    def subject(self) -> SourceSubject:
        content = _content()
        data = [Extent(0, MIB), Extent(7 * MIB // 4, MIB // 4), Extent(3 * MIB, SIZE - 3 * MIB)]
        return SourceSubject(lambda: MemorySource(content, data=data, identity="always the same"), content)


class TestFileTarget(TargetDurabilitySuite, TargetSuite):
    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        return tmp_path / "restored"

    @pytest.fixture
    def subject(self, tmp_path: Path) -> TargetSubject:
        path = tmp_path / "restored"
        return TargetSubject(
            lambda request: FileTarget(f"file://{path}", request),
            path.read_bytes,
            SIZE,
            url=f"file://{path}",
            space_bytes=lambda: path.stat().st_blocks * 512,
            outage=_no_file_may_grow(),
        )


class TestExistingFileTarget(TargetSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> TargetSubject:
        path = tmp_path / "old"
        path.write_bytes(b"old bytes" * (SIZE // 9 + 1))
        return TargetSubject(
            lambda request: FileTarget(f"file://{path}", request),
            path.read_bytes,
            SIZE,
            creates=False,
            url=f"file://{path}",
            space_bytes=lambda: path.stat().st_blocks * 512,
        )


class TestFileTargetInMemory(TargetSuite):
    """tmpfs can punch holes, but not zero ranges."""

    @pytest.fixture
    def subject(self, tmp_path: Path) -> TargetSubject:
        if not os.path.ismount("/dev/shm"):
            pytest.skip("/dev/shm is no tmpfs here")
        path = Path("/dev/shm") / f"backy2-test-{os.getpid()}-{tmp_path.name}"
        return TargetSubject(lambda request: FileTarget(f"file://{path}", request), path.read_bytes, SIZE)

    @pytest.fixture(autouse=True)
    def tidy(self, tmp_path: Path):
        yield
        (Path("/dev/shm") / f"backy2-test-{os.getpid()}-{tmp_path.name}").unlink(missing_ok=True)


class TestNullTarget(TargetSuite):
    @pytest.fixture
    def subject(self) -> TargetSubject:
        return TargetSubject(lambda request: NullTarget(), None, SIZE)


class TestMemoryTarget(TargetSuite):
    @pytest.fixture
    def subject(self) -> TargetSubject:
        device: list[bytearray] = []

        def open_target(request: TargetRequest) -> Target:
            target = MemoryTarget(request, device[0] if device else None)
            device[:] = [target.content]
            return target

        return TargetSubject(open_target, lambda: bytes(device[0]), SIZE)
