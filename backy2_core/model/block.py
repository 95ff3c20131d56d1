"""The cutting of a device into blocks."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_BLOCK_SIZE = 4 * 1024 * 1024
MIN_BLOCK_SIZE = 512
MAX_BLOCK_SIZE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Geometry:
    """A device of ``size_bytes`` cut into blocks of ``block_size`` bytes; only the last may be shorter.

    Blocks are numbered from 0. A device of no bytes has no blocks.
    """

    size_bytes: int
    block_size: int

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError(f"a device cannot have {self.size_bytes} bytes")
        if not MIN_BLOCK_SIZE <= self.block_size <= MAX_BLOCK_SIZE:
            raise ValueError(f"block size {self.block_size} is not within {MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE} bytes")

    @property
    def count(self) -> int:
        """Number of blocks."""
        return -(-self.size_bytes // self.block_size)

    def offset(self, block: int) -> int:
        """Byte offset of the first byte of ``block``."""
        return block * self.block_size

    def length(self, block: int) -> int:
        """Bytes in ``block``; 0 for a block beyond the end."""
        return max(0, min(self.block_size, self.size_bytes - block * self.block_size))

    def span_length(self, first: int, count: int) -> int:
        """Bytes in the ``count`` blocks from ``first`` on, as far as the device goes."""
        return max(0, min(count * self.block_size, self.size_bytes - first * self.block_size))
