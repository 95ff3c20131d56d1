"""Meta backends that break what is promised of versions and of statistics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from backy2_core.errors import MetaBackendError, NotFoundError, RefusedError, VersionExistsError
from backy2_core.model.job import JobId
from backy2_core.model.version import (
    NewVersion,
    Statistics,
    Version,
    VersionFilter,
    VersionId,
    VersionState,
    VersionUid,
)
from tests.planted.databases import Right
from tests.planted.meta_faults import plant

CREATING = "Record an incomplete (or arriving) version with an empty map, which the job then names exclusively."
GIVING_WAY = (
    "A purged version of that uid gives way to it, and so does one that is removed or arriving and that "
    "no live job names."
)
LISTING = "Versions by name, then date, then id, ascending."
LITERALLY = "Every criterion is taken literally, and case matters."
FINISHING = "Make an incomplete or arriving version valid, in one transaction with its digest and its statistics."


# -- creating


@plant(CREATING)
class CreatesUnnamed(Right):
    """Does not name what it creates."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        version = super().create_version(job, new)
        self.sql("delete from #uses where version = ?", version.id)
        return version


@plant("which the job then names exclusively")
class CreatesShared(Right):
    """Names what it creates, but not exclusively."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        version = super().create_version(job, new)
        self.sql("update #uses set exclusive = 0 where version = ?", version.id)
        return version


@plant(CREATING)
class CreatesValid(Right):
    """Records a version as valid from the beginning."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        version = super().create_version(job, new)
        if new.arriving:
            return version
        self.sql("update #versions set state = 2 where id = ?", version.id)
        return replace(version, state=VersionState.VALID)


@plant(CREATING)
class CreatesArrivingAsIncomplete(Right):
    """Records an arriving version as incomplete."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        return super().create_version(job, replace(new, arriving=False))


def _forgets(field: str, value: Any) -> Callable[[Any], Any]:
    """Let a class forget one field of what it creates."""

    def decorate(kind: Any) -> Any:
        def create_version(self: Right, job: JobId, new: NewVersion) -> Version:
            return Right.create_version(self, job, replace(new, **{field: value}))

        kind.create_version = create_version
        return kind

    return decorate


@plant(CREATING)
@_forgets("date", None)
class ForgetsTheDate(Right):
    """Takes the time of recording for the date that was given."""


@plant(CREATING)
@_forgets("tags", frozenset())
class ForgetsTags(Right):
    """Forgets the tags of a new version."""


@plant(CREATING)
@_forgets("expire", None)
class ForgetsExpiry(Right):
    """Forgets when a new version expires."""


@plant(CREATING)
@_forgets("protected", False)
class ForgetsProtection(Right):
    """Forgets that a new version is protected."""


@plant(CREATING)
@_forgets("key", "")
class ForgetsTheKey(Right):
    """Forgets the key of a new version."""


@plant(CREATING)
@_forgets("source_identity", "")
class ForgetsTheSource(Right):
    """Forgets the identity of a source."""


@plant(CREATING)
@_forgets("base", None)
class ForgetsTheBase(Right):
    """Forgets the base of a version."""


@plant(CREATING)
@_forgets("hints_digest", "")
class ForgetsTheHints(Right):
    """Forgets the digest of the hints."""


@plant("A purged version of that uid gives way to it")
class KeepsThePurged(Right):
    """Refuses the uid of a purged version."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        if self.sql("select 1 from #versions where uid = ? and state = 5", new.uid):
            raise VersionExistsError(f"version {new.uid} is there already")
        return super().create_version(job, new)


@plant(GIVING_WAY)
class KeepsTheRemoved(Right):
    """Refuses the uid of a removed version."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        if self.sql("select 1 from #versions where uid = ? and state = 4", new.uid):
            raise VersionExistsError(f"version {new.uid} is there already")
        return super().create_version(job, new)


@plant(GIVING_WAY)
class KeepsTheArriving(Right):
    """Refuses the uid of a version whose import was interrupted."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        if self.sql("select 1 from #versions where uid = ? and state = 6", new.uid):
            raise VersionExistsError(f"version {new.uid} is there already")
        return super().create_version(job, new)


