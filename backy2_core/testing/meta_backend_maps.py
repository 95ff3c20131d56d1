"""What may be expected of block maps: segments appended in order, shared where equal, guarded where fresh."""

from __future__ import annotations

import pytest

from backy2_core.contracts.meta_backend import KeptSegment, MetaBackend, StoredSegment, Sweep
from backy2_core.errors import BlobGoneError, MetaBackendError, NotFoundError
from backy2_core.model.blob import SPARSE, BlobId, BlobState, StoreId
from backy2_core.model.job import JobId
from backy2_core.model.segment import SegmentId
from backy2_core.model.version import Version, VersionId, VersionState
from backy2_core.testing.meta_backend_base import (
    PromiseBase,
    add,
    append,
    begin,
    create,
    finished,
    new_blobs,
    segment,
)

UNKNOWN = BlobId(10**15)


def stored(meta: MetaBackend) -> list[SegmentId]:
    """Ids of all segments that are stored."""
    return [row.id for rows in meta.scan_segments(with_data=False) for row in rows]


class MapPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_a_map_holds_what_was_appended_in_order(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        ids = add(meta, job, store, 4)
        first = append(meta, job, version, segment(ids[:2]), segment(ids[2:]))
        second = append(meta, job, version, KeptSegment(first[0]), segment(ids[1:3]), KeptSegment(first[1]))
        assert [second[0], second[2]] == first
        assert meta.map_length(version.id) == 5
        assert list(meta.read_map(version.id)) == [*first, *second]

    def test_a_segment_is_stored_as_it_is(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        new = segment([*add(meta, job, store, 2), SPARSE])
        (number,) = append(meta, job, version, new)
        assert meta.read_segments([number]) == {number: StoredSegment(number, new.digest, new.data)}
        assert meta.read_digests([number]) == {number: new.digest}

    def test_unknown_segments_are_left_out(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        (number,) = append(meta, job, version, segment([SPARSE]))
        wanted = [number, SegmentId(10**15)]
        assert set(meta.read_segments(wanted)) == {number}
        assert set(meta.read_digests(wanted)) == {number}
        assert meta.read_segments([]) == {}
        assert meta.read_digests([]) == {}

    def test_a_map_is_read_from_any_place(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job)
        (number,) = append(meta, job, version, segment([SPARSE]))
        append(meta, job, version, *[KeptSegment(SegmentId(number + step)) for step in range(1, 3000)])
        expected = list(range(number, number + 3000))
        for start in (0, 1, 1023, 1024, 1025, 2999, 3000, 5000):
            assert list(meta.read_map(version.id, start)) == expected[start:]

    @pytest.mark.parametrize("sizes", [[1] * 5, [1023, 1, 1, 1024], [1024, 1024], [5000], [3, 2045, 1, 0, 7]])
    def test_a_map_grows_by_pieces_of_any_size(self, meta: MetaBackend, job: JobId, sizes: list[int]) -> None:
        version = create(meta, job)
        expected: list[int] = []
        for size in sizes:
            piece = range(len(expected) + 1, len(expected) + 1 + size)
            expected += append(meta, job, version, *[KeptSegment(SegmentId(number)) for number in piece])
            assert meta.map_length(version.id) == len(expected)
        assert list(meta.read_map(version.id)) == expected == list(range(1, sum(sizes) + 1))

    def test_the_map_of_an_unknown_version_is_empty(self, meta: MetaBackend) -> None:
        assert meta.map_length(VersionId(4711)) == 0
        assert list(meta.read_map(VersionId(4711))) == []

    def test_equal_segments_are_stored_once(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        one, two = (segment([number]) for number in add(meta, job, store, 2))
        first = append(meta, job, version, one, two, one)
        other = create(meta, job)
        assert append(meta, job, other, two, one) == [first[1], first[0]]
        assert first[0] == first[2] != first[1]
        assert stored(meta) == sorted(set(first))

    def test_segments_of_the_same_digest_and_other_data_stay_apart(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        # Both blobs have one checksum, so the leaves, and with them the digests, are equal.
        here, there = add(meta, job, store, 2)
        one = segment([here])
        two = type(one)(segment([there]).data, one.digest, (there,))
        numbers = append(meta, job, version, one, two)
        assert len(set(numbers)) == 2
        third = type(one)(segment([there, here]).data, one.digest, (here, there))
        assert not set(append(meta, job, version, third)) & set(numbers), "what is stored has the digest and other data"

    def test_a_condemned_segment_is_not_referred_to_anew(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        new = segment(add(meta, job, store))
        (old,) = append(meta, job, version, new)
        meta.sweep_segments(Sweep(condemn=[old]), horizon=0)
        (number,) = append(meta, job, version, new)
        assert number > old
        assert set(meta.read_segments([old, number])) == {old, number}

    @pytest.mark.parametrize("state", [BlobState.DAMAGED, BlobState.DELETING])
    def test_a_fresh_blob_that_is_gone_refuses_the_whole_call(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version, state: BlobState
    ) -> None:
        good, bad, condemned = add(meta, job, store, 3)
        meta.set_blob_state([bad], state, BlobState.STORED)
        meta.sweep_blobs(Sweep(condemn=[condemned]), horizon=0)
        with pytest.raises(BlobGoneError) as caught:
            append(meta, job, version, segment([condemned]), segment([good, bad]), segment([UNKNOWN]))
        assert sorted(caught.value.blob_ids) == [bad, UNKNOWN]
        assert meta.map_length(version.id) == 0
        assert stored(meta) == []
        assert [row.condemned is not None for rows in meta.scan_blobs(store) for row in rows] == [False, False, True]

    def test_a_fresh_blob_that_is_condemned_is_revived(
        self, meta: MetaBackend, job: JobId, store: StoreId, version: Version
    ) -> None:
        (blob,) = new_blobs(1)
        (number,) = meta.add_blobs(job, store, [blob])
        meta.set_blob_state([number], BlobState.UNSEEN, BlobState.STORED)
        meta.sweep_blobs(Sweep(condemn=[number]), horizon=0)
        append(meta, job, version, segment([number]))
        (row,) = [row for rows in meta.scan_blobs(store) for row in rows]
        assert (row.condemned, row.state) == (None, BlobState.UNSEEN)

    def test_blobs_that_are_not_fresh_are_not_checked(self, meta: MetaBackend, job: JobId, version: Version) -> None:
        assert len(append(meta, job, version, segment([UNKNOWN], fresh=()))) == 1

    @pytest.mark.parametrize("state", [VersionState.VALID, VersionState.DAMAGED, VersionState.REMOVED])
    def test_only_an_incomplete_version_is_appended_to(
        self, meta: MetaBackend, job: JobId, store: StoreId, state: VersionState
    ) -> None:
        version = finished(meta, job)
        meta.set_version_state(version.id, state, ())
        with pytest.raises(MetaBackendError, match=version.uid):
            append(meta, job, version, segment(add(meta, job, store)))
        assert meta.map_length(version.id) == 1
        assert len(stored(meta)) == 1

    def test_a_version_that_is_gone_is_not_appended_to(self, meta: MetaBackend, job: JobId) -> None:
        with pytest.raises(NotFoundError):
            meta.append_segments(job, VersionId(4711), [segment([SPARSE])])
        assert stored(meta) == []

    def test_segment_numbers_are_never_used_twice(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        version = create(meta, job)
        numbers = append(meta, job, version, *[segment([blob]) for blob in add(meta, job, store, 3)])
        meta.sweep_segments(Sweep(condemn=numbers), horizon=0)
        cleaner = begin(meta).id
        assert meta.sweep_segments(Sweep(drop=[(number, 1) for number in numbers]), cleaner) == 3
        assert min(append(meta, job, version, *[segment([blob]) for blob in add(meta, job, store, 3)])) > max(numbers)

    def test_a_hundred_thousand_segments(self, meta: MetaBackend, job: JobId) -> None:
        version = create(meta, job, blocks=100_000 * 128)
        new = [segment([BlobId(number)], fresh=()) for number in range(1, 100_001)]
        numbers = append(meta, job, version, *new)
        assert list(meta.read_map(version.id)) == numbers
        assert len(set(numbers)) == 100_000
        assert append(meta, job, create(meta, job), *new) == numbers
        digests = meta.read_digests(numbers)
        assert [digests[number] for number in numbers] == [one.digest for one in new]
