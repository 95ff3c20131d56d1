"""Numbers kept for row ids, and who uses each id: compact tables in chunks, since ids are dense but begin anywhere."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

_BITS = 16
_CHUNK = 1 << _BITS
_MASK = _CHUNK - 1
_MOST = 2**32 - 1

MANY = -1
"""In place of a user: several use it."""


class IdTable:
    """A number for each id, 0 until it is set. ``typecode`` is that of :mod:`array`, and so says how many bytes each takes."""

    def __init__(self, typecode: str) -> None:
        self._typecode = typecode
        self._chunks: dict[int, array[Any]] = {}

    def __setitem__(self, number: int, value: float) -> None:
        key = number >> _BITS
        chunk = self._chunks.get(key)
        if chunk is None:
            chunk = self._chunks[key] = _zeros(self._typecode)
        chunk[number & _MASK] = value

    def __getitem__(self, number: int) -> Any:
        chunk = self._chunks.get(number >> _BITS)
        return 0 if chunk is None else chunk[number & _MASK]


class UseTable:
    """How often each id within ``first <= id < stop`` is used, and by whom; eight bytes an id.

    A user is a number from 1 up, or :data:`MANY`. No count goes beyond 2**32 - 1.
    """

    def __init__(self, first: int = 1, stop: int = 2**63) -> None:
        self._first, self._stop = first, stop
        self._chunks: dict[int, tuple[array[int], array[int]]] = {}

    def use_all(self, ids: Iterable[int], times: int, user: int) -> None:
        """``user`` uses each of ``ids`` so many times, again where an id is repeated; ids out of bounds are passed over."""
        first, stop, chunks = self._first, self._stop, self._chunks
        for number in ids:
            if not first <= number < stop:
                continue
            chunk = chunks.get(number >> _BITS)
            if chunk is None:
                chunk = chunks[number >> _BITS] = (_zeros("I"), _zeros("i"))
            counts, users = chunk
            low = number & _MASK
            count = counts[low]
            if not count:
                users[low] = user
            elif users[low] != user:
                users[low] = MANY
            counts[low] = min(count + times, _MOST)

    def __getitem__(self, number: int) -> tuple[int, int]:
        """(times, user) of an id; (0, 0) if nobody uses it."""
        chunk = self._chunks.get(number >> _BITS)
        return (0, 0) if chunk is None else (chunk[0][number & _MASK], chunk[1][number & _MASK])

    def drain(self) -> Iterator[tuple[int, int, int]]:
        """(id, times, user) of every id in use, ascending; gives memory back on the way, and leaves the table empty."""
        for key in sorted(self._chunks):
            counts, users = self._chunks.pop(key)
            for low, count in enumerate(counts):
                if count:
                    yield (key << _BITS) + low, count, users[low]


def _zeros(typecode: str) -> array[Any]:
    return array(typecode, bytes(array(typecode).itemsize * _CHUNK))
