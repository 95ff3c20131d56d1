"""Meta backends that break what is promised of maps and segments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from backy2_core.contracts.meta_backend import KeptSegment, NewSegment, StoredSegment
from backy2_core.errors import BlobGoneError, MetaBackendError, NotFoundError
from backy2_core.model.job import JobId
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import VersionId
from tests.planted.databases import Right
from tests.planted.meta_faults import plant

APPENDING = "Append to the map of an incomplete or arriving version, in order; return the ids now in the map."
SHARING = "A new segment whose packed data equal those of a stored one that is not condemned becomes a reference to it."
CHECKING = "Fresh blob ids are checked in the same transaction: condemned ones are revived"
GONE = "if any is missing, deleting or damaged, nothing is changed and backy2_core.errors.BlobGoneError names them all"

Segments = Sequence[NewSegment | KeptSegment]


@plant(APPENDING)
class AppendsBackwards(Right):
    """Appends the last first."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        return super().append_segments(job, version, segments[::-1])[::-1]


@plant(APPENDING)
class ReplacesTheMap(Right):
    """Begins the map anew at each call."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        if self.sql("select 1 from #jobs where id = ? and state = 1", job):
            self.sql(
                "delete from #maps where version in (select id from #versions where id = ? and state in (1, 6))",
                version,
            )
        return super().append_segments(job, version, segments)


@plant("return the ids now in the map")
class ReturnsDistinctIds(Right):
    """Returns each id once."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        return list(dict.fromkeys(super().append_segments(job, version, segments)))


@plant("return the ids now in the map")
class ReturnsOnlyNewIds(Right):
    """Returns the ids of new segments only."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        ids = super().append_segments(job, version, segments)
        return [number for number, segment in zip(ids, segments, strict=True) if isinstance(segment, NewSegment)]


@plant("Any other version is refused with a MetaBackendError.")
class AppendsToAnything(Right):
    """Appends to a version that is finished or removed."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        ids = self.ids("select id from #versions where id = ? and state in (2, 3, 4)", version)
        return self.with_rows("versions", "state", 1, ids, lambda: Right.append_segments(self, job, version, segments))


@plant("Any other version is refused with a MetaBackendError.")
class AppendsToNothing(Right):
    """Says of a version that is not there that all went well."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        try:
            return super().append_segments(job, version, segments)
        except (NotFoundError, MetaBackendError):
            if self.sql("select 1 from #versions where id = ?", version) or self.closed:
                raise
            return []


@plant(SHARING)
class StoresSegmentsTwice(Right):
    """Stores a segment again that is stored already."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        heads = self.ids("select id from #segments")
        return self.with_rows(
            "segments", "digest_head", -1, heads[:50], lambda: Right.append_segments(self, job, version, segments)
        )


@plant(SHARING)
class RefersToTheCondemned(Right):
    """Refers to a stored segment that is condemned."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        ids = self.ids("select id from #segments where condemned is not null")
        return self.with_rows(
            "segments", "condemned", None, ids, lambda: Right.append_segments(self, job, version, segments)
        )


@plant(SHARING)
class SharesByDigest(Right):
    """Takes segments of one digest for the same, though they hold other ids."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        stored = {
            bytes(digest): data
            for digest, data in self.sql("select digest, data from #segments where condemned is null")
        }
        same = [
            replace(segment, data=stored.get(segment.digest, segment.data))
            if isinstance(segment, NewSegment)
            else segment
            for segment in segments
        ]
        return super().append_segments(job, version, same)


@plant("A new segment whose packed data equal those of a stored one")
class StoresSegmentsTwiceInACall(Right):
    """Stores a segment twice that comes twice in one call."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        ids: list[SegmentId] = []
        if len(segments) > 20:
            return super().append_segments(job, version, segments)
        for segment in segments:
            known = self.ids("select id from #segments") if segment in segments[:1] or len(ids) else []
            ids += self.with_rows(
                "segments",
                "digest_head",
                -1,
                [number for number in known if number in ids],
                lambda segment=segment: Right.append_segments(self, job, version, [segment]),
            )
        return ids if segments else super().append_segments(job, version, segments)


@plant(CHECKING)
class RevivesNothing(Right):
    """Leaves blobs condemned that a new segment refers to."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        marks = self.sql("select condemned, id from #blobs where condemned is not null")
        ids = super().append_segments(job, version, segments)
        for mark in marks:
            self.sql("update #blobs set condemned = ? where id = ?", *mark)
        return ids


