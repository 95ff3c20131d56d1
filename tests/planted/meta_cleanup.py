"""Meta backends that break what is promised of the steps of a cleanup."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from backy2_core.contracts.meta_backend import BlobRow, DoomedBlob, SegmentRow, Sweep
from backy2_core.errors import MetaBackendError
from backy2_core.model.blob import BlobId, BlobUid, StoreId
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import Version, VersionId
from tests.planted.databases import Right
from tests.planted.meta_faults import plant

ABANDONING = (
    "Mark incomplete versions removed that no live job names and nothing was appended to for so long; return them."
)
PURGING = (
    "Drop maps and tags of those of these versions that are removed and that no live job names, and make "
    "them purged, for good; return how many."
)
SEEN = (
    "revive and drop take effect only where the row is still condemned, at that generation, with a stamp "
    "below the horizon; condemn only where it is not condemned"
)


@contextlib.contextmanager
def nobody_names(backend: Right) -> Iterator[None]:
    """As if no job named any version."""
    rows = backend.sql("select job, version, exclusive from #uses")
    backend.sql("delete from #uses")
    yield
    for row in rows:
        backend.sql("insert into #uses (job, version, exclusive) values (?, ?, ?)", *row)


# -- versions


@plant(ABANDONING)
class AbandonsWhatIsInUse(Right):
    """Gives up versions that a live job names."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        with nobody_names(self):
            return super().abandon_versions(older_than_s)


@plant("and nothing was appended to for so long")
class AbandonsAtOnce(Right):
    """Gives up versions however young they are."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        return super().abandon_versions(0.0)


@plant("nothing was appended to for so long")
class CountsFromTheBeginning(Right):
    """Counts from when a version was made, though something was appended since."""

    def append_segments(self, job: Any, version: VersionId, segments: Any) -> Any:
        held = self.ids("select touched from #versions where id = ?", version)
        ids = super().append_segments(job, version, segments)
        for touched in held:
            self.sql("update #versions set touched = ? where id = ?", touched, version)
        return ids


@plant("return them")
class AbandonsWithoutAWord(Right):
    """Does not say what it gave up."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        super().abandon_versions(older_than_s)
        return []


@plant(ABANDONING)
class AbandonsNothing(Right):
    """Gives up nothing."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        return super().abandon_versions(1e9)


@plant("Protected ones stay.")
class AbandonsTheProtected(Right):
    """Gives up protected versions."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        ids = self.ids("select id from #versions where protected")
        return self.with_rows("versions", "protected", 0, ids, lambda: Right.abandon_versions(self, older_than_s))


@plant("Arriving ones that no live job names are dropped at once, row and all, and not returned.")
class KeepsTheArriving(Right):
    """Keeps versions whose import was interrupted."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        ids = self.ids("select id from #versions where state = 6")
        return self.with_rows("versions", "state", 2, ids, lambda: Right.abandon_versions(self, older_than_s))


@plant("Arriving ones that no live job names are dropped at once")
class DropsWhatArrives(Right):
    """Drops versions that a live job imports."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        abandoned = super().abandon_versions(older_than_s)
        self.sql("delete from #versions where state = 6")
        return abandoned


@plant("row and all, and not returned")
class MarksTheArriving(Right):
    """Marks versions removed whose import was interrupted."""

    def abandon_versions(self, older_than_s: float) -> list[Version]:
        self.sql(
            "update #versions set state = 1, touched = 0 where state = 6 and id not in"
            " (select version from #uses u join #jobs j on j.id = u.job where j.state = 1)"
        )
        return super().abandon_versions(older_than_s)


@plant(PURGING)
class PurgesAll(Right):
    """Purges all that are removed."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        return super().purge_versions([*only, *map(VersionId, self.ids("select id from #versions where state = 4"))])


@plant(PURGING)
class PurgesTheValid(Right):
    """Purges versions that are not removed."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        for number in list(only)[:100]:
            self.sql("update #versions set state = 4 where id = ? and state in (1, 2, 3)", number)
        return super().purge_versions(only)


