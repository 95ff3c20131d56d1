"""Contract of meta backends: where versions, block maps, blob records and jobs are. Provisional until 1.0."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import NamedTuple, Self

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


class SchemaState(enum.Enum):
    """How the database's schema compares with what this release needs."""

    EMPTY = "empty"
    CURRENT = "current"
    OLD = "old"
    NEWER = "newer"
    MOVED = "moved"
    """All that it holds was moved to another database, which is the one to use."""


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A packed segment to be stored and appended to a map.

    ``fresh`` are the ids in it that the caller learned from a look-up or from recording, not from the map of a version
    that its job names; only those are checked when it is committed (see ``docs/decisions``).
    """

    data: bytes
    digest: bytes
    fresh: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class KeptSegment:
    """A stored segment to be appended to a map as it is: from a version that the job names, or from its own map."""

    id: SegmentId


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """A store that the database knows."""

    id: StoreId
    identity: str
    kind: str
    location: str


class StoredSegment(NamedTuple):
    """A segment as it is stored."""

    id: SegmentId
    digest: bytes
    data: bytes


class SegmentRow(NamedTuple):
    """What a cleanup sees of a segment. ``condemned`` is None, or the stamp at which it was condemned."""

    id: SegmentId
    condemned: int | None
    generation: int
    data: bytes


class BlobRow(NamedTuple):
    """What a cleanup sees of a blob record."""

    id: BlobId
    state: BlobState
    condemned: int | None
    generation: int


class DoomedBlob(NamedTuple):
    """A blob in state ``deleting``: its object may be deleted, then its record."""

    id: BlobId
    uid: BlobUid
    stored_size: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one batch of a cleanup changes, as (id, generation) seen in the scan.

    ``revive`` and ``drop`` take effect only where the row is still condemned, at that generation, with a stamp below the
    horizon; ``condemn`` only where it is not condemned.
    """

    revive: Sequence[tuple[int, int]] = ()
    drop: Sequence[tuple[int, int]] = ()
    condemn: Sequence[int] = ()