@plant("and that no live job names")
class ReplacesWhatIsInUse(Right):
    """Replaces a removed version that a live job names."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        ids = self.ids("select id from #versions where uid = ? and state in (4, 6)", new.uid)
        for number in ids:
            self.sql("delete from #uses where version = ?", number)
        return super().create_version(job, new)


@plant("Any other raises backy2_core.errors.VersionExistsError.")
class ReplacesAnything(Right):
    """Replaces a version that is there."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        self.sql("delete from #versions where uid = ?", new.uid)
        return super().create_version(job, new)


@plant("Any other raises backy2_core.errors.VersionExistsError.")
class CallsItAnError(Right):
    """Says of a version that is there only that something is wrong."""

    def create_version(self, job: JobId, new: NewVersion) -> Version:
        try:
            return super().create_version(job, new)
        except VersionExistsError as error:
            raise MetaBackendError(str(error)) from error


# -- listing


@plant(LISTING)
class ListsById(Right):
    """Lists versions in the order in which they were made."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return iter(sorted(super().versions(which), key=lambda version: version.id))


@plant(LISTING)
class ListsByDate(Right):
    """Lists versions by date."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return iter(sorted(super().versions(which), key=lambda version: (version.date, version.id)))


@plant(LISTING)
class ListsByNameAndId(Right):
    """Lists versions of a name in the order in which they were made."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return iter(sorted(super().versions(which), key=lambda version: (version.name, version.id)))


@plant(LISTING)
class ListsTheNewestFirst(Right):
    """Lists the newest version of a name first where dates are the same."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return iter(sorted(super().versions(which), key=lambda version: (version.name, version.date, -version.id)))


@plant(LISTING)
class ListsAThousand(Right):
    """Lists the first thousand versions."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return iter(list(super().versions(which))[:1000])


@plant(LITERALLY)
class ListsByPattern(Right):
    """Takes a name for a pattern."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        if which.name is None:
            return super().versions(which)
        found = {row[0] for row in self.sql("select id from #versions where name like ?", which.name)}
        return (version for version in super().versions(replace(which, name=None)) if version.id in found)


@plant(LITERALLY)
class ListsInAnyCase(Right):
    """Takes names that differ in case for the same."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        rows = super().versions(replace(which, name=None))
        return (row for row in rows if which.name is None or row.name.lower() == which.name.lower())


@plant(LITERALLY)
class ListsTagsInAnyCase(Right):
    """Takes tags that differ in case for the same."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        rows = super().versions(replace(which, tag=None))
        return (row for row in rows if which.tag is None or which.tag.lower() in {tag.lower() for tag in row.tags})