@plant("and that no live job names")
class PurgesWhatIsInUse(Right):
    """Purges versions that a live job names."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        with nobody_names(self):
            return super().purge_versions(only)


@plant("Drop maps and tags of those of these versions")
class KeepsMaps(Right):
    """Keeps the maps of purged versions."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        maps = self.sql("select version, part, data from #maps")
        purged = super().purge_versions(only)
        for row in maps:
            self.sql("insert or ignore into #maps (version, part, data) values (?, ?, ?)", *row)
        return purged


@plant("Drop maps and tags of those of these versions")
class KeepsTags(Right):
    """Keeps the tags of purged versions."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        tags = self.sql("select version, name from #tags")
        purged = super().purge_versions(only)
        for row in tags:
            self.sql("insert or ignore into #tags (version, name) values (?, ?)", *row)
        return purged


@plant("and make them purged, for good")
class PurgesAgain(Right):
    """Leaves versions removed that it purged."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        purged = super().purge_versions(only)
        self.sql("update #versions set state = 4 where state = 5")
        return purged


@plant("Their rows stay, and so do statistics.")
class DropsRows(Right):
    """Drops the rows of purged versions."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        purged = super().purge_versions(only)
        self.sql("delete from #versions where state = 5")
        return purged


@plant("return how many")
class CountsAllAsPurged(Right):
    """Counts those too that it left."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        super().purge_versions(only)
        return len(only)


# -- scanning


@plant("The maps of all versions in every state, oldest version first, in batches.")
class ScansTheValid(Right):
    """Scans the maps of versions that are not removed."""

    def scan_maps(self) -> Iterator[Sequence[SegmentId]]:
        super().scan_maps()
        for version in self.ids("select id from #versions where state < 4 order by id"):
            yield list(self.inner.read_map(VersionId(version)))


@plant("oldest version first")
class ScansTheNewestFirst(Right):
    """Scans the newest version first."""

    def scan_maps(self) -> Iterator[Sequence[SegmentId]]:
        super().scan_maps()
        for version in self.ids("select distinct version from #maps order by version desc"):
            yield list(self.inner.read_map(VersionId(version)))


@plant("All segments by id ascending, in batches; data is empty unless asked for.")
class ScansSegmentsBackwards(Right):
    """Scans the newest segment first."""

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        rows = [row for batch in super().scan_segments(with_data=with_data) for row in batch]
        return iter([rows[::-1]] if rows else [])


@plant("All segments by id ascending")
class ScansUncondemnedSegments(Right):
    """Leaves condemned segments out."""

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        for batch in super().scan_segments(with_data=with_data):
            yield [row for row in batch if row.condemned is None]


@plant("data is empty unless asked for")
class AlwaysScansData(Right):
    """Reads the data of segments though nobody asked for them."""

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        return super().scan_segments(with_data=True)


@plant("data is empty unless asked for")
class NeverScansData(Right):
    """Reads no data of segments."""

    def scan_segments(self, *, with_data: bool) -> Iterator[Sequence[SegmentRow]]:
        return super().scan_segments(with_data=False)


@plant("All blob records of a store by id ascending, in batches.")
class ScansBlobsBackwards(Right):
    """Scans the newest record first."""

    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        rows = [row for batch in super().scan_blobs(store) for row in batch]
        return iter([rows[::-1]] if rows else [])


@plant("All blob records of a store")
class ScansAllStores(Right):
    """Scans the records of all stores."""

    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        yield from super().scan_blobs(store)
        for known in self.inner.stores():
            if known.id != store:
                yield from self.inner.scan_blobs(known.id)


@plant("All blob records of a store")
class ScansAThousand(Right):
    """Scans the first thousand records."""

    def scan_blobs(self, store: StoreId) -> Iterator[Sequence[BlobRow]]:
        rows = [row for batch in super().scan_blobs(store) for row in batch]
        return iter([rows[:1000]] if rows else [])


