"""A disk image as a real file, with its bytes and a record of every change beside it."""

from __future__ import annotations

import ctypes
import os
import random
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 300 * 4096
_KEEP_SIZE_AND_PUNCH_HOLE = 3
_PIECE = 512


@dataclass(frozen=True)
class Change:
    """Bytes that differ since; ``exists`` is False where they became zeros."""

    offset: int
    length: int
    exists: bool


class Image:
    """The file, and what it must hold. ``age`` grows with each change; ``changes[n]`` made age ``n`` to ``n + 1``."""

    def __init__(self, path: Path, rng: random.Random, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self.content = bytearray()
        self.changes: list[Change] = []
        self._rng = rng
        self._most_bytes = most_bytes
        path.write_bytes(b"")
        self.grow()
        self.write()

    @property
    def age(self) -> int:
        """Number of changes so far."""
        return len(self.changes)

    def change(self) -> str:
        """Change something; says what."""
        doing = self._rng.choices(
            [self.write, self.write_few, self.zero, self.punch, self.grow, self.shrink], [30, 25, 10, 15, 10, 10]
        )[0]
        doing()
        return doing.__name__

    def write(self) -> None:
        """Write a long range, of pieces that often repeat each other."""
        offset, length = self._range(len(self.content))
        self._write(offset, self._data(length))

    def write_few(self) -> None:
        """Write a few bytes somewhere."""
        offset, length = self._range(9000)
        self._write(offset, self._rng.randbytes(length))

    def zero(self) -> None:
        """Write zeros."""
        offset, length = self._range(len(self.content))
        self._write(offset, bytes(length), exists=False)

    def punch(self) -> None:
        """Punch a hole; often on the borders of blocks."""
        offset, length = self._range(len(self.content))
        if length:
            with self.path.open("r+b") as file:
                _punch(file.fileno(), offset, length)
            self._note(offset, bytes(length), exists=False)

    def grow(self) -> None:
        """Grow by a hole, to a size that often ends inside a block."""
        old, new = len(self.content), self._size(len(self.content), self._most_bytes)
        os.truncate(self.path, new)
        self.content.extend(bytes(new - old))
        self._note(old, bytes(new - old), exists=False)

    def shrink(self) -> None:
        """Cut the end off, at times everything."""
        new = self._size(0, len(self.content))
        os.truncate(self.path, new)
        del self.content[new:]
        self._note(new, b"", exists=False)

    def hints_since(self, age: int) -> list[Change]:
        """What changed since ``age``, within the present size."""
        size, hints = len(self.content), []
        for change in self.changes[age:]:
            length = min(change.length, size - change.offset)
            if length > 0:
                hints.append(Change(change.offset, length, change.exists))
        return hints

    def _write(self, offset: int, data: bytes, *, exists: bool = True) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)
        self._note(offset, data, exists=exists)

    def _note(self, offset: int, data: bytes, *, exists: bool) -> None:
        self.content[offset : offset + len(data)] = data
        self.changes.append(Change(offset, len(data), exists))
        # The filesystem's clock may stand still between two changes; the identity of the source must not.
        os.utime(self.path, ns=(self.age, self.age * 1_000_000))

    def _range(self, most: int) -> tuple[int, int]:
        size = len(self.content)
        offset = self._round(self._rng.randint(0, size))
        length = self._round(self._rng.randint(0, min(most, size)))
        return offset, min(length, size - offset)

    def _size(self, low: int, high: int) -> int:
        return min(high, max(low, self._round(self._rng.randint(low, high))))

    def _round(self, number: int) -> int:
        return number - number % self._rng.choice([1, 1, 512, 4096])

    def _data(self, length: int) -> bytes:
        palette = [bytes([n]) * _PIECE for n in (0, 1, 2, 3)]
        pieces = -(-length // _PIECE)
        if self._rng.random() < 0.5:
            return (self._rng.choice(palette) * pieces)[:length]
        mixed = [self._rng.choice(palette) if self._rng.random() < 0.6 else self._rng.randbytes(_PIECE)] * 8
        return b"".join(mixed[n % 8] for n in range(pieces))[:length] if pieces % 3 else self._rng.randbytes(length)


def _punch(fd: int, offset: int, length: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_longlong(offset), ctypes.c_longlong(length))
    if libc.fallocate(ctypes.c_int(fd), ctypes.c_int(_KEEP_SIZE_AND_PUNCH_HOLE), *arguments) != 0:
        os.pwrite(fd, bytes(length), offset)
