"""Many small operations on their way at once, from one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backy2_plugins.data_backends.rados.failures import number_of

Start = Callable[[int], Any]
"""Starts operation ``number``; returns the module's completion, or raises an error of the module."""

_AT_ONCE = 256


def run(rados: Any, count: int, start: Start) -> list[tuple[int, int]]:
    """Start ``count`` operations, at most 256 at once, and wait for all; their numbers, and error numbers or 0. Whatever
    fails, none is left on its way. ``rados`` is the module."""
    ended: list[tuple[int, int]] = []
    for first in range(0, count, _AT_ONCE):
        under_way: list[tuple[int, Any]] = []
        try:
            for number in range(first, min(first + _AT_ONCE, count)):
                try:
                    under_way.append((number, start(number)))
                except rados.Error as error:
                    ended.append((number, number_of(error)))
        finally:
            ended += [(number, _result(done)) for number, done in under_way]
    return ended


def _result(done: Any) -> int:
    done.wait_for_complete_and_cb()
    return -int(done.get_return_value())