# -- sweeping: what is changed only where it is as it was seen


SWEEPS = ("revive", "drop", "condemn")


def _sweeping(table: str, part: str, wrong: str) -> Callable[[Any], Any]:
    """Let a class change rows of a table beyond what the sweep allows: ``wrong`` is what it does not look at."""

    def decorate(kind: Any) -> Any:
        method = f"sweep_{table}"

        def sweep_rows(self: Right, sweep: Sweep, horizon: int) -> int:
            rows = getattr(sweep, part)
            if wrong == "horizon":
                kept = Sweep(**{name: () if name == part else getattr(sweep, name) for name in SWEEPS})
                only = Sweep(**{part: rows})
                return getattr(Right, method)(self, only, 1 << 60) + getattr(Right, method)(self, kept, horizon)
            if wrong == "generation":
                now = {
                    n: g
                    for number, _ in rows
                    for n, g in self.sql(f"select id, generation from #{table} where id = ?", number)
                }
                rows = [(number, now.get(number, generation)) for number, generation in rows]
            if wrong == "condemned":
                for number, _ in rows:
                    self.sql(f"update #{table} set condemned = 0 where id = ? and condemned is null", number)
            changed = {name: getattr(sweep, name) for name in SWEEPS} | {part: rows}
            return getattr(Right, method)(self, Sweep(**changed), horizon)

        setattr(kind, method, sweep_rows)
        return kind

    return decorate


@plant(SEEN, "Apply one batch to segments; drop deletes the row.")
@_sweeping("segments", "drop", "horizon")
class DropsYoungSegments(Right):
    """Drops segments that were condemned when somebody worked already."""


@plant(SEEN)
@_sweeping("segments", "drop", "generation")
class DropsSegmentsOfAnyGeneration(Right):
    """Drops segments that were revived and condemned again since."""


@plant(SEEN)
@_sweeping("segments", "drop", "condemned")
class DropsUncondemnedSegments(Right):
    """Drops segments that are not condemned."""


@plant(SEEN)
@_sweeping("segments", "revive", "horizon")
class RevivesYoungSegments(Right):
    """Revives segments that were condemned when somebody worked already."""


@plant(SEEN)
@_sweeping("segments", "revive", "generation")
class RevivesSegmentsOfAnyGeneration(Right):
    """Revives segments that were condemned again since."""


@plant(SEEN)
@_sweeping("blobs", "drop", "horizon")
class DoomsYoungBlobs(Right):
    """Dooms blobs that were condemned when somebody worked already."""


@plant(SEEN)
@_sweeping("blobs", "drop", "generation")
class DoomsBlobsOfAnyGeneration(Right):
    """Dooms blobs that were revived and condemned again since."""


@plant(SEEN)
@_sweeping("blobs", "drop", "condemned")
class DoomsUncondemnedBlobs(Right):
    """Dooms blobs that are not condemned."""


@plant(SEEN)
@_sweeping("blobs", "revive", "horizon")
class RevivesYoungBlobs(Right):
    """Revives blobs that were condemned when somebody worked already."""


@plant(SEEN)
@_sweeping("blobs", "revive", "generation")
class RevivesBlobsOfAnyGeneration(Right):
    """Revives blobs that were condemned again since."""


def _condemning(table: str) -> Any:
    def sweep(self: Right, sweep: Sweep, horizon: int) -> int:
        for number in sweep.condemn:
            self.sql(f"update #{table} set condemned = null where id = ?", number)
        return getattr(Right, f"sweep_{table}")(self, sweep, horizon)

    return sweep


@plant("condemn only where it is not condemned")
class CondemnsSegmentsAgain(Right):
    """Marks segments again, with a later stamp."""

    sweep_segments = _condemning("segments")


@plant("condemn only where it is not condemned")
class CondemnsBlobsAgain(Right):
    """Marks blobs again, with a later stamp."""

    sweep_blobs = _condemning("blobs")


