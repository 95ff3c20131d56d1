"""What the parts of the meta backend suite share: the database under test, and values to fill it with."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend, NewSegment
from backy2_core.model.blob import SPARSE, BlobId, BlobState, BlobUid, DedupKey, NewBlob, StoreId
from backy2_core.model.block import Geometry
from backy2_core.model.job import Job, JobId, JobKind, NewJob, Use
from backy2_core.model.segment import SEGMENT_BLOCKS, SPARSE_ENTRY, SegmentId, digest_of, pack_entry
from backy2_core.model.version import NewVersion, Version, VersionUid

OpenDatabase = Callable[[], MetaBackend]

HASH = "blake3"
BLOCK_SIZE = 4096
DIGEST = bytes(range(32))
LONG_S = 3600.0
PATIENCE_S = 30.0

_numbers = itertools.count(1)


class PromiseBase:
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    @pytest.fixture
    def open_database(self) -> OpenDatabase:
        """Opens the database under test; to be overridden."""
        raise TypeError(f"{type(self).__name__} must define the fixture open_database")

    @pytest.fixture
    def meta(self, open_database: OpenDatabase) -> Iterator[MetaBackend]:
        """The database, open, with its tables made."""
        with open_database() as opened:
            opened.initialise()
            yield opened

    @pytest.fixture
    def store(self, meta: MetaBackend) -> StoreId:
        """A registered store."""
        return meta.register_store("store under test", "memory", "nowhere")

    @pytest.fixture
    def job(self, meta: MetaBackend) -> JobId:
        """A live job with a long lease."""
        return begin(meta).id

    @pytest.fixture
    def version(self, meta: MetaBackend, job: JobId) -> Version:
        """An incomplete version of three segments that ``job`` names; the last segment is of one block."""
        return create(meta, job, blocks=2 * SEGMENT_BLOCKS + 1)


def begin(
    meta: MetaBackend, kind: JobKind = JobKind.BACKUP, *, lease_s: float = LONG_S, uses: Iterable[Use] = ()
) -> Job:
    """Begin a job."""
    return meta.begin_job(NewJob(kind, "host", 4711, f"{kind} for a test", lease_s, tuple(uses)))


def run_out(meta: MetaBackend, job: JobId) -> None:
    """Let a job's lease run out, without making it expired."""
    meta.renew_job(job, 0.0, 0.0)


def expire(meta: MetaBackend, job: JobId) -> None:
    """Let a job's lease run out, and make it expired."""
    run_out(meta, job)
    deadline = time.monotonic() + PATIENCE_S
    while job not in [expired.id for expired in meta.expire_jobs()]:
        assert time.monotonic() < deadline, f"job {job} never expired"


def new_version(blocks: int = 1, **changed: Any) -> NewVersion:
    """A version to be recorded, with a uid of its own."""
    values: dict[str, Any] = {
        "uid": VersionUid(str(uuid.uuid4())),
        "name": "vm",
        "snapshot_name": "",
        "geometry": Geometry(blocks * BLOCK_SIZE, BLOCK_SIZE),
        "hash": HASH,
        "source": "null://1G",
    }
    return NewVersion(**(values | changed))


def create(meta: MetaBackend, job: JobId, blocks: int = 1, **changed: Any) -> Version:
    """Record an incomplete version."""
    return meta.create_version(job, new_version(blocks, **changed))


def new_blobs(count: int, **changed: Any) -> list[NewBlob]:
    """Blobs to be recorded, with uids and checksums of their own."""
    values: dict[str, Any] = {"size": BLOCK_SIZE, "stored_size": BLOCK_SIZE, "hash": HASH}
    numbers = itertools.islice(_numbers, count)
    return [
        NewBlob(**({"uid": BlobUid(f"{number:032x}"), "checksum": checksum_of(number)} | values | changed))
        for number in numbers
    ]


def checksum_of(number: int) -> bytes:
    """32 bytes that belong to a number."""
    return hashlib.blake2b(number.to_bytes(8, "little"), digest_size=32).digest()


def add(meta: MetaBackend, job: JobId, store: StoreId, count: int = 1, **changed: Any) -> list[BlobId]:
    """Record blobs, return their ids."""
    return meta.add_blobs(job, store, new_blobs(count, **changed))


def find(meta: MetaBackend, store: StoreId, blob: NewBlob) -> BlobId | None:
    """What a look-up of one blob's block finds."""
    key = DedupKey(blob.checksum, blob.size)
    return meta.find_blobs(store, blob.hash, blob.key, [key]).get(key)


def segment(ids: Sequence[BlobId], *, fresh: Iterable[BlobId] | None = None) -> NewSegment:
    """A segment that refers to these blobs, all of them fresh unless said."""
    entries = [SPARSE_ENTRY if blob == SPARSE else pack_entry(blob, checksum_of(blob)) for blob in ids]
    data = b"".join(entries)
    if fresh is None:
        fresh = {blob for blob in ids if blob > 0}
    return NewSegment(data, digest_of(data), tuple(fresh))


def append(meta: MetaBackend, job: JobId, version: Version, *segments: NewSegment | KeptSegment) -> list[SegmentId]:
    """Append to a version's map."""
    return meta.append_segments(job, version.id, segments)


def finished(meta: MetaBackend, job: JobId, ids: Sequence[BlobId] = (SPARSE,), **changed: Any) -> Version:
    """A version of one segment that refers to these blobs, made valid."""
    version = create(meta, job, len(ids), **changed)
    append(meta, job, version, segment(ids))
    return meta.finish_version(job, version.id, DIGEST, None)


def removed_at_all(meta: MetaBackend, version: Version) -> None:
    """Remove a version and drop its rows."""
    meta.remove_version(version.id)
    assert meta.purge_versions([version.id]) == 1


def state_of(meta: MetaBackend, blob: BlobId) -> BlobState | None:
    """The state of a blob's record, None where there is none."""
    record = meta.read_blobs([blob]).get(blob)
    return None if record is None else record.state