@plant(LITERALLY)
class ListsUidsByPattern(Right):
    """Takes the beginning of a uid for a pattern."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        if which.uid_prefix is None:
            return super().versions(which)
        found = {row[0] for row in self.sql("select id from #versions where uid like ? || '%'", which.uid_prefix)}
        return (version for version in super().versions(replace(which, uid_prefix=None)) if version.id in found)


def _ignores(field: str) -> Callable[[Any], Any]:
    """Let a class ignore one criterion."""

    def decorate(kind: Any) -> Any:
        def versions(self: Right, which: VersionFilter) -> Iterator[Version]:
            return Right.versions(self, replace(which, **{field: None}))

        kind.versions = versions
        return kind

    return decorate


@plant(LITERALLY)
@_ignores("snapshot_name")
class IgnoresSnapshotNames(Right):
    """Ignores the name of the snapshot."""


@plant(LITERALLY)
@_ignores("source_identity")
class IgnoresSources(Right):
    """Ignores the identity of the source."""


@plant(LITERALLY)
@_ignores("tag")
class IgnoresTags(Right):
    """Ignores the tag."""


@plant(LITERALLY)
@_ignores("uid_prefix")
class IgnoresUids(Right):
    """Ignores the beginning of the uid."""


@plant(LITERALLY)
class ListsRemovedOnes(Right):
    """Lists removed versions where they were not asked for."""

    def versions(self, which: VersionFilter) -> Iterator[Version]:
        return super().versions(replace(which, states=which.states | {VersionState.REMOVED}))


# -- finishing


def _finishing(kind: Any) -> Any:
    """Give a class that has ``wrong`` the method that calls it."""

    def finish_version(
        self: Any, job: Any, version: Any, digest: Any, statistics: Any, *, damaged: bool = False
    ) -> Any:
        def call(digest: Any = digest, statistics: Any = statistics, damaged: bool = damaged) -> Any:
            return Right.finish_version(self, job, version, digest, statistics, damaged=damaged)

        return self.wrong(call, version, statistics)

    kind.finish_version = finish_version
    return kind


@plant(FINISHING)
@_finishing
class ForgetsStatistics(Right):
    """Keeps no statistics."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        return call(statistics=None)


@plant(FINISHING)
@_finishing
class ForgetsTheDigest(Right):
    """Keeps no digest."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        return call(digest=b"")


@plant("in one transaction with its digest and its statistics", "A method that raised has changed nothing")
@_finishing
class KeepsStatisticsOfTheRefused(Right):
    """Keeps the statistics of a version that it refuses."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        try:
            return call()
        except MetaBackendError:
            if statistics is not None:
                self.inner.add_statistics([statistics])
            raise


@plant(
    "Refuses (MetaBackendError) any other, and unless the map has as many segments as its geometry calls "
    "for, all stored"
)
@_finishing
class FinishesAnything(Right):
    """Finishes a version again, in whatever state."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        ids = self.ids("select id from #versions where id = ? and state in (2, 3, 4)", version)
        self.sql(
            "update #versions set state = 1 where id in (select id from #versions where id = ? and state in (2, 3, 4))",
            version,
        )
        try:
            return call()
        except MetaBackendError:
            for number in ids:
                self.sql("update #versions set state = 2 where id = ?", number)
            raise


@plant("unless the map has as many segments as its geometry calls for")
@_finishing
class CountsNoSegments(Right):
    """Finishes a version whose map is too short."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        length = self.inner.map_length(version)
        sizes = self.sql("select size_bytes, block_size from #versions where id = ?", version)
        if sizes and length and length * 128 * sizes[0][1] < sizes[0][0]:
            return self.with_rows("versions", "size_bytes", length * 128 * sizes[0][1], [version], call)
        return call()


@plant("unless the map has as many segments as its geometry calls for")
@_finishing
class CountsTooFewSegments(Right):
    """Finishes a version whose map is too long."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        length = self.inner.map_length(version)
        sizes = self.sql("select size_bytes, block_size from #versions where id = ?", version)
        if sizes and (length - 1) * 128 * sizes[0][1] >= sizes[0][0]:
            return self.with_rows("versions", "size_bytes", length * 128 * sizes[0][1], [version], call)
        return call()


@plant("all stored")
@_finishing
class LooksForNoSegments(Right):
    """Finishes a version though segments of its map are gone."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        there = set(self.ids("select id from #segments"))
        made = [number for number in dict.fromkeys(self.inner.read_map(version)) if number not in there]
        for number in made:
            self.sql(
                "insert into #segments (id, digest, digest_head, generation, data) values (?, x'00', 0, 0, x'')", number
            )
        try:
            return call()
        finally:
            for number in made:
                self.sql("delete from #segments where id = ?", number)