def _without(table: str, part: str) -> Any:
    def sweep(self: Right, sweep: Sweep, horizon: int) -> int:
        left = {name: () if name == part else getattr(sweep, name) for name in SWEEPS}
        return getattr(Right, f"sweep_{table}")(self, Sweep(**left), horizon)

    return sweep


@plant("Apply one batch to segments")
class CondemnsNoSegments(Right):
    """Condemns no segments."""

    sweep_segments = _without("segments", "condemn")


@plant("Apply one batch to segments")
class RevivesNoSegments(Right):
    """Revives no segments."""

    sweep_segments = _without("segments", "revive")


@plant("Apply one batch to blob records")
class CondemnsNoBlobs(Right):
    """Condemns no blobs."""

    sweep_blobs = _without("blobs", "condemn")


@plant("Apply one batch to blob records")
class RevivesNoBlobs(Right):
    """Revives no blobs."""

    sweep_blobs = _without("blobs", "revive")


@plant("Returns how many were dropped.")
class CountsAllSegments(Right):
    """Counts segments too that it left."""

    def sweep_segments(self, sweep: Sweep, horizon: int) -> int:
        super().sweep_segments(sweep, horizon)
        return len(sweep.drop)


@plant("Returns how many were dropped.")
class CountsAllDropped(Right):
    """Counts blobs too that it left."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        super().sweep_blobs(sweep, horizon)
        return len(sweep.drop)


@plant("drop makes the state deleting")
class DropsRecords(Right):
    """Drops records, though their objects are still there."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_blobs(sweep, horizon)
        for number, _ in sweep.drop:
            self.sql("delete from #blobs where id = ? and state = 4", number)
        return dropped


@plant("Never touches a record that is deleting already.")
class CondemnsTheDoomed(Right):
    """Marks records that are being deleted already."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_blobs(sweep, horizon)
        for number in sweep.condemn:
            self.sql("update #blobs set condemned = 1 where id = ? and state = 4 and condemned is null", number)
        return dropped


@plant("Never touches a record that is deleting already.")
class RevivesTheDoomed(Right):
    """Revives records that are being deleted already."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        dropped = super().sweep_blobs(sweep, horizon)
        for number, _ in sweep.revive:
            self.sql("update #blobs set state = 1, condemned = null where id = ? and state = 4", number)
        return dropped


