"""Time-outs for what has none of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(patience_s: float, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises. After ``patience_s`` seconds :class:`TimeoutError`: then a thread is still in it.

    For what asks the monitors without a time-out of its own: the library waits for ever for a newer map there, where a
    pool is not in the one it has and the monitors are gone.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        # Whatever it is, it belongs to who asked.
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="rados-pool", daemon=True).start()
    return done.result(patience_s)
