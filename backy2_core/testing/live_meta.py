"""The promises of a meta backend, on a live database: leases, versions, maps, and what others see."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from backy2_core.contracts.meta_backend import NewSegment, SchemaState
from backy2_core.errors import (
    BlobGoneError,
    JobLostError,
    MetaBackendError,
    NotFoundError,
    RefusedError,
    VersionExistsError,
)
from backy2_core.model.blob import BlobId
from backy2_core.model.job import JobKind, JobState, NewJob, Use
from backy2_core.model.segment import SegmentId, digest_of, pack_entry
from backy2_core.model.version import VersionFilter, VersionId, VersionState, VersionUid
from backy2_core.testing.live import Promises, expect, expect_error
from backy2_core.testing.live_database import (
    LEASE_S,
    NAME,
    DatabaseScratch,
    different_segments,
    new_version,
    segments,
    version_digest,
)

PROMISES = Promises[DatabaseScratch]()
THREADS = 4
_MOST_VERSIONS = 10_000
_NO_BLOB = BlobId(2**62)
_NO_VERSION = VersionId(2**62)


@PROMISES.promise("it says where it is, and its schema is current")
def _describes(scratch: DatabaseScratch) -> None:
    expect(bool(scratch.meta.location), "its location is empty")
    state = scratch.meta.schema_state()
    expect(state is SchemaState.CURRENT, f"its schema is {state.value}")


@PROMISES.promise("a job gets a lease, a number above all others and a token of its own")
def _begins_jobs(scratch: DatabaseScratch) -> None:
    with scratch.job() as one, scratch.job() as other:
        expect(other.id > one.id, f"after job {one.id} came {other.id}")
        expect(one.token != other.token, "two jobs have one token")
        expect(one.lease_until > one.began, "the lease ends before it begins")
        live = {job.id for job in scratch.meta.jobs({JobState.LIVE})}
        expect({one.id, other.id} <= live, "a job that has just begun is not live")
        found = scratch.meta.find_jobs([one.token])
        expect(found.get(one.token) == (one.id, JobState.LIVE), "the job is not found by its token")
        scratch.meta.renew_job(one.id, LEASE_S, 0.5)


@PROMISES.promise("a job that ended cannot write any more")
def _keeps_leases(scratch: DatabaseScratch) -> None:
    with scratch.job() as job:
        scratch.meta.end_job(job.id)
        expect_error(JobLostError, lambda: scratch.meta.renew_job(job.id, LEASE_S, 0.0), "renewing an ended job")
        made = expect_error(
            JobLostError,
            lambda: scratch.meta.create_version(job.id, new_version(VersionUid(str(uuid.uuid4())))),
            "making a version for an ended job",
        )
        expect(bool(str(made)), "the error says nothing")


@PROMISES.promise("a job that needs a version that is not there is refused")
def _checks_uses(scratch: DatabaseScratch) -> None:
    unknown = Use(VersionUid(str(uuid.uuid4())))
    new = NewJob(JobKind.SCRUB, "nowhere", 1, NAME, LEASE_S, (unknown,))
    before = len(scratch.meta.jobs({JobState.LIVE}))
    expect_error(NotFoundError, lambda: scratch.meta.begin_job(new), "beginning a job with an unknown version")
    ours = [job for job in scratch.meta.jobs({JobState.LIVE}) if job.host == "nowhere"]
    expect(not ours, f"the refused job is live ({before} were before)")


@PROMISES.promise("an arriving version is there for nobody")
def _hides_arrivals(scratch: DatabaseScratch) -> None:
    with scratch.arriving() as (_, version):
        expect(version.state is VersionState.ARRIVING, f"its state is {version.state.name}")
        usual = list(scratch.meta.versions(VersionFilter(uid_prefix=version.uid)))
        expect(not usual, "it is listed")
    expect(not scratch.listed(version.uid), "it is still there after it was dropped")


@PROMISES.promise("a uid is given to one version only")
def _refuses_uids(scratch: DatabaseScratch) -> None:
    with scratch.arriving() as (_, version), scratch.job() as other:
        expect_error(
            VersionExistsError,
            lambda: scratch.meta.create_version(other.id, new_version(version.uid)),
            "making a version of a uid that is taken",
        )


@PROMISES.promise("a map is read as it was written, from any place")
def _keeps_maps(scratch: DatabaseScratch) -> None:
    with scratch.arriving() as (job, version):
        new = different_segments()
        ids = scratch.meta.append_segments(job.id, version.id, new[:2])
        ids = [*ids, *scratch.meta.append_segments(job.id, version.id, new[2:])]
        expect(scratch.meta.map_length(version.id) == 3, f"its length is {scratch.meta.map_length(version.id)}, not 3")
        expect(list(scratch.meta.read_map(version.id)) == ids, "other segments are read than were appended")
        expect(list(scratch.meta.read_map(version.id, 2)) == ids[2:], "the map is not read from its third place")
        _expect_segments(scratch, ids, new)


@PROMISES.promise("a segment with a blob that is not there is refused whole")
def _checks_blobs(scratch: DatabaseScratch) -> None:
    with scratch.arriving() as (job, version):
        data = pack_entry(_NO_BLOB, bytes(32))
        wrong = NewSegment(data, digest_of(data), (_NO_BLOB,))
        error = expect_error(
            BlobGoneError,
            lambda: scratch.meta.append_segments(job.id, version.id, [segments()[0], wrong]),
            "appending an unknown blob",
        )
        expect(tuple(error.blob_ids) == (_NO_BLOB,), "the error does not name the blob")
        expect(scratch.meta.map_length(version.id) == 0, "a part of what was refused is in the map")


@PROMISES.promise("a version whose map is not whole does not become valid")
def _finishes_whole_ones_only(scratch: DatabaseScratch) -> None:
    with scratch.arriving() as (job, version):
        scratch.meta.append_segments(job.id, version.id, segments()[:2])
        expect_error(
            MetaBackendError,
            lambda: scratch.meta.finish_version(job.id, version.id, version_digest(), None),
            "finishing a version without its last segment",
        )
        states = [each.state for each in scratch.listed(version.uid)]
        expect(states == [VersionState.ARRIVING], "its state was changed")


@PROMISES.promise("a finished version is valid, with its digest, for every other connection")
def _finishes(scratch: DatabaseScratch) -> None:
    with scratch.finished() as version, scratch.open_database() as second:
        expect(version.state is VersionState.VALID, f"its state is {version.state.name}")
        seen = list(second.versions(VersionFilter(uid_prefix=version.uid)))
        expect([each.uid for each in seen] == [version.uid], "the other connection does not list it")
        expect(seen[0].digest == version_digest(), "its digest is another")
        ids = list(second.read_map(version.id))
        expect(len(ids) == len(segments()), "the other connection reads another map")


@PROMISES.promise("a protected version is not removed")
def _protects(scratch: DatabaseScratch) -> None:
    with scratch.finished() as version:
        scratch.meta.set_protected(version.id, True)
        expect_error(RefusedError, lambda: scratch.meta.remove_version(version.id), "removing a protected version")
        scratch.meta.set_protected(version.id, False)


@PROMISES.promise("tags and expiry are set and taken back")
def _tags(scratch: DatabaseScratch) -> None:
    with scratch.finished() as version:
        expire = datetime(2100, 1, 1, tzinfo=UTC)
        scratch.meta.change_tags(version.id, add=["one", "two"])
        scratch.meta.change_tags(version.id, add=["two"], remove=["one", "three"])
        scratch.meta.set_expire(version.id, expire)
        (seen,) = scratch.listed(version.uid)
        expect(seen.tags == {"two"}, f"its tags are {', '.join(sorted(seen.tags)) or 'none'}, expected two")
        expect(seen.expire == expire, f"it expires {seen.expire}, expected {expire}")
        scratch.meta.set_expire(version.id, None)
        (seen,) = scratch.listed(version.uid)
        expect(seen.expire is None, "its expiry was not cleared")


@PROMISES.promise("a removed version is not listed any more, and its map goes")
def _removes(scratch: DatabaseScratch) -> None:
    with scratch.finished() as version:
        scratch.meta.remove_version(version.id)
        expect(not list(scratch.meta.versions(VersionFilter(uid_prefix=version.uid))), "it is listed")
        expect(scratch.meta.map_length(version.id) == len(segments()), "its map went while a live job named it")
    left = {each.state for each in scratch.listed(version.uid)} - {VersionState.PURGED}
    expect(not left, "it was not purged when no job named it any more")
    expect(scratch.meta.map_length(version.id) == 0, "its map is still there")


@PROMISES.promise("what is not there is left out, or an error that says so")
def _misses(scratch: DatabaseScratch) -> None:
    expect(not scratch.meta.read_blobs([_NO_BLOB]), "an unknown blob has a record")
    expect(not scratch.meta.read_segments([SegmentId(2**62)]), "an unknown segment was read")
    expect(scratch.meta.map_length(_NO_VERSION) == 0, "an unknown version has a map")
    expect_error(
        NotFoundError, lambda: scratch.meta.set_protected(_NO_VERSION, True), "protecting a version that is not there"
    )


@PROMISES.promise("versions are listed by name, then by date")
def _sorts(scratch: DatabaseScratch) -> None:
    seen = list(itertools.islice(scratch.meta.versions(VersionFilter()), _MOST_VERSIONS))
    keys = [(each.name, each.date, each.id) for each in seen]
    expect(keys == sorted(keys), "they are in another order")
    offsets = {each.date.utcoffset() for each in seen}
    expect(offsets <= {timedelta(0)}, "a date is not in UTC")


@PROMISES.promise("many threads read at once, and see the same")
def _serves_threads(scratch: DatabaseScratch) -> None:
    with scratch.arriving() as (job, version):
        ids = scratch.meta.append_segments(job.id, version.id, different_segments())
        with ThreadPoolExecutor(THREADS) as pool:
            seen = list(pool.map(lambda _: list(scratch.meta.read_map(version.id)), range(THREADS * 5)))
        expect(all(each == ids for each in seen), "a thread read another map")


@PROMISES.promise("what the check has made is gone again")
def _leaves_nothing(scratch: DatabaseScratch) -> None:
    ours = [each for each in scratch.meta.versions(VersionFilter(name=NAME)) if each.name == NAME]
    expect(not ours, f"{len(ours)} versions are left")


@PROMISES.promise("closing twice is no error")
def _closes(scratch: DatabaseScratch) -> None:
    second = scratch.open_database()
    second.schema_state()
    second.close()
    second.close()


def _expect_segments(scratch: DatabaseScratch, ids: Sequence[SegmentId], new: Sequence[NewSegment]) -> None:
    stored, digests = scratch.meta.read_segments(set(ids)), scratch.meta.read_digests(set(ids))
    for number, each in zip(ids, new, strict=True):
        row = stored.get(number)
        expect(row is not None and row.data == each.data, "a segment has other data than were appended")
        expect(digests.get(number) == each.digest, "a segment has another digest than was appended")
