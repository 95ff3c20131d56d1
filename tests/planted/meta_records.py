"""Meta backends that break what is promised of records of blobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from backy2_core.errors import BlobConflictError, MetaBackendError
from backy2_core.model.blob import BlobId, BlobRecord, BlobState, BlobUid, NewBlob, StoreId
from backy2_core.model.job import JobId
from tests.planted.databases import Right
from tests.planted.meta_faults import plant

FINDING = "For each wanted block the lowest id of a blob that is stored and not condemned; unknown ones left out."
ADDING = "Record durable blobs as stored, in order; return their ids."
TAKING = "Record blobs that an import or adoption speaks of, in order; return their ids."
CONFLICT = (
    "BlobConflictError names those whose record is deleting, or speaks of other contents (size, hash, "
    "checksum, key, transforms); nothing is changed then."
)
SEEING = "those that are unseen become stored, with that size and a new generation; return how many"


# -- looking up


@plant(FINDING)
class FindsTheNewest(Right):
    """Finds the newest of blobs of one content."""

    def find_blobs(self, store: StoreId, hash_name: str, key: str, wanted: Any) -> Any:
        found = super().find_blobs(store, hash_name, key, wanted)
        newest = (
            "select max(id) from #blobs where store = ? and hash = ? and key = ? and checksum = ? and size = ? "
            "and state = 1"
        )
        return {block: self.ids(newest, store, hash_name, key, block.checksum, block.size)[0] for block in found}


@plant(FINDING)
class FindsTheCondemned(Right):
    """Finds condemned blobs."""

    def find_blobs(self, store: StoreId, hash_name: str, key: str, wanted: Any) -> Any:
        ids = self.ids("select id from #blobs where condemned is not null")
        return self.with_rows(
            "blobs", "condemned", None, ids, lambda: Right.find_blobs(self, store, hash_name, key, wanted)
        )


def _finds(state: BlobState) -> Callable[[Any], Any]:
    def decorate(kind: Any) -> Any:
        def find_blobs(self: Right, store: StoreId, hash_name: str, key: str, wanted: Any) -> Any:
            ids = self.ids("select id from #blobs where state = ?", int(state))
            return self.with_rows(
                "blobs", "state", 1, ids, lambda: Right.find_blobs(self, store, hash_name, key, wanted)
            )

        kind.find_blobs = find_blobs
        return kind

    return decorate


@plant(FINDING)
@_finds(BlobState.UNSEEN)
class FindsTheUnseen(Right):
    """Finds blobs that nobody saw."""


@plant(FINDING)
@_finds(BlobState.DAMAGED)
class FindsTheDamaged(Right):
    """Finds damaged blobs."""


@plant(FINDING)
@_finds(BlobState.DELETING)
class FindsTheDoomed(Right):
    """Finds blobs that are being deleted."""


def _finds_whatever(*columns: str) -> Callable[[Any], Any]:
    """Let a class find blobs whatever stands in one column."""

    def decorate(kind: Any) -> Any:
        def find_blobs(self: Right, store: StoreId, hash_name: str, key: str, wanted: Any) -> Any:
            found = dict(Right.find_blobs(self, store, hash_name, key, wanted))
            values = {"store": store, "hash": hash_name, "key": key}
            for block in wanted:
                asked = {**values, "checksum": block.checksum, "size": block.size}
                asked = {name: value for name, value in asked.items() if name not in columns}
                where = " and ".join(f"{name} = ?" for name in asked)
                ids = self.ids(
                    f"select id from #blobs where {where} and state = 1 and condemned is null order by id",
                    *asked.values(),
                )
                if ids:
                    found.setdefault(block, BlobId(ids[0]))
            return found

        kind.find_blobs = find_blobs
        return kind

    return decorate


@plant(FINDING)
@_finds_whatever("store")
class FindsInAnyStore(Right):
    """Finds blobs of other stores."""


@plant(FINDING)
@_finds_whatever("hash")
class FindsByAnyHash(Right):
    """Finds blobs of another hash."""


@plant(FINDING)
@_finds_whatever("key")
class FindsUnderAnyKey(Right):
    """Finds blobs under another key."""


@plant(FINDING)
@_finds_whatever("size")
class FindsOfAnySize(Right):
    """Finds blobs of another size."""


@plant("unknown ones left out")
class FindsNoneForTheUnknown(Right):
    """Says None of a block that it does not know."""

    def find_blobs(self, store: StoreId, hash_name: str, key: str, wanted: Any) -> Any:
        return {**dict.fromkeys(wanted), **super().find_blobs(store, hash_name, key, wanted)}


# -- recording


@plant(ADDING)
class ReturnsIdsBackwards(Right):
    """Returns the ids in another order than the blobs."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return super().add_blobs(job, store, blobs)[::-1]


