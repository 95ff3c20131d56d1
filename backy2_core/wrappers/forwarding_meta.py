"""A meta backend that passes every call on: what is around one overrides how a call is made, once for all of them."""

from __future__ import annotations

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

T = TypeVar("T")


class ForwardingMetaBackend(MetaBackend):
    """Keeps every promise that ``inner`` keeps; :meth:`around` and :meth:`around_listing` are there to be overridden.

    Closing it closes ``inner``. Threads: as ``inner``.
    """

    def __init__(self, inner: MetaBackend) -> None:
        self.inner = inner

    def around(self, method: str, call: Callable[[], T]) -> T:
        """Make a call of ``method``; here just so."""
        return call()

    def around_listing(self, method: str, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Make a call of a ``method`` that yields; here like any other."""
        return self.around(method, call)

    @property
    def location(self) -> str:
        """As of the database within."""
        return self.inner.location

    def schema_state(self) -> SchemaState:
        """Passed on."""
        return self.around("schema_state", self.inner.schema_state)

    def initialise(self) -> None:
        """Passed on."""
        self.around("initialise", self.inner.initialise)

    def close(self) -> None:
        """Passed on."""
        self.around("close", self.inner.close)

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        """Passed on."""
        return self.around("register_store", lambda: self.inner.register_store(identity, kind, location))

    def stores(self) -> list[StoreInfo]:
        """Passed on."""
        return self.around("stores", self.inner.stores)

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        """Passed on."""
        return self.around("read_note", lambda: self.inner.read_note(store, name))

    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        """Passed on."""
        self.around("write_note", lambda: self.inner.write_note(store, name, data))

    def begin_job(self, new: NewJob) -> Job:
        """Passed on."""
        return self.around("begin_job", lambda: self.inner.begin_job(new))

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        """Passed on."""
        self.around("renew_job", lambda: self.inner.renew_job(job, lease_s, progress))

    def end_job(self, job: JobId) -> None:
        """Passed on."""
        self.around("end_job", lambda: self.inner.end_job(job))

    def expire_jobs(self) -> list[Job]:
        """Passed on."""
        return self.around("expire_jobs", self.inner.expire_jobs)

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        """Passed on."""
        return self.around("jobs", lambda: self.inner.jobs(states, limit))

    def find_jobs(self, tokens: Collection[JobToken]) -> Mapping[JobToken, tuple[JobId, JobState]]:
        """Passed on."""
        return self.around("find_jobs", lambda: self.inner.find_jobs(tokens))

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        """Passed on."""
        return self.around("create_version", lambda: self.inner.create_version(job, new))

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        """Passed on."""
        return self.around_listing("versions", lambda: self.inner.versions(which))

    def finish_version(
        self, job: JobId, version: VersionId, digest: bytes, statistics: Statistics | None, *, damaged: bool = False
    ) -> Version:
        """Passed on."""
        return self.around(
            "finish_version", lambda: self.inner.finish_version(job, version, digest, statistics, damaged=damaged)
        )

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        """Passed on."""
        self.around("remove_version", lambda: self.inner.remove_version(version, protected_too=protected_too))

    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        """Passed on."""
        return self.around("set_version_state", lambda: self.inner.set_version_state(version, state, unless))

    def set_protected(self, version: VersionId, protected: bool) -> None:
        """Passed on."""
        self.around("set_protected", lambda: self.inner.set_protected(version, protected))

    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        """Passed on."""
        self.around("set_expire", lambda: self.inner.set_expire(version, expire))

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Passed on."""
        self.around("change_tags", lambda: self.inner.change_tags(version, add, remove))

    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        """Passed on."""
        return self.around("statistics", lambda: self.inner.statistics(uid, limit))

    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        """Passed on."""
        return self.around("add_statistics", lambda: self.inner.add_statistics(entries))

    def find_blobs(
        self, store: StoreId, hash_name: str, key: str, wanted: Collection[DedupKey]
    ) -> Mapping[DedupKey, BlobId]:
        """Passed on."""
        return self.around("find_blobs", lambda: self.inner.find_blobs(store, hash_name, key, wanted))

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        """Passed on."""
        return self.around("add_blobs", lambda: self.inner.add_blobs(job, store, blobs))

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        """Passed on."""
        return self.around("take_over_blobs", lambda: self.inner.take_over_blobs(job, store, blobs))

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        """Passed on."""
        return self.around("mark_seen", lambda: self.inner.mark_seen(found))

    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Mapping[BlobUid, BlobRecord]:
        """Passed on."""
        return self.around("find_records", lambda: self.inner.find_records(store, uids))

    def read_blobs(self, ids: Collection[BlobId]) -> Mapping[BlobId, BlobRecord]:
        """Passed on."""
        return self.around("read_blobs", lambda: self.inner.read_blobs(ids))

    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        """Passed on."""
        return self.around("set_blob_state", lambda: self.inner.set_blob_state(ids, state, only))

    def append_segments(
        self, job: JobId, version: VersionId, segments: Sequence[NewSegment | KeptSegment]
    ) -> list[SegmentId]:
        """Passed on."""
        return self.around("append_segments", lambda: self.inner.append_segments(job, version, segments))

    def map_length(self, version: VersionId) -> int:
        """Passed on."""
        return self.around("map_length", lambda: self.inner.map_length(version))

    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        """Passed on."""
        return self.around_listing("read_map", lambda: self.inner.read_map(version, start))

    def read_segments(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, StoredSegment]:
        """Passed on."""
        return self.around("read_segments", lambda: self.inner.read_segments(ids))

    def read_digests(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, bytes]:
        """Passed on."""
        return self.around("read_digests", lambda: self.inner.read_digests(ids))

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        """Passed on."""
        return self.around("abandon_versions", lambda: self.inner.abandon_versions(older_than_s))

    def purge_versions(self, only: Collection[VersionId]) -> int:
        """Passed on."""
        return self.around("purge_versions", lambda: self.inner.purge_versions(only))

    def horizon(self, job: JobId) -> int:
        """Passed on."""
        return self.around("horizon", lambda: self.inner.horizon(job))

    def scan_maps(self) -> Iterator[Sequence[SegmentId]]:
        """Passed on."""
        return self.around_listing("scan_maps", self.inner.scan_maps)

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        """Passed on."""
        return self.around_listing("scan_segments", lambda: self.inner.scan_segments(with_data=with_data))

    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        """Passed on."""
        return self.around("sweep_segments", lambda: self.inner.sweep_segments(sweep, horizon))

    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        """Passed on."""
        return self.around_listing("scan_blobs", lambda: self.inner.scan_blobs(store))

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        """Passed on."""
        return self.around("sweep_blobs", lambda: self.inner.sweep_blobs(sweep, horizon))

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        """Passed on."""
        return self.around("doomed_blobs", lambda: self.inner.doomed_blobs(store, after, limit))

    def forget_blobs(self, ids: Collection[BlobId]) -> int:
        """Passed on."""
        return self.around("forget_blobs", lambda: self.inner.forget_blobs(ids))

    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        """Passed on."""
        return self.around("recorded_uids", lambda: self.inner.recorded_uids(store, uids))

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        """Passed on."""
        return self.around("doom_objects", lambda: self.inner.doom_objects(store, objects))
