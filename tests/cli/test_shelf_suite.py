"""The plugin that the tests of many backups use keeps every promise about snapshots."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from backy2_core.testing.snapshots import SnapshotsSubject, SnapshotsSuite

SIZE = 1024 * 1024 + 512
SPEC = importlib.util.spec_from_file_location("backy2_shelf_of_suite", Path(__file__).parent / "shelf/backy2_shelf.py")
assert SPEC is not None
assert SPEC.loader is not None
shelf = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(shelf)


class TestShelf(SnapshotsSuite):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> SnapshotsSubject:
        path = tmp_path / "device"
        path.write_bytes(bytes(SIZE))

        def write(offset: int, data: bytes) -> None:
            with path.open("r+b") as file:
                file.seek(offset)
                file.write(data)

        def take(name: str) -> None:
            shelf.take(path, name)

        def resize(size_bytes: int) -> None:
            with path.open("r+b") as file:
                file.truncate(size_bytes)

        return SnapshotsSubject(
            open=lambda name: shelf.Shelf(f"shelf://{path}" if name is None else f"shelf://{path}@{name}"),
            open_source=shelf.backy2_open_source,
            size_bytes=SIZE,
            write=write,
            take=take,
            drop=lambda name: shelf.find(path, name).unlink(),
            discard=lambda offset, length: write(offset, bytes(length)),
            resize=resize,
            roll_back=lambda name: path.write_bytes(shelf.find(path, name).read_bytes()),
        )