@plant("revives condemned ones")
@_finishing
class LeavesSegmentsCondemned(Right):
    """Leaves segments condemned."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        marks = self.sql("select condemned, id from #segments where condemned is not null")
        finished = call()
        for mark in marks:
            self.sql("update #segments set condemned = ? where id = ?", *mark)
        return finished


@plant(
    "A version that refers to a damaged blob, or of which the caller knows that it is damaged, becomes "
    "damaged in place of valid."
)
@_finishing
class OverlooksDamagedBlobs(Right):
    """Makes a version valid that refers to a damaged blob."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        return self.with_rows("blobs", "state", 1, self.ids("select id from #blobs where state = 3"), call)


@plant("or of which the caller knows that it is damaged")
@_finishing
class OverlooksWhatItIsTold(Right):
    """Makes a version valid that the caller calls damaged."""

    def wrong(self, call: Any, version: VersionId, statistics: Statistics | None) -> Version:
        return call(damaged=False)


# -- changing


@plant("RefusedError if it is protected")
class RemovesTheProtected(Right):
    """Removes what is protected."""

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        super().remove_version(version, protected_too=True)


@plant("Mark a version removed, also one in use.")
class NeverRemovesTheProtected(Right):
    """Refuses what is protected, though told to remove that too."""

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        super().remove_version(version)


@plant("Mark a version removed, also one in use.")
class RefusesWhatIsInUse(Right):
    """Refuses to remove what a job uses."""

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        if self.sql("select 1 from #uses u join #jobs j on j.id = u.job where u.version = ? and j.state = 1", version):
            raise RefusedError(f"version {version} is in use")
        super().remove_version(version, protected_too=protected_too)


@plant("nothing if it is removed")
class MissesTheRemoved(Right):
    """Complains of a version that is removed."""

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        if self.sql("select 1 from #versions where id = ? and state in (4, 5)", version):
            raise NotFoundError(f"there is no version {version}")
        super().remove_version(version, protected_too=protected_too)


@plant("nothing if it is removed")
class RemovesThePurgedAgain(Right):
    """Marks a purged version removed."""

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        super().remove_version(version, protected_too=protected_too)
        self.sql("update #versions set state = 4 where id = ? and state = 5", version)


@plant("One that is arriving is dropped at once, row and all: it was never there.", "it was never there")
class KeepsTheRowOfTheArriving(Right):
    """Marks a version removed that is arriving."""

    def remove_version(self, version: VersionId, *, protected_too: bool = False) -> None:
        ids = self.ids("select id from #versions where id = ? and state = 6", version)
        for number in ids:
            self.sql("update #versions set state = 4 where id = ?", number)
        if not ids:
            super().remove_version(version, protected_too=protected_too)


@plant("Change the state, but not of a version that is in one of the unless states; True if it is state now.")
class SetsAnyState(Right):
    """Changes the state of a version that is in one of those states too."""

    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        return super().set_version_state(version, state, [])


@plant("True if it is state now")
class AlwaysSetsStates(Right):
    """Says that it set what it left."""

    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        super().set_version_state(version, state, unless)
        return True


@plant("True if it is state now")
class SaysOnlyWhatChanged(Right):
    """Says that a version is not in the state in which it was before."""

    def set_version_state(self, version: VersionId, state: VersionState, unless: Collection[VersionState]) -> bool:
        before = self.ids("select state from #versions where id = ?", version)
        return super().set_version_state(version, state, unless) and before != [int(state)]


@plant("Protect from removal, or lift that.")
class ProtectsForGood(Right):
    """Never lifts a protection."""

    def set_protected(self, version: VersionId, protected: bool) -> None:
        super().set_protected(version, True)


@plant("Protect from removal, or lift that.")
class ProtectsAll(Right):
    """Protects all versions."""

    def set_protected(self, version: VersionId, protected: bool) -> None:
        super().set_protected(version, protected)
        self.sql("update #versions set protected = ?", protected)


@plant("Set or clear the date from which the version is not needed any more.")
class ExpiresForGood(Right):
    """Never clears the date."""

    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        if expire is not None:
            super().set_expire(version, expire)
        elif not self.sql("select 1 from #versions where id = ? and expire is not null", version):
            super().set_expire(version, None)


