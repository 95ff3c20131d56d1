"""Worker threads, and the one queue on which all their results come back."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class WorkerPool:
    """Runs functions on threads and hands each result to a function on the thread that asks for it.

    The caller bounds the work in flight (by its buffers). The first exception of a worker is raised by :meth:`wait`,
    and work not yet begun is then dropped. ``threads`` run blocks of data; one more thread runs flushes, so that a long
    one does not stop the others.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="flusher")
        self._results: queue.SimpleQueue[tuple[Future[Any], Callable[[Any], None]]] = queue.SimpleQueue()
        self.in_flight = 0

    def submit(self, then: Callable[[T], None], work: Callable[..., T], *args: Any) -> None:
        """Run ``work(*args)`` on a worker, later ``then(result)`` on the thread that calls :meth:`wait`."""
        self._send(self._workers, then, work, args)

    def submit_flush(self, then: Callable[[T], None], work: Callable[..., T], *args: Any) -> None:
        """Like :meth:`submit`, on the thread for flushes."""
        self._send(self._flusher, then, work, args)

    def wait(self) -> None:
        """Take all results that are there, waiting for at least one, and hand them on."""
        if not self.in_flight:
            return
        batch = [self._results.get()]
        while not self._results.empty():
            batch.append(self._results.get())
        self.in_flight -= len(batch)
        for future, then in batch:
            then(future.result())

    def _send(
        self, executor: ThreadPoolExecutor, then: Callable[[Any], None], work: Callable[..., Any], args: Any
    ) -> None:
        self.in_flight += 1
        future = executor.submit(work, *args)
        future.add_done_callback(lambda done: self._results.put((done, then)))

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._flusher.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
