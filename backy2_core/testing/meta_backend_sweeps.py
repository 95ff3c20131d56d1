"""What may be expected of marks: set, lifted and acted on only where a row is still as it was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from backy2_core.contracts.meta_backend import MetaBackend, Sweep
from backy2_core.errors import BlobGoneError
from backy2_core.model.blob import BlobId, BlobState, StoreId
from backy2_core.model.job import JobId
from backy2_core.testing.meta_backend_base import (
    PromiseBase,
    add,
    append,
    begin,
    create,
    segment,
    state_of,
)

Mark = tuple[int | None, int]


class Rows(Protocol):
    """Three rows that a cleanup may mark: three segments, or three blob records."""

    ids: list[int]

    def sweep(self, sweep: Sweep, horizon: int) -> int:
        """Apply a batch."""

    def marks(self) -> list[Mark]:
        """(condemned, generation) of the rows that may still be referred to, by id."""


class SegmentRows:
    """See :class:`Rows`."""

    def __init__(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        self._meta = meta
        new = [segment([blob]) for blob in add(meta, job, store, 3)]
        self.ids: list[int] = list(append(meta, job, create(meta, job), *new))

    def sweep(self, sweep: Sweep, horizon: int) -> int:
        """See :class:`Rows`."""
        return self._meta.sweep_segments(sweep, horizon)

    def marks(self) -> list[Mark]:
        """See :class:`Rows`."""
        rows = [row for batch in self._meta.scan_segments(with_data=False) for row in batch]
        return [(row.condemned, row.generation) for row in rows]


class BlobRows:
    """See :class:`Rows`."""

    def __init__(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        self._meta = meta
        self._store = store
        self.ids: list[int] = list(add(meta, job, store, 3))

    def sweep(self, sweep: Sweep, horizon: int) -> int:
        """See :class:`Rows`."""
        return self._meta.sweep_blobs(sweep, horizon)

    def marks(self) -> list[Mark]:
        """See :class:`Rows`."""
        rows = [row for batch in self._meta.scan_blobs(self._store) for row in batch]
        return [(row.condemned, row.generation) for row in rows if row.state is not BlobState.DELETING]


class SweepPromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    @pytest.fixture(params=[SegmentRows, BlobRows], ids=["segments", "blobs"])
    def rows(self, request: pytest.FixtureRequest, meta: MetaBackend, job: JobId, store: StoreId) -> Rows:
        """Rows of either kind, not condemned."""
        make: Callable[[MetaBackend, JobId, StoreId], Rows] = request.param
        return make(meta, job, store)

    def test_condemning_marks_with_the_highest_job_and_the_next_generation(self, meta: MetaBackend, rows: Rows) -> None:
        last = begin(meta).id
        meta.end_job(last)
        assert rows.sweep(Sweep(condemn=rows.ids[:1]), horizon=0) == 0
        assert rows.marks() == [(last, 1), (None, 0), (None, 0)]

    def test_what_is_condemned_is_not_condemned_again(self, meta: MetaBackend, rows: Rows, job: JobId) -> None:
        rows.sweep(Sweep(condemn=rows.ids[:1]), horizon=0)
        begin(meta)
        rows.sweep(Sweep(condemn=rows.ids[:1]), horizon=0)
        assert rows.marks()[0] == (job, 1)

    def test_reviving_lifts_the_mark_and_the_generation_goes_on(self, meta: MetaBackend, rows: Rows) -> None:
        rows.sweep(Sweep(condemn=rows.ids[:1]), horizon=0)
        horizon = begin(meta).id
        assert rows.sweep(Sweep(revive=[(rows.ids[0], 1)]), horizon) == 0
        assert rows.marks()[0] == (None, 1)
        rows.sweep(Sweep(condemn=rows.ids[:1]), horizon)
        assert rows.marks()[0] == (horizon, 2)

    def test_dropping_takes_what_is_as_it_was_seen(self, meta: MetaBackend, rows: Rows) -> None:
        rows.sweep(Sweep(condemn=rows.ids), horizon=0)
        horizon = begin(meta).id
        assert rows.sweep(Sweep(drop=[(number, 1) for number in rows.ids[:2]]), horizon) == 2
        assert len(rows.marks()) == 1

    def test_dropping_twice_counts_once(self, meta: MetaBackend, rows: Rows) -> None:
        rows.sweep(Sweep(condemn=rows.ids), horizon=0)
        horizon = begin(meta).id
        assert rows.sweep(Sweep(drop=[(rows.ids[0], 1)]), horizon) == 1
        assert rows.sweep(Sweep(drop=[(rows.ids[0], 1)]), horizon) == 0

    def test_a_mark_at_the_horizon_or_above_is_left_alone(self, rows: Rows, job: JobId) -> None:
        rows.sweep(Sweep(condemn=rows.ids), horizon=0)
        assert rows.sweep(Sweep(drop=[(rows.ids[0], 1)], revive=[(rows.ids[1], 1)]), horizon=job) == 0
        assert rows.marks() == [(job, 1)] * 3

    def test_another_generation_is_left_alone(self, meta: MetaBackend, rows: Rows) -> None:
        rows.sweep(Sweep(condemn=rows.ids), horizon=0)
        horizon = begin(meta).id
        rows.sweep(Sweep(revive=[(number, 1) for number in rows.ids]), horizon)
        rows.sweep(Sweep(condemn=rows.ids), horizon)
        late = begin(meta).id
        for seen in (0, 1, 3):
            assert rows.sweep(Sweep(drop=[(rows.ids[0], seen)], revive=[(rows.ids[1], seen)]), late) == 0
        assert rows.marks() == [(horizon, 2)] * 3

    def test_what_is_not_condemned_is_not_dropped(self, meta: MetaBackend, rows: Rows) -> None:
        assert rows.sweep(Sweep(drop=[(number, 0) for number in rows.ids]), begin(meta).id) == 0
        assert rows.marks() == [(None, 0)] * 3

    def test_a_batch_does_all_three(self, meta: MetaBackend, rows: Rows) -> None:
        rows.sweep(Sweep(condemn=rows.ids[:2]), horizon=0)
        horizon = begin(meta).id
        sweep = Sweep(revive=[(rows.ids[0], 1)], drop=[(rows.ids[1], 1)], condemn=rows.ids[2:])
        assert rows.sweep(sweep, horizon) == 1
        assert rows.marks() == [(None, 1), (horizon, 1)]

    def test_unknown_rows_and_empty_batches_change_nothing(self, meta: MetaBackend, rows: Rows) -> None:
        missing = max(rows.ids) + 1000
        sweep = Sweep(revive=[(missing, 1)], drop=[(missing, 1)], condemn=[missing])
        assert rows.sweep(sweep, begin(meta).id) == 0
        assert rows.sweep(Sweep(), begin(meta).id) == 0
        assert rows.marks() == [(None, 0)] * 3

    def test_a_dropped_segment_is_gone(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        rows = SegmentRows(meta, job, store)
        rows.sweep(Sweep(condemn=rows.ids), horizon=0)
        rows.sweep(Sweep(drop=[(rows.ids[1], 1)]), begin(meta).id)
        found = [row.id for batch in meta.scan_segments(with_data=False) for row in batch]
        assert found == [rows.ids[0], rows.ids[2]]

    @pytest.mark.parametrize("state", [BlobState.STORED, BlobState.DAMAGED])
    def test_a_dropped_blob_is_deleting_for_good(
        self, meta: MetaBackend, job: JobId, store: StoreId, state: BlobState
    ) -> None:
        (blob,) = add(meta, job, store)
        meta.set_blob_state([blob], state, BlobState.STORED)
        meta.sweep_blobs(Sweep(condemn=[blob]), horizon=0)
        horizon = begin(meta).id
        assert meta.sweep_blobs(Sweep(drop=[(blob, 1)]), horizon) == 1
        assert [doomed.id for doomed in meta.doomed_blobs(store, 0, 10)] == [blob]
        for generation in (0, 1, 2):
            meta.sweep_blobs(Sweep(revive=[(blob, generation)], condemn=[blob]), horizon)
        assert state_of(meta, blob) is BlobState.DELETING

    @pytest.mark.parametrize("state", [BlobState.STORED, BlobState.UNSEEN, BlobState.DAMAGED])
    def test_the_state_beneath_a_mark_is_kept(
        self, meta: MetaBackend, job: JobId, store: StoreId, state: BlobState
    ) -> None:
        (blob,) = add(meta, job, store)
        meta.set_blob_state([blob], state, BlobState.STORED)
        meta.sweep_blobs(Sweep(condemn=[blob]), horizon=0)
        assert state_of(meta, blob) is state
        meta.sweep_blobs(Sweep(revive=[(blob, 1)]), begin(meta).id)
        assert state_of(meta, blob) is state

    def test_what_a_commit_revived_is_not_dropped_by_a_late_sweep(
        self, meta: MetaBackend, job: JobId, store: StoreId
    ) -> None:
        (blob,) = add(meta, job, store)
        meta.sweep_blobs(Sweep(condemn=[blob]), horizon=0)
        cleaner = begin(meta).id
        append(meta, job, create(meta, job), segment([BlobId(blob)]))
        assert meta.sweep_blobs(Sweep(drop=[(blob, 1)]), cleaner) == 0
        assert state_of(meta, blob) is BlobState.STORED

    def test_a_commit_that_comes_after_the_drop_is_refused(self, meta: MetaBackend, job: JobId, store: StoreId) -> None:
        (blob,) = add(meta, job, store)
        meta.sweep_blobs(Sweep(condemn=[blob]), horizon=0)
        assert meta.sweep_blobs(Sweep(drop=[(blob, 1)]), begin(meta).id) == 1
        with pytest.raises(BlobGoneError):
            append(meta, job, create(meta, job), segment([blob]))
