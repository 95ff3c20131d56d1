"""What several threads may expect of a data backend: every method at once, and puts beside a flush."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.errors import BlobExistsError, BlobNotFoundError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import (
    OpenStore,
    PromiseBase,
    content_of,
    listed,
    new_uid,
    put,
    put_new,
    read,
)

T = TypeVar("T")
THREADS = 8
FLUSHES = 5
MANY = 500


class ThreadPromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    def test_many_threads_put_flush_get_list_and_delete(self, readable: DataBackend) -> None:
        def live(number: int) -> list[BlobUid]:
            kept: list[BlobUid] = []
            for turn in range(12):
                uid = put_new(readable, 100 * number + turn)
                assert read(readable, uid) == content_of(uid, 100 * number + turn)
                if turn % 4 == number % 4:
                    readable.flush()
                    assert uid in listed(readable)
                if turn % 3 == 0:
                    readable.delete([uid])
                else:
                    kept.append(uid)
            readable.flush()
            return kept

        kept = [
            uid for uids in _at_once([functools.partial(live, number) for number in range(THREADS)]) for uid in uids
        ]
        assert set(kept) <= listed(readable).keys()
        for uid in kept:
            assert read(readable, uid) == content_of(uid, readable.stored_size(uid))

    def test_what_was_put_before_a_flush_is_there_whoever_flushes(
        self, persistent: DataBackend, open_store: OpenStore
    ) -> None:
        def put_and_flush() -> None:
            for _ in range(6):
                uid = put_new(persistent)
                persistent.flush()
                with open_store() as second:
                    assert read(second, uid) == content_of(uid, 1000)

        _at_once([put_and_flush] * THREADS)

    def test_one_thread_flushes_what_another_put(self, persistent: DataBackend, open_store: OpenStore) -> None:
        with ThreadPoolExecutor(1) as another:
            uid = another.submit(put_new, persistent).result()
        persistent.flush()
        with open_store() as second:
            assert read(second, uid) == content_of(uid, 1000)

    def test_what_is_put_beside_flushes_is_kept(self, readable: DataBackend) -> None:
        uids: list[BlobUid] = []
        flushes: list[bool] = []

        def flush() -> None:
            while len(flushes) < FLUSHES:
                readable.flush()
                flushes.append(True)

        with ThreadPoolExecutor(1) as another:
            flushing = another.submit(flush)
            while not flushing.done() and len(uids) < MANY:
                uids.append(put_new(readable, 10))
            flushing.result()
        readable.flush()
        assert set(uids) <= listed(readable).keys(), "a blob that was put while another thread flushed is gone"

    def test_many_threads_delete_at_once(self, readable: DataBackend) -> None:
        lists = [[put_new(readable, 10) for _ in range(10)] for _ in range(THREADS)]
        readable.flush()
        _at_once([functools.partial(readable.delete, uids) for uids in lists])
        assert not {uid for uids in lists for uid in uids} & listed(readable).keys()

    def test_a_uid_put_by_many_threads_is_taken_once(self, readable: DataBackend) -> None:
        if not self.refuses_existing:
            pytest.skip("the suite says refuses_existing=False")

        def try_to_put(uid: BlobUid, number: int) -> int | None:
            try:
                put(readable, uid, b"%d" % number)
            except BlobExistsError:
                return None
            return number

        for _ in range(10):
            uid = new_uid()
            taken = _at_once([functools.partial(try_to_put, uid, number) for number in range(THREADS)])
            readable.flush()
            assert [n for n in taken if n is not None] == [int(read(readable, uid))]

    def test_a_blob_is_whole_or_missing_while_it_is_put_and_deleted(self, readable: DataBackend) -> None:
        size = 200_000
        uids = [new_uid() for _ in range(20)]
        finished: list[bool] = []

        def write() -> None:
            for uid in uids:
                put(readable, uid, content_of(uid, size))
                readable.flush()
            readable.delete(uids)
            finished.append(True)

        def watch() -> None:
            while not finished:
                for uid in uids:
                    try:
                        assert read(readable, uid, size) == content_of(uid, size)
                    except BlobNotFoundError:
                        continue

        _at_once([write, watch, watch])


def _at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
