"""Versions with the block maps of an original database, so that figures can be compared with the original's own."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

from backy2_core.contracts.meta_backend import NewSegment
from backy2_core.model.blob import BlobUid, NewBlob
from backy2_core.model.block import Geometry
from backy2_core.model.job import JobKind, NewJob
from backy2_core.model.segment import SEGMENT_BLOCKS, SPARSE_ENTRY, VersionDigest, digest_of, pack_entry
from backy2_core.model.version import NewVersion, VersionUid

DATABASES = Path(__file__).parents[1] / "data" / "original" / "databases"


def take_over(meta, store, name, folder):
    """Make the versions of an original database; one that lacks blocks stays incomplete, with none."""
    path = folder / name
    path.write_bytes(gzip.decompress((DATABASES / f"{name}.gz").read_bytes()))
    with closing(sqlite3.connect(path)) as original:
        job = meta.begin_job(NewJob(JobKind.IMPORT, "host", 1, "a test", 3600.0)).id
        ids = _take_blobs(meta, store, job, original)
        for uid, called, size_bytes, size in original.execute(
            "SELECT uid, name, size_bytes, size FROM versions ORDER BY name, date"
        ):
            query = "SELECT uid, checksum, size FROM blocks WHERE version_uid = ? ORDER BY id"
            rows = original.execute(query, (uid,)).fetchall()
            assert len(rows) == size, "only whole versions can be taken over here"
            geometry = Geometry(size_bytes, rows[0][2])
            new = NewVersion(VersionUid(uid), called, "", geometry, "sha512", "file://image")
            _finish(meta, job, meta.create_version(job, new), [_entry(ids, *row[:2]) for row in rows])
        meta.end_job(job)


def segments_of(entries):
    """Packed segments of these packed entries."""
    parts = [b"".join(entries[at : at + SEGMENT_BLOCKS]) for at in range(0, len(entries), SEGMENT_BLOCKS)]
    return [NewSegment(data, digest_of(data), ()) for data in parts]


def _take_blobs(meta, store, job, original):
    query = "SELECT DISTINCT uid, checksum, size FROM blocks WHERE uid IS NOT NULL AND uid <> ''"
    rows = original.execute(query).fetchall()
    blobs = [NewBlob(BlobUid(uid), size, size, "sha512", bytes.fromhex(checksum)) for uid, checksum, size in rows]
    return dict(zip([blob.uid for blob in blobs], meta.add_blobs(job, store, blobs), strict=True))


def _entry(ids, uid, checksum):
    return pack_entry(ids[uid], bytes.fromhex(checksum)) if uid else SPARSE_ENTRY


def _finish(meta, job, version, entries):
    segments, digest = segments_of(entries), VersionDigest(version.geometry)
    meta.append_segments(job, version.id, segments)
    for segment in segments:
        digest.add(segment.digest)
    meta.finish_version(job, version.id, digest.digest(), None)
