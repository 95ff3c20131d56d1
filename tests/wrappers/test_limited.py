"""The wrapper that limits how many calls run at once: never more, and no fewer where more wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.errors import DataBackendError
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import new_uid, put_new, read
from backy2_core.testing.faults import FaultyDataBackend
from backy2_core.testing.memory import MemoryDataBackend
from backy2_core.wrappers.limited import LimitedDataBackend

PATIENCE_S = 10


class Crowd:
    """Counts who is inside, and lets them out when ``together`` are."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(together)

    def visit(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._together.wait(PATIENCE_S)
        with self._lock:
            self._inside -= 1


@pytest.mark.parametrize(("reads", "writes"), [(1, 4), (4, 1), (2, 3)])
def test_as_many_reads_and_writes_run_at_once_as_each_has_leave_to(reads: int, writes: int) -> None:
    inner = FaultyDataBackend(MemoryDataBackend())
    store = LimitedDataBackend(inner, reads=reads, writes=writes)
    uid = put_new(inner)
    for method, limit in (("put", writes), ("get", reads)):
        crowd = Crowd(limit)
        inner.run(method, crowd.visit, times=12)
        with ThreadPoolExecutor(12) as pool:
            for call in [pool.submit(_call, store, method, uid) for _ in range(12)]:
                call.result(PATIENCE_S)
        assert crowd.most == limit


def test_a_failure_gives_the_turn_to_the_next() -> None:
    inner = FaultyDataBackend(MemoryDataBackend())
    store = LimitedDataBackend(inner, reads=1, writes=1)
    inner.fail("put", DataBackendError("out of reach"), times=3)
    for _ in range(3):
        with pytest.raises(DataBackendError, match="out of reach"):
            put_new(store)
    read(store, put_new(store))


def _call(store: LimitedDataBackend, method: str, uid: BlobUid) -> None:
    if method == "put":
        store.put(new_uid(), memoryview(b"content"))
    else:
        read(store, uid)
