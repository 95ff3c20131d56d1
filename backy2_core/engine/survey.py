"""One listing of the store held against the records: what is missing, of a wrong size, surplus, or found at last.

The order of the steps matters, since everything else may run meanwhile.

1. The records are scanned, before the listing begins. Only of those does the survey judge: each was committed before it looked,
   and a record is committed after its object is durable. So an object that is not found is missing, and rule 10 of the cleanup
   protocol holds for every ``unseen`` blob that is found. The ids of this scan are kept, and no highest id: that would ask for
   more, namely that ids are committed in order.
2. It is fixed which jobs live, then the store is listed, then the records of what was listed are read (rule 9).
   An ``unseen`` blob that no finished version refers to is that of an import that runs or failed. It stays as it is, found or
   not: a cleanup drops what failed ones left, and spares the object for the next import.
3. Each suspect is asked for again by itself, since a listing may be inconsistent, and its record is read after that. One
   that is still there, and not ``deleting``, was so too when the store answered: ``deleting`` is final, and an object goes
   only after that. So the answer is proof, whatever cleanups run beside.

Memory: two bits for each record, and the first of each kind by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from backy2_core.contracts.data_backend import StoredBlob
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.context import Engine
from backy2_core.engine.damage import MOST_NAMED, mark_blobs
from backy2_core.engine.idset import IdSet
from backy2_core.engine.lease import Lease
from backy2_core.engine.orphans import Sorting
from backy2_core.engine.pace import Paced
from backy2_core.engine.pool import WorkerPool
from backy2_core.engine.stored_map import batches
from backy2_core.errors import BlobNotFoundError
from backy2_core.model.blob import UNKNOWN_SIZE, BlobId, BlobRecord, BlobState, BlobUid
from backy2_core.model.job import JobState
from backy2_core.model.segment import block_ids
from backy2_core.model.version import FINISHED, VersionFilter

_BATCH = 1000
_IN_FLIGHT = 4
"""Questions that wait for the store, for each thread."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One object or record at fault; without a record ``id`` and ``recorded_size`` are None, without an object
    ``found_size`` is."""

    uid: BlobUid
    id: BlobId | None
    recorded_size: int | None
    found_size: int | None


@dataclass(slots=True)
class Findings:
    """All of one kind: their number, the bytes in the store that they stand for, and the first 1000 by name."""

    count: int = 0
    size_bytes: int = 0
    named: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Take one in."""
        self.count += 1
        self.size_bytes += max(0, (finding.recorded_size if finding.found_size is None else finding.found_size) or 0)
        if len(self.named) < MOST_NAMED:
            self.named.append(finding)


@dataclass(slots=True)
class Survey:
    """What one look at the store found.

    ``records`` were there before it began, without those that are ``deleting``; of them ``unseen`` waited to be found, and
    ``found`` were. ``missing`` and ``wrong_size`` are proof; ``broken`` holds the ids of both. ``orphans`` are objects that a
    full cleanup deletes, ``foreign`` those that it leaves alone, since no job of this database put them there.
    ``on_the_way`` are being recorded by jobs that live.
    """

    records: int = 0
    unseen: int = 0
    deleting: int = 0
    condemned: int = 0
    objects: int = 0
    object_bytes: int = 0
    found: int = 0
    on_the_way: int = 0
    missing: Findings = field(default_factory=Findings)
    wrong_size: Findings = field(default_factory=Findings)
    orphans: Findings = field(default_factory=Findings)
    foreign: Findings = field(default_factory=Findings)
    broken: IdSet = field(default_factory=IdSet)


def survey(
    engine: Engine,
    lease: Lease | None = None,
    *,
    see: bool = True,
    mark: bool = False,
    share: tuple[float, float] = (0.0, 1.0),
) -> Survey:
    """List the store once, and hold it against the records.

    ``see``: ``unseen`` blobs of finished versions that are found, and are not of a wrong size, become ``stored``. ``mark``:
    blobs that are missing or of a wrong size become ``damaged``, and every version that uses one of them; else nothing is
    marked. Changes nothing more, so a survey may be repeated, and may run beside everything else. With a ``lease``, nothing
    is believed once that is lost; ``share`` is the part of the job's progress that the survey makes.
    """
    surveying = _Surveying(engine, lease, see, share)
    surveying.read_records()
    surveying.read_store()
    surveying.ask_for_missing()
    if mark and surveying.result.broken:
        mark_blobs(engine.meta, surveying.result.broken)
    return surveying.result