@plant("Never touches a record that is deleting already.")
class DropsTheDoomedAgain(Right):
    """Counts records again that are being deleted already."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        again = [n for n, _ in sweep.drop if self.sql("select 1 from #blobs where id = ? and state = 4", n)]
        return super().sweep_blobs(sweep, horizon) + len(again)


@plant(
    "One that is unseen is dropped whole in place of that: nobody saw its object, so nobody may delete it.",
    "nobody saw its object, so nobody may delete it",
)
class DoomsTheUnseen(Right):
    """Dooms what nobody saw."""

    def sweep_blobs(self, sweep: Sweep, horizon: int) -> int:
        for number, _ in sweep.drop:
            self.sql("update #blobs set state = 1 where id = ? and state = 2", number)
        return super().sweep_blobs(sweep, horizon)


# -- objects that go


@plant("Records in state deleting with an id above after, ascending.")
class TellsOfAllDoomed(Right):
    """Begins at the beginning each time."""

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        return super().doomed_blobs(store, 0, limit)


@plant("Records in state deleting with an id above after, ascending.")
class TellsTheNewestDoomedFirst(Right):
    """Tells of the newest first."""

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        return super().doomed_blobs(store, after, limit)[::-1]


@plant("Records in state deleting with an id above after, ascending.")
class TellsBeyondTheLimit(Right):
    """Tells of more than it was asked for."""

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        return super().doomed_blobs(store, after, 1_000_000)


@plant("Records in state deleting")
class TellsOfTheCondemned(Right):
    """Tells of records too that are only condemned."""

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        found = super().doomed_blobs(store, after, limit)
        more = self.sql(
            "select id, uid, stored_size from #blobs where store = ? and state = 1 and condemned is not null", store
        )
        return sorted([*found, *(DoomedBlob(*row) for row in more if row[0] > after)])[:limit]


@plant("Records in state deleting")
class TellsOfOtherStores(Right):
    """Tells of records in other stores."""

    def doomed_blobs(self, store: StoreId, after: int, limit: int) -> list[DoomedBlob]:
        found = list(super().doomed_blobs(store, after, limit))
        for known in self.inner.stores():
            if known.id != store:
                found += self.inner.doomed_blobs(known.id, after, limit)
        return sorted(found)[:limit]


@plant("Drop records whose objects were deleted, only where they are deleting; return how many.")
class ForgetsAnything(Right):
    """Drops records in any state."""

    def forget_blobs(self, ids: Collection[BlobId]) -> int:
        for number in list(ids)[:1000]:
            self.sql("update #blobs set state = 4 where id = ?", number)
        return super().forget_blobs(ids)


@plant("Drop records whose objects were deleted, only where they are deleting; return how many.")
class CountsAllForgotten(Right):
    """Counts those too that it left."""

    def forget_blobs(self, ids: Collection[BlobId]) -> int:
        super().forget_blobs(ids)
        return len(ids)


@plant("Those of uids that have a record of any state in this store.")
class KnowsNoDoomed(Right):
    """Leaves out what is being deleted."""

    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        doomed = {row[0] for row in self.sql("select uid from #blobs where state = 4")}
        return super().recorded_uids(store, uids) - doomed


@plant("Those of uids that have a record of any state in this store.")
class KnowsNoUnseen(Right):
    """Leaves out what nobody saw."""

    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        unseen = {row[0] for row in self.sql("select uid from #blobs where state = 2")}
        return super().recorded_uids(store, uids) - unseen


@plant("Those of uids that have a record of any state in this store.")
class KnowsUidsOfOtherStores(Right):
    """Knows uids of other stores too."""

    def recorded_uids(self, store: StoreId, uids: Collection[BlobUid]) -> set[BlobUid]:
        found = set(super().recorded_uids(store, uids))
        for known in self.inner.stores():
            found |= self.inner.recorded_uids(known.id, uids)
        return found


@plant(
    "Insert a deleting record for each unrecorded object (uid, stored size); one that has a record by now "
    "is left alone."
)
class DoomsWhatIsRecorded(Right):
    """Dooms objects that have a record."""

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        held = list(objects)
        for uid, _ in held[:1000]:
            self.sql("update #blobs set state = 4 where store = ? and uid = ?", store, uid)
        return super().doom_objects(store, held)


@plant("one that has a record by now is left alone")
class RefusesWhatIsRecorded(Right):
    """Refuses objects that have a record."""

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        held = list(objects)
        if self.inner.recorded_uids(store, [uid for uid, _ in held]):
            raise MetaBackendError(f"{self.location}: a record is there already")
        return super().doom_objects(store, held)


@plant("Insert a deleting record for each unrecorded object (uid, stored size)")
class ForgetsSizesOfObjects(Right):
    """Records no sizes of objects."""

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        return super().doom_objects(store, ((uid, 0) for uid, _ in objects))


@plant("Returns how many were inserted.")
class CountsAllObjects(Right):
    """Counts objects too that have a record."""

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        held = list(objects)
        super().doom_objects(store, held)
        return len(held)


@plant("One transaction a batch, so that objects may be a slow listing.")
class ListsWithinATransaction(Right):
    """Lets nobody write while it goes through the listing."""

    _listing = False

    def carry_out(self, method: str, call: Callable[[], Any]) -> Any:
        if self._listing and method not in ("doom_objects", "close"):
            raise MetaBackendError(f"{self.location}: the database is locked", retryable=True)
        return super().carry_out(method, call)

    def doom_objects(self, store: StoreId, objects: Iterable[tuple[BlobUid, int]]) -> int:
        self._listing = True
        try:
            return super().doom_objects(store, objects)
        finally:
            self._listing = False
