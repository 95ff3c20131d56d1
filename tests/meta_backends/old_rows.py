"""Rows of an installation, as every revision of the schema could hold them: for tests that bring old databases up to date.

They are written down here and not made by the meta backend, so that they stay what they were when the code goes on. A
column that came later has a value too, which is left out of a database that is older.
"""

from __future__ import annotations

from typing import Any

from backy2_core.model.segment import SPARSE_ENTRY, digest_of, pack_entry
from backy2_core.testing.meta_backend_base import DIGEST, checksum_of

BLOCK = 4096
NOW = 1_700_000_000_000_000
"""A time of the rows, in microseconds."""
DISTANT = 4_000_000_000_000_000
VALID, INCOMPLETE, REMOVED = (f"{number:08x}-0000-4000-8000-000000000000" for number in (1, 2, 3))
CHAIN = '[["zstd",{"level":1}]]'
TAGS = frozenset({"Daily", "daily", "daily ", "größe", "大 🐘"})
FULL_SEGMENT = pack_entry(1, checksum_of(1)) + 126 * SPARSE_ENTRY + pack_entry(2, checksum_of(2))
LAST_SEGMENT = pack_entry(1, checksum_of(1))


def _head(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big", signed=True)


def _blob(number: int, **changed: Any) -> dict[str, Any]:
    checksum = checksum_of(number)
    row = {
        "id": number,
        "store": 1,
        "uid": f"{number:032x}",
        "size": BLOCK,
        "stored_size": BLOCK - number,
        "hash": "blake3",
        "key": "",
        "checksum": checksum,
        "checksum_head": _head(checksum),
        "chain": None,
        "envelope": None,
        "state": 1,
        "condemned": None,
        "generation": 0,
        "date": NOW,
        "job": 1,
    }
    return row | changed


def _segment(number: int, data: bytes, condemned: int | None = None) -> dict[str, Any]:
    digest = digest_of(data)
    return {
        "id": number,
        "digest": digest,
        "digest_head": _head(digest),
        "condemned": condemned,
        "generation": 0 if condemned is None else 1,
        "data": data,
    }


def _version(number: int, uid: str, state: int, **changed: Any) -> dict[str, Any]:
    row = {
        "id": number,
        "uid": uid,
        "name": "vm größe",
        "snapshot_name": "",
        "date": NOW + number,
        "size_bytes": 129 * BLOCK,
        "block_size": BLOCK,
        "hash": "blake3",
        "source": "file:///srv/vm",
        "source_identity": "",
        "base": None,
        "hints_digest": "",
        "digest": b"",
        "state": state,
        "protected": False,
        "expire": None,
        "touched": NOW + number,
        "key": "",
    }
    return row | changed


def _job(number: int, state: int, **changed: Any) -> dict[str, Any]:
    row = {
        "id": number,
        "token": f"{number:016x}",
        "kind": "backup",
        "state": state,
        "host": "host",
        "pid": 4711,
        "description": "backup of vm größe",
        "began": NOW + number,
        "renewed": NOW + number,
        "lease_until": NOW + 300_000_000,
        "progress": 1.0,
        "alone": "",
    }
    return row | changed


def _map(*ids: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in ids)


ROWS: dict[str, list[dict[str, Any]]] = {
    "counters": [
        {"name": name, "value": value}
        for name, value in {
            "stores": 2,
            "chains": 1,
            "blobs": 7,
            "segments": 3,
            "versions": 3,
            "statistics": 1,
            "jobs": 3,
            "writer": 0,
        }.items()
    ],
    "stores": [
        {"id": 1, "identity": "first", "kind": "file", "location": "/srv/größe", "created": NOW},
        {"id": 2, "identity": "First", "kind": "s3", "location": "bucket", "created": NOW},
    ],
    "notes": [
        {"store": 1, "name": "keys", "data": b"\x00wrapped\xff"},
        {"store": 1, "name": "Keys", "data": b"another"},
    ],
    "chains": [{"id": 1, "spec": CHAIN}],
    "blobs": [
        _blob(1, chain=1, envelope=b"\x00env\xff", key="k1"),
        _blob(2),
        _blob(3, uid="aB", state=3),
        _blob(5, uid="Ab", state=2, condemned=2, generation=1),
        _blob(6, store=2, uid="aB", checksum=b"", checksum_head=0),
    ],
    "segments": [_segment(1, FULL_SEGMENT), _segment(2, SPARSE_ENTRY, condemned=2), _segment(3, LAST_SEGMENT)],
    "versions": [
        _version(1, VALID, 2, digest=DIGEST, protected=True, expire=DISTANT, source_identity="inode 7", key="k1"),
        _version(2, INCOMPLETE, 1, base=VALID, hints_digest="00ff", snapshot_name="snap"),
        _version(3, REMOVED, 4, digest=DIGEST),
    ],
    "tags": [{"version": 1, "name": name} for name in sorted(TAGS)],
    "maps": [{"version": 1, "part": 0, "data": _map(1, 3)}, {"version": 2, "part": 0, "data": _map(1)}],
    "statistics": [
        {
            "id": 1,
            "uid": VALID,
            "name": "vm größe",
            "date": NOW,
            "size_bytes": 129 * BLOCK,
            "size_blocks": 129,
            **{
                f"{unit}_{kind}": blocks * (BLOCK if unit == "bytes" else 1)
                for kind, blocks in {"read": 3, "written": 2, "dedup": 1, "sparse": 126, "kept": 0}.items()
                for unit in ("bytes", "blocks")
            },
            "duration_s": 12.3456789012345,
        }
    ],
    "jobs": [
        _job(1, 2),
        _job(2, 3, kind="cleanup"),
        _job(3, 1, lease_until=DISTANT, progress=0.123456789012345, alone="backup of vm größe"),
    ],
    "uses": [{"job": 3, "version": 1, "exclusive": False}, {"job": 3, "version": 2, "exclusive": True}],
}
"""By table, without the prefix of its name."""

FILLED_IN: dict[tuple[str, str], Any] = {("versions", "key"): "", ("jobs", "alone"): ""}
"""What a row from before a column was added has in that column, by table and column."""
