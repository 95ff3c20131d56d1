"""Makes a call of a meta backend again that failed for a passing reason: a server is restarted now and then.

A job of hours is not to end because of that. Calls that failed changed nothing where the error is ``retryable``, says the
contract, so each may be made again as it was.
"""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from backy2_core.contracts.meta_backend import (
    BlobRow,
    DoomedBlob,
    KeptSegment,
    MetaBackend,
    NewSegment,
    SchemaState,
    SegmentRow,
    StoredSegment,
    StoreInfo,
    Sweep,
)
from backy2_core.errors import MetaBackendError
from backy2_core.model.blob import BlobId, BlobRecord, BlobState, BlobUid, DedupKey, JobToken, NewBlob, StoreId
from backy2_core.model.job import Job, JobId, JobState, NewJob
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import (
    NewVersion,
    Statistics,
    Version,
    VersionFilter,
    VersionId,
    VersionState,
    VersionUid,
)

log = logging.getLogger(__name__)
T = TypeVar("T")


class RetryingMetaBackend(MetaBackend):
    """Retries for up to ``limit_s`` seconds a call, waiting ever longer, from ``first_wait_s`` to ``longest_wait_s``.

    A database that did not answer once yet is not waited for: whoever just began a command wants to know at once that
    its server is down. Of listings only the beginning is retried: one begun anew would name rows twice. ``sleep``,
    ``clock`` (seconds) and ``draw`` (0 to 1) can be given by tests. Threads: as ``inner``. Closing it closes ``inner``.
    """

    def __init__(
        self,
        inner: MetaBackend,
        *,
        limit_s: float = 120.0,
        first_wait_s: float = 0.1,
        longest_wait_s: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._inner = inner
        self._limit_s = limit_s
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._sleep = sleep
        self._clock = clock
        self._draw = draw
        self._answered = False

    @property
    def location(self) -> str:
        return self._inner.location

    def schema_state(self) -> SchemaState:
        return self._retry(self._inner.schema_state)

    def initialise(self) -> None:
        self._retry(self._inner.initialise)

    def close(self) -> None:
        self._inner.close()

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        return self._retry(lambda: self._inner.register_store(identity, kind, location))

    def stores(self) -> list[StoreInfo]:
        return self._retry(self._inner.stores)

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        return self._retry(lambda: self._inner.read_note(store, name))

    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        self._retry(lambda: self._inner.write_note(store, name, data))

    def begin_job(self, new: NewJob) -> Job:
        return self._retry(lambda: self._inner.begin_job(new))

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        self._retry(lambda: self._inner.renew_job(job, lease_s, progress))

    def end_job(self, job: JobId) -> None:
        self._retry(lambda: self._inner.end_job(job))

    def expire_jobs(self) -> list[Job]:
        return self._retry(self._inner.expire_jobs)

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        return self._retry(lambda: self._inner.jobs(states, limit))

    def find_jobs(self, tokens: Collection[JobToken]) -> Mapping[JobToken, tuple[JobId, JobState]]:
        return self._retry(lambda: self._inner.find_jobs(tokens))

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        return self._retry(lambda: self._inner.create_version(job, new))

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return self._listing(lambda: self._inner.versions(which))

    def finish_version(
        self, job: JobId, version: VersionId, digest: bytes, statistics: Statistics | None, *, damaged: bool = False
    ) -> Version:
        return self._retry(lambda: self._inner.finish_version(job, version, digest, statistics, damaged=damaged))

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        self._retry(lambda: self._inner.remove_version(version, protected_too=protected_too))

    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        return self._retry(lambda: self._inner.set_version_state(version, state, unless))

    def set_protected(self, version: VersionId, protected: bool) -> None:
        self._retry(lambda: self._inner.set_protected(version, protected))

    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        self._retry(lambda: self._inner.set_expire(version, expire))

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        self._retry(lambda: self._inner.change_tags(version, add, remove))

    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        return self._retry(lambda: self._inner.statistics(uid, limit))

    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        return self._retry(lambda: self._inner.add_statistics(entries))

    def find_blobs(
        self, store: StoreId, hash_name: str, key: str, wanted: Collection[DedupKey]
    ) -> Mapping[DedupKey, BlobId]:
        return self._retry(lambda: self._inner.find_blobs(store, hash_name, key, wanted))

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return self._retry(lambda: self._inner.add_blobs(job, store, blobs))

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return self._retry(lambda: self._inner.take_over_blobs(job, store, blobs))

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        return self._retry(lambda: self._inner.mark_seen(found))

    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Mapping[BlobUid, BlobRecord]:
        return self._retry(lambda: self._inner.find_records(store, uids))

    def read_blobs(self, ids: Collection[BlobId]) -> Mapping[BlobId, BlobRecord]:
        return self._retry(lambda: self._inner.read_blobs(ids))

    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        return self._retry(lambda: self._inner.set_blob_state(ids, state, only))

    def append_segments(
        self, job: JobId, version: VersionId, segments: Sequence[NewSegment | KeptSegment]
    ) -> list[SegmentId]:
        return self._retry(lambda: self._inner.append_segments(job, version, segments))

    def map_length(self, version: VersionId) -> int:
        return self._retry(lambda: self._inner.map_length(version))

    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        return self._listing(lambda: self._inner.read_map(version, start))

    def read_segments(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, StoredSegment]:
        return self._retry(lambda: self._inner.read_segments(ids))

    def read_digests(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, bytes]:
        return self._retry(lambda: self._inner.read_digests(ids))

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        return self._retry(lambda: self._inner.abandon_versions(older_than_s))

    def purge_versions(self, only: Collection[VersionId]) -> int:
        return self._retry(lambda: self._inner.purge_versions(only))

    def horizon(self, job: JobId) -> int:
        return self._retry(lambda: self._inner.horizon(job))

    def scan_maps(self) -> Iterator[Sequence[SegmentId]]:
        return self._listing(self._inner.scan_maps)

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        return self._listing(lambda: self._inner.scan_segments(with_data=with_data))

    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        return self._retry(lambda: self._inner.sweep_segments(sweep, horizon))

    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        return self._listing(lambda: self._inner.scan_blobs(store))

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        return self._retry(lambda: self._inner.sweep_blobs(sweep, horizon))

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        return self._retry(lambda: self._inner.doomed_blobs(store, after, limit))

    def forget_blobs(self, ids: Collection[BlobId]) -> int:
        return self._retry(lambda: self._inner.forget_blobs(ids))

    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        return self._retry(lambda: self._inner.recorded_uids(store, uids))

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        return self._inner.doom_objects(store, objects)

    def _retry(self, call: Callable[[], T]) -> T:
        give_up_at = self._clock() + self._limit_s
        wait_s = self._first_wait_s
        while True:
            try:
                result = call()
            except MetaBackendError as error:
                pause_s = wait_s * (0.5 + 0.5 * self._draw())
                if not error.retryable or not self._answered or self._clock() + pause_s > give_up_at:
                    raise
                log.warning("Trying again in %.1f s: %s", pause_s, error)
                self._sleep(pause_s)
                wait_s = min(2 * wait_s, self._longest_wait_s)
            else:
                self._answered = True
                return result

    def _listing(self, listing: Callable[[], Iterator[T]]) -> Iterator[T]:
        def start() -> tuple[list[T], Iterator[T]]:
            rows = listing()
            return list(itertools.islice(rows, 1)), rows

        first, rest = self._retry(start)
        yield from first
        yield from rest
