"""``python -m tests.ceph.dying POINT WORDS...``: the command line ``backy2 WORDS``, killed by SIGKILL at a point.

A point is ``before MODULE:NAME`` or ``after MODULE:NAME``, where the name is that of a function, or of a method after its
class: the process is killed when that is called first, or has returned. Without a point (an empty word) nothing happens to it.
Once all is imported, and the command is about to begin, it prints :data:`READY`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import rados
import rbd

import backy2_core.assembly.installation
import backy2_core.cli.app
import backy2_plugins.data_backends.file
import backy2_plugins.meta_backends.sql
import backy2_plugins.sources.rbd
from backy2_core.cli.main import main

READY = "now it begins"
# Imported before the command begins, so that it is killed at its work and not while it starts.
NEEDED = (rados, rbd, backy2_core, backy2_plugins)


def set_trap(point: str) -> None:
    """Make the process die at the point."""
    moment, _, place = point.partition(" ")
    module, _, name = place.partition(":")
    *owners, attribute = name.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    setattr(owner, attribute, _deadly(getattr(owner, attribute), before=moment == "before"))


def _deadly(function: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    def last(*args: Any, **named: Any) -> Any:
        result = None if before else function(*args, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    return last


if __name__ == "__main__":
    if sys.argv[1]:
        set_trap(sys.argv[1])
    print(READY, flush=True)
    sys.exit(main(sys.argv[2:]))