class MetaBackend(ABC):
    """The database. This contract is provisional until 1.0: it may change in any release, see ``api.PROVISIONAL``.

    Each method is one transaction, or for iterators one a batch; all are serialisable. What a method changed is durable
    when it returns: it survives a power loss.

    Threads: any method may be called from any thread, several at once, except :meth:`close`. Several objects, also of
    several hosts, may have one database open. An iterator may be left unfinished, and others may write while it runs.

    Errors: everything becomes :class:`backy2_core.errors.MetaBackendError` or a named subclass, with :attr:`location` or
    the thing concerned in the message, ``retryable`` set where the same call may succeed later: while the database cannot
    be reached, for one, or does not answer in time. No call waits for ever. A method that raised has changed nothing;
    only where the connection was lost while the change was being confirmed may it have been made, and then
    ``retryable`` is False and the message says so. A version that is to be changed and is not there is a
    :class:`NotFoundError`; for protection, expiry and tags one that was removed is not there. Collections may have a
    hundred thousand entries, or none.

    Ids are above 0, ascend, and are never given out twice, also not those of rows that were dropped.

    Leases: methods that take a ``job`` raise :class:`backy2_core.errors.JobLostError` unless that job is ``live``, in the
    same transaction, and conflict with a transaction that makes it ``expired``: until then a lease that ran out still
    counts, and only :meth:`renew_job` extends one. Time is the database's own clock (no test of the suite can turn it back).

    Condemning: *condemned* is a mark beside a row's state, with a *stamp* (the highest job id given out so far, so that
    a job began before the mark exactly if its id is not above the stamp) and a *generation* that grows with every mark.
    """

    # -- the database itself

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the database is, for messages; without secrets. Can be asked for after closing too."""

    @abstractmethod
    def schema_state(self) -> SchemaState:
        """Compare the schema; quick, and changes nothing."""

    @abstractmethod
    def initialise(self) -> None:
        """Make the schema, or bring an old one up to date; does nothing to a current one. Safe if two do it at once.

        Until then every other method but :meth:`schema_state` and :meth:`close` raises
        :class:`backy2_core.errors.SchemaError`, whose message names ``backy2 initdb``.
        """

    @abstractmethod
    def close(self) -> None:
        """Release everything. Calling it twice does nothing. Any other call behind it raises :class:`MetaBackendError`."""

    # -- stores

    @abstractmethod
    def register_store(self, identity: str, kind: str, location: str) -> StoreId:
        """The number of the store with this identity, given out at the first call; kind and location are brought up to date."""

    @abstractmethod
    def stores(self) -> list[StoreInfo]:
        """All stores ever registered, by id."""

    @abstractmethod
    def read_note(self, store: StoreId, name: str) -> bytes | None:
        """The note of that name about a store, or None."""

    @abstractmethod
    def write_note(self, store: StoreId, name: str, data: bytes) -> None:
        """Keep a note about a store, replacing one of that name: at most 60,000 bytes, the name at most 32 letters."""

    # -- jobs

    @abstractmethod
    def begin_job(self, new: NewJob) -> Job:
        """Give out a lease. Expires what has run out first.

        Checks and names all versions of ``new.uses`` in the same transaction: :class:`NotFoundError` where there is none of
        that uid, :class:`RefusedError` where it is not in an accepted state or is used exclusively by another live job.
        With a text in ``new.alone``: a ``retryable`` :class:`RefusedError` as long as another live job has the same.
        """

    @abstractmethod
    def renew_job(self, job: JobId, lease_s: float, progress: float) -> None:
        """Extend the lease to ``lease_s`` from now. Raises :class:`JobLostError` once the job is not live any more."""

    @abstractmethod
    def end_job(self, job: JobId) -> None:
        """The job is over, and names nothing any more. Does nothing to one that is not live."""

    @abstractmethod
    def expire_jobs(self) -> list[Job]:
        """Make every live job whose lease ran out ``expired``, for good; return those."""

    @abstractmethod
    def jobs(self, states: Collection[JobState], limit: int = 1000) -> list[Job]:
        """Jobs in these states, newest first."""

    @abstractmethod
    def find_jobs(self, tokens: Collection[JobToken]) -> Mapping[JobToken, tuple[JobId, JobState]]:
        """Number and state of the jobs with these tokens; unknown tokens are left out."""

    # -- versions

    @abstractmethod
    def create_version(self, job: JobId, new: NewVersion) -> Version:
        """Record an incomplete (or arriving) version with an empty map, which the job then names exclusively.

        A purged version of that uid gives way to it, and so does one that is removed or arriving and that no live job
        names. Any other raises :class:`backy2_core.errors.VersionExistsError`.
        """

    @abstractmethod
    def versions(self, which: VersionFilter) -> Iterator[Version]:
        """Versions by name, then date, then id, ascending. Every criterion is taken literally, and case matters."""

    @abstractmethod
    def finish_version(
        self, job: JobId, version: VersionId, digest: bytes, statistics: Statistics | None, *, damaged: bool = False
    ) -> Version:
        """Make an incomplete or arriving version valid, in one transaction with its digest and its statistics.

        Refuses (:class:`MetaBackendError`) any other, and unless the map has as many segments as its geometry calls for,
        all stored;
        revives condemned ones. A version that refers to a damaged blob, or of which the caller knows that it is
        ``damaged``, becomes damaged in place of valid.
        """

    @abstractmethod
    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        """Mark a version removed, also one in use. :class:`RefusedError` if it is protected; nothing if it is removed.

        One that is arriving is dropped at once, row and all: it was never there.
        """

    @abstractmethod
    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        """Change the state, but not of a version that is in one of the ``unless`` states; True if it is ``state`` now."""

    @abstractmethod
    def set_protected(self, version: VersionId, protected: bool) -> None:
        """Protect from removal, or lift that."""

    @abstractmethod
    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        """Set or clear the date from which the version is not needed any more."""

    @abstractmethod
    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Add and remove tags; those there (or not there) already are no error."""

    @abstractmethod
    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        """Statistics of finished backups by date ascending: of one version, or the newest ``limit``."""

    @abstractmethod
    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        """Keep statistics of backups that were made elsewhere; those of a uid and date that are there already are left
        out. Returns how many were added."""

    # -- blobs

    @abstractmethod
    def find_blobs(
        self, store: StoreId, hash_name: str, key: str, wanted: Collection[DedupKey]
    ) -> Mapping[DedupKey, BlobId]:
        """For each wanted block the lowest id of a blob that is ``stored`` and not condemned; unknown ones left out."""

    @abstractmethod
    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        """Record durable blobs as ``stored``, in order; return their ids. :class:`MetaBackendError` if the store has a record
        of one of these uids."""

    @abstractmethod
    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        """Record blobs that an import or adoption speaks of, in order; return their ids. Rule 10 of the cleanup protocol.

        One that has no record becomes ``unseen``. One that has keeps its record and its state, and is revived where it was
        condemned. :class:`BlobConflictError` names those whose record is ``deleting``, or speaks of other contents (size,
        hash, checksum, key, transforms); nothing is changed then.
        """

    @abstractmethod
    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        """These blobs were found in the store with these stored sizes: those that are ``unseen`` become ``stored``, with that
        size and a new generation; return how many. Only for looks at the store that began after the record was committed."""

    @abstractmethod
    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Mapping[BlobUid, BlobRecord]:
        """The records in this store of these uids, in any state; unknown uids are left out."""

    @abstractmethod
    def read_blobs(self, ids: Collection[BlobId]) -> Mapping[BlobId, BlobRecord]:
        """Records by id; unknown ones left out."""

    @abstractmethod
    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        """Change the state of those that are in state ``only``; return how many. What was unseen gets a new generation."""

    # -- maps

    @abstractmethod
    def append_segments(
        self, job: JobId, version: VersionId, segments: Sequence[NewSegment | KeptSegment]
    ) -> list[SegmentId]:
        """Append to the map of an incomplete or arriving version, in order; return the ids now in the map. Any other
        version is refused with a :class:`MetaBackendError`.

        A new segment whose packed data equal those of a stored one that is not condemned becomes a reference to it.
        Fresh blob ids are checked in the same transaction: condemned ones are revived; if any is missing, ``deleting`` or
        ``damaged``, nothing is changed and :class:`backy2_core.errors.BlobGoneError` names them all.
        """

    @abstractmethod
    def map_length(self, version: VersionId) -> int:
        """Number of segments in the map; 0 for a version that is not there."""

    @abstractmethod
    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        """Segment ids of the map from position ``start`` on, streamed."""

    @abstractmethod
    def read_segments(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, StoredSegment]:
        """Segments by id; unknown ones left out."""

    @abstractmethod
    def read_digests(self, ids: Collection[SegmentId]) -> Mapping[SegmentId, bytes]:
        """Digests by id, without the data; unknown ones left out."""

    # -- cleanup; the order of the steps is the engine's

    @abstractmethod
    def abandon_versions(self, older_than_s: float) -> list[Version]:
        """Mark incomplete versions removed that no live job names and nothing was appended to for so long; return them.

        Protected ones stay. Arriving ones that no live job names are dropped at once, row and all, and not returned.
        """

    @abstractmethod
    def purge_versions(self, only: Collection[VersionId]) -> int:
        """Drop maps and tags of those of these versions that are removed and that no live job names, and make them
        ``purged``, for good; return how many. Their rows stay, and so do statistics."""

    @abstractmethod
    def horizon(self, job: JobId) -> int:
        """The smaller of ``job`` (a cleanup) and the oldest live job that is not a cleanup.

        What was condemned with a stamp below it was condemned before every live job began, and before this cleanup did.
        """

    @abstractmethod
    def scan_maps(self) -> Iterator[Sequence[SegmentId]]:
        """The maps of all versions in every state, oldest version first, in batches."""

    @abstractmethod
    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        """All segments by id ascending, in batches; ``data`` is empty unless asked for."""

    @abstractmethod
    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        """Apply one batch to segments; ``drop`` deletes the row. Returns how many were dropped."""

    @abstractmethod
    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        """All blob records of a store by id ascending, in batches."""

    @abstractmethod
    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        """Apply one batch to blob records; ``drop`` makes the state ``deleting``. Returns how many were dropped.

        Never touches a record that is ``deleting`` already. One that is ``unseen`` is dropped whole in place of that: nobody
        saw its object, so nobody may delete it.
        """

    @abstractmethod
    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        """Records in state ``deleting`` with an id above ``after``, ascending."""

    @abstractmethod
    def forget_blobs(self, ids: Collection[BlobId]) -> int:
        """Drop records whose objects were deleted, only where they are ``deleting``; return how many."""

    @abstractmethod
    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        """Those of ``uids`` that have a record of any state in this store."""

    @abstractmethod
    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        """Insert a ``deleting`` record for each unrecorded object (uid, stored size); one that has a record by now is
        left alone. Returns how many were inserted. One transaction a batch, so that ``objects`` may be a slow listing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
