"""What must be true of a store and its database after a full cleanup that ran while no job was live.

The files and rows are read directly, past the program that wrote them.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any


def check_exact(database: Path, store: Path) -> None:
    """The store holds exactly what versions refer to, the database exactly its records; nobody left a trace."""
    _check_versions(database, store)
    _check_segments(database)
    _check_blobs(database, store)
    assert column(database, "SELECT count(*) FROM backy2_jobs WHERE state = 1") == [0]
    assert column(database, "SELECT count(*) FROM backy2_uses") == [0], "a job that is over names versions"
    assert _staging(store) == [], "a dead writer's folder is left"
    assert column(database, "PRAGMA quick_check") == ["ok"]


def objects(store: Path) -> set[str]:
    """Uids of all blobs that are in the store as files."""
    return {path.name.removesuffix(".blob") for path in store.glob("??/??/*.blob")}


def column(database: Path, query: str) -> list[Any]:
    """The first column of what a query finds."""
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        return [row[0] for row in connection.execute(query)]


def _check_versions(database: Path, store: Path) -> None:
    markers = {path.stem for path in (store / "backy2" / "versions").glob("*.json")}
    assert column(database, "SELECT uid FROM backy2_versions WHERE state = 4") == []
    assert markers <= set(column(database, "SELECT uid FROM backy2_versions")), "a marker stands for no version"
    valid = set(column(database, "SELECT uid FROM backy2_versions WHERE state = 2"))
    assert valid <= markers, "a valid version has no marker"


def _check_segments(database: Path) -> None:
    parts = column(database, "SELECT data FROM backy2_maps")
    in_maps = {segment for part in parts for (segment,) in struct.iter_unpack("<q", part)}
    found = set(column(database, "SELECT id FROM backy2_segments"))
    assert found == in_maps, _difference("segments", found, "maps", in_maps)
    assert column(database, "SELECT id FROM backy2_segments WHERE condemned IS NOT NULL") == []


def _check_blobs(database: Path, store: Path) -> None:
    segments = column(database, "SELECT data FROM backy2_segments")
    used = {blob for segment in segments for blob, _ in struct.iter_unpack("<q16s", segment)} - {0}
    found = set(column(database, "SELECT id FROM backy2_blobs"))
    assert found == used, _difference("records", found, "segments", used)
    recorded = set(column(database, "SELECT uid FROM backy2_blobs"))
    assert objects(store) == recorded, _difference("objects", objects(store), "records", recorded)
    assert column(database, "SELECT id FROM backy2_blobs WHERE state != 1 OR condemned IS NOT NULL") == []


def _staging(store: Path) -> list[str]:
    folder = store / ".backy2-tmp"
    return os.listdir(folder) if folder.is_dir() else []


def _difference(one: str, a: set[Any], other: str, b: set[Any]) -> str:
    return f"only in {one}: {len(a - b)} {sorted(a - b)[:3]}; only in {other}: {len(b - a)} {sorted(b - a)[:3]}"
