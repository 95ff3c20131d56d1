"""Transform ``zlib``: compression by Python's own library."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from backy2_core.api import Sealed, Setting, Settings, SettingType, Transform, TransformError, hookimpl

backy2_api_version = 1


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """How hard to try."""
    return [Setting("level", SettingType.INTEGER, 6, "1 to 9.", minimum=1)]


@hookimpl
def backy2_make_transform(settings: Settings, parameters: dict[str, str | int] | None) -> Transform:
    """Opening needs no level: zlib data say it themselves."""
    return Zlib(int(settings["level"] if parameters is None else parameters["level"]))


class Zlib(Transform):
    """One level."""

    def __init__(self, level: int) -> None:
        self._level = level

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"level": self._level}

    def seal(self, data: memoryview) -> Sealed | None:
        packed = zlib.compress(data, self._level)
        return Sealed(memoryview(packed)) if len(packed) < len(data) else None

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        unpacker = zlib.decompressobj()
        try:
            clear = unpacker.decompress(data, clear_size)
        except zlib.error as error:
            raise TransformError(f"zlib: {error}") from error
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise TransformError("zlib: the data are longer than the block, or cut")
        return memoryview(clear)
