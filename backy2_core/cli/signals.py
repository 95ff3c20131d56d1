"""Being told to stop: the signals that end a command in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ORDERLY = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """A signal asked for the end. Raised in the main thread, so that every ``finally`` on its way is done."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name
        """``SIGTERM`` or ``SIGHUP``."""


def _terminate(number: int, frame: FrameType | None) -> None:
    for each in _ORDERLY:
        # A second signal must not interrupt the tidying up that the first one began.
        signal.signal(each, signal.SIG_IGN)
    raise Terminated(number)


@contextmanager
def orderly_end() -> Iterator[None]:
    """While this is open, SIGTERM and SIGHUP raise :class:`Terminated` in the main thread.

    A signal that is ignored (``nohup``) or handled by somebody else is left alone. Outside the main thread this does
    nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in _ORDERLY if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
