"""What may be expected when a version is finished: whole and referred to, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend, Sweep
from backy2_core.errors import MetaBackendError, NotFoundError
from backy2_core.model.blob import SPARSE, BlobState, StoreId
from backy2_core.model.job import JobId
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import (
    Counts,
    Statistics,
    Version,
    VersionFilter,
    VersionId,
    VersionState,
    VersionUid,
)
from backy2_core.testing.meta_backend_base import DIGEST, PromiseBase, add, append, begin, create, finished, segment

DATE = datetime(2026, 2, 28, 23, 59, 58, 123456, tzinfo=UTC)
COUNTS = Counts(
    bytes_read=2**50 + 1,
    blocks_read=2,
    bytes_written=3,
    blocks_written=4,
    bytes_dedup=5,
    blocks_dedup=6,
    bytes_sparse=7,
    blocks_sparse=8,
    bytes_kept=9,
    blocks_kept=10,
)


def statistics_of(uid: str, days: int) -> Statistics:
    """Statistics of a backup so many days after a fixed date."""
    return Statistics(VersionUid(uid), "vm", DATE + timedelta(days=days), 2**50, 2**28, COUNTS, 1.5)


def fill(meta: MetaBackend, job: JobId, version: Version, store: StoreId) -> list[SegmentId]:
    """Append the three segments that the version calls for, each with a blob of its own."""
    return append(meta, job, version, *[segment([number]) for number in add(meta, job, store, 3)])


class FinishPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_a_whole_version_becomes_valid_with_its_digest(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        fill(meta, job, version, store)
        made = meta.finish_version(job, version.id, DIGEST, None)
        assert (made.id, made.state, made.digest) == (version.id, VersionState.VALID, DIGEST)
        assert list(meta.versions(VersionFilter())) == [made]
        assert meta.statistics() == []

    def test_a_device_of_no_bytes_needs_no_segment(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job, blocks=0)
        assert meta.finish_version(job, version.id, DIGEST, None).state is VersionState.VALID

    @pytest.mark.parametrize("surplus", [-1, 1])
    def test_a_map_of_another_length_is_refused(
        self, meta: MetaBackend, job: JobId, version: Version, surplus: int
    ) -> None:
        append(meta, job, version, *[segment([SPARSE])] * (3 + surplus))
        with pytest.raises(MetaBackendError, match=version.uid):
            meta.finish_version(job, version.id, DIGEST, statistics_of(version.uid, 0))
        assert [(found.state, found.digest) for found in meta.versions(VersionFilter())] == [
            (VersionState.INCOMPLETE, b"")
        ]
        assert meta.statistics() == []

    def test_a_segment_that_is_not_stored_is_refused(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        (number,) = append(meta, job, version, segment([SPARSE]))
        append(meta, job, version, KeptSegment(number), KeptSegment(SegmentId(number + 1)))
        with pytest.raises(MetaBackendError, match=version.uid):
            meta.finish_version(job, version.id, DIGEST, None)
        assert [found.state for found in meta.versions(VersionFilter())] == [VersionState.INCOMPLETE]

    def test_condemned_segments_are_revived(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        numbers = fill(meta, job, version, store)
        meta.sweep_segments(Sweep(condemn=numbers[1:]), horizon=0)
        meta.finish_version(job, version.id, DIGEST, None)
        assert [row.condemned for rows in meta.scan_segments(with_data=False) for row in rows] == [None] * 3
        cleaner = begin(meta).id
        assert meta.sweep_segments(Sweep(drop=[(number, 1) for number in numbers]), cleaner) == 0

    def test_a_version_is_finished_once(self, meta: MetaBackend, job: JobId, store: StoreId, version: Version) -> None:
        fill(meta, job, version, store)
        meta.finish_version(job, version.id, DIGEST, None)
        with pytest.raises(MetaBackendError, match=version.uid):
            meta.finish_version(job, version.id, DIGEST, statistics_of(version.uid, 0))
        assert meta.statistics() == []

    def test_a_removed_version_is_not_finished(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        fill(meta, job, version, store)
        meta.remove_version(version.id)
        with pytest.raises(MetaBackendError, match=version.uid):
            meta.finish_version(job, version.id, DIGEST, None)
        assert list(meta.versions(VersionFilter())) == []

    def test_an_unknown_version_is_not_finished(self, meta: MetaBackend, job: JobId) -> None:
        with pytest.raises(NotFoundError):
            meta.finish_version(job, VersionId(4711), DIGEST, None)

    def test_a_version_that_refers_to_a_damaged_blob_becomes_damaged(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        ids = add(meta, job, store, 3)
        append(meta, job, version, *[segment([number]) for number in ids])
        meta.set_blob_state(ids[2:], BlobState.DAMAGED, BlobState.STORED)
        made = meta.finish_version(job, version.id, DIGEST, statistics_of(version.uid, 0))
        assert (made.state, made.digest) == (VersionState.DAMAGED, DIGEST)
        assert len(meta.statistics()) == 1

    def test_damage_elsewhere_does_no_harm(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        damaged = add(meta, job, store)
        fill(meta, job, version, store)
        meta.set_blob_state(damaged, BlobState.DAMAGED, BlobState.STORED)
        assert meta.finish_version(job, version.id, DIGEST, None).state is VersionState.VALID

    def test_statistics_are_kept_as_they_are(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        append(meta, job, version, *[segment([SPARSE])] * 3)
        kept = statistics_of(version.uid, 0)
        meta.finish_version(job, version.id, DIGEST, kept)
        assert meta.statistics() == [kept]

    def test_statistics_outlive_their_version(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job)
        append(meta, job, version, segment([SPARSE]))
        meta.finish_version(job, version.id, DIGEST, statistics_of(version.uid, 0))
        meta.end_job(job)
        meta.remove_version(version.id)
        assert meta.purge_versions([version.id]) == 1
        assert [kept.uid for kept in meta.statistics(version.uid)] == [version.uid]

    def test_statistics_come_by_date_of_one_version_or_the_newest(self, meta: MetaBackend, job: JobId) -> None:
        kept = {}
        for days in (3, 1, 4, 2):
            version = create(meta, job)
            append(meta, job, version, segment([SPARSE]))
            kept[days] = statistics_of(version.uid, days)
            meta.finish_version(job, version.id, DIGEST, kept[days])
        assert meta.statistics() == [kept[days] for days in (1, 2, 3, 4)]
        assert meta.statistics(limit=2) == [kept[3], kept[4]]
        assert meta.statistics(kept[3].uid) == [kept[3]]
        assert meta.statistics(VersionUid("none")) == []

    def test_a_valid_version_stays_valid_when_its_job_is_lost(self, meta: MetaBackend, job: JobId) -> None:
        version = finished(meta, job)
        meta.end_job(job)
        assert [found.state for found in meta.versions(VersionFilter())] == [VersionState.VALID]
        assert meta.map_length(version.id) == 1
