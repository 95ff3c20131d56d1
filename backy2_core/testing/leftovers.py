"""What an object that was closed left behind in this process: descriptors and threads."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path

ROUNDS = 5


def expect_nothing_left(use: Callable[[], object]) -> None:
    """Call ``use``, which opens and closes something, again and again: no descriptor and no thread may stay each time."""
    use()
    before = held()
    for _ in range(ROUNDS):
        use()
    after = held()
    for what, count in after.items():
        assert count < before[what] + ROUNDS, f"{what} after opening {ROUNDS} times: {count}, before: {before[what]}"


def held() -> dict[str, int]:
    """How many descriptors and threads this process has."""
    gc.collect()
    folder = Path("/proc/self/fd")
    descriptors = len(os.listdir(folder)) if folder.is_dir() else 0
    return {"open descriptors": descriptors, "threads": threading.active_count()}