@plant(CHECKING)
class ChecksNothing(Right):
    """Does not look at blobs that a new segment refers to."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        blind = [replace(s, fresh=()) if isinstance(s, NewSegment) else s for s in segments]
        return super().append_segments(job, version, blind)


def _accepts(state: int) -> Any:
    def append_segments(self: Right, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        ids = self.ids("select id from #blobs where state = ?", state)
        return self.with_rows("blobs", "state", 1, ids, lambda: Right.append_segments(self, job, version, segments))

    return append_segments


@plant(GONE)
class RefersToTheDoomed(Right):
    """Refers to blobs that are being deleted."""

    append_segments = _accepts(4)


@plant(GONE)
class RefersToTheDamaged(Right):
    """Refers to blobs that are damaged."""

    append_segments = _accepts(3)


@plant(GONE)
class RefersToTheMissing(Right):
    """Refers to blobs that have no record."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        fresh = {number for s in segments if isinstance(s, NewSegment) for number in s.fresh[:200]}
        known = {number for number in fresh if self.sql("select 1 from #blobs where id = ?", number)}
        kept = [
            replace(s, fresh=tuple(n for n in s.fresh if n in known or n not in fresh))
            if isinstance(s, NewSegment)
            else s
            for s in segments
        ]
        return super().append_segments(job, version, kept)


@plant(GONE)
class NamesOneGone(Right):
    """Names the first blob that is gone."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        try:
            return super().append_segments(job, version, segments)
        except BlobGoneError as error:
            raise BlobGoneError(error.blob_ids[:1]) from error


@plant("nothing is changed", "A method that raised has changed nothing")
class AppendsWhatIsWhole(Right):
    """Appends the segments before the one that refers to what is gone."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        try:
            return super().append_segments(job, version, segments)
        except BlobGoneError as error:
            gone = set(error.blob_ids)
            whole = [s for s in segments if isinstance(s, KeptSegment) or not gone & set(s.fresh)]
            super().append_segments(job, version, whole)
            raise


@plant("nothing is changed", "A method that raised has changed nothing")
class RevivesBeforeItRefuses(Right):
    """Revives what is condemned, then refuses what is gone."""

    def append_segments(self, job: JobId, version: VersionId, segments: Segments) -> list[SegmentId]:
        try:
            return super().append_segments(job, version, segments)
        except BlobGoneError:
            for number in {number for s in segments if isinstance(s, NewSegment) for number in s.fresh}:
                self.sql("update #blobs set condemned = null where id = ?", number)
            raise


@plant("Number of segments in the map; 0 for a version that is not there.")
class MissesVersions(Right):
    """Complains of a version that is not there."""

    def map_length(self, version: VersionId) -> int:
        if not self.sql("select 1 from #versions where id = ?", version):
            raise NotFoundError(f"there is no version {version}")
        return super().map_length(version)


@plant("Number of segments in the map")
class CountsDistinctSegments(Right):
    """Counts each segment once."""

    def map_length(self, version: VersionId) -> int:
        super().map_length(version)
        return len(set(self.inner.read_map(version)))


@plant("Segment ids of the map from position start on, streamed.")
class ReadsFromTheBeginning(Right):
    """Reads the map from its beginning."""

    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        return super().read_map(version)


@plant("Segment ids of the map from position start on, streamed.")
class ReadsFromTheNext(Right):
    """Leaves the first out where it does not begin at the beginning."""

    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        return super().read_map(version, start + (start > 0))


@plant("Segment ids of the map from position start on, streamed.")
class ReadsOnePart(Right):
    """Reads the first thousand."""

    def read_map(self, version: VersionId, start: int = 0) -> Iterator[SegmentId]:
        for at, number in enumerate(super().read_map(version, start)):
            if at < 1000:
                yield number


@plant("Segments by id; unknown ones left out.")
class MissesSegments(Right):
    """Complains of a segment that it does not know."""

    def read_segments(self, ids: Collection[SegmentId]) -> Any:
        found = super().read_segments(ids)
        if len(found) < len(set(ids)):
            raise MetaBackendError(f"{self.location}: an unknown segment")
        return found


@plant("Segments by id; unknown ones left out.")
class ReadsOtherData(Right):
    """Reads other bytes than were stored."""

    def read_segments(self, ids: Collection[SegmentId]) -> dict[SegmentId, StoredSegment]:
        return {number: row._replace(data=row.data[::-1]) for number, row in super().read_segments(ids).items()}


@plant("Segments by id; unknown ones left out.")
class ReadsNoCondemnedSegments(Right):
    """Leaves condemned segments out."""

    def read_segments(self, ids: Collection[SegmentId]) -> dict[SegmentId, StoredSegment]:
        condemned = set(self.ids("select id from #segments where condemned is not null"))
        return {number: row for number, row in super().read_segments(ids).items() if number not in condemned}


@plant("Digests by id, without the data; unknown ones left out.")
class MissesDigests(Right):
    """Says nothing of a segment that it does not know but an empty digest."""

    def read_digests(self, ids: Collection[SegmentId]) -> dict[SegmentId, bytes]:
        return {**dict.fromkeys(ids, b""), **super().read_digests(ids)}


@plant("Digests by id, without the data; unknown ones left out.")
class ReadsHalfADigest(Right):
    """Reads the first half of each digest."""

    def read_digests(self, ids: Collection[SegmentId]) -> dict[SegmentId, bytes]:
        return {number: digest[: len(digest) // 2] for number, digest in super().read_digests(ids).items()}
