"""The wrapper that throttles: the average is kept, whatever the sizes and however many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.errors import BlobNotFoundError
from backy2_core.testing.data_backend_base import new_uid, put_new, read
from backy2_core.testing.memory import MemoryDataBackend
from backy2_core.wrappers.throttled import ThrottledDataBackend, TokenBucket

KIB = 1024


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _wrap(clock: Clock, *, read_bytes_s: int = 0, write_bytes_s: int = 0) -> ThrottledDataBackend:
    return ThrottledDataBackend(
        MemoryDataBackend(),
        read_bytes_s=read_bytes_s,
        write_bytes_s=write_bytes_s,
        sleep=clock.sleep,
        clock=lambda: clock.now,
    )


@pytest.mark.parametrize("size", [100, 10 * KIB, 5000 * KIB])
def test_writing_keeps_to_its_rate(clock: Clock, size: int) -> None:
    store = _wrap(clock, write_bytes_s=100 * KIB)
    count = -(-10_000 * KIB // size) if size > 100 else 20_000
    for _ in range(count):
        store._writes.take(size)
    assert clock.now - 50 == pytest.approx(count * size / (100 * KIB), rel=0.02, abs=0.3)


def test_puts_and_gets_are_limited_each_by_its_own_rate(clock: Clock) -> None:
    store = _wrap(clock, read_bytes_s=10_000, write_bytes_s=1_000)
    uids = [put_new(store, 1_000) for _ in range(10)]
    written = clock.now - 50
    assert written == pytest.approx(10, abs=0.3)
    for uid in uids:
        read(store, uid, 1_000)
    assert clock.now - 50 - written == pytest.approx(1, abs=0.3)


def test_no_window_of_a_few_seconds_is_more_than_a_tenth_above_the_rate(clock: Clock) -> None:
    rate, size = 1_000_000, 100_000
    bucket = TokenBucket(rate, sleep=clock.sleep, clock=lambda: clock.now)
    passed: list[float] = []
    for _ in range(200):
        bucket.take(size)
        passed.append(clock.now)
    for start in passed:
        within = sum(size for at in passed if start <= at < start + 5)
        assert within <= 1.1 * rate * 5


def test_reads_into_buffers_that_are_too_large_keep_the_rate_of_what_was_read(clock: Clock) -> None:
    store = _wrap(clock, read_bytes_s=10_000)
    uid = put_new(store, 1_000)
    for _ in range(100):
        read(store, uid, 20_000)
    assert clock.now - 50 == pytest.approx(10, abs=2.2)


def test_a_read_that_fails_costs_nothing(clock: Clock) -> None:
    store = _wrap(clock, read_bytes_s=100_000)
    for _ in range(50):
        with pytest.raises(BlobNotFoundError):
            read(store, new_uid(), 10_000)
    assert clock.now - 50 < 0.2


def test_a_rate_of_zero_is_no_limit(clock: Clock) -> None:
    store = _wrap(clock)
    read(store, put_new(store, 60_000))
    assert clock.now == 50


def test_a_pause_earns_no_more_than_a_quarter_of_a_second(clock: Clock) -> None:
    bucket = TokenBucket(1000, sleep=clock.sleep, clock=lambda: clock.now)
    clock.now += 3600
    start = clock.now
    bucket.take(5000)
    assert clock.now - start == pytest.approx(4.75)


def test_documents_are_not_limited(clock: Clock) -> None:
    store = _wrap(clock, read_bytes_s=1, write_bytes_s=1)
    store.write_document("a", bytes(1000))
    assert store.read_document("a") == bytes(1000)
    assert clock.now == 50


def test_many_threads_share_one_rate() -> None:
    waits, lock = [], threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            waits.append(seconds)

    bucket = TokenBucket(1000, sleep=sleep, clock=lambda: 0.0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bucket.take(10), range(1000)))
    assert max(waits) == pytest.approx(10 - 0.25)
    assert sorted(waits) == pytest.approx([0.01 * n for n in range(1, 976)])
