"""One block, one zstandard frame: with its content size, and without dictionary or checksum."""

from __future__ import annotations

import threading

import zstandard

from backy2_core.api import BlobDamagedError, Sealed, Transform, TransformError

MOST_PERCENT = 95
"""A frame that is longer than so much of its block is not worth the time to unpack it."""


class Zstd(Transform):
    """Compresses with one level; opens what any level made."""

    def __init__(self, level: int) -> None:
        self._tools = _Tools(level)

    @property
    def parameters(self) -> dict[str, str | int]:
        return {}

    @property
    def packs(self) -> bool:
        return True

    def seal(self, data: memoryview) -> Sealed | None:
        try:
            frame = self._tools.compressor.compress(data)
        except zstandard.ZstdError as error:
            raise TransformError(f"A block of {len(data)} bytes cannot be compressed by zstandard: {error}.") from error
        return Sealed(memoryview(frame)) if len(frame) * 100 <= len(data) * MOST_PERCENT else None

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        try:
            # The library makes room for the size that a frame states, whatever bound it is given.
            stated = zstandard.frame_content_size(data)
            if not 0 < stated <= clear_size:
                held = f"holds {stated} bytes" if stated >= 0 else "does not say how many bytes it holds"
                raise BlobDamagedError(f"its zstandard frame {held}, expected 1 to {clear_size}")
            clear = self._tools.decompressor.decompress(data, max_output_size=clear_size, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise BlobDamagedError(f"it is not one whole zstandard frame: {error}") from error
        return memoryview(clear)


class _Tools(threading.local):
    """A compressor and a decompressor a thread: none may be used by two at once, and making one takes longer than a block
    of 4 KiB."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._compressor: zstandard.ZstdCompressor | None = None
        self.decompressor = zstandard.ZstdDecompressor()

    @property
    def compressor(self) -> zstandard.ZstdCompressor:
        # Only who seals has one: at high levels it takes much memory.
        if self._compressor is None:
            self._compressor = zstandard.ZstdCompressor(level=self._level)
        return self._compressor
