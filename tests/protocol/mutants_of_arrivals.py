"""What arrivals, and cleanups and surveys beside them, do with a part of rule 10 or of INVARIANT 8 switched off."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pytest
from sqlalchemy import false, select

from backy2_core.contracts.data_backend import StoredBlob
from backy2_core.engine import survey, sweep
from backy2_core.engine.foreign import begin_take_over
from backy2_core.engine.idset import IdSet
from backy2_core.engine.orphans import Sorting
from backy2_core.exchange import arrival
from backy2_core.exchange.arriving import ArrivingBlock
from backy2_core.model.blob import BlobState, BlobUid, DedupKey, job_token_of
from backy2_plugins.meta_backends.sql import arrivals, blobs, cleanup, versions
from tests.protocol.mutants_of_cleanups import _sweeping

# -- rule 10: taking over


def deleting_is_taken_over(patch: pytest.MonkeyPatch) -> None:
    """A record that is ``deleting`` is taken over like any other."""
    patch.setattr(arrivals, "_agree", lambda record, blob: arrivals._contents(record) == arrivals._contents(blob))


def taken_over_unrevived(patch: pytest.MonkeyPatch) -> None:
    """A condemned record is taken over and stays condemned."""
    patch.setattr(arrivals, "_revive", lambda connection, tables, ids: None)


def always_a_new_record(patch: pytest.MonkeyPatch) -> None:
    """What is recorded already is not looked for."""
    patch.setattr(arrivals, "records_of", lambda connection, tables, store, uids: {})


def unseen_is_doomed(patch: pytest.MonkeyPatch) -> None:
    """A blob that nobody saw goes as others do: with its object."""
    patch.setattr(cleanup, "sweep_blobs", _sweeping(cleanup._change_seen, {}))


# -- rule 10: being seen


def seen_before_recorded(patch: pytest.MonkeyPatch) -> None:
    """A survey marks what it found in its listing, whenever that was recorded."""
    real = survey._Surveying._match

    def match(self: Any, listed: Sequence[StoredBlob], sorting: Sorting) -> None:
        records = self._engine.meta.inner.find_records(self._engine.store, [blob.uid for blob in listed])
        for known in (self._before, self._arrived):
            known.add_all(record.id for record in records.values())
        real(self, listed, sorting)

    patch.setattr(survey._Surveying, "_match", match)


def seen_before_finished(patch: pytest.MonkeyPatch) -> None:
    """A survey marks what it found even if no finished version refers to it."""

    def everything(meta: Any) -> IdSet:
        ids = IdSet()
        for store in meta.inner.stores():
            for rows in meta.inner.scan_blobs(store.id):
                ids.add_all(row.id for row in rows)
        return ids

    patch.setattr(survey, "_blobs_of_finished", everything)


def unseen_is_offered(patch: pytest.MonkeyPatch) -> None:
    """Look-ups find blobs that nobody saw."""

    def find_blobs(database: Any, store: Any, hash_name: str, key: str, wanted: Collection[DedupKey]) -> Any:
        found = real(database, store, hash_name, key, wanted)
        table = database.tables.blobs
        query = select(table.c.checksum, table.c.size, table.c.id).where(table.c.state == BlobState.UNSEEN)
        with database.read() as connection:
            unseen = {DedupKey(checksum, size): number for checksum, size, number in connection.execute(query)}
        return {block: number for block, number in unseen.items() if block in set(wanted)} | found

    real = blobs.find_blobs
    patch.setattr(blobs, "find_blobs", find_blobs)


# -- giving way


def gives_way_under_a_job(patch: pytest.MonkeyPatch) -> None:
    """A version of the same uid gives way even if a live job names it."""
    patch.setattr(versions, "named_by_live", lambda tables, version: false())


# -- INVARIANT 8: what another program may still use


def nothing_is_foreign(patch: pytest.MonkeyPatch) -> None:
    """A cleanup does not ask whose blobs they are."""
    patch.setattr(sweep.ForeignBlobs, "among", lambda self, rows, going: set())


def our_shape_is_ours(patch: pytest.MonkeyPatch) -> None:
    """A uid in the shape of ours passes for one of ours, whatever job it speaks of."""

    def not_ours(self: Any, uids: dict[Any, BlobUid]) -> set[int]:
        return {number for number, uid in uids.items() if job_token_of(uid) is None}

    patch.setattr(sweep.ForeignBlobs, "_not_ours", not_ours)


def begun_after_the_first(patch: pytest.MonkeyPatch) -> None:
    """That a take-over is under way is written into the store after the first blobs were taken over."""
    real = arrival._Arrival._take_over

    def take_over(self: Any, blocks: Sequence[ArrivingBlock]) -> Any:
        begun, self._foreign = self._foreign, True
        ids = real(self, blocks)
        if not begun:
            begin_take_over(self._engine.data)
        return ids

    patch.setattr(arrival._Arrival, "_take_over", take_over)