@plant("Set or clear the date from which the version is not needed any more.")
class ExpiresInTheWrongZone(Right):
    """Takes the date as if it were in UTC."""

    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        from datetime import UTC

        super().set_expire(version, expire and expire.replace(tzinfo=UTC))


@plant("Set or clear the date from which the version is not needed any more.")
class ExpiresByTheDay(Right):
    """Keeps the day only."""

    def set_expire(self, version: VersionId, expire: datetime | None) -> None:
        super().set_expire(version, expire and expire.replace(hour=0, minute=0, second=0, microsecond=0))


@plant("Add and remove tags; those there (or not there) already are no error.")
class MissesTagsThatAreThere(Right):
    """Complains of a tag that is there already."""

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        for tag in add:
            if self.sql("select 1 from #tags where version = ? and name = ?", version, tag):
                raise MetaBackendError(f"version {version} has the tag {tag} already")
        super().change_tags(version, add, remove)


@plant("Add and remove tags; those there (or not there) already are no error.")
class MissesTagsThatAreNotThere(Right):
    """Complains of a tag that is not there."""

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        for tag in remove:
            if not self.sql("select 1 from #tags where version = ? and name = ?", version, tag):
                raise MetaBackendError(f"version {version} has no tag {tag}")
        super().change_tags(version, add, remove)


@plant("Add and remove tags; those there (or not there) already are no error.")
class ReplacesTags(Right):
    """Takes what is added for all that there is."""

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        if add:
            self.sql("delete from #tags where version = ?", version)
        super().change_tags(version, add, remove)


@plant("Add and remove tags; those there (or not there) already are no error.")
class RemovesNoTags(Right):
    """Removes no tags."""

    def change_tags(self, version: VersionId, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        super().change_tags(version, add)


# -- statistics


@plant(
    "Statistics of finished backups by date ascending: of one version, or the newest limit.",
    "of one version, or the newest limit",
)
class TellsTheNewestFirst(Right):
    """Tells the newest first."""

    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        return super().statistics(uid, limit)[::-1]


@plant("of one version, or the newest limit")
class TellsTheOldest(Right):
    """Tells the oldest where there are more than were asked for."""

    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        return super().statistics(uid)[:limit]


@plant("of one version, or the newest limit")
class TellsOfAll(Right):
    """Tells of other versions too."""

    def statistics(self, uid: VersionUid | None = None, limit: int | None = None) -> list[Statistics]:
        return super().statistics(None, limit)


@plant("Their rows stay, and so do statistics.")
class PurgesStatistics(Right):
    """Drops the statistics of a version that is purged."""

    def purge_versions(self, only: Collection[VersionId]) -> int:
        purged = super().purge_versions(only)
        self.sql("delete from #statistics where uid in (select uid from #versions where state = 5)")
        return purged


@plant(
    "Keep statistics of backups that were made elsewhere; those of a uid and date that are there already are left out."
)
class KeepsStatisticsTwice(Right):
    """Keeps what it has already."""

    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        held = self.sql("select uid, id from #statistics")
        self.sql("update #statistics set uid = 'x' || substr(uid, 2)")
        try:
            return super().add_statistics(entries)
        finally:
            for row in held:
                self.sql("update #statistics set uid = ? where id = ?", *row)


@plant("those of a uid and date that are there already are left out")
class KeepsOneOfAUid(Right):
    """Leaves out what has the uid of others, though of another date."""

    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        known = {row[0] for row in self.sql("select uid from #statistics")}
        return super().add_statistics([entry for entry in entries if entry.uid not in known])


@plant("Returns how many were added.")
class CountsAllStatistics(Right):
    """Counts what it left out too."""

    def add_statistics(self, entries: Sequence[Statistics]) -> int:
        super().add_statistics(entries)
        return len(entries)