@plant(ADDING)
class AddsUnseen(Right):
    """Records blobs as unseen."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        ids = super().add_blobs(job, store, blobs)
        for number in ids:
            self.sql("update #blobs set state = 2 where id = ?", number)
        return ids


@plant("MetaBackendError if the store has a record of one of these uids")
class PassesOverKnownUids(Right):
    """Passes over a uid that has a record."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        known = (
            {row[0]: row[1] for row in self.sql("select uid, id from #blobs where store = ?", store)} if blobs else {}
        )
        if not any(blob.uid in known for blob in blobs):
            return super().add_blobs(job, store, blobs)
        added = iter(super().add_blobs(job, store, [blob for blob in blobs if blob.uid not in known]))
        return [known[blob.uid] if blob.uid in known else next(added) for blob in blobs]


@plant("MetaBackendError if the store has a record of one of these uids")
class KnowsUidsOfAllStores(Right):
    """Refuses a uid that another store has a record of."""

    def add_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        for blob in blobs[:100]:
            if self.sql("select 1 from #blobs where uid = ? and store <> ?", blob.uid, store):
                raise MetaBackendError(f"blob {blob.uid} has a record already")
        return super().add_blobs(job, store, blobs)


def _adds_without(**changes: Any) -> Callable[[Any], Any]:
    """Let a class forget one field of a blob."""

    def decorate(kind: Any) -> Any:
        def add_blobs(self: Right, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
            return Right.add_blobs(self, job, store, [replace(blob, **changes) for blob in blobs])

        kind.add_blobs = add_blobs
        return kind

    return decorate


@plant(ADDING)
@_adds_without(envelope=b"")
class ForgetsEnvelopes(Right):
    """Forgets envelopes."""


@plant(ADDING)
@_adds_without(transforms="")
class ForgetsTransforms(Right):
    """Forgets how a blob was sealed."""


@plant(ADDING)
@_adds_without(date=None)
class ForgetsDatesOfBlobs(Right):
    """Takes the time of recording for the date that was given."""


@plant(ADDING)
@_adds_without(stored_size=0)
class ForgetsStoredSizes(Right):
    """Forgets the size in the store."""


# -- taking over


@plant("One that has no record becomes unseen.")
class TakesOverAsStored(Right):
    """Takes blobs over as stored."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        known = set(self.ids("select id from #blobs"))
        ids = super().take_over_blobs(job, store, blobs)
        for number in set(ids) - known:
            self.sql("update #blobs set state = 1 where id = ?", number)
        return ids


@plant(TAKING)
class ReturnsTakenIdsBackwards(Right):
    """Returns the ids in another order than the blobs."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        return super().take_over_blobs(job, store, blobs)[::-1]


@plant("One that has keeps its record and its state")
class ForgetsItsState(Right):
    """Makes a record that is there unseen."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        ids = super().take_over_blobs(job, store, blobs)
        for number in ids:
            self.sql("update #blobs set state = 2 where id = ?", number)
        return ids


@plant("One that has keeps its record and its state")
class RefusesWhatItHas(Right):
    """Refuses a blob that has a record."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        known = [
            blob.uid for blob in blobs if self.sql("select 1 from #blobs where store = ? and uid = ?", store, blob.uid)
        ]
        if known:
            raise BlobConflictError(known)
        return super().take_over_blobs(job, store, blobs)


@plant("and is revived where it was condemned")
class LeavesTakenOnesCondemned(Right):
    """Leaves condemned what it takes over."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        marks = self.sql("select condemned, id from #blobs where condemned is not null")
        ids = super().take_over_blobs(job, store, blobs)
        for mark in marks:
            self.sql("update #blobs set condemned = ? where id = ?", *mark)
        return ids


@plant(CONFLICT)
class TakesOverTheDoomed(Right):
    """Takes over what is being deleted."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        ids = self.ids("select id from #blobs where state = 4")
        return self.with_rows("blobs", "state", 1, ids, lambda: Right.take_over_blobs(self, job, store, blobs))


