"""Running a stranger's code: whatever it raises becomes a reason, it takes no more than its time, and prints no result."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn, TypeVar

Result = TypeVar("Result")

TIME_LIMIT = "BACKY2_PLUGIN_SECONDS"
"""Environment variable: how many seconds the import of one plugin may take; 0 for any time."""
DEFAULT_LIMIT_S = 30.0
_REPEAT_S = 1.0


class Unusable(Exception):
    """A plugin was refused; the message is the reason alone, the registry adds whose plugin it is."""


class _TookTooLong(BaseException):
    """The time is over. No :class:`Exception`, so that code that catches those does not go on."""


def import_with_care(what: str, load: Callable[[], Result]) -> Result:
    """Import a plugin; raises :class:`Unusable` if that fails or takes longer than ``$BACKY2_PLUGIN_SECONDS``.

    The limit holds in the main thread only, and not for code that lets no signal through (a library that hangs in C).
    """
    limit_s = _limit_s()
    try:
        with _limited(limit_s):
            return run_with_care(f"importing {what}", load, _TookTooLong)
    except _TookTooLong as error:
        raise Unusable(
            f"importing {what} took more than {limit_s:g} seconds and was given up; ${TIME_LIMIT} sets another limit"
        ) from error


def run_with_care(what: str, call: Callable[[], Result], *passing: type[BaseException]) -> Result:
    """Run ``call``. Anything that it raises, but for the classes ``passing``, becomes :class:`Unusable`.

    ``SystemExit`` too: no plugin ends the program. A signal that asks for the end does. What is printed meanwhile goes to
    standard error, since standard output belongs to the command's result.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return call()
    except passing:
        raise
    except BaseException as error:  # whatever a stranger's code raises
        if _asks_for_the_end(error):
            raise
        raise Unusable(f"{what} raised {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """An exception in one line, with its class."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _asks_for_the_end(error: BaseException) -> bool:
    # sys.exit() raises SystemExit itself; what our signal handlers raise is of a class of its own.
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and type(error) is not SystemExit)


def _limit_s() -> float:
    try:
        return max(0.0, float(os.environ.get(TIME_LIMIT, DEFAULT_LIMIT_S)))
    except ValueError:
        return DEFAULT_LIMIT_S


@contextlib.contextmanager
def _limited(limit_s: float) -> Iterator[None]:
    if not limit_s or threading.current_thread() is not threading.main_thread():
        yield
        return
    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _give_up)
    # Again and again, for code that catches everything in a loop.
    remaining_s, interval_s = signal.setitimer(signal.ITIMER_REAL, limit_s, _REPEAT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining_s:
            # Somebody else's alarm goes off when it would have.
            left_s = max(0.001, remaining_s - (time.monotonic() - began))
            signal.setitimer(signal.ITIMER_REAL, left_s, interval_s)


def _give_up(number: int, frame: FrameType | None) -> NoReturn:
    raise _TookTooLong
