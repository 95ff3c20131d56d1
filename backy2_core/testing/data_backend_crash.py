"""What is in a store whose writer was killed: whole blobs only, and all that were flushed."""

from __future__ import annotations

import os
import signal
import warnings
from typing import NoReturn

import pytest

from backy2_core.contracts.data_backend import DataBackend
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

SIZE = 300_000
UID_BYTES = 32


class CrashPromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    @pytest.mark.parametrize("kill_after", [1, 2, 7, 20])
    def test_a_killed_writer_leaves_whole_blobs(
        self, persistent: DataBackend, open_store: OpenStore, kill_after: int
    ) -> None:
        if not self.shared_between_processes:
            pytest.skip("the suite says shared_between_processes=False")
        flushed = _kill_a_writer(open_store, kill_after)
        with open_store() as store:
            sizes = listed(store)
            assert set(flushed) <= sizes.keys(), "a flushed blob is missing"
            for uid, size in sizes.items():
                assert size == SIZE
                assert read(store, uid, SIZE) == content_of(uid, SIZE)

    def test_closing_without_a_flush_leaves_whole_blobs(self, persistent: DataBackend, open_store: OpenStore) -> None:
        uid = put_new(persistent)
        persistent.close()
        with open_store() as second:
            assert listed(second).get(uid, 1000) == 1000


def _kill_a_writer(open_store: OpenStore, kill_after: int) -> list[BlobUid]:
    """Let a child write, kill it when it has told of so many flushed blobs; all it has told of."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Newer Pythons warn of threads that are not forked along; the child needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _write_for_ever(open_store, writer)
    os.close(writer)
    with open(reader, "rb") as told:
        flushed = [BlobUid(told.read(UID_BYTES).decode()) for _ in range(kill_after)]
        os.kill(child, signal.SIGKILL)
        rest = told.read()
    os.waitpid(child, 0)
    whole = len(rest) - len(rest) % UID_BYTES
    return flushed + [BlobUid(rest[i : i + UID_BYTES].decode()) for i in range(0, whole, UID_BYTES)]


def _write_for_ever(open_store: OpenStore, told: int) -> NoReturn:
    """Put blobs, flush after each third, tell of them; never comes back, and runs nothing of the parent's at its end."""
    try:
        store = open_store()
        while True:
            batch = [new_uid() for _ in range(3)]
            for uid in batch:
                put(store, uid, content_of(uid, SIZE))
            store.flush()
            os.write(told, "".join(batch).encode())
    finally:
        os._exit(1)
