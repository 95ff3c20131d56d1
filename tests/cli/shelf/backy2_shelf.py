"""Source ``shelf``: files of a folder as devices, whose snapshots are copies beside them. A stranger's plugin.

``shelf:///folder/device`` and ``shelf:///folder/device@snapshot``. The snapshots of a device stand in ``device.d``, each a
file ``TIME.UUID.MARK.NAME``. With ``$SHELF_KILL`` the process kills itself at that point, such as ``after create``. It fails
on devices whose names begin with ``odd``, and prints on standard output for those that begin with ``loud``. It
takes every name that looks like a pattern for one, even if a device has exactly that name.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backy2_core.api import Changes, Extent, Snapshot, Snapshots, Source, SourceError, hookimpl

backy2_api_version = 1
PIECE = 4096


@hookimpl
def backy2_open_source(url: str) -> Source:
    path, name = split(url)
    if name is None:
        return FileOf(path, "")
    found = find(path, name)
    return FileOf(found, identity(found))


@hookimpl
def backy2_open_snapshots(url: str) -> Snapshots:
    return Shelf(url)


@hookimpl
def backy2_list_sources(pattern: str) -> Sequence[str] | None:
    path, name = split(pattern)
    if name is not None or not any(char in path.name for char in "*?["):
        return None
    names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix != ".d")
    return [f"shelf://{path.parent}/{found}" for found in names if fnmatch.fnmatchcase(found, path.name)]


def split(url: str) -> tuple[Path, str | None]:
    path, at, name = url.removeprefix("shelf://").partition("@")
    return Path(path), name if at else None


def folder(path: Path) -> Path:
    return path.with_name(path.name + ".d")


def all_of(path: Path) -> list[Path]:
    return sorted(entry for entry in folder(path).glob("*") if not entry.name.startswith("."))


def find(path: Path, name: str) -> Path:
    for entry in all_of(path):
        if entry.name.split(".", 3)[3] == name:
            return entry
    raise SourceError(f"there is no snapshot shelf://{path}@{name}")


def identity(entry: Path) -> str:
    return entry.name.split(".", 3)[1]


def arrive(point: str) -> None:
    if os.environ.get("SHELF_KILL") == point:
        os.kill(os.getpid(), signal.SIGKILL)


def take(path: Path, name: str, mark: str = "") -> Path:
    folder(path).mkdir(exist_ok=True)
    made = folder(path) / f"{time.time_ns():020}.{uuid.uuid4()}.{mark}.{name}"
    copy = made.with_name(f".{made.name}")
    shutil.copyfile(path, copy)
    return copy.rename(made)


class FileOf(Source):
    def __init__(self, path: Path, identity: str) -> None:
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise SourceError(f"shelf://{path} cannot be read: {error.strerror}") from error
        self._identity = identity

    @property
    def size_bytes(self) -> int:
        return len(self._content)

    @property
    def identity(self) -> str:
        return self._identity

    def read_into(self, offset: int, buffer: memoryview) -> None:
        data = self._content[offset : offset + len(buffer)]
        if len(data) != len(buffer):
            raise SourceError("beyond the end")
        buffer[:] = data

    def allocated(self) -> Iterator[Extent]:
        return iter([Extent(0, len(self._content))] if self._content else [])

    def close(self) -> None:
        pass


class Shelf(Snapshots):
    def __init__(self, url: str) -> None:
        self._path, self._name = split(url)
        if self._path.name.startswith("odd"):
            raise ValueError("how odd")
        if self._path.name.startswith("loud"):
            # As a library in C would: what Python prints is sent to standard error.
            os.write(1, b"how loud\n")
        if not self._path.is_file():
            raise SourceError(f"there is no device {url}")
        if self._name is not None:
            find(self._path, self._name)

    @property
    def named(self) -> Snapshot | None:
        return None if self._name is None else self._snapshot(find(self._path, self._name))

    def list(self) -> Sequence[Snapshot]:
        return [self._snapshot(entry) for entry in all_of(self._path)]

    def create(self, mark: str) -> Snapshot:
        arrive("before create")
        made = self._snapshot(take(self._path, f"backy2-{mark}", mark))
        arrive("after create")
        return made

    def changes(self, older: Snapshot, newer: Snapshot) -> Changes:
        old, new = (self._entry(snapshot).read_bytes() for snapshot in (older, newer))
        pieces = range(0, min(len(old), len(new)), PIECE)
        arrive("after changes")
        return Changes(
            Extent(at, PIECE, any(new[at : at + PIECE]))
            for at in pieces
            if new[at : at + PIECE] != old[at : at + PIECE][: len(new) - at]
        )

    def remove(self, snapshot: Snapshot) -> None:
        if not snapshot.own:
            raise SourceError(f"{snapshot.url} is not ours")
        arrive("before remove")
        for entry in all_of(self._path):
            if identity(entry) == snapshot.identity:
                entry.unlink()
        arrive("after remove")

    def close(self) -> None:
        pass

    def _entry(self, snapshot: Snapshot) -> Path:
        for entry in all_of(self._path):
            if identity(entry) == snapshot.identity:
                return entry
        raise SourceError(f"{snapshot.url} is gone")

    def _snapshot(self, entry: Path) -> Snapshot:
        ns, uid, mark, name = entry.name.split(".", 3)
        return Snapshot(
            name=name,
            identity=uid,
            url=f"shelf://{self._path}@{name}",
            size_bytes=entry.stat().st_size,
            created=datetime.fromtimestamp(int(ns) / 1e9, UTC),
            own=bool(mark),
            mark=mark,
        )
