"""Stores, databases and devices that cannot be reached: how a suite is told to make one, and a server that never answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import pytest

from backy2_core.errors import BackyError


@dataclass(frozen=True, slots=True)
class Outage:
    """How the author of a plugin lets what is under test fail, and work again.

    ``begin`` is called while an object is open; from then on it cannot reach its store (its database, its device). ``end``
    undoes that, and may be called twice. ``retryable`` is what errors must say in between: True where the object that is
    open goes on working after ``end``, False where only one that is opened anew does.
    """

    begin: Callable[[], None]
    end: Callable[[], None]
    retryable: bool = True


class SilentServer:
    """A server on this machine that takes every connection and never answers: for trying the time-outs of a client.

    ``with SilentServer() as server:`` gives ``server.host`` and ``server.port``. What is sent to it goes nowhere.
    """

    def __init__(self) -> None:
        # Nobody has to accept: the kernel completes connections by itself, as many as the backlog holds.
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host, self.port = self._socket.getsockname()[:2]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._socket.close()


@contextmanager
def failing_within(limit_s: float, kind: type[BackyError], *, retryable: bool | None = True) -> Iterator[None]:
    """Expects that the block fails with an error of this class, that says this, before the time is over."""
    began = time.monotonic()
    with pytest.raises(kind) as raised:
        yield
    took_s = time.monotonic() - began
    assert took_s < limit_s, f"gave up after {took_s:.0f} s; expected less than {limit_s:g} s: set a time-out"
    assert retryable in (None, raised.value.retryable), f"expected retryable={retryable} of {raised.value!r}"


def failure_of(call: Callable[[], object], limit_s: float, kind: type[BackyError]) -> BackyError | None:
    """The error of this class that a call ends with, or None; it must come back in time. Other errors pass through."""
    began = time.monotonic()
    failure = None
    try:
        call()
    except kind as error:
        failure = error
    took_s = time.monotonic() - began
    assert took_s < limit_s, f"the call took {took_s:.0f} s; expected at most {limit_s:g} s"
    assert failure is None or str(failure).strip(), f"{failure!r} says nothing"
    return failure
