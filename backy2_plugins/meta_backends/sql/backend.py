"""The meta backend: each promise of the contract, kept by the room that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from backy2_core.api import (
    BlobId,
    BlobRecord,
    BlobRow,
    BlobState,
    BlobUid,
    DedupKey,
    DoomedBlob,
    Job,
    JobId,
    JobState,
    JobToken,
    KeptSegment,
    MetaBackend,
    NewBlob,
    NewJob,
    NewSegment,
    NewVersion,
    SchemaState,
    SegmentId,
    SegmentRow,
    Statistics,
    StoredSegment,
    StoreId,
    StoreInfo,
    Sweep,
    Version,
    VersionFilter,
    VersionId,
    VersionState,
    VersionUid,
)
from backy2_plugins.meta_backends.sql import (
    arrivals,
    cleanup,
    doomed,
    finish,
    jobs,
    maps,
    migrate,
    segments,
    stores,
    versions,
)
from backy2_plugins.meta_backends.sql import blobs as records
from backy2_plugins.meta_backends.sql.database import Database


class SqlMetaBackend(MetaBackend):
    """Metadata in an SQL database; every method is described in the contract."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def location(self) -> str:
        return self._database.location

    def schema_state(self) -> SchemaState:
        return self._database.schema_state()

    def initialise(self) -> None:
        migrate.initialise(self._database)

    def close(self) -> None:
        self._database.close()

    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        return stores.register_store(self._database, identity, kind, location)

    def stores(self) -> list[StoreInfo]:
        return stores.list_stores(self._database)

    def read_note(self, store: StoreId, name: str) -> bytes | None:
        return stores.read_note(self._database, store, name)

    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        stores.write_note(self._database, store, name, data)

    def begin_job(self, new: NewJob) -> Job:
        return jobs.begin_job(self._database, new)

    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        jobs.renew_job(self._database, job, lease_s, progress)

    def end_job(self, job: JobId) -> None:
        jobs.end_job(self._database, job)

    def expire_jobs(self) -> list[Job]:
        return jobs.expire_jobs(self._database)

    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        return jobs.list_jobs(self._database, states, limit)

    def find_jobs(self, tokens: Collection[JobToken]) -> Mapping[JobToken, tuple[JobId, JobState]]:
        return jobs.find_jobs(self._database, tokens)

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        return versions.create_version(self._database, job, new)

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return versions.list_versions(self._database, which)

    def finish_version(
        self, job: JobId, version: VersionId, digest: bytes, statistics: Statistics | None, *, damaged: bool = False
    ) -> Version:
        return finish.finish_version(self._database, job, version, digest, statistics, damaged=damaged)

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        versions.remove_version(self._database, version, protected_too=protected_too)

    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        return versions.set_version_state(self._database, version, state, unless)

    def set_protected(self, version: VersionId, protected: bool) -> None:
        versions.set_protected(self._database, version, protected)

    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        versions.set_expire(self._database, version, expire)

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        versions.change_tags(self._database, version, add, remove)

    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        return finish.list_statistics(self._database, uid, limit)

    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        return finish.add_statistics(self._database, entries)

    def find_blobs(
        self, store: StoreId, hash_name: str, key: str, wanted: Collection[DedupKey]
    ) -> Mapping[DedupKey, BlobId]:
        return records.find_blobs(self._database, store, hash_name, key, wanted)

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return records.add_blobs(self._database, job, store, blobs)

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return arrivals.take_over_blobs(self._database, job, store, blobs)

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        return arrivals.mark_seen(self._database, found)

    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Mapping[BlobUid, BlobRecord]:
        return records.find_records(self._database, store, uids)

    def read_blobs(self, ids: Collection[BlobId]) -> Mapping[BlobId, BlobRecord]:
        return records.read_blobs(self._database, ids)

    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        return records.set_blob_state(self._database, ids, state, only)

    def append_segments(
        self, job: JobId, version: VersionId, segments: Sequence[NewSegment | KeptSegment]
    ) -> list[SegmentId]:
        return maps.append_segments(self._database, job, version, segments)

    def map_length(self, version: VersionId) -> int:
        return maps.map_length(self._database, version)

    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        return maps.read_map(self._database, version, start)

    def read_segments(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, StoredSegment]:
        return segments.read_segments(self._database, ids)

    def read_digests(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, bytes]:
        return segments.read_digests(self._database, ids)

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        return cleanup.abandon_versions(self._database, older_than_s)

    def purge_versions(self, only: Collection[VersionId]) -> int:
        return cleanup.purge_versions(self._database, only)

    def horizon(self, job: JobId) -> int:
        return jobs.horizon(self._database, job)

    def scan_maps(self) -> Iterator[Sequence[SegmentId]]:
        return cleanup.scan_maps(self._database)

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        return cleanup.scan_segments(self._database, with_data=with_data)

    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        return cleanup.sweep_segments(self._database, sweep, horizon)

    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        return cleanup.scan_blobs(self._database, store)

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        return cleanup.sweep_blobs(self._database, sweep, horizon)

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        return doomed.doomed_blobs(self._database, store, after, limit)

    def forget_blobs(self, ids: Collection[BlobId]) -> int:
        return doomed.forget_blobs(self._database, ids)

    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        return doomed.recorded_uids(self._database, store, uids)

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        return doomed.doom_objects(self._database, store, objects)
