"""One indexed row a block, as simply and as quickly as SQLite takes it: what the shared segments are measured against.

Each version has a row for each of its blocks, with the uid of 32 digits and the checksum of 32 bytes, both indexed.
One transaction a version, as durable as backy2's own (WAL, synchronous=FULL). Binary checksums, ascending uids, the
quickest of three table layouts that were tried, and a cache that holds all of it favour the rows.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from backy2_core.model.blob import BlobUid, JobToken, blob_uid

_SCHEMA = """
CREATE TABLE blocks (
    version INTEGER, block INTEGER, uid TEXT, checksum BLOB, size INTEGER, valid INTEGER
);
CREATE INDEX blocks_version ON blocks (version);
CREATE INDEX blocks_uid ON blocks (uid);
CREATE INDEX blocks_checksum ON blocks (checksum);
"""


Row = tuple[int, int, BlobUid, bytes, int]


def version_rows(version: int, blocks: int, block_bytes: int, changed: Collection[int]) -> list[Row]:
    """The rows of a version in which the ``changed`` blocks are its own; made beforehand, hashing is not measured."""
    rows = []
    for block in range(blocks):
        made_by = version if block in changed else 1
        checksum = hashlib.sha256(b"%d %d" % (made_by, block)).digest()
        rows.append((version, block, blob_uid(JobToken(f"{made_by:016x}"), block), checksum, block_bytes))
    return rows


class Rows:
    """A database of rows, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        path = folder / "rows.sqlite"
        fresh = not path.exists()
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-262144"):
            self._database.execute(f"PRAGMA {pragma}")
        if fresh:
            self._database.executescript(_SCHEMA)

    def insert(self, rows: Sequence[Row]) -> None:
        """Insert the rows of a version."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, 1)", rows)
        self._database.execute("COMMIT")

    def remove(self, version: int) -> None:
        """Delete the rows of a version."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("DELETE FROM blocks WHERE version = ?", (version,))
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Close; the write-ahead log goes into the database."""
        self._database.close()
