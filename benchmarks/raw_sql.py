"""The same rows by plain SQL on PostgreSQL: what backy2's work on metadata is measured against.

The tables have the columns and the indexes of backy2's. Each job touches the rows that the job of backy2 touches, by the
quickest statements that the server has: COPY, arrays of keys, and a cursor on the server for what is read from end to end.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

TABLES = ("blobs", "segments", "versions")
_KEYS = 1000
_PAGE = 50_000
_LARGE_PAGE = 500
"""Rows that hold a part of a map; this process stays small, since its size is the least that a child's peak can be."""
_PIECE = 1 << 20


class RawSql:
    """Copies of backy2's tables under the prefix ``raw_``; ``url`` is in the notation of the driver."""

    def __init__(self, url: str, folder: Path, blobs: int, changed: int) -> None:
        self._database = psycopg.connect(url, autocommit=True)
        self._folder = folder
        self._blobs = blobs
        self._changed = changed

    def prepare(self) -> None:
        """Write backy2's rows, as they are after its first backup, to files, and make empty tables; not measured."""
        for table in TABLES:
            with (self._folder / table).open("wb") as file, self._database.cursor() as cursor:
                with cursor.copy(f"COPY backy2_{table} TO STDOUT") as copy:
                    for piece in copy:
                        file.write(piece)
                cursor.execute(f"CREATE TABLE raw_{table} (LIKE backy2_{table} INCLUDING ALL)")

    def seconds(self, job: str) -> float:
        """How long a job takes; the names are those of backy2's jobs."""
        work: dict[str, Callable[[], object]] = {
            "first": self._first,
            "ls": lambda: self._database.execute("SELECT * FROM raw_versions ORDER BY name, date").fetchall(),
            "incremental": self._incremental,
            "rm": lambda: self._database.execute("UPDATE raw_versions SET state = 4"),
            "cleanup": self._cleanup,
            "full-cleanup": self._full_cleanup,
        }
        began = time.perf_counter()
        work[job]()
        return time.perf_counter() - began

    def close(self) -> None:
        """Drop the tables."""
        for table in TABLES:
            self._database.execute(f"DROP TABLE raw_{table}")
        self._database.close()

    def _first(self) -> None:
        for table in TABLES:
            with (
                (self._folder / table).open("rb") as file,
                self._database.cursor() as cursor,
                cursor.copy(f"COPY raw_{table} FROM STDIN") as copy,
            ):
                while piece := file.read(_PIECE):
                    copy.write(piece)

    def _incremental(self) -> None:
        """Look the checksums of the changed blocks up, insert as many records, and the segments that they are in."""
        draw = random.Random(3)
        with self._database.transaction():
            for _ in range(0, self._changed, _KEYS):
                heads = [draw.randrange(-(1 << 63), 1 << 63) for _ in range(_KEYS)]
                self._database.execute("SELECT id FROM raw_blobs WHERE checksum_head = ANY(%s)", [heads]).fetchall()
            names = [row[0] for row in self._columns("blobs")]
            new = {"id": f"id + {self._blobs}", "uid": "'x' || substr(uid, 2)", "checksum_head": "-checksum_head"}
            values = ", ".join(new.get(name, name) for name in names)
            self._database.execute(
                f"INSERT INTO raw_blobs SELECT {values} FROM raw_blobs WHERE mod(id, %s) = 0",
                [self._blobs // self._changed],
            )
            self._database.execute(
                "INSERT INTO raw_segments SELECT id + 1000000000, digest, digest_head, condemned, generation, data"
                " FROM raw_segments ORDER BY id LIMIT %s",
                [self._changed],
            )

    def _cleanup(self) -> None:
        """Read all segments and the state of all records, and delete what the incremental had added."""
        self._scan("SELECT id, condemned, generation, data FROM raw_segments", _LARGE_PAGE)
        self._scan("SELECT id, state, condemned, generation FROM raw_blobs")
        self._database.execute("DELETE FROM raw_segments WHERE id > 1000000000")
        self._database.execute("DELETE FROM raw_blobs WHERE id > %s", [self._blobs])

    def _full_cleanup(self) -> None:
        """The scans, and a look-up of each uid as a listing of the store would give it."""
        self._scan("SELECT id, condemned, generation, data FROM raw_segments", _LARGE_PAGE)
        self._scan("SELECT id, state, condemned, generation FROM raw_blobs")
        with self._database.transaction(), self._database.cursor("uids") as cursor:
            cursor.execute("SELECT uid FROM raw_blobs")
            while rows := cursor.fetchmany(_KEYS):
                uids = [uid for (uid,) in rows]
                self._database.execute("SELECT uid FROM raw_blobs WHERE uid = ANY(%s)", [uids]).fetchall()

    def _scan(self, statement: str, page: int = _PAGE) -> None:
        with self._database.transaction(), self._database.cursor("scan") as cursor:
            cursor.execute(statement.encode())
            while cursor.fetchmany(page):
                pass

    def _columns(self, table: str) -> list[Any]:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position"
        return self._database.execute(query, [f"raw_{table}"]).fetchall()
