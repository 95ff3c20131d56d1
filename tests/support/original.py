"""Installations of the original, made by its real releases: unpacked from tests/data/original."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "original"
RELEASES = (
    "2111-dump210",
    "213-enc-bs4096",
    "213-mixed-bs65536",
    "213-plain-bs65536",
    "2917-bs4096",
    "2917-bs65536",
    "295-dump21",
)
TABLES = ("versions", "blocks", "tags", "stats", "deleted_blocks", "alembic_version")


@dataclass(frozen=True)
class OriginalInstallation:
    """A folder with ``backy.cfg``, ``backy.sqlite`` and ``data``, as a release left it; the paths in it are relative."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def database(self) -> Path:
        return self.folder / "backy.sqlite"

    @property
    def uids(self) -> dict[str, str]:
        """The uids of all versions that are there, by their names in the manifest."""
        return {name: version["uid"] for name, version in self.manifest["versions"].items() if version["present"]}

    @property
    def good(self) -> dict[str, str]:
        """The SHA-256 of the image of each version that is whole, by uid."""
        images = self.manifest["images"]
        return {
            version["uid"]: images[version["image"]]["sha256"]
            for version in self.manifest["versions"].values()
            if version["present"] and version["valid_at_end"]
        }

    @property
    def bad(self) -> list[str]:
        """The uids of the versions that are damaged or incomplete."""
        return [uid for uid in self.uids.values() if uid not in self.good]

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the original's own tables."""
        with closing(sqlite3.connect(self.database)) as connection:
            there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            return {
                name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in TABLES if name in there
            }

    def blobs(self) -> set[str]:
        """The uids of all blobs in the store."""
        return {path.name.partition(".")[0] for path in (self.folder / "data").glob("*/*/*.blob")}


def unpack(release: str, folder: Path) -> OriginalInstallation:
    """Put an installation of this release into ``folder``, which must not be there yet."""
    folder.mkdir()
    data = DATA / release
    shutil.copy(data / "backy.cfg", folder)
    with tarfile.open(data / "data.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    with gzip.open(DATA / "databases" / f"{release}.sqlite.gz") as packed:
        (folder / "backy.sqlite").write_bytes(packed.read())
    return OriginalInstallation(folder, json.loads((data / "manifest.json").read_text()))
