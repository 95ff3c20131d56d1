"""A command that ends when the one that started it is gone, even if that was killed.

The starter holds the other end of the command's standard input, and never writes to it. The system closes that end
whatever becomes of the starter, on every system and without a moment in which its death could be missed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping

_VARIABLE = "BACKY2_LIFELINE"
_STDIN = "stdin"


def with_lifeline(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a command whose standard input is a pipe that the caller holds."""
    return {**environ, _VARIABLE: _STDIN}


def hold_lifeline() -> bool:
    """True if this command was started so: from now on it ends in order once its standard input is closed."""
    if os.environ.pop(_VARIABLE, None) != _STDIN:
        return False
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), name="lifeline", daemon=True).start()
    return True


def _watch(descriptor: int) -> None:
    while os.read(descriptor, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
