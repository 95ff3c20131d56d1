"""Data backend ``one_file``: all blobs in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence

from backy2_core.api import (
    BlobExistsError,
    BlobNotFoundError,
    BlobUid,
    DataBackend,
    DataCapabilities,
    Setting,
    Settings,
    SettingType,
    StoredBlob,
    hookimpl,
)

TABLES = """
CREATE TABLE IF NOT EXISTS blobs (uid TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, data BLOB NOT NULL);
"""


class Plugin:
    """A plugin object may be an instance, too."""

    backy2_api_version = 1

    @hookimpl
    def backy2_settings(self) -> Sequence[Setting]:
        return [Setting("file", SettingType.PATH, None, "The SQLite file.", required=True)]

    @hookimpl
    def backy2_open_data_backend(self, settings: Settings) -> DataBackend:
        return OneFile(settings["file"])


class OneFile(DataBackend):
    """One connection for all threads."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.executescript(TABLES)

    @property
    def capabilities(self) -> DataCapabilities:
        return DataCapabilities(threads=1)

    @property
    def location(self) -> str:
        return self._path

    def put(self, uid: BlobUid, data: memoryview) -> None:
        with self._lock:
            try:
                self._connection.execute("INSERT INTO blobs VALUES (?, ?)", (uid, bytes(data)))
            except sqlite3.IntegrityError as error:
                raise BlobExistsError(f"blob {uid} is there already") from error

    def flush(self) -> None:
        with self._lock:
            self._connection.commit()

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        data: bytes = self._one("SELECT data FROM blobs WHERE uid = ?", uid)
        buffer[: len(data)] = data
        return len(data)

    def stored_size(self, uid: BlobUid) -> int:
        return int(self._one("SELECT length(data) FROM blobs WHERE uid = ?", uid))

    def delete(self, uids: Sequence[BlobUid]) -> None:
        self._write("DELETE FROM blobs WHERE uid = ?", *[(uid,) for uid in uids])

    def list_blobs(self) -> Iterator[StoredBlob]:
        for uid, size in self._read("SELECT uid, length(data) FROM blobs"):
            yield StoredBlob(uid, size)

    def write_document(self, name: str, data: bytes) -> None:
        self._write("INSERT OR REPLACE INTO documents VALUES (?, ?)", (name, data))

    def create_document(self, name: str, data: bytes) -> bool:
        return self._write("INSERT OR IGNORE INTO documents VALUES (?, ?)", (name, data)) == 1

    def read_document(self, name: str) -> bytes | None:
        rows = self._read("SELECT data FROM documents WHERE name = ?", name)
        return bytes(rows[0][0]) if rows else None

    def list_documents(self, prefix: str) -> Iterator[str]:
        return (row[0] for row in self._read("SELECT name FROM documents") if row[0].startswith(prefix))

    def delete_document(self, name: str) -> None:
        self._write("DELETE FROM documents WHERE name = ?", (name,))

    def close(self) -> None:
        self._connection.close()

    def _one(self, query: str, uid: BlobUid) -> bytes | int:
        rows = self._read(query, uid)
        if not rows:
            raise BlobNotFoundError(f"no blob {uid} in {self._path}")
        return rows[0][0]

    def _read(self, query: str, *arguments: str) -> list[tuple]:
        with self._lock:
            return self._connection.execute(query, arguments).fetchall()

    def _write(self, query: str, *rows: tuple) -> int:
        with self._lock:
            changed = self._connection.executemany(query, rows).rowcount
            self._connection.commit()
            return changed


plugin = Plugin()
