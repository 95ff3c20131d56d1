"""Reads a version without backy2, knowing only docs/format.md: ``reader.py DATABASE STORE UID > image``."""

import hashlib
import json
import math
import sqlite3
import struct
import sys
from collections.abc import Iterator
from pathlib import Path


def read_version(database: Path, store: Path, uid: str, prefix: str = "backy2_") -> Iterator[bytes]:
    """The blocks of a version, in order; AssertionError at the first thing that is not as docs/format.md says."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        yield from _blocks(db, store, uid, prefix)
    finally:
        db.close()


def _blocks(db: sqlite3.Connection, store: Path, uid: str, prefix: str) -> Iterator[bytes]:
    identity = json.loads((store / "backy2/store.json").read_text())["identity"]
    [store_id] = db.execute(f"SELECT id FROM {prefix}stores WHERE identity = ?", [identity]).fetchone()
    version, size, block_size, digest, state = db.execute(
        f"SELECT id, size_bytes, block_size, digest, state FROM {prefix}versions WHERE uid = ?", [uid]
    ).fetchone()
    assert state == 2, "the version is not valid"
    assert json.loads((store / f"backy2/versions/{uid}.json").read_text())["digest"] == digest.hex()

    parts = db.execute(f"SELECT data FROM {prefix}maps WHERE version = ? ORDER BY part", [version])
    packed_ids = b"".join(data for [data] in parts)
    segments = struct.unpack(f"<{len(packed_ids) // 8}q", packed_ids)
    blocks = math.ceil(size / block_size)
    assert len(segments) == math.ceil(blocks / 128), "the map has a wrong length"

    digests = []
    for number, segment in enumerate(segments):
        recorded, data = db.execute(f"SELECT digest, data FROM {prefix}segments WHERE id = ?", [segment]).fetchone()
        assert len(data) == 24 * min(128, blocks - number * 128), "a segment has a wrong length"
        entries = list(struct.iter_unpack("<q16s", data))
        digests.append(_blake2b(b"backy2 segment", b"".join(leaf for _, leaf in entries)))
        assert digests[-1] == recorded, "a segment was changed"
        for block, (blob, leaf) in enumerate(entries, number * 128):
            length = min(block_size, size - block * block_size)
            yield _block(db, store, store_id, prefix, blob, leaf, length)
    assert _blake2b(b"backy2 version", struct.pack("<QQ", size, block_size) + b"".join(digests)) == digest


def _block(
    db: sqlite3.Connection, store: Path, store_id: int, prefix: str, blob: int, leaf: bytes, length: int
) -> bytes:
    if blob == 0:
        assert leaf == bytes(16), "a sparse entry was changed"
        return bytes(length)
    assert blob > 0, "the block is lost"
    uid, size, stored_size, hash_name, checksum, chain, state = db.execute(
        f"SELECT uid, size, stored_size, hash, checksum, chain, state FROM {prefix}blobs WHERE id = ? AND store = ?",
        [blob, store_id],
    ).fetchone()
    assert chain is None, "this reader undoes no transforms"
    assert state != 4, "the blob is being deleted"
    assert (size, checksum[:16]) == (length, leaf), "the record is not the one that was backed up"
    data = (store / uid[:2] / uid[2:4] / f"{uid}.blob").read_bytes()
    assert len(data) == stored_size, "the blob has a wrong length"
    assert _checksum(hash_name, data) == checksum, "the blob has a wrong checksum"
    return data


def _blake2b(person: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32, person=person).digest()


def _checksum(name: str, data: bytes) -> bytes:
    if name == "blake3":
        import blake3

        return bytes(blake3.blake3(data).digest())
    return hashlib.new(name, data).digest()


if __name__ == "__main__":
    for piece in read_version(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]):
        sys.stdout.buffer.write(piece)
