"""A set of row ids that takes one bit for each id in use, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BITS = 16
_MASK = (1 << _BITS) - 1


class IdSet:
    """Ids from 1 up, dense in their order of creation: 100 million of them take 12.5 MB."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}

    def add_all(self, ids: Iterable[int]) -> None:
        """Put ids into the set."""
        chunks = self._chunks
        for number in ids:
            key = number >> _BITS
            chunk = chunks.get(key)
            if chunk is None:
                chunk = chunks[key] = bytearray(1 << (_BITS - 3))
            low = number & _MASK
            chunk[low >> 3] |= 1 << (low & 7)

    def __contains__(self, number: int) -> bool:
        chunk = self._chunks.get(number >> _BITS)
        if chunk is None:
            return False
        low = number & _MASK
        return bool(chunk[low >> 3] & (1 << (low & 7)))

    def isdisjoint(self, ids: Iterable[int]) -> bool:
        """True if none of ``ids`` is in the set."""
        return not any(number in self for number in ids)

    def without(self, other: IdSet) -> Iterator[int]:
        """The ids of this set that are not in ``other``, ascending. Neither may change meanwhile."""
        for key in sorted(self._chunks):
            rest = int.from_bytes(self._chunks[key], "little")
            rest &= ~int.from_bytes(other._chunks.get(key, b""), "little")
            for at, byte in enumerate(rest.to_bytes(1 << (_BITS - 3), "little") if rest else b""):
                if byte:
                    first = (key << _BITS) + (at << 3)
                    yield from (first + bit for bit in range(8) if byte >> bit & 1)

    def __len__(self) -> int:
        return sum(int.from_bytes(chunk, "little").bit_count() for chunk in self._chunks.values())
