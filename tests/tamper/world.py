"""An encrypted installation with some versions, and ways to manipulate its store and its database past the program."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backy2_core.model.block import Geometry
from backy2_core.model.segment import VersionDigest, digest_of
from tests.faults.site import BLOCK, Site

CORE = {"transforms": "zstd, aes_gcm"}
SECOND = 128
"""First block of the second segment."""
_ENTRY = struct.Struct("<q16s")


@dataclass
class Made:
    """A version, and the image that it must restore to."""

    uid: str
    image: bytes


class World:
    """A folder with an installation in it; ``twin`` is another store that began as a copy of it, with the same store key."""

    def __init__(self, folder: Path, versions: dict[str, Made], twin: Path | None = None) -> None:
        self.versions = versions
        self.folder = folder
        self.twin_store = twin or folder / "twin"
        self.site = Site(folder, core=CORE)
        self.configure()

    def configure(self, core: dict[str, Any] | None = None, more: str = "") -> None:
        """Write the configuration with its key."""
        self.site.configure(core, f"[key:main]\nsecret = %(file:{self.folder}/main.key)s\n{more}")

    def copy(self, folder: Path) -> World:
        """The same again; the twin is shared."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("twin", "before", "log"))
        made = World(folder, self.versions, self.folder / "twin")
        made.execute("UPDATE backy2_stores SET location = ?", str(made.site.store))
        return made

    def uid(self, name: str) -> str:
        """The uid of the version that the tests call so."""
        return self.versions[name].uid

    # -- blobs

    def blob(self, version: str, block: int, store: Path | None = None) -> Path:
        """The file of a block."""
        uid = str(self.record(version, block)["uid"])
        return (store or self.site.store) / uid[:2] / uid[2:4] / f"{uid}.blob"

    def change_blob(self, version: str, block: int, change: Callable[[bytes], bytes]) -> None:
        """Put other bytes in the place of a blob."""
        path = self.blob(version, block)
        path.write_bytes(change(path.read_bytes()))

    def twin_blob(self) -> bytes:
        """A blob that only the twin has, of a whole block."""
        ours = {path.name for path in self.site.store.rglob("*.blob")}
        [found] = [path for path in self.twin_store.rglob("*.blob") if path.name not in ours]
        return found.read_bytes()

    # -- records

    def record(self, version: str, block: int) -> dict[str, Any]:
        """The record of a block's blob."""
        with closing(sqlite3.connect(self.site.database)) as connection:
            connection.row_factory = sqlite3.Row
            blob = self.entries(version)[block][0]
            return dict(connection.execute("SELECT * FROM backy2_blobs WHERE id = ?", [blob]).fetchone())

    def change_record(self, version: str, block: int, **values: Any) -> None:
        """Edit the record of a block's blob."""
        self.update("blobs", self.record(version, block)["id"], **values)

    def chain(self, spec: str) -> int:
        """The number of a chain of transforms, which is recorded if it is new."""
        with self.connected() as connection:
            number = connection.execute("SELECT max(id) + 1 FROM backy2_chains").fetchone()[0]
            connection.execute("INSERT INTO backy2_chains (id, spec) VALUES (?, ?)", [number, spec])
            return int(number)

    # -- maps

    def row(self, version: str) -> dict[str, Any]:
        """The row of a version."""
        with closing(sqlite3.connect(self.site.database)) as connection:
            connection.row_factory = sqlite3.Row
            return dict(
                connection.execute("SELECT * FROM backy2_versions WHERE uid = ?", [self.uid(version)]).fetchone()
            )

    def change_row(self, version: str, **values: Any) -> None:
        """Edit the row of a version."""
        self.update("versions", self.row(version)["id"], **values)

    def segments(self, version: str) -> list[int]:
        """The ids in the map of a version."""
        [(data,)] = self.site.rows(f"SELECT data FROM backy2_maps WHERE version = {self.row(version)['id']}")
        return [number for (number,) in struct.iter_unpack("<q", data)]

    def set_segments(self, version: str, ids: list[int]) -> None:
        """Edit the map of a version."""
        data = struct.pack(f"<{len(ids)}q", *ids)
        with self.connected() as connection:
            connection.execute("UPDATE backy2_maps SET data = ? WHERE version = ?", [data, self.row(version)["id"]])

    def entries(self, version: str) -> list[tuple[int, bytes]]:
        """The entries of all segments of a version."""
        found = dict(self.site.rows("SELECT id, data FROM backy2_segments"))
        return [entry for number in self.segments(version) for entry in _ENTRY.iter_unpack(found[number])]

    def set_entries(self, version: str, entries: list[tuple[int, bytes]], *, fitting: bool = False) -> None:
        """Edit the segments of a version; if ``fitting``, make all digests that have no key fit what they are of."""
        for index, number in enumerate(self.segments(version)):
            packed = b"".join(_ENTRY.pack(*entry) for entry in entries[index * SECOND : (index + 1) * SECOND])
            values = {"data": packed} | ({"digest": digest_of(packed)} if fitting else {})
            self.update("segments", number, **values)
        if fitting:
            self.fit_digest(version)

    def fit_digest(self, version: str, seal: bool = True) -> None:
        """Make the version's digest fit its row and segments, as anybody can; the seal stays, or goes."""
        row = self.row(version)
        digest = VersionDigest(Geometry(row["size_bytes"], row["block_size"]))
        digests = dict(self.site.rows("SELECT id, digest FROM backy2_segments"))
        for number in self.segments(version):
            digest.add(digests[number])
        self.change_row(version, digest=digest.digest() + (row["digest"][32:] if seal else b""))

    def forge(self, version: str, seal: bool = True) -> None:
        """Let block 2 be block 1, with every record, map and digest in order as far as that needs no key."""
        entries = self.entries(version)
        entries[2] = entries[1]
        self.set_entries(version, entries, fitting=True)
        self.fit_digest(version, seal)

    # -- documents

    @property
    def documents(self) -> Path:
        """Their folder."""
        return self.site.store / "backy2"

    def head(self, version: str) -> Path:
        """The document of a version."""
        return self.documents / "versions" / f"{self.uid(version)}.json"

    def pack(self, version: str) -> Path:
        """The pack that was written for a version."""
        [found] = (self.documents / "maps").glob(f"{self.uid(version)}.*.pack")
        return found

    def change_keys(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit ``keys.json``."""
        self.change_json("keys.json", change)

    def change_json(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit a document that is not sealed."""
        path = self.documents / name
        members = json.loads(path.read_bytes())
        change(members)
        path.write_text(json.dumps(members))

    # -- the database

    def connected(self) -> sqlite3.Connection:
        """The database, to be used with ``with``, which commits."""
        return _Closing(self.site.database)

    def update(self, table: str, number: int, **values: Any) -> None:
        """Edit a row of a table with ids."""
        columns = ", ".join(f"{name} = ?" for name in values)
        with self.connected() as connection:
            changed = connection.execute(
                f"UPDATE backy2_{table} SET {columns} WHERE id = ?", [*values.values(), number]
            )
            assert changed.rowcount == 1

    def execute(self, statement: str, *values: Any) -> None:
        """Run a statement that must change something."""
        with self.connected() as connection:
            assert connection.execute(statement, values).rowcount > 0


class _Closing(sqlite3.Connection):
    """Closes itself when its ``with`` ends."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, timeout=60)

    def __exit__(self, *args: Any) -> Any:
        try:
            return super().__exit__(*args)
        finally:
            self.close()


def flipped(data: bytes, at: int) -> bytes:
    """The bytes with one bit of the byte at ``at`` changed."""
    changed = bytearray(data)
    changed[at] ^= 4
    return bytes(changed)


def swap(one: Path, other: Path) -> None:
    """Put each of two files in the other's place."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def make_world(folder: Path, key: str) -> World:
    """Three versions: ``old`` and ``new`` of one machine, and ``other`` of another; and the twin.

    Blocks 0 to 5 are in the first segment, 128 and 129 in the second; those with odd numbers do not get smaller. ``new``
    differs from ``old`` in block 3. The installation as it was before ``new`` is in ``before``.
    """
    folder.mkdir()
    (folder / "main.key").write_text(key)
    (folder / "main.key").chmod(0o600)
    world = World(folder, {})
    site = world.site
    site.ok("initdb")
    old = bytearray(b"".join(map(_block, range(6))) + bytes(122 * BLOCK) + _block(128) + _block(129))
    world.versions["old"] = Made(site.backup(bytes(old), "-t", "first"), bytes(old))
    shutil.copytree(folder, folder.parent / "before")
    new = bytearray(old)
    new[3 * BLOCK : 4 * BLOCK] = _block(1003)
    hints = [{"offset": 3 * BLOCK, "length": BLOCK, "exists": True}]
    made = site.backup(bytes(new), "-f", world.uid("old"), hints=hints)
    world.versions["new"] = Made(made, bytes(new))
    other = b"".join(map(_block, range(2000, 2006))) + bytes(124 * BLOCK)
    world.versions["other"] = Made(site.backup(other, name="other"), other)
    shutil.move(folder.parent / "before", folder / "before")
    _make_twin(world)
    return world


def _make_twin(world: World) -> None:
    folder = world.folder.parent / "of-twin"
    shutil.copytree(world.folder, folder)
    twin = Site(folder, core=CORE)
    twin.configure(more=f"[key:main]\nsecret = %(file:{folder}/main.key)s")
    twin.backup(_block(3001), name="elsewhere")
    shutil.move(folder / "data", world.folder / "twin")
    shutil.rmtree(folder)


def _block(number: int) -> bytes:
    seed = hashlib.sha256(b"%d" % number).digest()
    return random.Random(seed).randbytes(BLOCK) if number % 2 else seed * (BLOCK // len(seed))