class _Surveying:
    """One survey under way."""

    def __init__(self, engine: Engine, lease: Lease | None, see: bool, share: tuple[float, float]) -> None:
        self.result = Survey()
        self._engine = engine
        self._lease = lease
        self._see = see
        self._share = share
        self._before = IdSet()
        self._listed = IdSet()
        self._arrived = IdSet()

    def read_records(self) -> None:
        """Learn which records there are before the store is looked at."""
        result = self.result
        for rows in self._engine.meta.scan_blobs(self._engine.store):
            kept = [row for row in rows if row.state is not BlobState.DELETING]
            self._before.add_all(row.id for row in kept)
            result.records += len(kept)
            result.deleting += len(rows) - len(kept)
            result.condemned += sum(row.condemned is not None for row in kept)
            result.unseen += sum(row.state is BlobState.UNSEEN for row in kept)
        if result.unseen:
            self._arrived = _blobs_of_finished(self._engine.meta)

    def read_store(self) -> None:
        """List the store, and match every object with its record."""
        meta = self._engine.meta
        newest = meta.jobs(frozenset(JobState), limit=1)
        sorting = Sorting(meta, newest[0].id + 1 if newest else 1)
        action = f"Listing the store at {self._engine.data.location}"
        with Paced(self._engine.progress, action, self.result.records, "objects", self._lease, self._share) as paced:
            for listed in batches(self._engine.data.list_blobs(), _BATCH):
                self._match(listed, sorting)
                paced.advance(len(listed))

    def ask_for_missing(self) -> None:
        """Ask the store for each record that was not in the listing."""
        if not (absent := self.result.records - len(self._listed)):
            return
        progress, share = self._engine.progress, (self._share[1], self._share[1])
        with Paced(progress, "Asking for what was not listed", absent, "objects", self._lease, share) as paced:
            for ids in batches(self._before.without(self._listed), _BATCH):
                self._ask_again(self._engine.meta.read_blobs([BlobId(number) for number in ids]).values())
                paced.advance(len(ids))

    def _match(self, listed: Sequence[StoredBlob], sorting: Sorting) -> None:
        result = self.result
        result.objects += len(listed)
        result.object_bytes += sum(blob.stored_size for blob in listed)
        records = self._engine.meta.find_records(self._engine.store, [blob.uid for blob in listed])
        self._listed.add_all(record.id for record in records.values() if record.id in self._before)
        self._count_unrecorded(sorting, [blob for blob in listed if blob.uid not in records])
        suspects, seen = [], []
        for blob in listed:
            record = records.get(blob.uid)
            if record is None or record.state is BlobState.DELETING or record.id not in self._before:
                continue
            if record.stored_size not in (blob.stored_size, UNKNOWN_SIZE):
                suspects.append(record)
            elif record.state is BlobState.UNSEEN:
                seen.append((record.id, blob.stored_size))
        self._mark_seen(seen)
        self._ask_again(suspects)

    def _count_unrecorded(self, sorting: Sorting, unrecorded: Sequence[StoredBlob]) -> None:
        if not unrecorded:
            return
        sorted_out = sorting.sort(unrecorded)
        self.result.on_the_way += len(sorted_out.on_the_way)
        # A cleanup may have deleted object and record since the object was listed. Foreign ones are not asked for: there may
        # be as many as records, and nothing follows from their number.
        there = self._ask([blob.uid for blob in sorted_out.orphans])
        orphans = [blob for blob in sorted_out.orphans if there[blob.uid] is not None]
        for findings, blobs in ((self.result.orphans, orphans), (self.result.foreign, sorted_out.foreign)):
            for blob in blobs:
                findings.add(Finding(blob.uid, None, None, blob.stored_size))

    def _ask_again(self, records: Iterable[BlobRecord]) -> None:
        """Ask the store for each of these by itself, then read its record again, and judge."""
        asked = {record.id: record.uid for record in records if record.state is not BlobState.DELETING}
        if not asked:
            return
        sizes = self._ask(asked.values())
        records = self._engine.meta.read_blobs(asked).values()
        if self._lease is not None:
            self._lease.confirm()
        seen = []
        for record in records:
            size = sizes[asked[record.id]]
            arriving = record.state is BlobState.UNSEEN and record.id not in self._arrived
            if record.state is BlobState.DELETING or arriving:
                continue
            if size is None:
                self._at_fault(self.result.missing, record, size)
            elif record.stored_size not in (size, UNKNOWN_SIZE):
                self._at_fault(self.result.wrong_size, record, size)
            elif record.state is BlobState.UNSEEN:
                seen.append((record.id, size))
        self._mark_seen(seen)

    def _ask(self, uids: Collection[BlobUid]) -> dict[BlobUid, int | None]:
        """The size of each of these objects, None where there is none; on as many threads as serve the store best."""
        if not uids:
            return {}
        sizes: dict[BlobUid, int | None] = {}
        threads = self._engine.data.capabilities.threads
        with WorkerPool(threads) as pool:
            for uid in uids:
                while pool.in_flight >= threads * _IN_FLIGHT:
                    pool.wait()
                pool.submit(sizes.update, self._size, uid)
            while pool.in_flight:
                pool.wait()
        return sizes

    def _size(self, uid: BlobUid) -> dict[BlobUid, int | None]:
        try:
            return {uid: self._engine.data.stored_size(uid)}
        except BlobNotFoundError:
            return {uid: None}

    def _at_fault(self, findings: Findings, record: BlobRecord, size: int | None) -> None:
        findings.add(Finding(record.uid, record.id, record.stored_size, size))
        self.result.broken.add_all([record.id])

    def _mark_seen(self, seen: Sequence[tuple[BlobId, int]]) -> None:
        arrived = [(number, size) for number, size in seen if number in self._arrived]
        if arrived and self._see:
            self.result.found += self._engine.meta.mark_seen(arrived)


def _blobs_of_finished(meta: MetaBackend) -> IdSet:
    """The blobs of all versions that came to their end, by backup, import or adoption."""
    segments, blobs = IdSet(), IdSet()
    for version in meta.versions(VersionFilter(states=FINISHED)):
        segments.add_all(meta.read_map(version.id))
    for rows in meta.scan_segments(with_data=True):
        for row in rows:
            if row.id in segments:
                blobs.add_all(blob for blob in block_ids(row.data) if blob > 0)
    return blobs
