"""An installation as the original leaves it: a store of blobs, a database about them, and dumps of its versions."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from tests.faults.site import BLOCK

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
DATE = "2024-05-06 07:08:09"

_VERSIONS = """CREATE TABLE versions (uid VARCHAR(36) NOT NULL PRIMARY KEY, date DATETIME NOT NULL,
    name VARCHAR NOT NULL, snapshot_name VARCHAR DEFAULT '' NOT NULL, size BIGINT NOT NULL, size_bytes BIGINT NOT NULL,
    valid INTEGER NOT NULL, protected INTEGER NOT NULL)"""
_BLOCKS = """CREATE TABLE blocks (uid VARCHAR(32), version_uid VARCHAR(36) NOT NULL REFERENCES versions (uid),
    id INTEGER NOT NULL, date DATETIME NOT NULL, checksum VARCHAR(128), size BIGINT, valid INTEGER NOT NULL{more},
    PRIMARY KEY (version_uid, id))"""
_SEALED = ", enc_version INTEGER DEFAULT 0 NOT NULL, enc_envkey VARCHAR(80), enc_nonce VARCHAR(32)"
_OTHERS = (
    "CREATE TABLE tags (version_uid VARCHAR(36) NOT NULL, name VARCHAR NOT NULL, PRIMARY KEY (version_uid, name))",
    "CREATE TABLE deleted_blocks (id INTEGER NOT NULL PRIMARY KEY, uid VARCHAR(32), size BIGINT, time BIGINT NOT NULL)",
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
)


@dataclass
class Row:
    """What the original records of one block; all empty for one of zeros."""

    uid: str
    checksum: str
    size: int
    envkey: str = ""
    nonce: str = ""


@dataclass
class Backup:
    """A version of the original."""

    uid: str
    name: str
    size: int
    size_bytes: int
    rows: list[Row] = field(default_factory=list)


class Original:
    """Stores plain blobs, or sealed ones if it has a ``key`` of 32 bytes."""

    def __init__(self, store: Path, key: bytes = b"") -> None:
        self.store = store
        self.backups: list[Backup] = []
        self._key = key
        self._known: dict[bytes, Row] = {}
        self._chance = random.Random(str(store.name))

    def back_up(self, content: bytes, name: str = "old") -> str:
        """A valid version with this content; its uid."""
        pieces = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
        made = Backup(str(uuid.uuid1()), name, len(pieces), len(content), [self._row(piece) for piece in pieces])
        self.backups.append(made)
        return made.uid

    def blob(self, content: bytes) -> Path:
        """Where the blob with this block is."""
        return self._path(self._known[content].uid)

    def dump(self, uid: str) -> list[str]:
        """The lines of a dump as 2.9 exports it (2.12 if blobs are sealed), without line ends."""
        (backup,) = (backup for backup in self.backups if backup.uid == uid)
        number, expire = ("2.12", ",") if self._key else ("2.2", "")
        lines = [f"backy2 Version {number} metadata dump"]
        lines.append(f"{uid},{DATE},{backup.name},,{backup.size},{backup.size_bytes},1,0{expire}")
        for block, row in enumerate(backup.rows):
            seal = f",{1 if row.envkey else 0},{row.envkey},{row.nonce}" if self._key else ""
            lines.append(f"{row.uid},{uid},{block},{DATE},{row.checksum},{row.size},1{seal}")
        return lines

    def write_database(self, path: Path, *, half_upgraded: bool = False) -> None:
        """Its SQLite database; half upgraded: as 2.10 and later leave one of 2.9 when their upgrade of it fails."""
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in (_VERSIONS, _BLOCKS.format(more=_SEALED if self._key else ""), *_OTHERS):
                connection.execute(statement)
            revision = "30349b678801" if self._key else "29c655b78818"
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
            for backup in self.backups:
                self._insert(connection, backup)
            if half_upgraded:
                connection.execute("ALTER TABLE versions ADD COLUMN expire DATE")

    def _insert(self, connection: sqlite3.Connection, backup: Backup) -> None:
        version = (backup.uid, DATE, backup.name, "", backup.size, backup.size_bytes, 1, 0)
        connection.execute(f"INSERT INTO versions VALUES ({_marks(version)})", version)
        for block, row in enumerate(backup.rows):
            cells: tuple[object, ...] = (row.uid or None, backup.uid, block, DATE, row.checksum or None, row.size, 1)
            if self._key:
                cells += (1 if row.envkey else 0, row.envkey, row.nonce)
            connection.execute(f"INSERT INTO blocks VALUES ({_marks(cells)})", cells)

    def _row(self, piece: bytes) -> Row:
        if not piece.strip(b"\0"):
            return Row("", "", len(piece))
        if piece not in self._known:
            tail = "".join(self._chance.choice(ALPHABET) for _ in range(22))
            row = Row(hashlib.md5(tail.encode()).hexdigest()[:10] + tail, hashlib.sha512(piece).hexdigest(), len(piece))
            self._known[piece] = row
            path = self._path(row.uid)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._sealed(piece, row) if self._key else piece)
        return self._known[piece]

    def _sealed(self, piece: bytes, row: Row) -> bytes:
        key, nonce = os.urandom(32), os.urandom(16)
        encryptor = Cipher(algorithms.AES(key), modes.GCM(nonce)).encryptor()
        data = encryptor.update(zstandard.ZstdCompressor(level=1).compress(piece)) + encryptor.finalize()
        row.envkey, row.nonce = aes_key_wrap(self._key, key).hex(), nonce.hex()
        return encryptor.tag + nonce + data

    def _path(self, uid: str) -> Path:
        return self.store / uid[:2] / uid[2:4] / f"{uid}.blob"


def text(lines: Iterable[str], end: str = "\r\n") -> bytes:
    """A dump as it is in a file."""
    return "".join(line + end for line in lines).encode()


def _marks(cells: tuple[object, ...]) -> str:
    return ", ".join("?" * len(cells))
