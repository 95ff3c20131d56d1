"""A device whose blocks cost nearly nothing, and an engine that keeps metadata and drops data.

Each block is different from every other: a number at its beginning, then always the same bytes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from backy2_core.api import (
    BlobUid,
    Extent,
    MetaBackend,
    Secret,
    Source,
    StoredBlob,
    StoreId,
    Target,
    TargetRequest,
    Transform,
)
from backy2_core.engine.chain import Chain
from backy2_core.engine.context import Engine, Options
from backy2_plugins.data_backends.null import NullDataBackend
from backy2_plugins.meta_backends.sql import backy2_open_meta_backend
from benchmarks.sizes import MIB

_NUMBER_BYTES = 8
_CHANGED = 1 << 60


class MadeSource(Source):
    """``blocks`` blocks, read whole. Those in ``changed`` (ascending) are different from what they were without it."""

    def __init__(self, blocks: int, block_bytes: int, changed: Sequence[int] = ()) -> None:
        self._blocks, self._block_bytes, self._changed = blocks, block_bytes, changed
        self._filler = memoryview(b"\x55" * max(4 * MIB, block_bytes))

    @property
    def size_bytes(self) -> int:
        """Size of the device."""
        return self._blocks * self._block_bytes

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill with whole blocks."""
        first, count = offset // self._block_bytes, len(buffer) // self._block_bytes
        numbers = array("Q", range(first + 1, first + count + 1))
        for at in range(bisect_left(self._changed, first), bisect_right(self._changed, first + count - 1)):
            numbers[self._changed[at] - first] |= _CHANGED
        buffer[:] = self._filler[: len(buffer)]
        octets = memoryview(numbers.tobytes())
        for place in range(_NUMBER_BYTES):
            buffer[place :: self._block_bytes] = octets[place::_NUMBER_BYTES]

    def allocated(self) -> Iterator[Extent]:
        """All of it."""
        yield Extent(0, self.size_bytes)

    def close(self) -> None:
        """Nothing is open."""


def open_database(url: str) -> MetaBackend:
    """The project's own meta backend on this database, with its schema made."""
    meta = backy2_open_meta_backend({"engine": Secret(url), "table_prefix": "backy2_", "busy_timeout": 60.0})
    meta.initialise()
    return meta


class ListedDataBackend(NullDataBackend):
    """Drops every blob, and lists the uids that it was given, once."""

    def __init__(self, listed: Iterable[BlobUid]) -> None:
        super().__init__()
        self._listed = listed

    def list_blobs(self) -> Iterator[StoredBlob]:
        """As if they were there."""
        return (StoredBlob(uid, 1) for uid in self._listed)


def made_engine(meta: MetaBackend, source: Source, block_bytes: int, listed: Iterable[BlobUid] = ()) -> Engine:
    """An engine that backs up ``source`` whatever the URL, and drops every blob; its store lists the uids ``listed``."""
    return Engine(
        meta=meta,
        data=ListedDataBackend(listed),
        store=_store(meta),
        options=Options(block_size=block_bytes, host="benchmark"),
        chain=Chain((), _no_transform),
        open_source=lambda url: source,
        open_target=_no_target,
    )


def _store(meta: MetaBackend) -> StoreId:
    # Registered by hand: the null store keeps no identity from one process to the next.
    return meta.register_store("benchmark", "null", "null")


def _no_transform(name: str, parameters: dict[str, str | int]) -> Transform:
    raise LookupError(f"no transform {name} is in use here")


def _no_target(url: str, request: TargetRequest) -> Target:
    raise LookupError(f"there is nothing to restore to {url}")
