"""Many small operations on their way at once, from one thread."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

Start = Callable[[int, ctypes.c_void_p], int]
"""Starts operation ``number``, with the completion that tells of its end; a negative code if it could not."""

_AT_ONCE = 256


def run(library: Any, count: int, start: Start) -> list[tuple[int, int]]:
    """Start ``count`` operations, at most 256 at once, and wait for all; their numbers and codes. Whatever fails, none is
    left on its way."""
    codes: list[tuple[int, int]] = []
    for first in range(0, count, _AT_ONCE):
        under_way: list[tuple[int, ctypes.c_void_p]] = []
        try:
            for number in range(first, min(first + _AT_ONCE, count)):
                done = ctypes.c_void_p()
                library.rados_aio_create_completion2(None, None, ctypes.byref(done))
                code = start(number, done)
                if code < 0:
                    library.rados_aio_release(done)
                    codes.append((number, code))
                else:
                    under_way.append((number, done))
        finally:
            codes += [(number, _code(library, done)) for number, done in under_way]
    return codes


def _code(library: Any, done: ctypes.c_void_p) -> int:
    library.rados_aio_wait_for_complete(done)
    code = int(library.rados_aio_get_return_value(done))
    library.rados_aio_release(done)
    return code