def _takes_other(*columns: str) -> Callable[[Any], Any]:
    """Let a class overlook that a record speaks of another size, hash and so on."""

    def decorate(kind: Any) -> Any:
        def take_over_blobs(self: Right, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
            known = self.inner.find_records(store, [blob.uid for blob in blobs])
            same = [
                replace(blob, **{name: getattr(known[blob.uid], name) for name in columns})
                if blob.uid in known
                else blob
                for blob in blobs
            ]
            return Right.take_over_blobs(self, job, store, same)

        kind.take_over_blobs = take_over_blobs
        return kind

    return decorate


@plant(CONFLICT)
@_takes_other("size")
class TakesOverAnotherSize(Right):
    """Overlooks that a record speaks of another size."""


@plant(CONFLICT)
@_takes_other("hash")
class TakesOverAnotherHash(Right):
    """Overlooks that a record speaks of another hash."""


@plant(CONFLICT)
@_takes_other("checksum")
class TakesOverAnotherChecksum(Right):
    """Overlooks that a record speaks of another checksum."""


@plant(CONFLICT)
@_takes_other("key")
class TakesOverAnotherKey(Right):
    """Overlooks that a record speaks of another key."""


@plant(CONFLICT)
@_takes_other("transforms")
class TakesOverOtherTransforms(Right):
    """Overlooks that a record speaks of other transforms."""


@plant("nothing is changed then", "A method that raised has changed nothing")
class TakesOverTheOthers(Right):
    """Takes over what is in no conflict, then complains of the rest."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        try:
            return super().take_over_blobs(job, store, blobs)
        except BlobConflictError as error:
            super().take_over_blobs(job, store, [blob for blob in blobs if blob.uid not in error.uids])
            raise


@plant("names those whose record is deleting, or speaks of other contents")
class NamesOneConflict(Right):
    """Names the first conflict."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        try:
            return super().take_over_blobs(job, store, blobs)
        except BlobConflictError as error:
            raise BlobConflictError(error.uids[:1]) from error


@plant("names those whose record is deleting, or speaks of other contents")
class NamesAllAsConflicts(Right):
    """Names all blobs of the call."""

    def take_over_blobs(self, job: JobId, store: StoreId, blobs: Sequence[NewBlob]) -> list[BlobId]:
        try:
            return super().take_over_blobs(job, store, blobs)
        except BlobConflictError as error:
            raise BlobConflictError([blob.uid for blob in blobs]) from error


# -- seeing


@plant(SEEING)
class SeesTheDamaged(Right):
    """Makes damaged blobs stored that were found."""

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        for number, _ in found:
            self.sql("update #blobs set state = 2 where id = ? and state = 3", number)
        return super().mark_seen(found)


@plant(SEEING)
class SeesNoSize(Right):
    """Keeps the size that was recorded."""

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        sizes = [
            self.sql("select stored_size, id from #blobs where id = ?", number) for number, _ in list(found)[:1000]
        ]
        seen = super().mark_seen(found)
        for rows in sizes:
            for row in rows:
                self.sql("update #blobs set stored_size = ? where id = ?", *row)
        return seen


@plant(SEEING)
class SeesWithoutACount(Right):
    """Leaves the generation of a blob that was seen as it is."""

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        held = [self.sql("select generation, id from #blobs where id = ?", number) for number, _ in list(found)[:1000]]
        seen = super().mark_seen(found)
        for rows in held:
            for row in rows:
                self.sql("update #blobs set generation = ? where id = ?", *row)
        return seen


@plant("return how many")
class CountsAllAsSeen(Right):
    """Counts those too that were stored already."""

    def mark_seen(self, found: Collection[tuple[BlobId, int]]) -> int:
        super().mark_seen(found)
        return len(found)


# -- reading


@plant("The records in this store of these uids, in any state; unknown uids are left out.")
class FindsRecordsOfOthers(Right):
    """Finds records of other stores."""

    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Any:
        found = {}
        for known in self.inner.stores():
            found.update(self.inner.find_records(known.id, uids))
        return found | dict(super().find_records(store, uids))


@plant("The records in this store of these uids, in any state")
class FindsNoDoomedRecords(Right):
    """Leaves out what is being deleted."""

    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Any:
        return {
            uid: row for uid, row in super().find_records(store, uids).items() if row.state is not BlobState.DELETING
        }


@plant("unknown uids are left out")
class MissesRecords(Right):
    """Complains of a uid that it does not know."""

    def find_records(self, store: StoreId, uids: Collection[BlobUid]) -> Any:
        found = super().find_records(store, uids)
        if len(found) < len(set(uids)):
            raise MetaBackendError(f"{self.location}: an unknown uid")
        return found


@plant("Records by id; unknown ones left out.")
class MissesIds(Right):
    """Complains of an id that it does not know."""

    def read_blobs(self, ids: Collection[BlobId]) -> Any:
        found = super().read_blobs(ids)
        if len(found) < len(set(ids)):
            raise MetaBackendError(f"{self.location}: an unknown id")
        return found


@plant("Records by id; unknown ones left out.")
class ReadsNoDamagedBlobs(Right):
    """Leaves damaged blobs out."""

    def read_blobs(self, ids: Collection[BlobId]) -> dict[BlobId, BlobRecord]:
        return {number: row for number, row in super().read_blobs(ids).items() if row.state is not BlobState.DAMAGED}


@plant("Change the state of those that are in state only; return how many.")
class SetsAnyBlobState(Right):
    """Changes the state of all, whatever it was."""

    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        return sum(Right.set_blob_state(self, ids, state, known) for known in BlobState if known is not state)


@plant("Change the state of those that are in state only; return how many.")
class CountsAllBlobs(Right):
    """Counts those too that it left."""

    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        super().set_blob_state(ids, state, only)
        return len(ids)


@plant("What was unseen gets a new generation.")
class SetsStatesWithoutACount(Right):
    """Leaves the generation of what was unseen as it is."""

    def set_blob_state(self, ids: Collection[BlobId], state: BlobState, only: BlobState) -> int:
        held = [self.sql("select generation, id from #blobs where id = ?", number) for number in list(ids)[:1000]]
        changed = super().set_blob_state(ids, state, only)
        for rows in held:
            for row in rows:
                self.sql("update #blobs set generation = ? where id = ?", *row)
        return changed
