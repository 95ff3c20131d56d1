"""What must hold at every step, read from the database's file and the store themselves."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from backy2_core.model.blob import BlobState, BlobUid
from backy2_core.model.segment import block_ids
from backy2_core.model.version import VersionState

BLOCK = 4096


class Violation(Exception):
    """An invariant does not hold."""


def content_of(image: str) -> bytes:
    """The bytes of an image: a block for each letter, full of it; a dot is a block of zeros."""
    return b"".join((b"\0" if letter == "." else letter.encode()) * BLOCK for letter in image)


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment's row."""

    condemned: int | None
    blobs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob's record."""

    uid: BlobUid
    state: BlobState
    condemned: int | None


_VERSIONS = "SELECT id, name, state FROM backy2_versions WHERE state != ? ORDER BY id"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version's row, with its map."""

    id: int
    name: str
    state: VersionState
    segments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """All that the protocol speaks of, at one moment."""

    versions: list[VersionRow]
    segments: dict[int, Segment]
    blobs: dict[int, Blob]

    def version(self, name: str) -> VersionRow:
        """The version of this name."""
        return next(version for version in self.versions if version.name == name)

    def blobs_of(self, name: str) -> list[int]:
        """The blob ids of a version's blocks, in order."""
        return [blob for segment in self.version(name).segments for blob in self.segments[segment].blobs]


class Inspector:
    """Reads the database past the meta backend, through a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._seen = -1

    def changed(self) -> bool:
        """True if anything was committed since the last call."""
        seen = self._connection.execute("PRAGMA data_version").fetchone()[0]
        changed, self._seen = seen != self._seen, seen
        return bool(changed)

    def rows(self) -> Rows:
        """Everything."""
        query = self._connection.execute
        maps: dict[int, tuple[int, ...]] = {}
        for version, data in query("SELECT version, data FROM backy2_maps ORDER BY version, part"):
            maps[version] = maps.get(version, ()) + struct.unpack(f"<{len(data) // 8}q", data)
        return Rows(
            [
                VersionRow(number, name, VersionState(state), maps.get(number, ()))
                for number, name, state in query(_VERSIONS, (VersionState.PURGED,))
            ],
            {
                number: Segment(condemned, block_ids(data))
                for number, condemned, data in query("SELECT id, condemned, data FROM backy2_segments")
            },
            {
                number: Blob(BlobUid(uid), BlobState(state), condemned)
                for number, uid, state, condemned in query("SELECT id, uid, state, condemned FROM backy2_blobs")
            },
        )

    def change(self, statement: str, *values: int | str) -> None:
        """Change the database past the meta backend."""
        self._connection.execute(statement, values)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def check_versions(
    rows: Rows,
    objects: Mapping[BlobUid, bytes],
    images: Mapping[str, str],
    states: Collection[VersionState],
    bad: Collection[BlobUid] = (),
    excused: Collection[BlobUid] = (),
) -> None:
    """INVARIANT 1, 2 and 4: everything that versions in these states refer to is there, and is what was backed up.

    ``bad`` are objects that a test damaged, and whose content may be wrong; those that are ``excused`` may be missing.
    """
    for version in rows.versions:
        if version.state in states:
            _check_version(version, rows, objects, images[version.name], bad, excused)


def _check_version(
    version: VersionRow,
    rows: Rows,
    objects: Mapping[BlobUid, bytes],
    image: str,
    bad: Collection[BlobUid],
    excused: Collection[BlobUid],
) -> None:
    name = f"{version.state.name.lower()} version {version.name}"
    at = 0
    for segment in version.segments:
        _expect(segment in rows.segments, f"{name} lacks segment {segment}")
        for blob in rows.segments[segment].blobs:
            _check_block(name, blob, rows, objects, image[at], bad, excused)
            at += 1
    if version.state is VersionState.VALID:
        _expect(at == len(image), f"{name} has {at} blocks, not {len(image)}")


def _check_block(
    name: str,
    blob: int,
    rows: Rows,
    objects: Mapping[BlobUid, bytes],
    letter: str,
    bad: Collection[BlobUid],
    excused: Collection[BlobUid],
) -> None:
    if blob == 0:
        _expect(letter == ".", f"{name} has zeros in place of {letter}")
        return
    _expect(blob in rows.blobs, f"{name} lacks the record of blob {blob}")
    record = rows.blobs[blob]
    _expect(record.state is not BlobState.DELETING, f"{name} refers to blob {blob}, which is being deleted")
    if record.uid in excused and record.uid not in objects:
        return
    _expect(record.uid in objects, f"{name} lacks the object of blob {blob}")
    right = record.uid in bad or objects[record.uid] == content_of(letter)
    _expect(right, f"{name} has another content than {letter} in blob {blob}")


def check_exact(rows: Rows, objects: Mapping[BlobUid, bytes]) -> None:
    """After the last cleanup: what is referred to is there and not condemned, and nothing else."""
    _expect(
        all(v.state in (VersionState.VALID, VersionState.DAMAGED) for v in rows.versions),
        "a version should be gone",
    )
    segments = {segment for version in rows.versions for segment in version.segments}
    _expect(rows.segments.keys() == segments, f"segments {sorted(rows.segments)} are kept, {sorted(segments)} are used")
    blobs = {blob for segment in segments for blob in rows.segments[segment].blobs if blob > 0}
    _expect(rows.blobs.keys() == blobs, f"blob records {sorted(rows.blobs)} are kept, {sorted(blobs)} are used")
    uids = {blob.uid for blob in rows.blobs.values()}
    _expect(objects.keys() == uids, f"objects {sorted(objects)} are kept, {sorted(uids)} are recorded")
    _expect(not _condemned(rows.segments), f"segments {_condemned(rows.segments)} are used and stay condemned")
    _expect(not _condemned(rows.blobs), f"blobs {_condemned(rows.blobs)} are used and stay condemned")


def _condemned(rows: Mapping[int, Segment] | Mapping[int, Blob]) -> list[int]:
    return [number for number, row in rows.items() if row.condemned is not None]


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Violation(otherwise)
