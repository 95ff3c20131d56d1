"""Runs jobs in threads of their own, of which one moves at a time, from one call of a backend to the next.

No sleeping and no chance: a job stops before each call of its meta or data backend (for scans: before each batch) and moves on
when it is told to. A job that is killed never reaches another call.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, ClassVar

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.engine.pool import WorkerPool
from backy2_core.model.job import Job, NewJob

ENDED = "ended"
_PATIENCE_S = 120.0

_SCANS = frozenset({"scan_maps", "scan_segments", "scan_blobs"})
_LISTINGS = frozenset({"versions", "read_map", "list_blobs", "list_documents"})
_NO_STEPS = frozenset({"close", "location", "capabilities", "store", "renew_job"})


class Killed(BaseException):
    """Unwinds the threads of a job that was killed; it cannot change anything on its way."""


class Actor:
    """One job: ``work`` runs in a thread and stops before each call of a backend.

    :attr:`at` names the call that it stopped before, or is :data:`ENDED`; then :attr:`result` or :attr:`error` is set.
    """

    moving: ClassVar[Actor | None] = None
    """The one that was moved last."""

    def __init__(self, name: str, work: Callable[[Actor], Any]) -> None:
        self.name = name
        self.at = ""
        self.result: Any = None
        self.error: BaseException | None = None
        self.killed = False
        self.jobs: list[Job] = []
        self.expired = False
        self._arrived = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)

    @property
    def ended(self) -> bool:
        """True when it will not move any more."""
        return self.at == ENDED

    def start(self) -> None:
        """Run up to the first stop."""
        Actor.moving = self
        self._thread.start()
        self._await()

    def step(self) -> None:
        """Make the call that it stopped before, and run up to the next."""
        assert not self.ended, f"{self.name} has ended"
        Actor.moving = self
        self._go.release()
        self._await()

    def kill(self) -> None:
        """Never let it reach another call."""
        if not self.ended:
            self.killed = True
            self._go.release()
            self._await()
        self._thread.join()

    def stop_before(self, call: str) -> None:
        """Called in the threads of the job: wait until it is told to go on."""
        if self.killed:
            raise Killed
        self.at = call
        self._arrived.release()
        self._go.acquire()
        if self.killed:
            raise Killed

    def _run(self, work: Callable[[Actor], Any]) -> None:
        try:
            self.result = work(self)
        except BaseException as error:
            self.error = error
        self.at = ENDED
        self._arrived.release()

    def _await(self) -> None:
        if not self._arrived.acquire(timeout=_PATIENCE_S):
            raise AssertionError(f"{self.name} hangs after {self.at}")


def pause(call: str) -> None:
    """A stop within a call, for mutants that make two transactions where the real thing makes one."""
    assert Actor.moving is not None
    Actor.moving.stop_before(call)


class Stepped:
    """A backend around ``inner`` that stops its job before each call."""

    def __init__(self, inner: Any, actor: Actor) -> None:
        self.inner = inner
        self.actor = actor

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.inner, name)
        if name in _NO_STEPS or not callable(member):
            return member

        def call(*args: Any, **options: Any) -> Any:
            if name in _SCANS:
                return self._scan(name + ("+data" if options.get("with_data") else ""), member(*args, **options))
            if name in _LISTINGS:
                return self._listing(name, lambda: member(*args, **options))
            self.actor.stop_before(name)
            return member(*args, **options)

        return call

    def _scan(self, name: str, batches: Iterator[Any]) -> Iterator[Any]:
        while True:
            self.actor.stop_before(name)
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch

    def _listing(self, name: str, call: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        self.actor.stop_before(name)
        yield from call()


class SteppedMeta(Stepped):
    """A meta backend that notes which jobs were begun through it."""

    inner: MetaBackend

    def begin_job(self, new: NewJob) -> Job:
        """Passed on."""
        self.actor.stop_before("begin_job")
        job = self.inner.begin_job(new)
        self.actor.jobs.append(job)
        return job


class SerialPool(WorkerPool):
    """A pool whose tasks run on its threads, but one after the other, in the order in which they were handed out."""

    def __init__(self, threads: int) -> None:
        super().__init__(1)
        self._waiting: deque[tuple[Executor, Callable[[Any], None], Callable[..., Any], Any]] = deque()

    def wait(self) -> None:
        """Run the oldest task and hand on its result."""
        if self._waiting:
            executor, then, work, args = self._waiting.popleft()
            self.in_flight -= 1
            then(executor.submit(work, *args).result())

    def _send(self, executor: Executor, then: Callable[[Any], None], work: Callable[..., Any], args: Any) -> None:
        self.in_flight += 1
        self._waiting.append((executor, then, work, args))
